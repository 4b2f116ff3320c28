"""What finished runs of a recipe say to the published figures that it is held against.

A figure is *reproduced* where ours lies within the published spread and nothing of data, selection, checkpoint,
transfer or statistic keeps the two apart (`reading.comparable`). What a recipe itself does otherwise is said beside it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from atinuke_bench.config import Pretraining, PublishedRow, Recipe
from atinuke_bench.errors import ConfigError
from atinuke_bench.formatting import number, with_spread

from .reading.comparable import SELECTED_ON_DEV, our_split, verdict, version_of
from .reading.published import Published
from .statistics.ours import Ours

#: Both means are taken as the same while |z| is at most this, the limit of a normal distribution. The error of few
#: seeds is a guess: against 20 published runs of equal spread, 2 seeds of ours lie outside by chance in 22 % of cases,
#: 3 in 14 %, 5 in 9 %, 20 in 6 % (simulated).
MOST_Z = 1.96
#: With fewer seeds an "outside" is said to be weak.
ENOUGH_SEEDS = 5
#: Where no z can be computed: how many published spreads ours may lie from the published figure.
MOST_SPREADS = 2
Finding = Literal["within", "outside", "not judged", "not measured"]
#: Column and result of a finished run.
Result = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """One published figure, ours, and what the two say together."""

    wanted: PublishedRow
    row: Published
    finding: Finding
    #: How the finding was made, or why there is none.
    how: str
    ours: Ours | None = None
    z: float | None = None
    #: What keeps the two apart, and what the source leaves open.
    apart: tuple[str, ...] = ()
    not_stated: tuple[str, ...] = ()

    @property
    def is_reproduced(self) -> bool:
        return self.finding == "within" and not self.apart

    @property
    def sentence(self) -> str:
        """Figure, finding, both numbers, and what keeps them apart."""
        numbers = f"published {self.published}"
        if self.ours is not None:
            numbers = f"ours {self.ours.text}, {numbers}"
        said = f"{self.wanted.label}: {'reproduced, ' if self.is_reproduced else ''}{self.how} ({numbers})"
        parts = [said]
        if self.apart:
            parts.append(f"kept apart by: {', '.join(self.apart)}")
        if self.not_stated:
            parts.append(f"not stated: {', '.join(self.not_stated)}")
        return "; ".join(parts)

    @property
    def published(self) -> str:
        """The published figure as its source gives it."""
        row = self.row
        counted = " ".join(filter(None, (row.statistic, str(row.seeds or ""))))
        return _shown(row.value, row.spread, counted)

    def record(self) -> dict[str, Any]:
        """All of it as plain data."""
        row, ours = self.row, self.ours
        return {
            "task": row.task,
            "split": row.split,
            "subset": row.subset,
            "metric": row.metric,
            "system": row.system,
            "source": row.source,
            "place": row.place,
            "published": {
                name: getattr(row, name) for name in ("value", "spread", "spread_kind", "seeds", "statistic")
            },
            "ours": ours
            and {
                "column": ours.name,
                "mean": ours.mean,
                "deviation": None if math.isnan(ours.deviation) else ours.deviation,
                "values": list(ours.values),
            },
            "z": self.z,
            "finding": self.finding,
            "how": self.how,
            "reproduced": self.is_reproduced,
            "apart": list(self.apart),
            "not_stated": list(self.not_stated),
        }


def _shown(value: float | None, spread: float | None, counted: str) -> str:
    return with_spread(value, spread) + (f" ({counted})" if counted else "")


def find_row(wanted: PublishedRow, record: Iterable[Published]) -> Published:
    """The one row of the record that a recipe names; ConfigError where there is none, or several."""
    found = [row for row in record if wanted.fits(row.model_dump())]
    if len(found) != 1:
        places = f": {'; '.join(row.place for row in found[:3])}" if found else ""
        raise ConfigError(
            f"a recipe names one row of the published record; found {len(found)} for {wanted.label} of "
            f"{wanted.system}, {wanted.source}{places}"
        )
    return found[0]


def judge(recipe: Recipe, results: Sequence[Result], record: Sequence[Published]) -> list[Outcome]:
    """Each figure of the record that a recipe names, beside what its finished runs score."""
    return [_outcome(recipe, wanted, find_row(wanted, record), results) for wanted in recipe.rows]


def _outcome(recipe: Recipe, wanted: PublishedRow, row: Published, results: Sequence[Result]) -> Outcome:
    columns = recipe.columns_of(wanted)
    own = [(column, result) for column, result in results if result["task"] == row.task and column in columns]
    if len(columns) > 1 and (missing := set(columns) - {column for column, _ in own}):
        return Outcome(wanted, row, "not measured", f"{len(missing)} of {len(columns)} settings have no finished run")
    if not own:
        return Outcome(wanted, row, "not measured", "no run is finished")
    column = max(columns, key=lambda name: _selection_score(name, own)) if len(columns) > 1 else columns[0]
    runs = [result for name, result in own if name == column]
    apart, not_stated = _differences(recipe, row, runs)
    values = [_value(row, result) for result in runs]
    known = tuple(value for value in values if value is not None)
    if not known:
        return Outcome(wanted, row, "not measured", _why_not_scored(row), None, None, apart, not_stated)
    ours = Ours(column, known)
    finding, how, z = compare(ours, row)
    expected = len(recipe.suite.seeds)
    if len(known) < expected:
        how += f" [{len(known)} of {expected} seeds]"
    return Outcome(wanted, row, finding, how, ours, z, apart, not_stated)


def _selection_score(column: str, results: Iterable[Result]) -> float:
    """The mean score that epochs were selected by; minus infinity where a run has none."""
    found = [
        (-1.0, 1.0)[bool(result["higher_is_better"])] * score
        for name, result in results
        if name == column and (score := (result.get("selection") or {}).get("score")) is not None
    ]
    return statistics.fmean(found) if found else -math.inf


def _value(row: Published, result: Mapping[str, Any]) -> float | None:
    split = our_split(row, version_of(row.task, result["protocol"]) or row.version)
    value = result["scores"].get(split, {}).get(row.metric)
    return None if value is None else float(value)


def _why_not_scored(row: Published) -> str:
    if row.split == "test":
        return "not scored here, where test has no labels; `submit` writes what the benchmark's server scores"
    return f"the runs have no {row.metric} of {row.where}"


def _differences(
    recipe: Recipe, row: Published, runs: Iterable[Mapping[str, Any]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What keeps a published figure from these runs, each reason once; selection on dev where that is not published."""
    apart: dict[str, None] = {}
    not_stated: dict[str, None] = {}
    for result in runs:
        protocol = result["protocol"]
        found = verdict(row, protocol, Pretraining.read(protocol["pretraining"]))
        apart |= dict.fromkeys(found.differing)
        not_stated |= dict.fromkeys(found.not_stated)
    if recipe.suite.select_on == "dev":
        apart.pop(SELECTED_ON_DEV, None)
    return tuple(apart), tuple(not_stated)


