"""What a rule says of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from atinuke_bench.files import finite


class Severity(StrEnum):
    """How much a finding matters, the worst first."""

    #: The score says little of the core: reports mark it.
    SERIOUS = "serious"
    #: It may have cost score.
    WARNING = "warning"
    #: Worth knowing; healthy runs have it too.
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """What is wrong with a run, by the name of its rule, with the numbers that say so and what to try.

    `since` is in words; evidence is by name, in the units that the name says.
    """

    name: str
    severity: Severity
    text: str
    evidence: Mapping[str, float | int | None] = field(default_factory=dict)
    tries: tuple[str, ...] = ()
    since: str = ""

    def record(self) -> dict[str, Any]:
        """The finding as plain data."""
        return {
            "name": self.name,
            "severity": str(self.severity),
            "since": self.since,
            "text": self.text,
            "evidence": finite(dict(self.evidence)),
            "try": list(self.tries),
        }


def epoch_name(epoch: float) -> str:
    """An epoch, counted from 0 in files, as readers count it.

    >>> epoch_name(0)
    'epoch 1'
    """
    return f"epoch {int(epoch) + 1}"


def step_name(step: float) -> str:
    return f"step {int(step)}"
