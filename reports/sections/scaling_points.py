"""The runs that a scaling law is over: one core in several sizes, on several amounts of data.

Such runs are in one column of results for each amount of data, since the amount is part of the protocol; here the rest
of the protocol alone has to agree. An amount is the tokens of one epoch: repeated ones teach nothing else. A size is
the parameters without look-up tables (tokens, segments, learned positions), as operations are counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from atinuke_bench.config import is_floor

from ..drawing.names import short
from ..reading.column import Column
from ..reading.frame import Frame
from ..statistics.cells import Cell, Cells
from ..statistics.scaling import num_levels

_SIZES = {f"core.{name}" for name in ("hidden_size", "num_layers", "num_heads", "feedforward_size", "max_positions")}
#: What of a protocol says how much is trained on.
_AMOUNT = ("train_size", "is_cut", "selection_size")
#: Letters of a core's name in figures.
_MOST_LETTERS = 24


@dataclass(frozen=True)
class Point:
    """A size on an amount of data: its cost, and its error with the 95 % interval; NaN for what no run recorded."""

    cell: Cell
    parameters: float
    embedding: float
    tokens: float
    examples: float
    operations: float
    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One core on one task; `quantity` names the error, which is lower where the core is better."""

    task: str
    name: str
    columns: tuple[Column, ...]
    quantity: str
    points: tuple[Point, ...]
    is_cut: bool
    #: Why runs on other amounts of data are not among the points; empty where there are none.
    note: str = ""

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def has_tables_apart(self) -> bool:
        """Whether every run recorded how large its look-up tables are; earlier ones did not."""
        return all(math.isfinite(one.embedding) for one in self.points)

    @property
    def size_name(self) -> str:
        return "parameters without look-up tables" if self.has_tables_apart else "parameters"

    @cached_property
    def sizes(self) -> np.ndarray:  # [C]
        return np.array([one.parameters - (one.embedding if self.has_tables_apart else 0.0) for one in self.points])

    @cached_property
    def tokens(self) -> np.ndarray:  # [C]
        return np.array([one.tokens for one in self.points])

    @cached_property
    def examples(self) -> np.ndarray:  # [C]
        return np.array([one.examples for one in self.points])

    @cached_property
    def operations(self) -> np.ndarray:  # [C]
        return np.array([one.operations for one in self.points])

    @cached_property
    def values(self) -> np.ndarray:  # [C]
        return np.array([one.value for one in self.points])

    @cached_property
    def num_sizes(self) -> int:
        return _levels_of(self.sizes)

    @cached_property
    def num_amounts(self) -> int:
        return _levels_of(self.tokens)

    @property
    def short_name(self) -> str:
        return short(self.name, _MOST_LETTERS)

    def where(self, is_kept: np.ndarray) -> Series:
        """The series of some of its points."""
        points = tuple(one for one, kept in zip(self.points, is_kept, strict=True) if kept)
        return Series(self.task, self.name, self.columns, self.quantity, points, self.is_cut, self.note)


def _levels_of(values: np.ndarray) -> int:
    known = values[np.isfinite(values) & (values > 0)]
    return num_levels(known)


@dataclass(frozen=True)
class _Kind:
    """What all points of a series share, and no two series all of."""

    task: str
    core: str
    #: The core's settings but for its dimensions.
    settings: str
    #: The epochs at most: with others a token is read otherwise often, and another law holds.
    epochs: Any
    #: The protocol but for the amount of data, if scores compare without it; split and metric.
    protocol: str

    @classmethod
    def of(cls, frame: Frame, cell: Cell) -> _Kind:
        config, protocol = frame.config(cell.runs[0]), dict(frame.protocols[cell.column])
        settings = {name: value for name, value in config.items() if name.startswith("core.") and name not in _SIZES}
        if not _is_by_tokens(protocol):
            protocol = {name: value for name, value in protocol.items() if name not in _AMOUNT}
        core, split = (frame.value(cell.runs[0], name) for name in ("core", "split"))
        return cls(
            cell.column.task, core, json.dumps(settings, sort_keys=True, default=str),
            config.get("training.max_epochs"), json.dumps([split, cell.metric, protocol], sort_keys=True, default=str),
        )  # fmt: skip


