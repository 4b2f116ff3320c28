"""`compare A B`: two cores of one store, or the runs below two places, against each other in each column they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.errors import ConfigError
from atinuke_bench.evaluation_folder import finished_evaluations
from atinuke_bench.run_folder import RunFolder, find_runs

from .reading.across import across
from .reading.collect import matching, read_frame
from .reading.frame import Frame, Gap, differing
from .reading.named import named
from .sections.disagreements import MOST_BYTES, Disagreement, Room, disagreement, every_disagreement
from .statistics.by_seed import seed_records
from .statistics.cells import Cell, measure
from .statistics.comparison import Comparison, compare_cells, family_note, num_tested
from .statistics.pairing import resampled_note
from .statistics.verdict import corrected, margin_note, require_margin

#: What the figures by seed are, which may be at odds with a verdict.
BY_SEED_NOTE = (
    "No verdict is from this table: its p are of two trained models, and the hierarchical interval resamples the few "
    "seeds there are, which makes it too narrow; it may leave out 0 where the verdict is a tie."
)


@dataclass(frozen=True)
class Compared:
    """Every column that both sides have, corrected over all of them; the same seed by seed; what is not compared."""

    comparisons: tuple[Comparison, ...]
    by_seed: tuple[dict[str, Any], ...]
    gaps: tuple[Gap, ...]
    #: Names of other test sets that some of the compared runs are scored on.
    test_sets: tuple[str, ...] = ()
    margin: float | None = None
    #: Examples of each column that the two sides answer differently, where they were asked for.
    examples: tuple[Disagreement, ...] = ()
    #: The runs that are compared.
    frame: Frame | None = field(default=None, repr=False)

    def every_example(self) -> Iterator[dict[str, Any]]:
        """All examples that the sides answer differently at any seed, as plain data. RunFolderError."""
        if self.frame is not None:
            for one in self.comparisons:
                yield from every_disagreement(self.frame, one.a, one.b)

    @property
    def note(self) -> str:
        """What the verdicts are from."""
        return family_note(num_tested(self.comparisons), "A against B on each task")

    @property
    def margin_note(self) -> str:
        """What the verdicts of the margin mean; empty without one."""
        return margin_note(self.margin)

    @property
    def resampled(self) -> str:
        """What was resampled in each column."""
        return resampled_note((one.column.task, one.a.drawn) for one in self.comparisons)


def compare_sides(
    a: str,
    b: str,
    store: str | Path,
    ignoring: Sequence[str] = (),
    margin: float | None = None,
    *,
    with_examples: bool = False,
) -> Compared:
    """A against B in every column that both have; where asked for, with examples that they answer differently.

    Runs are of one column when their protocols agree in every field that is not in `ignoring`.
    A side is a folder or a glob pattern of run folders, or the name or label of a core whose runs are in `store`.
    Raises ConfigError when a side is ambiguous, nothing can be compared or the margin (in points) is none,
    UnknownNameError for an unknown core.
    """
    require_margin(margin)
    if matching(a) and matching(b):
        frame = across(read_frame([a, b]), ignoring)
        folders = [{str(folder.path) for folder in find_runs(*matching(side))} for side in (a, b)]
        if folders[0] & folders[1]:
            raise ConfigError(f"A and B are compared; both hold the run {min(folders[0] & folders[1])}")
        sides = [frame.runs["folder"].isin(own) for own in folders]
    else:
        frame = across(read_frame([store]), ignoring)
        sides = [named(frame, side) for side in (a, b)]
        if (sides[0] & sides[1]).any():
            raise ConfigError(f"A and B are compared; {a!r} and {b!r} name the same runs")
    compared, found = _compare(frame, sides, (a, b), margin)
    if not with_examples:
        return found
    room = Room(MOST_BYTES)
    examples = (disagreement(compared, one.a, one.b, room) for one in found.comparisons)
    return replace(found, examples=tuple(one for one in examples if one is not None))


def _compare(
    frame: Frame, sides: Sequence[pd.Series], names: Sequence[str], margin: float | None
) -> tuple[Frame, Compared]:
    """The runs that are compared, and what comes of it."""
    runs = frame.runs
    columns = [set(runs.loc[side, "column"]) for side in sides]
    common = [column for column in dict.fromkeys(runs["column"]) if column in columns[0] & columns[1]]
    if not common:
        raise ConfigError(_why_nothing(frame, sides, names))
    kept = runs[(sides[0] | sides[1]) & runs["column"].isin(common)]
    compared = replace(frame, runs=kept)
    cells, gaps = measure(compared)
    found = []
    for column in common:
        chosen = []
        for side, name in zip(sides, names, strict=True):
            members = set(kept.index[side[kept.index] & (kept["column"] == column)])
            own = [cell for cell in cells.get(column, {}).values() if members & set(cell.runs)]
            if len(own) > 1:
                labels = ", ".join(sorted(cell.variant for cell in own))
                raise ConfigError(f"a side is one core; {name!r} names several on {column}: {labels}")
            # Both sides may hold runs of one variant, which `measure` has put together.
            if own:
                chosen.append(_only(own[0], members))
        if len(chosen) == 2:
            found.append(compare_cells(*chosen))
    gaps += [Gap(str(column), "only one side has it") for column in sorted(columns[0] ^ columns[1])]
    comparisons = corrected(found, None, margin)
    by_seed = [record for one in comparisons for record in seed_records(compared, one)]
    folders = (RunFolder(Path(folder)) for folder in kept.loc[~kept["is_remote"].astype(bool), "folder"])
    test_sets = {result["name"] for folder in folders for _, result in finished_evaluations(folder)}
    found_gaps = (*frame.gaps, *gaps)
    names_of_sets = tuple(sorted(test_sets))
    return compared, Compared(tuple(comparisons), tuple(by_seed), found_gaps, names_of_sets, margin, frame=compared)


def _only(cell: Cell, members: set[int]) -> Cell:
    """The runs of a cell that are of one side."""
    places = [place for place, run in enumerate(cell.runs) if run in members]
    if len(places) == len(cell.runs):
        return cell
    scores = cell.scores
    part = None if scores.resampled is None else scores.resampled[:, places]
    own = replace(scores, observed=scores.observed[places], resampled=part)
    return replace(cell, runs=tuple(cell.runs[place] for place in places), scores=own)


def _why_nothing(frame: Frame, sides: Sequence[pd.Series], names: Sequence[str]) -> str:
    tasks = [set(frame.runs.loc[side, "task"]) for side in sides]
    shared = sorted(tasks[0] & tasks[1])
    if not shared:
        shown = (", ".join(sorted(own)) or "no finished run" for own in tasks)
        return "A and B need a task in common; found " + " and ".join(
            f"{name!r}: {own}" for name, own in zip(names, shown, strict=True)
        )
    of_task = [frame.runs[side & (frame.runs["task"] == shared[0])].iloc[0] for side in sides]
    fields = differing([{**frame.protocols[row["column"]], "split": row["split"]} for row in of_task])
    hint = "; --across pretraining compares what it is worth" if fields == ["pretraining"] else ""
    return f"only runs of one protocol are compared; on {shared[0]} A and B differ in {', '.join(fields)}{hint}"
