"""What carrying out the cells of a suite takes: probes of its runs, multiplied by its data, epochs and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from atinuke_bench.config import RunConfig
from atinuke_bench.data.batching import TokenBudgetSampler
from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.runs.cells import CellState
from atinuke_bench.runs.forecast.calibrate import CALIBRATION_SECONDS, Calibration, Wish, calibrate
from atinuke_bench.runs.forecast.probe import CoreCost, DataCost, num_parameters, step_flops
from atinuke_bench.runs.forecast.schedule import Planned, seconds_side_by_side
from atinuke_bench.runs.forecast.seconds import NO_TIME, Seconds
from atinuke_bench.training.execution import Execution

#: The length at which cores are put in the order of what they cost, before any text is seen.
_LENGTH = 64


@dataclass(frozen=True)
class RunForecast:
    """What is left to do of one cell; figures None where they cannot be known, and why."""

    state: CellState
    #: Of the cell when it was looked at.
    status: str
    parameters: int | None
    #: To train on a token of a text of the longest length.
    flops_per_token: int | None
    planned: Planned | None = None
    flops: float = 0.0
    num_bytes: float = 0.0
    bytes_training: float = 0.0
    num_steps: int = 0
    #: "measured", "interpolated", or why nothing is known.
    basis: str = ""

    @property
    def is_waiting(self) -> bool:
        return self.status == "waiting"

    def record(self) -> dict[str, Any]:
        """Plain figures of a cell that waits; of another one it is known that nothing is left."""
        run, planned = self.state.cell.run, self.planned
        return {
            "task": run.task,
            "variant": self.state.cell.variant,
            "core": run.core.label(),
            "seed": run.seed,
            "status": self.status,
            "parameters": self.parameters,
            "training_flops_per_token": self.flops_per_token,
            "seconds": None if planned is None else planned.seconds.wall,
            "processor_seconds": None if planned is None else planned.seconds.processor,
            "steps": self.num_steps if planned else None,
            "training_flops": self.flops if planned else None,
            "bytes": self.num_bytes if planned else None,
            "basis": self.basis,
        }


@dataclass(frozen=True)
class Forecast:
    """The runs of a grid, and what they take together on `slots` workers."""

    runs: tuple[RunForecast, ...]
    slots: int
    #: Loading what the command and its processes need.
    opening: Seconds
    calibration: Calibration
    data: Mapping[str, DataCost]

    @property
    def waiting(self) -> list[RunForecast]:
        return [one for one in self.runs if one.is_waiting]

    @property
    def unknown(self) -> list[RunForecast]:
        """What has to be done and cannot be foreseen."""
        return [one for one in self.waiting if one.planned is None]

    @cached_property
    def seconds(self) -> Seconds:
        """Seconds on the wall with the workers side by side, and of all processors; of what is known."""
        known = [one.planned for one in self.waiting if one.planned is not None]
        done = {one.state.cell.path for one in self.runs if not one.is_waiting}
        if not known:
            return NO_TIME
        spent = self.opening.processor + sum(one.processor for one in known)
        shared = {one.shared_key: one.shared.processor for one in known}
        wall = seconds_side_by_side(known, self.slots, done)
        return Seconds(self.opening.wall + wall, spent + sum(shared.values()))

    @property
    def quiet_seconds(self) -> float:
        """Seconds on the wall where no other program uses the processors: as if each run had one to itself."""
        quiet = [replace(one.planned, clock="processor") for one in self.waiting if one.planned is not None]
        done = {one.state.cell.path for one in self.runs if not one.is_waiting}
        return self.opening.processor / 2 + seconds_side_by_side(quiet, self.slots, done) if quiet else 0.0

    @property
    def flops(self) -> float:
        return sum(one.flops for one in self.waiting)

    @property
    def num_bytes(self) -> float:
        """What the store grows by, and besides while runs are under way."""
        states = sorted((one.bytes_training for one in self.waiting), reverse=True)
        return sum(one.num_bytes for one in self.waiting) + sum(states[: self.slots])


def forecast(
    states: Sequence[CellState],
    slots: int,
    opening: Seconds,
    execution: Execution | None = None,
    seconds: float = CALIBRATION_SECONDS,
) -> Forecast:
    """Foresee the cells of a grid on so many workers, after a calibration of about so many seconds.

    `opening` is what the command took so far, which carrying out the suite takes too. Nothing is written but temporary
    files. Cells that are finished cost nothing, those that are under way only the epochs they lack.
    """
    execution = execution or Execution(show_progress=False)
    groups: dict[str, RunConfig] = {}
    for state in states:
        if state.status == "waiting":
            groups.setdefault(group_of(state.cell.run), without_seed(state.cell.run))
    wishes = wishes_for(groups)
    calibration = calibrate(wishes, slots, seconds, execution) if wishes else Calibration()
    costs = _Costs(groups, calibration)
    runs = tuple(_foresee(state, costs) for state in states)
    # The server of processes loads as much again as the command has loaded.
    opening = Seconds(opening.wall + calibration.loading, 2 * opening.processor)
    return Forecast(runs, slots, opening, calibration, costs.data_by_task)


def without_seed(run: RunConfig) -> RunConfig:
    """What the runs of a cell's seeds share."""
    return run.model_copy(update={"seed": 0})


