"""Why a published figure may or may not stand beside one measured here, field by field.

What a source does not state is never taken for granted where it decides (pretraining, the checkpoint, the data's
version), and is named where it usually goes without saying (no transfer, one model, all data).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from atinuke_bench.config import Pretraining
from atinuke_bench.records import cut_or_own
from atinuke_bench.registry import is_declared

from .published import Published

#: Releases of a task's data, by the examples of their train split.
RELEASES: Mapping[str, Mapping[int, str]] = {
    "squad-v1.1": {87_599: "1.1"},
    "squad-v2.0": {130_319: "2.0"},
    "coref": {2_802: "CoNLL-2012"},
    "srl": {253_070: "CoNLL-2012", 90_750: "CoNLL-2005"},
}
#: The reason that no longer holds where the published protocol selects on dev too.
SELECTED_ON_DEV = "ours was selected on dev"
#: Splits that the harness calls otherwise: task and version -> (split, part) -> ours.
_SPLITS: Mapping[tuple[str, str], Mapping[tuple[str, str], str]] = {
    ("glue/mnli", ""): {
        (split, part): f"{split}_{part}" for split in ("dev", "test") for part in ("matched", "mismatched")
    },
    ("srl", "CoNLL-2005"): {("test", "wsj"): "test", ("test", "brown"): "test_brown", ("dev", ""): "dev"},
}


@dataclass(frozen=True)
class Verdict:
    """Whether a published figure is comparable: what differs, and what its source leaves open."""

    differing: tuple[str, ...]
    not_stated: tuple[str, ...] = ()
    #: Whether our data is another: cut, generated or the user's own. Then nothing makes up for it.
    is_other_data: bool = False

    @property
    def is_comparable(self) -> bool:
        return not self.differing

    @property
    def is_near(self) -> bool:
        """Whether at most one thing differs, and the data does not."""
        return len(self.differing) <= 1 and not self.is_other_data

    @property
    def text(self) -> str:
        """In plain words.

        >>> Verdict(()).text, Verdict(("an ensemble",)).text
        ('yes', 'yes, but for one thing: an ensemble')
        """
        if self.is_comparable:
            return f"yes, as far as stated (not stated: {', '.join(self.not_stated)})" if self.not_stated else "yes"
        if self.is_near:
            return f"yes, but for one thing: {self.differing[0]}"
        return "no: " + "; ".join(self.differing)


def our_split(row: Published, version: str) -> str:
    """What the harness calls the split and part of a published figure; empty where it has no such split.

    An absent part is the whole split, unless the split is known to have parts.
    """
    parts = _SPLITS.get((row.task, version))
    if parts is not None:
        return parts.get((row.split, row.subset), "")
    return "" if row.subset else row.split


def version_of(task: str, protocol: Mapping[str, Any]) -> str:
    """The release that a run's data is; empty for cut data, and where a task has one."""
    sizes = protocol.get("split_sizes") or {}
    return RELEASES.get(task, {}).get(sizes.get("train", 0), "")


def kind_of_data(protocols: Iterable[Mapping[str, Any]]) -> str:
    """What the data of some protocols is: official, cut, own, or of several kinds.

    >>> kind_of_data([{"is_cut": False}]), kind_of_data([{"is_cut": True}])
    ('official data', 'cut or own data')
    """
    found = {cut_or_own(protocol) if protocol["is_cut"] else "official data" for protocol in protocols}
    if found == {"cut data", "own data"}:
        return "cut and own data"
    return found.pop() if len(found) == 1 else "cut or own data"


def verdict(row: Published, protocol: Mapping[str, Any], pretraining: Pretraining) -> Verdict:
    """What keeps a published figure from standing beside the same figure of the same split of our runs."""
    version, is_other_data = version_of(row.task, protocol), _is_other_data(row, protocol)
    differing = [
        *([f"ours is {cut_or_own(protocol)}"] if is_other_data else []),
        *([SELECTED_ON_DEV] if protocol["selection"] != "held-out" else []),
    ]
    if row.task in RELEASES and row.version != version and not protocol["is_cut"]:
        differing.append(f"data {row.version or 'of no stated version'}, ours {version}")
    if row.kind == "human":
        return Verdict(tuple(differing), is_other_data=is_other_data)
    not_stated: list[str] = []
    ours, origin = _transfer(pretraining)
    differing += _pretraining(row, origin)
    if not row.transfer:
        (differing if ours != "none" else not_stated).append("transfer" if ours == "none" else f"transfer {ours}")
    elif row.transfer != ours:
        differing.append(f"transfer: {row.transfer}, ours {ours}")
    if row.composition == "ensemble":
        differing.append("an ensemble")
    elif not row.composition:
        not_stated.append("whether one model")
    if row.data not in ("", "full"):
        differing.append(f"trained on {row.data}")
    if row.statistic == "best" and (row.seeds or 2) > 1:
        differing.append(f"the best of {row.seeds or 'several'} runs, ours a mean")
    return Verdict(tuple(differing), tuple(not_stated), is_other_data)


def _is_other_data(row: Published, protocol: Mapping[str, Any]) -> bool:
    """Whether ours is no release that a figure may be of.

    A figure of a declared task is from its user's own file, and there `data` says that it is of all of the same data.
    """
    is_own = row.data == "full" and is_declared(row.task) and cut_or_own(protocol) == "own data"
    return bool(protocol["is_cut"]) and not is_own


def _pretraining(row: Published, own: Pretraining) -> list[str]:
    """What keeps the pretraining of a published system apart from ours, all transfer aside."""
    shown = own.model or (f"our own, {own.label}" if own.task and not own.is_tokenizer_only else "none")
    if not row.pretraining:
        return [f"pretraining not stated, ours {shown}"]
    if row.pretraining == "none":
        return [] if shown == "none" else [f"no pretraining, ours {shown}"]
    if own.model is None:
        return [f"pretraining {row.pretraining}, ours {shown}"]
    if not row.model:
        return [f"checkpoint not stated ({row.system}), ours {own.model}"]
    return [] if checkpoint(row.model) == checkpoint(own.model) else [f"checkpoint {row.model}, ours {own.model}"]


def _transfer(ours: Pretraining) -> tuple[str, Pretraining]:
    """The tasks learned before this one, as the record says it (`none`, `from mnli`), and what came before them all.

    That is a model, a language model of our own, or nothing.
    """
    tasks = []
    while ours.task is not None and ours.task != "lm" and not ours.is_tokenizer_only:
        tasks.append(ours.task.removeprefix("glue/"))
        ours = ours.earlier or Pretraining()
    return "none" if not tasks else "from " + " after ".join(tasks), ours


def checkpoint(name: str) -> str:
    """A checkpoint's name without its owner and its spelling, which differ between sources.

    >>> checkpoint("google-bert/bert-base-uncased"), checkpoint("roberta.large"), checkpoint("electra_small")
    ('bert-base-uncased', 'roberta-large', 'electra-small')
    >>> checkpoint("google/electra-small-discriminator")
    'electra-small'
    """
    own = re.sub(r"[._ ]+", "-", name.rpartition("/")[2].lower())
    return own.removeprefix("google-").removesuffix("-discriminator")