def compare(ours: Ours, row: Published) -> tuple[Finding, str, float | None]:
    """Whether ours lies within the published spread, how that was found, and z where it can be computed.

    z is the difference of the means by the error of that difference, which takes both spreads and numbers of runs:
    (ours - theirs) / sqrt(s² / n + S² / N).

    >>> ROW = {"task": "snli", "split": "test", "metric": "accuracy", "system": "S", "kind": "result", "place": "p",
    ...        "source": "arXiv 1508.05326", "read": "primary"}
    >>> compare(Ours("a", (84.0, 85.0)), Published(**ROW, value=84.0))[1]
    'no spread published'
    """
    assert row.value is not None, "a figure has a value"
    difference, num = ours.mean - row.value, len(ours.values)
    if row.statistic in ("best", "median"):
        of = f" of {row.seeds}" if row.seeds else ""
        return "not judged", f"no z: published is the {row.statistic}{of}, of ours that is {_same(ours, row)}", None
    if row.spread is None:
        return "not judged", "no spread published", None
    if row.spread_kind == "std" and row.statistic == "mean" and row.seeds is not None and row.seeds > 1 and num > 1:
        error = math.sqrt(ours.deviation**2 / num + row.spread**2 / row.seeds)
        if error == 0:
            return "not judged", "no z: neither ours nor theirs has any spread", None
        z = difference / error
        if abs(z) <= MOST_Z:
            return "within", f"within the published spread: z = {z:.1f}", z
        weak = f", which {num} seeds often give by chance" if num < ENOUGH_SEEDS else ""
        return "outside", f"outside: z = {z:.1f}{weak}", z
    if row.spread_kind in ("std", "") and (row.seeds is None or num == 1):
        why = "no number of runs published" if row.seeds is None else "one run of ours"
        finding: Finding = "within" if abs(difference) <= MOST_SPREADS * row.spread else "outside"
        return finding, f"{finding} ± {MOST_SPREADS} published spreads ({why})", None
    return "not judged", f"no z: the published spread is {row.spread_kind or 'of no stated kind'}", None


def _same(ours: Ours, row: Published) -> str:
    """The same statistic of ours."""
    return number(max(ours.values) if row.statistic == "best" else statistics.median(ours.values))


def summary(recipe: Recipe, outcomes: Sequence[Outcome]) -> str:
    """One line over all figures of a recipe."""
    counts = [f"{sum(one.is_reproduced for one in outcomes)} of {len(outcomes)} figures reproduced"]
    kept = sum(one.finding == "within" and not one.is_reproduced for one in outcomes)
    named = {
        "within the published spread but kept apart": kept,
        "outside": sum(one.finding == "outside" for one in outcomes),
        "not judged": sum(one.finding == "not judged" for one in outcomes),
        "not measured": sum(one.finding == "not measured" for one in outcomes),
    }
    counts += [f"{count} {what}" for what, count in named.items() if count]
    return f"{recipe.name}: {', '.join(counts)}"
