"""A study: it gives trials, is told their outcomes (Optuna's ask and tell), and counts them.

A study lives in an Optuna database; `<store>/studies/<name>/study.yaml` says what it is and where the database lies.
A trial's values are kept once, as Optuna's parameters; what its run is given follows from them (`Study.draw_of`). Its
attributes hold what Optuna does not know: who carries it out, its run's folder, its cost, why it failed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.study import Study as OptunaStudy
from optuna.trial import FrozenTrial, Trial, TrialState

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import ConfigError, FailureClass, one_line
from atinuke_bench.sweeps.definition import Budget, StudyConfig, write_definition
from atinuke_bench.sweeps.domains import Domain
from atinuke_bench.sweeps.samplers import grid_points, make_pruner, make_sampler
from atinuke_bench.sweeps.spaces import Draw
from atinuke_bench.sweeps.storage import Storage

#: Where the database keeps what a study is.
DEFINITION, BUDGET = "definition", "budget"
#: What it says of a study that is being copied to it, until all of it is there.
COPYING = "copying"
#: What a trial keeps of its run's cost, under the names in the run's result.
COST_FACTS = ("parameters", "training_flops", "forward_flops_per_token")


@dataclass(frozen=True)
class Tally:
    """What a study has used. `counted` trials ended with something to learn from; those that died did not."""

    counted: int
    complete: int
    pruned: int
    failed: int
    running: int
    waiting: int
    seconds: float
    training_flops: float

    def allows_another(self, budget: Budget) -> bool:
        """Whether another trial may begin."""
        return (
            (budget.trials is None or self.counted + self.running < budget.trials)
            and (budget.seconds is None or self.seconds < budget.seconds)
            and (budget.training_flops is None or self.training_flops < budget.training_flops)
        )


@dataclass(frozen=True)
class Assigned:
    """A trial that this process is to carry out."""

    number: int
    draw: Draw
    run: RunConfig


@dataclass(frozen=True)
class Refused:
    """A trial whose values make no run. It has been told as failed."""

    number: int
    reason: str


class Study:
    """An open study. It makes every change under the database's lock."""

    def __init__(self, config: StudyConfig, folder: Path, storage: Storage, study: OptunaStudy) -> None:
        self.config = config
        self.folder = folder
        self.storage = storage
        self._study = study
        self._live: dict[int, Trial] = {}
        self._draws: dict[int, Draw] = {}
        self.higher_is_better = config.higher_is_better
        study.pruner = make_pruner(config.pruner, config.max_epochs)

    @property
    def store(self) -> Path:
        """The common store of runs."""
        return self.folder.parent.parent

    @property
    def asks(self) -> bool:
        """Whether trials wait for a decision after every epoch."""
        return self.config.pruner != "none"

    def trials(self) -> list[FrozenTrial]:
        """All trials, in order of number."""
        with self.storage.errors():
            return self._study.get_trials(deepcopy=False)

    def tally(self) -> Tally:
        return tally(self.trials())

    def draw_of(self, trial: FrozenTrial) -> Draw:
        """The values of a trial's run, worked out from what was suggested; empty while not all of it was."""
        if trial.number not in self._draws:
            try:
                self._draws[trial.number] = self.config.space.draw(lambda path, domain: trial.params[path])
            except KeyError:
                return Draw({}, {})
        return self._draws[trial.number]

    def is_over(self) -> bool:
        """True when no trial may begin and none runs, here or elsewhere."""
        now = self.tally()
        return now.running == 0 and (not now.allows_another(self.config.budget) or self._grid_is_used_up())

    def ask(self, owner: Mapping[str, str]) -> Assigned | Refused | None:
        """Draw the next trial, or take up one that is to be repeated; None when the budget allows no other."""
        with self.storage.exclusive():
            trials = self.trials()
            if not tally(trials).allows_another(self.config.budget):
                return None
            if self.config.sampler == "grid":
                if not self._enqueue_grid_point(trials):
                    return None
                trials = self.trials()
            number = next((trial.number for trial in trials if trial.state.name == "WAITING"), len(trials))
            self._study.sampler = make_sampler(self.config.sampler, self.config.seed, number)
            trial = self._study.ask()
            trial.set_user_attr("owner", dict(owner))
            self._live[trial.number] = trial
            try:
                draw = self._draws[trial.number] = self.config.space.draw(partial(_suggest, trial))
                return Assigned(trial.number, draw, self.config.make_run(draw.overrides))
            except ConfigError as error:
                self.fail(trial.number, FailureClass.CONFIG, one_line(error))
                return Refused(trial.number, one_line(error))

    def note(self, number: int, **facts: Any) -> None:
        """Keep facts about a running trial."""
        with self.storage.exclusive():
            trial = self._trial(number)
            for name, value in facts.items():
                trial.set_user_attr(name, value)

    def report(self, number: int, history: list[dict[str, Any]], *, decide: bool = False) -> bool:
        """Tell a trial's epochs; with `decide`, whether it should stop here.

        What an epoch is worth is the best score up to it, since the best epoch's weights are what a run ends with.
        """
        with self.storage.exclusive():
            trial = self._trial(number)
            known = self._frozen(number).intermediate_values
            for step, best in self.best_so_far(history):
                # Optuna takes no epochs of a study with two objectives.
                if step not in known and self.config.against is None:
                    trial.report(best, step)
            if history:
                trial.set_user_attr("training_flops", history[-1].get("training_flops") or 0)
            return decide and trial.should_prune()

    def best_so_far(self, history: list[dict[str, Any]]) -> Iterator[tuple[int, float]]:
        """Step (epochs done) and best finite score up to it."""
        best: float | None = None
        for record in history:
            score = record["score"]
            if score is not None and math.isfinite(score):
                is_better = best is None or (score > best) == self.higher_is_better
                best = score if is_better else best
            if best is not None:
                yield record["epoch"] + 1, best

    def complete(self, number: int, result: Mapping[str, Any], **facts: Any) -> str | None:
        """Tell a finished run; the reason where its score is missing, not finite or of another metric: a failure."""
        cost = {name: result["cost"][name] for name in COST_FACTS}
        if result["metric"] != self.config.metric:
            reason = f"it is judged by {result['metric']}, and the study ranks by {self.config.metric}"
            self.fail(number, "undefined", reason, **facts)
            return reason
        judged = {"score": result["selection"].get("score"), **cost}
        values = [judged[name] for name in self.config.objectives]
        for name, value in zip(self.config.objectives, values, strict=True):
            if value is None or not math.isfinite(value):
                reason = f"the {name} is {'missing' if value is None else value}, and a trial needs a finite one"
                self.fail(number, "undefined", reason, **facts)
                return reason
        self._tell(number, TrialState.COMPLETE, [float(value) for value in values], facts | cost)
        return None

    def prune(self, number: int, **facts: Any) -> None:
        self._tell(number, TrialState.PRUNED, None, facts)

    def fail(self, number: int, failure_class: str, reason: str, *, counts: bool = True, **facts: Any) -> None:
        """Tell a failure with its reason; where it says nothing about the trial's values, it does not count."""
        facts |= {"failure_class": failure_class, "reason": reason, "counts": counts}
        self._tell(number, TrialState.FAIL, None, facts)

    def fail_and_repeat(
        self, number: int, failure_class: str, reason: str, *, as_attempt: bool = True, blames: bool = False
    ) -> bool:
        """Fail a trial whose run was ended from outside, and queue the same values again, once; whether that was done.

        The repeated trial has the same run, which goes on from its last whole epoch. Given up for good, a trial counts
        where its values are to blame (`blames`): its process was killed while this one lived.
        """
        with self.storage.exclusive():
            trial = self._frozen(number)
            attempts = trial.user_attrs.get("attempts", 0) + as_attempt
            # Queued first and told second: a death in between is seen by the next process, which queues no other.
            is_queued = any(other.user_attrs.get("retry_of") == number for other in self.trials())
            repeats = attempts <= 1
            if repeats and not is_queued:
                attributes: dict[str, Any] = {"retry_of": number, "attempts": attempts}
                if "grid" in trial.user_attrs:
                    attributes["grid"] = trial.user_attrs["grid"]
                self._study.enqueue_trial(dict(trial.params), user_attrs=attributes)
            self.fail(number, failure_class, reason, counts=blames and not repeats)
            return repeats

    def twin_of(self, number: int, overrides: Mapping[str, Any]) -> FrozenTrial | None:
        """An earlier trial with the same run that came to a score, complete or pruned."""
        for trial in self.trials():
            is_other = trial.number != number and trial.state.name in ("COMPLETE", "PRUNED")
            if is_other and self.draw_of(trial).overrides == overrides:
                return trial
        return None

    def copy_outcome(self, number: int, twin: FrozenTrial) -> None:
        """Tell a trial what an earlier one with the same run came to. It costs nothing."""
        with self.storage.exclusive():
            trial = self._trial(number)
            for step, value in twin.intermediate_values.items():
                trial.report(value, step)
            kept = {name: value for name, value in twin.user_attrs.items() if name in ("folder", *COST_FACTS)}
            facts = {**kept, "reuses": True, "training_flops": 0, "seconds": 0.0}
            self._tell(number, twin.state, list(twin.values) if twin.state.name == "COMPLETE" else None, facts)

    def set_budget(self, budget: Budget) -> None:
        """Grant another budget, for every process that joins from now on."""
        self.config = self.config.model_copy(update={"budget": budget})
        with self.storage.exclusive():
            self._study.set_user_attr(BUDGET, budget.model_dump(mode="json"))
        write_definition(self.config, self.folder, self.storage.url)

    def set_beat(self, worker: str, beat: int) -> None:
        with self.storage.exclusive():
            self._study.set_user_attr(f"worker:{worker}", beat)

    def beat_of(self, worker: str) -> Any:
        with self.storage.errors():
            return self._study.user_attrs.get(f"worker:{worker}")

    def close(self) -> None:
        self.storage.close()

    def _tell(self, number: int, state: Any, values: list[float] | None, facts: Mapping[str, Any]) -> None:
        with self.storage.exclusive():
            trial = self._trial(number)
            for name, value in facts.items():
                trial.set_user_attr(name, value)
            self._study.tell(number, values, state=state)
        self._live.pop(number, None)

    def _trial(self, number: int) -> Trial:
        """The live trial of a number; one that another process began is taken over."""
        if number not in self._live:
            self._study.sampler = make_sampler("random", self.config.seed, number)
            self._live[number] = Trial(self._study, self._frozen(number)._trial_id)
        return self._live[number]

    def _frozen(self, number: int) -> FrozenTrial:
        return self.trials()[number]

    @cached_property
    def grid(self) -> list[dict[str, Any]]:
        return grid_points(self.config.space, self.config.seed)

    def _unused_grid_points(self, trials: list[FrozenTrial]) -> list[int]:
        used = {trial.user_attrs.get("grid") for trial in trials if trial.user_attrs.get("counts", True)}
        return [number for number in range(len(self.grid)) if number not in used]

    def _grid_is_used_up(self) -> bool:
        if self.config.sampler != "grid":
            return False
        trials = self.trials()
        return not self._unused_grid_points(trials) and not any(trial.state.name == "WAITING" for trial in trials)

    def _enqueue_grid_point(self, trials: list[FrozenTrial]) -> bool:
        """Queue the next point of the grid, unless something is queued; False when there is none left."""
        if any(trial.state.name == "WAITING" for trial in trials):
            return True
        unused = self._unused_grid_points(trials)
        if unused:
            self._study.enqueue_trial(self.grid[unused[0]], user_attrs={"grid": unused[0]})
        return bool(unused)


