"""Cores on the same tasks, all of percentages: what may be averaged and ranked.

Letters: T tasks, V variants, G groups (families of tasks).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np

from atinuke_bench.metrics.metric import Floats

from ..reading.column import Column
from ..reading.frame import Frame
from .cells import Cell, Cells
from .spread import Scores


@dataclass(frozen=True)
class Panel:
    """The scores of each variant on each task, and the family that each task is of.

    `overlap` [T, T] says how far tasks share the units of their test sets: 1 where all are shared, 0 where none.
    `shares_seeds` says that runs of a seed may have begun with the same weights in all tasks, which were trained with
    that seed; `seeds` has those of each variant on each task.
    """

    tasks: tuple[str, ...]
    families: tuple[str, ...]
    scores: Mapping[str, tuple[Scores, ...]]
    overlap: Floats
    shares_seeds: bool = False
    seeds: Mapping[str, tuple[tuple[int, ...], ...]] | None = None

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """What is drawn when tasks are a sample: families, whose tasks resemble each other; of one alone its tasks."""
        return self.families if len(set(self.families)) > 1 else self.tasks

    @cached_property
    def group_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.groups))

    @cached_property
    def shares(self) -> Floats:
        """How much each task counts in the mean of its group: [G, T]."""
        member = np.array([[group == name for group in self.groups] for name in self.group_names], dtype=np.float64)
        return member / member.sum(axis=1, keepdims=True)

    @cached_property
    def weights(self) -> Floats:
        """How much each task counts in an average, the mean over families of the mean over a family's tasks: [T]."""
        return self.shares.mean(axis=0)

    @property
    def noun(self) -> str:
        """What the groups are."""
        return "families" if self.groups is self.families else "tasks"

    def means(self, variant: str) -> Floats:
        """The mean over seeds on each task: [T]."""
        return np.array([scores.observed.mean() for scores in self.scores[variant]])

    def group_means(self) -> Floats:
        """The mean of each group (down) for each variant (across): [G, V]."""
        return np.stack([self.shares @ self.means(variant) for variant in self.scores], axis=1)

    def runs(self, variant: str) -> Floats | None:
        """The scores of a variant, runs by tasks: [S, T]; None where its tasks have different numbers of runs."""
        own = [scores.observed for scores in self.scores[variant]]
        return np.stack(own, axis=1) if len({len(one) for one in own}) == 1 else None

    def without(self, task: str) -> Panel:
        """The panel of all other tasks."""
        kept = [place for place, own in enumerate(self.tasks) if own != task]

        def of_kept(values: Sequence) -> tuple:
            return tuple(values[place] for place in kept)

        return replace(
            self,
            tasks=of_kept(self.tasks),
            families=of_kept(self.families),
            scores={variant: of_kept(own) for variant, own in self.scores.items()},
            overlap=self.overlap[np.ix_(kept, kept)],
            seeds=None if self.seeds is None else {variant: of_kept(own) for variant, own in self.seeds.items()},
        )


def panel_of(frame: Frame, columns: Iterable[Column], cells: Cells) -> Panel | None:
    """The panel of a table's columns and its trained cores: of those that share tasks, the most cells there are.

    None where no two cores share two tasks.
    """
    usable = {
        column: {variant: cell for variant, cell in cells[column].items() if not cell.scores.is_fixed}
        for column in columns
        if column in cells and all(cell.is_percentage for cell in cells[column].values())
    }
    chosen = _largest({column: frozenset(own) for column, own in usable.items()})
    if chosen is None:
        return None
    kept, variants = chosen
    order = [variant for own in usable.values() for variant in own if variant in variants]
    by_variant = {variant: [usable[column][variant] for column in kept] for variant in dict.fromkeys(order)}
    families = tuple(str(frame.value(usable[column][order[0]].runs[0], "family")) for column in kept)
    before = {frame.value(run, "pretraining") for own in by_variant.values() for cell in own for run in cell.runs}
    return Panel(
        tasks=tuple(column.task for column in kept),
        families=families,
        scores={variant: tuple(cell.scores for cell in own) for variant, own in by_variant.items()},
        overlap=_overlap(families, by_variant[order[0]]),
        shares_seeds=not all(frame.pretraining[label].is_scratch for label in before),
        seeds={
            variant: tuple(tuple(int(frame.value(run, "seed")) for run in cell.runs) for cell in own)
            for variant, own in by_variant.items()
        },
    )


def _largest(variants: Mapping[Column, frozenset[str]]) -> tuple[list[Column], frozenset[str]] | None:
    """Two or more columns and the variants that are in all of them, two or more: the most cells, then most columns."""
    columns_of: dict[str, set[Column]] = {}
    for column, own in variants.items():
        for variant in own:
            columns_of.setdefault(variant, set()).add(column)
    sets = {frozenset(own) for own in columns_of.values()}
    sets |= {a & b for a, b in combinations(sets, 2)}
    best: tuple[int, int, list[Column], frozenset[str]] | None = None
    for chosen in sorted((own for own in sets if len(own) > 1), key=sorted):
        members = frozenset(variant for variant, own in columns_of.items() if own >= chosen)
        size = len(chosen) * len(members)
        if len(members) > 1 and (best is None or (size, len(chosen)) > best[:2]):
            best = size, len(chosen), [column for column in variants if column in chosen], members
    return None if best is None else best[2:]


def _overlap(families: Sequence[str], cells: Sequence[Cell]) -> Floats:
    """How far the test sets of tasks share units, as the articles of SQuAD 1.1 and 2.0: within a family, by name."""
    units = [frozenset(cell.drawn.units or ()) - {None} if cell.drawn is not None else frozenset() for cell in cells]
    overlap = np.eye(len(cells))
    for one, other in combinations(range(len(cells)), 2):
        if families[one] == families[other] and units[one] and units[other]:
            shared = len(units[one] & units[other]) / np.sqrt(len(units[one]) * len(units[other]))
            overlap[one, other] = overlap[other, one] = shared
    return overlap
