"""The runs of a column on the same test set: what is drawn when their scores are resampled together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd

from atinuke_bench.errors import RunFolderError
from atinuke_bench.formatting import number
from atinuke_bench.metrics.metric import Sample
from atinuke_bench.metrics.units import too_few, unit_noun

from ..reading.frame import Frame, Gap
from .samples import ContradictedError, StoredSample, Units, read_sample

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Drawn:
    """What is drawn in a column: units called `noun`; `ids` are its examples, and `units` theirs, where recorded."""

    noun: str
    num_units: int
    ids: tuple[str, ...]
    units: Units | None

    @property
    def too_few(self) -> str:
        """Why there is neither interval nor test; empty where there are units enough."""
        return too_few(self.noun, self.num_units)

    def __str__(self) -> str:
        reason = self.too_few
        return f"not at all, since {reason}" if reason else f"by {self.noun} ({number(self.num_units, 0)})"


def paired_samples(
    frame: Frame, rows: pd.DataFrame, gaps: list[Gap]
) -> tuple[dict[int, Sample], Drawn | None, set[int]]:
    """The samples of a column's runs on one test set, all of the same units, by run; what these are; and which runs
    have predictions that do not give their score.

    Of several test sets the one of most runs is taken. Which unit an example lies in is a fact of the data: a run that
    recorded none, as older ones did, is drawn by the units that others recorded. What is left out is added to the gaps.
    """
    stored: dict[int, StoredSample] = {}
    contradicted: set[int] = set()
    for run in rows.index[~rows["is_remote"]]:
        try:
            stored[run] = read_sample(frame, run)
        except ContradictedError as error:
            contradicted.add(run)
            gaps.append(Gap(frame.value(run, "folder"), f"not counted: {error}"))
        except (RunFolderError, ValueError) as error:
            gaps.append(Gap(frame.value(run, "folder"), str(error)))
    same = _most_common({run: one.ids for run, one in stored.items()})
    recorded = _most_common({run: one.units for run, one in stored.items() if run in same and one.units is not None})
    units = stored[recorded[0]].units if recorded else None
    samples = {run: stored[run].by_unit(units) for run in same}
    # A metric may draw units that depend on the predictions.
    kept = _most_common({run: sample.units for run, sample in samples.items()})
    for run in stored:
        if run not in kept:
            reason = f"its examples differ from those of {len(kept)} other runs, so it is not paired"
            gaps.append(Gap(frame.value(run, "folder"), reason))
    if not kept:
        return {}, None, contradicted
    first = stored[kept[0]]
    noun = unit_noun(first.metric, units, frame.value(recorded[0], "unit") if recorded else None)
    drawn = Drawn(noun, len(samples[kept[0]].units), first.ids, units)
    return {run: samples[run] for run in kept}, drawn, contradicted


def resampled_note(found: Iterable[tuple[str, Drawn | None]]) -> str:
    """What was resampled, by the names of columns.

    >>> resampled_note([("srl", Drawn("sentence", 900, (), None)), ("snli", Drawn("premise", 3319, (), None))])
    'Resampled: srl by sentence (900), snli by premise (3,319).'
    """
    shown = dict.fromkeys(f"{name} {drawn}" for name, drawn in found if drawn is not None)
    return f"Resampled: {', '.join(shown)}." if shown else ""


def _most_common(values: Mapping[int, Key]) -> list[int]:
    """The runs that have the value of most runs; of equally many the first one's."""
    if not values:
        return []
    ((value, _),) = Counter(values.values()).most_common(1)
    return [run for run, own in values.items() if own == value]
