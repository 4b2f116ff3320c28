"""A study: it gives trials, is told their outcomes (Optuna's ask and tell), and counts them.

A study lives in an Optuna database; `<store>/studies/<name>/study.yaml` says what it is and where the database lies.
A trial's values are kept once, as Optuna's parameters; what its run is given follows from them (`Study.draw_of`). Its
attributes hold what Optuna does not know: who carries it out, its run's folder, its cost, why it failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from optuna.study import Study as OptunaStudy
from optuna.trial import FrozenTrial, Trial, TrialState

from atinuke_bench.errors import ConfigError, FailureClass, one_line
from atinuke_bench.formatting import one_short_line
from atinuke_bench.sweeps.assignments import Assigned, Infeasible, Refused, Undefined
from atinuke_bench.sweeps.constraints import Limits
from atinuke_bench.sweeps.definition import Budget, StudyConfig, write_definition
from atinuke_bench.sweeps.domains import suggest
from atinuke_bench.sweeps.fields import values_without_search
from atinuke_bench.sweeps.finals import RESERVE, Finals, confirms, seed_offset
from atinuke_bench.sweeps.judging import Judging
from atinuke_bench.sweeps.kept_definition import BUDGET
from atinuke_bench.sweeps.limits import OVER, UNTRAINED, over_text
from atinuke_bench.sweeps.origins import KNOWN, POINT
from atinuke_bench.sweeps.parts import Scored, floor_of
from atinuke_bench.sweeps.samplers import LEARNING_SAMPLERS, grid_points, make_pruner, make_sampler
from atinuke_bench.sweeps.spaces import Draw, suggested
from atinuke_bench.sweeps.storage import Storage
from atinuke_bench.sweeps.tallies import Tally, tally
from atinuke_bench.sweeps.trial_parts import best_so_far, dearest, records_of, value_at, with_cost, with_score

#: What a database says of a study that is being copied to it, until all of it is there.
COPYING = "copying"
#: What a trial keeps of its run's cost, under the names in the run's result.
COST_FACTS = ("parameters", "training_flops", "forward_flops_per_token")


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
        self.limits = Limits(config)
        self.judging = Judging(config, self.store)
        study.pruner = make_pruner(config.pruner, config.max_epochs)

    @property
    def store(self) -> Path:
        """The common store of runs."""
        return self.folder.parent.parent

    @property
    def optuna(self) -> OptunaStudy:
        """The study as Optuna has it, for who puts trials into it."""
        return self._study

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

    def finals(self, trials: list[FrozenTrial] | None = None) -> Finals:
        """How far the finals are; of a study with one seed, its best trials."""
        return self.judging.finals(self.trials() if trials is None else trials)

    def is_over(self) -> bool:
        """True when no trial may begin and none runs, here or elsewhere."""
        trials = self.trials()
        now = tally(trials)
        if now.running or (self._allows_search(now) and not self._grid_is_used_up()):
            return False
        return self.config.num_seeds == 1 or self._next_of_finals(trials, now) is None

    def _allows_search(self, now: Tally) -> bool:
        return now.allows_another(self.config.budget, RESERVE if self.config.num_seeds > 1 else 0.0)

    def ask(self, owner: Mapping[str, str]) -> Assigned | Refused | Infeasible | None:
        """Draw the next trial, or take up one that is to be repeated; None when the budget allows no other.

        What takes long, reading data and building cores to know their cost, is done while others may draw.
        """
        self.limits.get_ready()
        with self.storage.exclusive():
            drawn = self._draw(owner)
        return self._within_limits(drawn) if isinstance(drawn, Assigned) else drawn

    def _draw(self, owner: Mapping[str, str]) -> Assigned | Refused | None:
        trials = self.trials()
        if not self._prepare_next(trials):
            return None
        trials = self.trials()
        number = next((trial.number for trial in trials if trial.state.name == "WAITING"), len(trials))
        self._study.sampler = make_sampler(self.config.sampler, self.config.seed, number, self.config.warm_start)
        trial = self._study.ask()
        trial.set_user_attr("owner", dict(owner))
        self._live[trial.number] = trial
        try:
            draw = self._draws[trial.number] = self.config.space.draw(partial(suggest, trial))
            offset = seed_offset(self._frozen(trial.number))
            runs = self.config.make_runs(draw.overrides, self.config.seed + offset)
        except ConfigError as error:
            return self._refuse(trial.number, error)
        return Assigned(trial.number, draw, runs, offset)

    def _refuse(self, number: int, error: ConfigError) -> Refused:
        self.fail(number, FailureClass.CONFIG, one_line(error))
        return Refused(number, one_line(error))

    def _within_limits(self, drawn: Assigned) -> Assigned | Refused | Infeasible:
        """A drawn trial, unless it would cost more than it may."""
        try:
            cost = self.limits.before(drawn.runs)
        except ConfigError as error:
            return self._refuse(drawn.number, error)
        if not self.limits.over(cost):
            return drawn
        with self.storage.exclusive():
            over = self.limits.tell(self._trial(drawn.number), cost)
            # Pruned, since what failed teaches no sampler anything.
            self._tell(drawn.number, TrialState.PRUNED, None, {UNTRAINED: True, **cost})
        return Infeasible(drawn.number, over_text(over))

    def _prepare_next(self, trials: list[FrozenTrial]) -> bool:
        """Whether there is a trial to take, which is queued where its values are known beforehand."""
        now = tally(trials)
        if not self._allows_search(now):
            return self.config.num_seeds > 1 and self._enqueue_final(trials, now)
        if not trials and self.config.sampler in LEARNING_SAMPLERS:
            # What is known to be reasonable: the other trials are held against it from the start.
            self._study.enqueue_trial(suggested(self.config.space, values_without_search(self.config.make_run({}))))
        if self.config.sampler != "grid" or self._enqueue_grid_point(trials):
            return True
        return self.config.num_seeds > 1 and self._enqueue_final(trials, now)

    def _next_of_finals(self, trials: list[FrozenTrial], now: Tally) -> tuple[int, int] | None:
        """The trial to confirm next, with the number of the seed; None when the finals are over or wait."""
        # They begin once the search has ended: a trial that still runs may be the best one.
        if now.searching or not now.affords(self.config.budget):
            return None
        return self.finals(trials).next

    def _enqueue_final(self, trials: list[FrozenTrial], now: Tally) -> bool:
        """Queue the next run of the finals, unless one is queued; False when none is to be begun now."""
        if any(trial.state.name == "WAITING" and confirms(trial) is not None for trial in trials):
            return True
        found = self._next_of_finals(trials, now)
        if found is not None:
            number, offset = found
            kept = {"confirms": number, "seed_offset": offset}
            self._study.enqueue_trial(dict(trials[number].params), user_attrs=kept)
        return found is not None

    def note(self, number: int, **facts: Any) -> None:
        """Keep facts about a running trial."""
        with self.storage.exclusive():
            trial = self._trial(number)
            for name, value in facts.items():
                trial.set_user_attr(name, value)

    def begin_part(self, number: int, place: int, folder: str) -> None:
        """Note that a part of a trial has a run folder. The first one's stands for the trial."""
        with self.storage.exclusive():
            trial = self._trial(number)
            known = list(self._frozen(number).user_attrs.get("parts", []))[:place]
            if place == 0:
                trial.set_user_attr("folder", folder)
            if len(self.config.parts) > 1:
                trial.set_user_attr("parts", [*known, {"part": self.config.parts[place].label, "folder": folder}])

    def report(self, number: int, history: list[dict[str, Any]], *, place: int = 0, decide: bool = False) -> bool:
        """Tell a part's epochs; with `decide`, whether the trial should stop here.

        What an epoch is worth is the best score up to it, since the best epoch's weights are what a run ends with, with
        those of the parts of the same share before it.
        """
        with self.storage.exclusive():
            trial, frozen = self._trial(number), self._frozen(number)
            known, offset = frozen.intermediate_values, sum(part.task.max_epochs for part in self.config.parts[:place])
            for step, best in best_so_far(history, higher_is_better=self.higher_is_better):
                # Optuna takes no epochs of a study with two objectives.
                if offset + step in known or self.config.against is not None:
                    continue
                value = value_at(self.config, frozen, place, Scored(best, floor_of(history)))
                if value is not None:
                    trial.report(value, offset + step)
            if history:
                for name, fact in with_cost(frozen, place, history[-1].get("training_flops") or 0).items():
                    trial.set_user_attr(name, fact)
        return decide and self._should_stop(trial, place, len(history))

    def _should_stop(self, trial: Trial, place: int, num_epochs: int) -> bool:
        trials = self.trials()
        if confirms(trials[trial.number]) is not None:
            return False
        if self.config.pruner == "race":
            # It reads the folders of runs, for which nobody has to wait: nothing is changed.
            return self.judging.is_shown_worse(trials[trial.number], trials, place, num_epochs)
        with self.storage.exclusive():
            return trial.should_prune()

    def end_part(
        self, number: int, place: int, result: Mapping[str, Any], history: list[dict[str, Any]], **facts: Any
    ) -> float | Undefined:
        """Note what a part of a trial came to: the trial's value there, with the parts of the same share before it.

        A trial whose result is of another metric or has no finite score is told as failed.
        """
        part = self.config.parts[place]
        if result["metric"] != part.task.metric:
            reason = f"it is judged by {result['metric']}, and the study ranks by {part.task.metric}"
            return self._fail_undefined(number, reason, facts)
        score = result["selection"].get("score")
        if score is None or not math.isfinite(score):
            return self._fail_undefined(number, _not_finite("score", score), facts)
        own = Scored(score, floor_of(history))
        if len(self.config.parts) > 1:
            self.note(number, parts=with_score(self._frozen(number), place, own, self._cost_of(result)))
        value = value_at(self.config, self._frozen(number), place, own)
        if value is None:
            reason = f"no score of {part.label} is above its floor, so that none can be normalised"
            return self._fail_undefined(number, f"{reason}; take --aggregate mean", facts)
        return value

    def complete(self, number: int, score: float, result: Mapping[str, Any], **facts: Any) -> Undefined | None:
        """Tell a trial whose last part has finished with this value; one that lacks a cost is told as failed.

        Of several parts the costs are those of the dearest; operations of training are of all.
        """
        frozen = self._frozen(number)
        parts = [record["cost"] for record in records_of(frozen) if "cost" in record]
        judged = {**dearest([*parts, self._cost_of(result)]), "score": score}
        cost = {name: judged[name] for name in COST_FACTS}
        if len(self.config.parts) > 1:
            cost["training_flops"] = frozen.user_attrs["training_flops"]
        values = [judged[name] for name in self.config.objectives]
        for name in dict.fromkeys((*self.config.objectives, *self.config.at_most)):
            value = judged.get(name)
            if value is None or not math.isfinite(value):
                return self._fail_undefined(number, _not_finite(name, value), facts)
        self.limits.tell(self._trial(number), judged)
        self._tell(number, TrialState.COMPLETE, [float(value) for value in values], facts | cost)
        return None

    def _cost_of(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """What a trial is judged by, or keeps, of a run's cost."""
        return {name: result["cost"].get(name) for name in dict.fromkeys((*COST_FACTS, *self.config.at_most))}

    def _fail_undefined(self, number: int, reason: str, facts: Mapping[str, Any]) -> Undefined:
        self.fail(number, "undefined", reason, **facts)
        return Undefined(reason)

    def prune(self, number: int, **facts: Any) -> None:
        self._tell(number, TrialState.PRUNED, None, facts)

    def fail(self, number: int, failure_class: str, reason: str, *, counts: bool = True, **facts: Any) -> None:
        """Tell a failure with its reason; where it says nothing about the trial's values, it does not count."""
        # As short as a message is shown: an error may quote more than a column of the database holds.
        facts |= {"failure_class": failure_class, "reason": one_short_line(reason), "counts": counts}
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
            kept = trial.user_attrs
            # A trial of several parts that got further has not failed at the same place.
            ended = sum("score" in part for part in kept.get("parts", []))
            attempts = (kept.get("attempts", 0) if kept.get("ended_before", 0) == ended else 0) + as_attempt
            # Queued first and told second: a death in between is seen by the next process, which queues no other.
            is_queued = any(other.user_attrs.get("retry_of") == number for other in self.trials())
            repeats = attempts <= 1
            if repeats and not is_queued:
                attributes: dict[str, Any] = {"retry_of": number, "attempts": attempts}
                attributes |= {"ended_before": ended} if ended else {}
                attributes |= {name: kept[name] for name in ("grid", POINT, "confirms", "seed_offset") if name in kept}
                self._study.enqueue_trial(dict(trial.params), user_attrs=attributes)
            self.fail(number, failure_class, reason, counts=blames and not repeats)
            return repeats

    def twin_of(self, assigned: Assigned) -> FrozenTrial | None:
        """An earlier trial with the same runs that came to a score, complete or pruned."""
        for trial in self.trials():
            is_other = trial.number != assigned.number and trial.state.name in ("COMPLETE", "PRUNED")
            is_same = seed_offset(trial) == assigned.seed_offset
            if is_other and is_same and self.draw_of(trial).overrides == assigned.draw.overrides:
                return trial
        return None

    def copy_outcome(self, number: int, twin: FrozenTrial) -> None:
        """Tell a trial what an earlier one with the same run came to. It costs nothing."""
        with self.storage.exclusive():
            trial = self._trial(number)
            for step, value in twin.intermediate_values.items():
                trial.report(value, step)
            copied = ("folder", "parts", OVER, KNOWN, *COST_FACTS)
            kept = {name: value for name, value in twin.user_attrs.items() if name in copied}
            for name, value in twin.constraints.items():
                trial.set_constraint(name, value)
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


def _not_finite(name: str, value: float | None) -> str:
    return f"the {name} is {'missing' if value is None else value}, and a trial needs a finite one"