def series_of(frame: Frame, cells: Cells) -> list[Series]:
    """Every core with two sizes, or two amounts of data, or more."""
    groups: dict[_Kind, list[Cell]] = {}
    for cell in (cell for own in cells.values() for cell in own.values()):
        if frame.config(cell.runs[0]) and not is_floor(frame.value(cell.runs[0], "core")):
            groups.setdefault(_Kind.of(frame, cell), []).append(cell)
    # No law has a logarithm of an error of 0.
    chosen = {kind: [cell for cell in _one_a_place(frame, own) if _error(cell) > 0] for kind, own in groups.items()}
    found = {kind: own for kind, own in chosen.items() if len(own) > 1}
    made = (_series(frame, *_names(kind, own, list(found)), own) for kind, own in found.items())
    return [one for one in made if max(one.num_sizes, one.num_amounts) > 1]


def _names(kind: _Kind, cells: Sequence[Cell], kinds: Sequence[_Kind]) -> tuple[str, str]:
    """The task and the core of a series, each with what tells it from other series of the same."""
    same_task = [one for one in kinds if one.task == kind.task]
    same_core = [one for one in same_task if one.core == kind.core]
    task = f"{kind.task} ({cells[0].column.digest})" if len({one.protocol for one in same_task}) > 1 else kind.task
    name = cells[0].variant if len({one.settings for one in same_core}) > 1 else kind.core
    if len({one.epochs for one in same_core}) > 1 and "max_epochs=" not in name:
        name += f" {{max_epochs={kind.epochs}}}"
    return task, name


def _is_by_tokens(protocol: Mapping[str, Any]) -> bool:
    """Whether scores are of tokens, which a tokenizer made from another amount of data cuts otherwise."""
    return any(name.startswith("tokenizer.") for name in protocol)


def _one_a_place(frame: Frame, cells: Sequence[Cell]) -> list[Cell]:
    """Of several variants of one size on one amount of data the one with the best selection score, as a user would."""
    best: dict[str, tuple[float, Cell]] = {}
    for cell in cells:
        config = frame.config(cell.runs[0])
        key = json.dumps([str(cell.column), *(config.get(name) for name in sorted(_SIZES))])
        score = float(frame.runs.loc[list(cell.runs), "selection_score"].mean())
        rank = -math.inf if math.isnan(score) else score if cell.higher_is_better else -score
        if key not in best or rank > best[key][0]:
            best[key] = rank, cell
    return [cell for _, cell in best.values()]


def _series(frame: Frame, task: str, name: str, cells: Sequence[Cell]) -> Series:
    points = sorted((_point(frame, cell) for cell in cells), key=lambda one: (one.parameters, one.tokens))
    columns = tuple(dict.fromkeys(one.cell.column for one in points))
    first = points[0].cell
    quantity = f"100 − {first.metric}" if first.higher_is_better else first.metric
    by_tokens = (
        f"{first.metric} is of the tokens of a tokenizer made from the training data: no other amount of data compares"
        if _is_by_tokens(frame.protocols[first.column])
        else ""
    )
    is_cut = any(bool(frame.value(run, "is_cut")) for one in points for run in one.cell.runs)
    return Series(task, name, columns, quantity, tuple(points), is_cut, by_tokens)


def _point(frame: Frame, cell: Cell) -> Point:
    low, high = cell.interval
    if cell.higher_is_better:
        low, high = 100 - high, 100 - low
    epochs = [_known(frame.value(run, "num_epochs")) for run in cell.runs]
    seen = [_cost(frame, run, "training_tokens") for run in cell.runs]
    tokens = _mean(all_seen / num if num else math.nan for all_seen, num in zip(seen, epochs, strict=True))
    cost = {
        name: _mean(_cost(frame, run, name) for run in cell.runs)
        for name in ("parameters", "embedding_parameters", "training_flops")
    }
    examples = _known(frame.protocols[cell.column].get("train_size"))
    examples = 0.0 if math.isnan(examples) else examples
    return Point(cell, cost["parameters"], cost["embedding_parameters"], tokens, examples, cost["training_flops"],
                 _error(cell), (low, high))  # fmt: skip


def _error(cell: Cell) -> float:
    """A loss, or what lacks to 100."""
    return 100 - cell.mean if cell.higher_is_better else cell.mean


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _cost(frame: Frame, run: int, name: str) -> float:
    return _known(frame.value(run, f"cost.{name}")) if f"cost.{name}" in frame.runs else math.nan


def _known(value: Any) -> float:
    """A figure of a record as a number; NaN where it lacks."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
