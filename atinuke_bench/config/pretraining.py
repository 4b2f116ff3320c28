"""What a core had learned before its run: a record in every result's protocol, since it makes scores incomparable."""

from __future__ import annotations

import re
from typing import Any

from atinuke_bench.config.base import Frozen

_NONE = "none"
#: Older results hold the label instead of the record.
_LABELS = (
    re.compile(
        r"(?P<task>\S+)(?: \((?P<objective>\w+)\))? on (?P<data>\w+), settings (?P<settings>\w+)"
        r"(?P<causal_changed>, causal changed)?(?:, after (?P<earlier>.+))?"
    ),
    re.compile(r"(?:none|(?P<model>.+))(?P<is_tokenizer_only>; tokenizer of )(?P<task>\S+) on (?P<data>\w+)"),
    re.compile(r"none|(?P<model>.+)"),
)


class Pretraining(Frozen):
    """A published model, the weights of an earlier run, or only its tokenizer; nothing at all by default.

    >>> Pretraining(task="lm", objective="causal", data="0a1b2c3d", settings="11112222").label
    'lm (causal) on 0a1b2c3d, settings 11112222'
    >>> Pretraining().label, Pretraining(task="lm", data="0a1b2c3d", is_tokenizer_only=True).label
    ('none', 'none; tokenizer of lm on 0a1b2c3d')
    """

    model: str | None = None
    #: What the model's authors list among its training data that is part of the task's data.
    listed: str | None = None
    #: The earlier run: its task, the objective where the task has several, and the start of its data's fingerprint.
    task: str | None = None
    objective: str | None = None
    data: str | None = None
    is_tokenizer_only: bool = False
    #: Digest of the earlier run's settings, its seed left out.
    settings: str | None = None
    #: Whether its core was causal and this one is not, or the other way round.
    causal_changed: bool = False
    #: What the earlier run had started from.
    earlier: Pretraining | None = None

    @classmethod
    def read(cls, stored: Any) -> Pretraining:
        """The record in a protocol, which older results hold as a label; ValueError.

        >>> Pretraining.read("snli on 9988, settings 3344, after none; tokenizer of lm on 0a1b").earlier.data
        '0a1b'
        """
        if not isinstance(stored, str):
            return cls.model_validate(stored)
        found = next(filter(None, (label.fullmatch(stored) for label in _LABELS)), None)
        fields: dict[str, Any] = {name: value for name, value in found.groupdict().items() if value} if found else {}
        flags = {name: True for name in ("causal_changed", "is_tokenizer_only") if name in fields}
        earlier = {"earlier": cls.read(fields["earlier"])} if "earlier" in fields else {}
        return cls(**fields | flags | earlier)

    def to_stored(self) -> Any:
        """What a protocol holds: a text when nothing was learned before, otherwise the fields that are set."""
        return self.model_dump(exclude_defaults=True) or _NONE

    @property
    def is_scratch(self) -> bool:
        """Whether the weights were drawn at random."""
        return self.model is None and (self.task is None or self.is_tokenizer_only)

    @property
    def tokenizer_alone(self) -> Pretraining:
        """Random weights with the tokenizer of the same earlier run."""
        return Pretraining(task=self.task, data=self.data, is_tokenizer_only=True)

    @property
    def short_label(self) -> str:
        """The label without what the earlier run was trained on and how."""
        if self.task is None or self.is_tokenizer_only:
            return self.label
        return self.task + (f" ({self.objective})" if self.objective else "")

    @property
    def label(self) -> str:
        """One line for a reader."""
        if self.task is None or self.is_tokenizer_only:
            listed = f", whose authors list {self.listed} among its training data" if self.listed else ""
            tokenizer = f"; tokenizer of {self.task} on {self.data}" if self.is_tokenizer_only else ""
            return f"{self.model or _NONE}{listed}{tokenizer}"
        changed = ", causal changed" if self.causal_changed else ""
        earlier = f", after {self.earlier.label}" if self.earlier else ""
        return f"{self.short_label} on {self.data}, settings {self.settings}{changed}{earlier}"