def group_of(run: RunConfig) -> str:
    """The key of the runs that differ in their seeds alone."""
    return without_seed(run).model_dump_json()


def wishes_for(groups: Mapping[str, RunConfig]) -> list[Wish]:
    """What to probe, the most telling first: of each core its cheapest and its dearest, something of every task.

    These, and one floor, are required; the others follow as far as there is time.
    """
    flops = {key: _flops_or_none(run) for key, run in groups.items()}
    trained = sorted((key for key in groups if flops[key] is not None), key=lambda key: flops[key] or 0.0)
    by_core: dict[str, list[str]] = {}
    for key in trained:
        by_core.setdefault(groups[key].core.name, []).append(key)
    floors = [key for key, run in groups.items() if run.core.is_floor]
    required = dict.fromkeys([*(key for own in by_core.values() for key in (own[0], own[-1])), *floors[:1]])
    tasks = {groups[key].task for key in required}
    for key in [*trained, *groups]:  # the floor of a task, too, shows its data
        if groups[key].task not in tasks:
            tasks.add(groups[key].task)
            required[key] = None
    others = [key for key in [*trained, *groups] if key not in required]
    return [Wish(key, groups[key], key in required) for key in dict.fromkeys([*required, *others])]


def _flops_or_none(run: RunConfig) -> float | None:
    """Operations of a step; None for the floor, and for a core that cannot be built before its files are there."""
    if run.core.is_floor:
        return None
    try:
        return step_flops(run, _LENGTH)
    except (AtinukeBenchError, NotImplementedError):
        return None


class _Costs:
    """What is known of each group: measured, or put together from what was measured of others."""

    def __init__(self, groups: Mapping[str, RunConfig], calibration: Calibration) -> None:
        self.groups, self.calibration = groups, calibration
        self.data_by_task: dict[str, DataCost] = {}
        for task in dict.fromkeys(run.task for run in groups.values()):
            found = [probe.data for key, probe in calibration.probes.items() if groups[key].task == task]
            if found:
                self.data_by_task[task] = _typical(found)
        processes = [probe.process for probe in calibration.probes.values()]
        self.process = (1 / max(1, len(processes))) * sum(processes, NO_TIME)
        self._batches: dict[tuple[str, int], int] = {}

    def core_of(self, key: str) -> tuple[CoreCost, str] | None:
        """What a group's core costs, and how that is known; None where nothing like it was measured."""
        probe = self.calibration.probes.get(key)
        if probe is not None and probe.core is not None:
            return probe.core, "measured"
        run = self.groups[key]
        if (compared := self._compared(run)) is not None:
            return compared, "interpolated"
        like = {
            other: found.core
            for other, found in self.calibration.probes.items()
            if found.core is not None and self.groups[other].core.is_floor == run.core.is_floor
        }
        same = {other: core for other, core in like.items() if self.groups[other].core.name == run.core.name}
        if not (like := same or like):
            return None
        if run.core.is_floor:
            return next(iter(like.values())), "interpolated"
        return self._interpolated(run, {self._flops(self.groups[one]): core for one, core in like.items()})

    def _compared(self, run: RunConfig) -> CoreCost | None:
        """From another core on the same task, as the two compare on tasks where both were measured; None without one.

        A task's head may cost more than a small core, so that operations of the core say little.
        """
        by_core: dict[str, dict[str, CoreCost]] = {}
        for other, found in self.calibration.probes.items():
            if found.core is not None and not self.groups[other].core.is_floor:
                name = self.groups[other].core.model_dump_json()
                by_core.setdefault(name, {})[self.groups[other].task] = found.core
        own = by_core.get(run.core.model_dump_json(), {})
        for costs in by_core.values():
            both = costs.keys() & own.keys()
            if run.task in costs and both:
                ratios = [own[task].step.processor / max(costs[task].step.processor, 1e-9) for task in both]
                ratio, there, like = float(np.mean(ratios)), costs[run.task], own[min(both)]
                step, select, evaluate = (ratio * part for part in (there.step, there.select, there.evaluate))
                compared = replace(there, step=step, select=select, evaluate=evaluate)
                return replace(compared, bytes_once=like.bytes_once, bytes_training=like.bytes_training)
        return None

    def _flops(self, run: RunConfig) -> float:
        return step_flops(run, _LENGTH)

    def _interpolated(self, run: RunConfig, like: Mapping[float, CoreCost]) -> tuple[CoreCost, str]:
        """The cost of a core between, or beyond, others of fewer and of more operations."""
        own, places = self._flops(run), sorted(like)
        if len(places) == 1:
            return _blend(like[places[0]], CoreCost(), own / places[0]), "interpolated"
        low = max([place for place in places[:-1] if place <= own], default=places[0])
        high = places[places.index(low) + 1]
        return _blend(like[high], like[low], (own - low) / (high - low)), "interpolated"

    def num_batches(self, run: RunConfig, data: DataCost) -> int:
        """Batches of an epoch: the sample's lengths, over and over."""
        assert data.lengths is not None, "a core is trained on rows"
        assert data.num_inputs is not None, "rows have inputs"
        key = (run.task, run.training.batch_tokens)
        if key not in self._batches:
            rows = max(1, round(len(data.lengths) / data.num_sampled * data.num_train))
            lengths, inputs = np.resize(data.lengths, rows), np.resize(data.num_inputs, rows)
            sampler = TokenBudgetSampler(lengths, run.training.batch_tokens, seed=0, num_inputs=inputs)
            self._batches[key] = sampler.num_batches
        return self._batches[key]


