"""The examples that two cores disagree on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from atinuke_bench.errors import RunFolderError

from ..reading.column import Column
from ..reading.frame import Frame
from ..statistics.cells import Cell
from ..statistics.comparison import Comparison

#: Tasks and protocols whose examples are shown, the first ones of the comparisons, and examples of each.
MOST_COLUMNS = 16
MOST_DISAGREEMENTS = 40
_TEXT_LENGTH = 300


@dataclass(frozen=True)
class Disagreement:
    """Examples that one of two cores gets right and the other wrong, both at their first common seed."""

    task: str
    a: str
    b: str
    seed: int
    num_examples: int
    num_a: int
    num_b: int
    rows: tuple[Mapping[str, Any], ...]


def disagreements(frame: Frame, comparisons: Sequence[Comparison]) -> Iterable[Disagreement]:
    """For each column the best core against its nearest rival."""
    for column in list(dict.fromkeys(one.column for one in comparisons))[:MOST_COLUMNS]:
        first = next(one for one in comparisons if one.column == column)
        found = _disagreement(frame, column, first.a, first.b)
        if found is not None:
            yield found


def _disagreement(frame: Frame, column: Column, a: Cell, b: Cell) -> Disagreement | None:
    seeds = [{int(frame.value(run, "seed")): run for run in cell.runs} for cell in (a, b)]
    common = sorted(seeds[0].keys() & seeds[1].keys())
    if not common:
        return None
    try:
        sides = [frame.predictions(own[common[0]]).to_pandas() for own in seeds]
    except RunFolderError:
        return None
    both = sides[0].merge(sides[1], on="id", suffixes=("_a", "_b"))
    ours, theirs = (pd.to_numeric(both[name], errors="coerce") for name in ("score_a", "score_b"))
    apart = both[(ours - theirs).abs() > 1e-9].assign(gain=ours - theirs)
    if apart.empty:
        return None
    # As many of each side, the widest apart first; the order of equals is that of the ids.
    ordered = apart.sort_values(["gain", "id"])
    half = MOST_DISAGREEMENTS // 2
    shown = pd.concat([ordered[ordered["gain"] > 0].tail(half)[::-1], ordered[ordered["gain"] < 0].head(half)])
    rows = tuple(
        {
            "id": row["id"],
            "gold": _cut(row["gold_a"]),
            "a": _cut(row["prediction_a"]),
            "b": _cut(row["prediction_b"]),
            "right": "A" if row["gain"] > 0 else "B",
        }
        for row in shown.to_dict("records")
    )
    return Disagreement(
        frame.name_of(column), a.variant, b.variant, common[0], len(both),
        int((apart["gain"] > 0).sum()), int((apart["gain"] < 0).sum()), rows,
    )  # fmt: skip


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT_LENGTH else text[: _TEXT_LENGTH - 1] + "…"
