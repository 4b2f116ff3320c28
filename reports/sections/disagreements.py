"""The examples that two cores answer differently: those that one has right, and those that both have wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench import registry
from atinuke_bench.errors import AtinukeBenchError, RunFolderError
from atinuke_bench.metrics.display import Display

from ..reading.column import Column
from ..reading.examples import Shelf
from ..reading.frame import Frame
from ..statistics.cells import Cell
from ..statistics.comparison import Comparison
from .examples import GOLD, ShownExample, in_words, show_example

#: Tasks and protocols whose examples are shown, the first ones of the comparisons, and examples of each kind.
MOST_COLUMNS = 16
MOST_OF_A_KIND = 14
#: Bytes that the page has for them, about; after these, examples are shown without their texts.
MOST_BYTES = 1_500_000
#: Whom an example is shown for, in the order of the filters.
WHO = ("a", "b", "both")
#: Who is better by each of them; both may be equally wrong, or equally right.
_BETTER = {"a": "A", "b": "B", "both": "neither", "": "neither"}
_EPSILON = 1e-9
#: Runs of a column whose manifests are asked for texts, beside those that are compared.
_MOST_OTHERS = 40
_NO_TEXTS = "Without their texts, which the store of these runs does not have: older runs, or --no-texts."


@dataclass(frozen=True)
class Disagreement:
    """Examples that two cores answer differently, both at their first common seed.

    `num_both` counts those that both have wrong, by answers that differ.
    """

    task: str
    a: str
    b: str
    seed: int
    num_examples: int
    num_a: int
    num_b: int
    num_both: int
    examples: tuple[ShownExample, ...]
    #: What is not shown, and why.
    note: str = ""


class Room:
    """How many bytes of the page are left for examples."""

    def __init__(self, most: int) -> None:
        self.left = most

    def has_room(self) -> bool:
        return self.left > 0

    def take(self, example: ShownExample) -> ShownExample:
        self.left -= example.cost
        return example


def disagreements(frame: Frame, comparisons: Sequence[Comparison]) -> Iterator[Disagreement]:
    """For each column the best core against its nearest rival."""
    room = Room(MOST_BYTES)
    for column in list(dict.fromkeys(one.column for one in comparisons))[:MOST_COLUMNS]:
        first = next(one for one in comparisons if one.column == column)
        found = disagreement(frame, first.a, first.b, room)
        if found is not None:
            yield found


def disagreement(frame: Frame, a: Cell, b: Cell, room: Room) -> Disagreement | None:
    """The examples that two cores of one column answer differently; None where there are none, or none can be read."""
    seeds = [{int(frame.value(run, "seed")): run for run in cell.runs} for cell in (a, b)]
    common = sorted(seeds[0].keys() & seeds[1].keys())
    if not common:
        return None
    try:
        sides = [frame.predictions(own[common[0]]).to_pandas() for own in seeds]
    except RunFolderError:
        return None
    both = sides[0].merge(sides[1], on="id", suffixes=("_a", "_b"))
    told = _told_apart(both, a.higher_is_better)
    counts = {who: int((told["who"] == who).sum()) for who in WHO}
    if not any(counts.values()):
        return None
    # The widest apart first; the order of equals is that of the ids.
    told = told.assign(width=-told["gain"].abs()).sort_values(["width", "id"])
    rows = [row for who in WHO for row in told[told["who"] == who].head(MOST_OF_A_KIND).to_dict("records")]
    shelf, display = shelf_of(frame, a.column, (*a.runs, *b.runs)), display_of(a.column, a.metric)
    examples = tuple(_shown(row, shelf, display, room) for row in rows)
    return Disagreement(
        frame.name_of(a.column), a.variant, b.variant, common[0], len(both),
        counts["a"], counts["b"], counts["both"],
        examples, _note(shelf, examples, room),
    )  # fmt: skip


def every_disagreement(frame: Frame, a: Cell, b: Cell) -> Iterator[dict[str, Any]]:
    """Each example that two cores of one column answer differently at a seed they share, as plain data.

    `example` are its texts (None where they were not kept), `gold` and the answers are whole and in words, `seeds` has
    both answers at every common seed, and `gain` is how much better A is in the mean over these; the widest apart come
    first. RunFolderError where predictions cannot be read.
    """
    seeds = [{int(frame.value(run, "seed")): run for run in cell.runs} for cell in (a, b)]
    told = []
    for seed in sorted(seeds[0].keys() & seeds[1].keys()):
        sides = [frame.predictions(own[seed]).to_pandas() for own in seeds]
        both = sides[0].merge(sides[1], on="id", suffixes=("_a", "_b"))
        told.append(_told_apart(both, a.higher_is_better).assign(seed=seed))
    if not told:
        return
    rows = pd.concat(told)
    rows = rows[rows["id"].isin(rows.loc[rows["who"] != "", "id"])]
    rows = rows.assign(mean=rows.groupby("id")["gain"].transform("mean"))
    rows = rows.assign(width=-rows["mean"].abs()).sort_values(["width", "id", "seed"])
    shelf, display = shelf_of(frame, a.column, (*a.runs, *b.runs)), display_of(a.column, a.metric)
    split = str(frame.value(a.runs[0], "split"))
    for id_, own in rows.groupby("id", sort=False):
        example, gold = shelf.get(str(id_)), str(own["gold_a"].iloc[0])
        answers = []
        for row in own.to_dict("records"):
            said = in_words(display, example, gold, {"a": row["prediction_a"], "b": row["prediction_b"]})
            answers.append({"seed": int(row["seed"]), "a": said["a"], "b": said["b"], "better": _BETTER[row["who"]]})
        yield {
            "task": frame.name_of(a.column), "split": split, "id": str(id_), "example": example,
            "gold": said[GOLD], "a": a.variant, "b": b.variant, "gain": float(own["mean"].iloc[0]), "seeds": answers,
        }  # fmt: skip


def _note(shelf: Shelf, examples: Sequence[ShownExample], room: Room) -> str:
    """Why examples are shown without their texts; empty where all have them."""
    if not len(shelf):
        return shelf.note or _NO_TEXTS
    if room.has_room() or all(example.fields for example in examples):
        return ""
    return "Some are without their texts, for which the page has no more room; `compare A B --examples` shows them."


def _shown(row: Mapping[Any, Any], shelf: Shelf, display: Display, room: Room) -> ShownExample:
    example = shelf.get(row["id"]) if room.has_room() else None
    answers = {"A": row["prediction_a"], "B": row["prediction_b"]}
    return room.take(show_example(display, row["id"], row["who"], example, row["gold_a"], answers))


def _told_apart(both: pd.DataFrame, higher_is_better: bool) -> pd.DataFrame:
    """Examples with `gain`, how much better A is than B, and `who` of WHO they are shown for; empty for nobody."""
    ours, theirs = worth(both, "_a", higher_is_better), worth(both, "_b", higher_is_better)
    gain = (ours - theirs).fillna(0.0)
    differs = (both["prediction_a"] != both["prediction_b"]) & (gain.abs() <= _EPSILON)
    is_wrong = differs & (theirs < best_of(both, higher_is_better) - _EPSILON)
    who = np.select([gain > _EPSILON, gain < -_EPSILON, is_wrong], WHO, default="")
    return both.assign(gain=gain, who=who)


def worth(rows: pd.DataFrame, side: str, higher_is_better: bool) -> pd.Series:
    """How good each answer is: its score, or how near it is to the right number where there are only numbers."""
    scores = pd.to_numeric(rows[f"score{side}"], errors="coerce")
    if scores.notna().any():
        return scores if higher_is_better else -scores
    gold, answer = (pd.to_numeric(rows[f"{name}{side}"], errors="coerce") for name in ("gold", "prediction"))
    return -(gold - answer).abs()


def best_of(rows: pd.DataFrame, higher_is_better: bool) -> float:
    """The worth of an answer that is all right; scores are of 1, or of 100 where any is greater.

    A loss is never wrong, so that any is all right.
    """
    if not higher_is_better:
        return -math.inf
    scores = rows[[name for name in rows.columns if name.startswith("score")]].apply(pd.to_numeric, errors="coerce")
    if not scores.notna().any(axis=None):
        return 0.0
    return 100.0 if float(scores.max(axis=None)) > 1 + _EPSILON else 1.0


def shelf_of(frame: Frame, column: Column, runs: Sequence[int]) -> Shelf:
    """The texts of a column's examples, from the first run whose store has them: of some runs, or of others beside.

    One run of this version gives texts to all older ones on its data.
    """
    notes = []
    others = frame.runs.index[frame.runs["column"] == column]
    for run in dict.fromkeys([*runs, *others[:_MOST_OTHERS]]):
        shelf = frame.examples(run)
        if len(shelf):
            return shelf
        notes.append(shelf.note)
    return Shelf(next(filter(None, notes), ""))


def display_of(column: Column, metric: str) -> Display:
    """How a task's examples are shown; as plain texts where its metric is not known here."""
    try:
        found = registry.load_metric(column.task, metric)
    except AtinukeBenchError:
        return Display()
    return found.display if isinstance(found.display, Display) else Display()
