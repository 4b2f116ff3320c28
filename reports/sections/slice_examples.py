"""Examples of each slice of a task that the best core has wrong, and one that it has right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from atinuke_bench.errors import RunFolderError
from atinuke_bench.formatting import visible

from ..reading.frame import Frame
from ..statistics.cells import Cell, Cells, ranked
from .disagreements import MOST_COLUMNS, Room, best_of, display_of, shelf_of, worth
from .examples import ShownExample, show_example
from .figures import slice_tables

#: Labels of a slice whose examples are shown, the most frequent, and how many examples of each.
MOST_LABELS = 6
NUM_WRONG, NUM_RIGHT = 2, 1
MOST_TEXT = 500
#: Bytes that the page has for them, about, shared by the tasks.
MOST_BYTES = 800_000


@dataclass(frozen=True)
class SliceGroup:
    """Some examples of one label of a slice, and how many of all it has the core answers wholly right."""

    slice: str
    label: str
    num_right: int
    num_examples: int
    examples: tuple[ShownExample, ...]


@dataclass(frozen=True)
class SliceExamples:
    """The best core of a task on the slices of its examples, at its first seed."""

    task: str
    variant: str
    seed: int
    groups: tuple[SliceGroup, ...]


def slice_examples(frame: Frame, cells: Cells) -> Iterator[SliceExamples]:
    """Of each column whose examples the store has kept with their slices, those of the best core."""
    columns = [column for column in frame.runs["column"].value_counts().index if cells.get(column)][:MOST_COLUMNS]
    for column in columns:
        best = ranked(cells[column].values())[0]
        groups = tuple(_groups(frame, best, Room(MOST_BYTES // len(columns))))
        if groups:
            yield SliceExamples(frame.name_of(column), best.variant, int(frame.value(best.runs[0], "seed")), groups)


def _groups(frame: Frame, cell: Cell, room: Room) -> Iterator[SliceGroup]:
    run = cell.runs[0]
    shelf = shelf_of(frame, cell.column, cell.runs)
    members = pd.DataFrame(shelf.members(), columns=["id", "slice", "label"])
    if members.empty:
        return
    try:
        rows = frame.predictions(run).to_pandas()
    except RunFolderError:
        return
    values = worth(rows, "", cell.higher_is_better)
    rows = rows.assign(worth=values, is_right=values >= best_of(rows, cell.higher_is_better) - 1e-9)
    display, seen = display_of(cell.column, cell.metric), set[str]()
    for table in slice_tables(frame, cell.column, [cell]):
        own = members[members["slice"] == table.name]
        for label in _most_frequent(table.counts, own["label"]):
            among = rows[rows["id"].isin(own.loc[own["label"] == label, "id"])]
            if among.empty or not room.has_room():
                continue
            chosen = _chosen(among, seen)
            seen |= {row["id"] for row in chosen}
            shown = (
                show_example(
                    display, row["id"], "a" if row["is_right"] else "both", shelf.get(row["id"]), row["gold"],
                    {"A": row["prediction"]}, MOST_TEXT,
                )
                for row in chosen
            )  # fmt: skip
            num_right = int(among["is_right"].sum())
            yield SliceGroup(visible(table.name), visible(label), num_right, len(among), tuple(map(room.take, shown)))


def _most_frequent(counts: pd.Series, labels: pd.Series) -> list[str]:
    """The labels that examples have, the most frequent of the slice, in the order of the slice."""
    known = [label for label in counts.index if label in set(labels)]
    kept = set(counts[known].nlargest(MOST_LABELS).index)
    return [str(label) for label in known if label in kept]


def _chosen(among: pd.DataFrame, seen: set[str]) -> list[Mapping[Any, Any]]:
    """The worst answers and one that is right; examples that another slice shows only where there are no others."""
    ordered = among.assign(is_seen=among["id"].isin(seen)).sort_values(["is_seen", "worth", "id"])
    wrong, right = ordered[~ordered["is_right"]], ordered[ordered["is_right"]]
    return [*wrong.head(NUM_WRONG).to_dict("records"), *right.head(NUM_RIGHT).to_dict("records")]
