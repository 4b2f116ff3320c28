"""Attention heads of the runs that were looked at: importance, pruning curves, what heads look at, slices.

Heads of different seeds have nothing in common but their place, so that each run has rows of its own; over seeds only
counts and curves are put together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench.formatting import MISSING, number, p_value

from ..drawing.attention import HeadMap, PruningCurve, head_maps, pruning_curves
from ..drawing.style import Plot, slug
from ..reading.attention import Looked, attention_of
from ..reading.frame import Frame, Gap
from ..statistics.spread import LEVEL
from .table import Table

SECTION = "attention"
#: Cores and splits that are drawn, and runs of each; tables have all.
_MOST_DRAWN, _MOST_MAPS = 8, 4
NOTE = (
    "Drop: what the score loses without a head, with its 95 % interval over units. * p < 0.05 by an exact exchange of "
    "answers between the run with and without the head, Holm's over the heads of a run. Gradient: mean absolute "
    "gradient of a text's loss in the head's gate (Michel et al. 2019), which is local and may be small for a head "
    "that is trained to its end. Layers and heads are counted from 1; heads of different seeds share nothing but place."
)
PATTERN_NOTE = (
    "Mean attention of a token to keys that stand in a relation to it, in percent, and in brackets what as many keys "
    "get on average that are drawn at random: other words that it sees in place of words, any tokens in place of "
    "special ones. * p < 0.05 that related keys get more, by exchanging them with drawn ones unit by unit, Holm's over "
    "the heads of a run. Special tokens do not ask."
)
SLICE_NOTE = (
    "What the examples of a slice lose without a head, the largest loss first: their mean own score in percent, p "
    "Holm's over all heads and slices of a run; where slices are of parts of examples, an untested figure of the slice."
)
CURVE_NOTE = (
    "Gain: how much better pruning by importance is than random orders, in the mean over the curve, with its interval "
    "over units. Heads are pruned in the order of how little the score of the run's selection slice loses without each "
    "and, among equals, how little its loss grows; the split that is scored has no say in it."
)


@dataclass(frozen=True)
class AttentionHeads:
    """What a report says of attention heads."""

    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Group:
    """The runs of a core in one column that were looked at on one split."""

    task: str
    variant: str
    split: str
    records: tuple[Mapping[str, Any], ...]

    @property
    def name(self) -> str:
        return f"{self.task}, {self.variant}, {self.split}"

    @property
    def fields(self) -> dict[str, str]:
        return {"task": self.task, "core": self.variant, "split": self.split}


def attention_heads(frame: Frame) -> AttentionHeads:
    """Everything of the runs that `atinuke-bench heads` looked at; nothing where there are none."""
    looked, gaps = attention_of(frame)
    groups = _groups(frame, looked)
    if not groups:
        return AttentionHeads(gaps=tuple(gaps))
    found = [_summary(groups), _heads(groups), _patterns(groups), _slices(groups)]
    notes = [f"{group.name}, seed {one['seed']}: {note}" for group in groups for one in group.records
             for note in one.get("notes", [])]  # fmt: skip
    if len(groups) > _MOST_DRAWN:
        notes.append(f"Figures show the first {_MOST_DRAWN} of {len(groups)} cores and splits.")
    return AttentionHeads(
        tuple(table for table in found if table is not None), tuple(_plots(groups)), tuple(gaps), tuple(notes)
    )


def _groups(frame: Frame, looked: Iterable[Looked]) -> list[_Group]:
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for one in looked:
        task = frame.name_of(frame.value(one.run, "column"))
        key = task, frame.value(one.run, "variant"), one.record["split"]
        found.setdefault(key, []).append(one.record)
    return [
        _Group(*key, tuple(sorted(records, key=lambda record: record["seed"])))
        for key, records in sorted(found.items())
    ]


def _is_found(record: Mapping[str, Any]) -> bool:
    p = record.get("p_corrected")
    return p is not None and p < LEVEL


def _summary(groups: Sequence[_Group]) -> Table:
    rows = []
    for group in groups:
        tested = [one for one in group.records if any(head["p_corrected"] is not None for head in one["heads"])]
        matter = [sum(_is_found(head) and head["drop"] > 0 for head in one["heads"]) for one in tested]
        gains = [one["curve"]["gain"] for one in group.records if one["curve"] and one["curve"]["gain"] is not None]
        rows.append(
            {**group.fields, "metric": group.records[0]["metric"], "seeds": len(group.records),
             "heads": sum(group.records[0]["layers"]), "heads that matter": _mean(matter),
             "fewest": min(matter, default=None), "most": max(matter, default=None),
             "largest drop": _mean([max(head["drop"] or 0.0 for head in one["heads"]) for one in group.records]),
             "gain": _mean(gains), **_one_interval(group.records)}
        )  # fmt: skip
    data = pd.DataFrame(rows)
    shown = data[["task", "core", "split", "metric", "seeds", "heads"]].copy()
    shown["heads that matter"] = [_count_text(row) for row in rows]
    shown["largest drop"] = [number(row["largest drop"]) for row in rows]
    shown["gain over random pruning"] = [
        number(row["gain"], sign=True) + _bounds(row["gain low"], row["gain high"]) for row in rows
    ]
    return Table("attention-heads-summary", "Attention heads", shown, data, (NOTE, CURVE_NOTE), section=SECTION)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _one_interval(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The interval of the gain of a single run; over seeds it would need more than their intervals."""
    curve = records[0]["curve"] if len(records) == 1 else None
    return {"gain low": curve and curve["gain_low"], "gain high": curve and curve["gain_high"]}