def _suggest(trial: Trial, path: str, domain: Domain) -> Any:
    if isinstance(domain, CategoricalDistribution):
        return trial.suggest_categorical(path, domain.choices)
    if isinstance(domain, IntDistribution):
        return trial.suggest_int(path, domain.low, domain.high, step=domain.step, log=domain.log)
    return trial.suggest_float(path, domain.low, domain.high, step=domain.step, log=domain.log)


def score_of(trial: FrozenTrial) -> float | None:
    """The selection score of a trial: of one that did not complete, the best of its epochs."""
    if trial.state.name == "COMPLETE":
        return trial.values[0]
    epochs = trial.intermediate_values
    return epochs[max(epochs)] if epochs else None


def tally(trials: list[FrozenTrial]) -> Tally:
    """Count trials and what they cost. A run that several trials share is paid once."""
    states = [trial.state.name for trial in trials]
    dead = sum(trial.state.name == "FAIL" and not trial.user_attrs.get("counts", True) for trial in trials)
    costs: dict[Any, float] = {}
    for trial in trials:
        run = trial.user_attrs.get("folder", trial.number)
        costs[run] = max(costs.get(run, 0), trial.user_attrs.get("training_flops", 0))
    ended = states.count("COMPLETE") + states.count("PRUNED") + states.count("FAIL")
    return Tally(
        counted=ended - dead,
        complete=states.count("COMPLETE"),
        pruned=states.count("PRUNED"),
        failed=states.count("FAIL") - dead,
        running=states.count("RUNNING"),
        waiting=states.count("WAITING"),
        seconds=sum(trial.user_attrs.get("seconds", 0.0) for trial in trials),
        training_flops=sum(costs.values()),
    )