def _blend(high: CoreCost, low: CoreCost, share: float) -> CoreCost:
    """The cost on the line from the low one (share 0) to the high one (share 1), or beyond them."""

    def of(name: str) -> Any:
        own = (1 - share) * getattr(low, name) + share * getattr(high, name)
        return own.positive() if isinstance(own, Seconds) else max(0, own)

    return CoreCost(**{field.name: of(field.name) for field in fields(CoreCost)})


def _typical(found: Sequence[DataCost]) -> DataCost:
    """What several probes of one task's data say: their mean times, and rows where one has any."""
    best = max(found, key=lambda data: -1 if data.lengths is None else data.num_sampled)
    with_rows = [data for data in found if data.lengths is not None] or list(found)

    def mean(name: str, of: Sequence[DataCost]) -> Any:
        lines = [getattr(data, name) for data in of]
        share = 1 / len(lines)
        return replace(
            lines[0],
            fixed=share * sum((line.fixed for line in lines), NO_TIME),
            each=share * sum((line.each for line in lines), NO_TIME),
        )

    return replace(
        best, load=mean("load", found), tokenizer=mean("tokenizer", with_rows), encode=mean("encode", with_rows)
    )


def _foresee(state: CellState, costs: _Costs) -> RunForecast:
    run = state.cell.run
    flops = _flops_or_none(run)
    parameters = None if flops is None else num_parameters(run)
    length = run.training.max_length
    per_token = None if flops is None else round(step_flops(run, length) / run.training.batch_tokens)
    known = RunForecast(state, state.status, parameters, per_token, basis=state.status)
    if state.status != "waiting":
        return known
    key = group_of(run)
    data, core = costs.data_by_task.get(run.task), costs.core_of(key)
    if data is None or core is None or (data.lengths is None and not run.core.is_floor):
        failures = costs.calibration.failures
        return replace(known, basis=failures.get(key) or next(iter(failures.values()), "nothing like it was measured"))
    cost, basis = core
    before = costs.process + data.load.at(data.num_read)
    rest = cost.once + data.num_evaluated * cost.evaluate
    num_bytes = cost.bytes_once + data.num_evaluated * cost.bytes_each
    if run.core.is_floor:
        planned = Planned(state.cell.path, state.cell.origin, before, NO_TIME, "", rest)
        return replace(known, planned=planned, num_bytes=num_bytes, basis=basis)
    num_epochs = run.training.max_epochs - _epochs_done(state)
    num_batches = costs.num_batches(run, data)
    an_epoch = num_batches * cost.step + data.num_selection * cost.select + cost.epoch
    encoded = data.num_train + data.num_selection + data.num_evaluated
    shared = data.tokenizer.at(data.num_train) + data.encode.at(encoded)
    made_of = f"{run.task} {run.tokenizer.model_dump_json()} {run.core.has_tokenizer and run.core.label()}"
    planned = Planned(state.cell.path, state.cell.origin, before, shared, made_of, rest + num_epochs * an_epoch)
    assert data.lengths is not None, "a core is trained on rows"
    mean_length = int(data.lengths.mean())
    return replace(
        known,
        planned=planned,
        flops=num_epochs * num_batches * step_flops(run, mean_length),
        num_bytes=num_bytes,
        bytes_training=cost.bytes_training,
        num_steps=num_epochs * num_batches,
        basis=basis,
    )


def _epochs_done(state: CellState) -> int:
    """Epochs that an interrupted run need not repeat."""
    if state.folder is None:
        return 0
    try:
        return min(len(state.folder.read_history()), state.cell.run.training.max_epochs)
    except AtinukeBenchError:
        return 0