def _count_text(row: Mapping[str, Any]) -> str:
    if row["fewest"] is None:
        return "not tested"
    if row["fewest"] == row["most"]:
        return str(row["most"])
    return f"{number(row['heads that matter'], 1)} ({row['fewest']} to {row['most']})"


def _bounds(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" [{number(low)}, {number(high)}]"


def _by_drop(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return sorted(record["heads"], key=lambda head: (-(head["drop"] or 0.0), head["layer"], head["head"]))


def _heads(groups: Sequence[_Group]) -> Table:
    """One row a head, of each run those that matter most first."""
    rows = [
        {**group.fields, "seed": one["seed"], **head, "layer": head["layer"] + 1, "head": head["head"] + 1}
        for group in groups
        for one in group.records
        for head in _by_drop(one)
    ]
    data = pd.DataFrame(rows)
    shown = data[["task", "core", "split", "seed", "layer", "head"]].copy()
    shown["drop"] = [number(row["drop"], sign=True) + ("*" if _is_found(row) else "") for row in rows]
    shown["95 % interval"] = [
        _bounds(row["low"], row["high"]).strip(" []").replace(", ", " to ") or MISSING for row in rows
    ]
    shown["p corrected"] = [p_value(row["p_corrected"]) for row in rows]
    shown["gradient"] = [MISSING if row["gradient"] is None else f"{row['gradient']:.3g}" for row in rows]
    shown["entropy"] = [number(row.get("entropy")) for row in rows]
    shown["distance"] = [number(row.get("distance"), 1) for row in rows]
    notes = ("Entropy of a head's attention in nats, its distance in tokens, both means over the tokens that ask.",)
    return Table(
        "attention-heads", "Importance of each attention head", shown, data, notes, section=SECTION, is_folded=True
    )


def _patterns(groups: Sequence[_Group]) -> Table | None:
    """One row a head, one column a relation."""
    rows = [
        {**group.fields, "seed": one["seed"], **own, "layer": own["layer"] + 1, "head": own["head"] + 1}
        for group in groups
        for one in group.records
        for own in one["patterns"]
    ]
    if not rows:
        return None
    data = pd.DataFrame(rows)
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        place = {name: row[name] for name in ("task", "core", "split", "seed", "layer", "head")}
        mark = "*" if _is_found(row) else ""
        text = f"{100 * row['mass']:.0f}{mark} ({100 * row['chance']:.0f})"
        lines.setdefault(tuple(place.values()), place)[row["relation"]] = text
    shown = pd.DataFrame(list(lines.values())).fillna(MISSING)
    title = "What attention heads look at"
    return Table("attention-patterns", title, shown, data, (PATTERN_NOTE,), section=SECTION, is_folded=True)


def _slices(groups: Sequence[_Group]) -> Table | None:
    """One row a head and slice; what a test found first, then the largest losses."""
    rows = [
        {**group.fields, "seed": one["seed"], **own, "layer": own["layer"] + 1, "head": own["head"] + 1}
        for group in groups
        for one in group.records
        for own in one["slices"]
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: (not (_is_found(row) and row["drop"] > 0), -(row["drop"] or 0.0)))
    data = pd.DataFrame(rows)
    shown = data[["task", "core", "split", "seed", "layer", "head", "slice", "label", "num"]].copy()
    shown["score"] = [number(row["score"]) for row in rows]
    shown["drop"] = [
        number(row["drop"], sign=True) + ("*" if _is_found(row) else "") + _bounds(row["low"], row["high"])
        for row in rows
    ]
    title = "Slices that attention heads carry"
    return Table("attention-slices", title, shown, data, (SLICE_NOTE,), section=SECTION, is_folded=True)


def _plots(groups: Sequence[_Group]) -> Iterable[Plot]:
    for group in groups[:_MOST_DRAWN]:
        name = slug(group.name)
        maps = [_map(one) for one in group.records[:_MOST_MAPS]]
        some = f", {_MOST_MAPS} of {len(group.records)} seeds" if len(group.records) > _MOST_MAPS else ""
        metric = group.records[0]["metric"]
        title = f"{group.name}: {metric} lost without each attention head (*: p < 0.05, Holm{some})"
        yield head_maps(f"attention-heads-{name}", title, maps)
        curves = [one["curve"] for one in group.records if one["curve"]]
        if curves:
            yield _curves(group, curves, metric)


def _map(record: Mapping[str, Any]) -> HeadMap:
    drops: list[list[float | None]] = [[None] * number_of for number_of in record["layers"]]
    is_found = [[False] * number_of for number_of in record["layers"]]
    tips = [[""] * number_of for number_of in record["layers"]]
    for head in record["heads"]:
        layer, place = head["layer"], head["head"]
        drops[layer][place], is_found[layer][place] = head["drop"], _is_found(head)
        tips[layer][place] = (
            f"layer {layer + 1}, head {place + 1}: {number(head['drop'], sign=True)}"
            f"{_bounds(head['low'], head['high'])}, p {p_value(head['p_corrected'])}, "
            f"gradient {number(head['gradient'], 4)}"
        )
    return HeadMap(f"seed {record['seed']}", drops, is_found, tips)


def _curves(group: _Group, curves: Sequence[Mapping[str, Any]], metric: str) -> Plot:
    """The mean over seeds of curves with the same points; of one, with its interval."""
    kept = [point["kept"] for point in curves[0]["points"]]
    same = [curve["points"] for curve in curves if [point["kept"] for point in curve["points"]] == kept]
    sides = [_side(kept, same, names) for names in (("score", "low", "high"), ("random", "random_low", "random_high"))]
    flops = [point["flops_per_token"] for point in same[0]]
    band = "band: 95 % interval over units" if len(same) == 1 else f"mean of {len(same)} seeds; band: all seeds"
    title = f"{group.name}: score with ever fewer attention heads ({band})"
    return pruning_curves(f"attention-pruning-{slug(group.name)}", title, metric, sides[0], sides[1], flops)


def _side(
    kept: Sequence[int], curves: Sequence[Sequence[Mapping[str, Any]]], names: tuple[str, str, str]
) -> PruningCurve:
    values, lows, highs = (
        np.array([[point[name] for point in curve] for curve in curves], dtype=np.float64) for name in names
    )
    if len(curves) > 1:
        lows, highs = values.min(axis=0), values.max(axis=0)
    return PruningCurve(kept, values.mean(axis=0).tolist(), lows.ravel().tolist(), highs.ravel().tolist())
