"""One line for every trial that ends, with how far the study is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from atinuke_bench.sweeps.definition import Budget
from atinuke_bench.sweeps.finals import confirms, seed_offset
from atinuke_bench.sweeps.limits import OVER, is_infeasible, may_be_best, over_text, shown
from atinuke_bench.sweeps.study import Study
from atinuke_bench.sweeps.sweep import Ended
from atinuke_bench.sweeps.tallies import score_of, tally


class Progress:
    """Says what became of each trial."""

    def __init__(self, study: Study, say: Callable[[str], None]) -> None:
        self.study = study
        self.say = say
        #: Draws over a limit since the last line, which would be many lines, and what the last one was over.
        self._num_infeasible, self._reason = 0, ""
        budget = study.config.budget
        limits = "".join(f", {name} at most {shown(name, most)}" for name, most in study.config.at_most.items())
        kinds = f"{study.config.sampler}, {study.config.pruner}"
        self.say(f"study {study.config.name}: {kinds}, {_budget_text(budget)}{limits}")

    def __call__(self, ended: Ended) -> None:
        if ended.outcome == "infeasible":
            self._num_infeasible, self._reason = self._num_infeasible + 1, ended.message
            return
        if self._num_infeasible:
            self.say(f"  {self._num_infeasible} drawn and not trained, the last one with {self._reason}")
            self._num_infeasible = 0
        if ended.number is None:
            self.say(f"  {ended.message}")
            return
        trials = self.study.trials()
        trial, now, limit = trials[ended.number], tally(trials), self.study.config.budget.trials
        place = f"[{now.counted}/{limit}]" if limit else f"[{now.counted}]"
        if ended.outcome in ("complete", "pruned"):
            score, chosen = score_of(trial), self.study.draw_of(trial).overrides
            reached = "–" if score is None else f"{score:.2f}"
            values = "  ".join(f"{path.split('.')[-1]} {_setting(value)}" for path, value in chosen.items())
            over = f"  infeasible: {over_text(trial.user_attrs[OVER])}" if is_infeasible(trial) else ""
            kind = "" if ended.outcome == "complete" else "pruned "
            if (confirmed := confirms(trial)) is not None:
                kind += f"confirms trial {confirmed} with seed {self.study.config.seed + seed_offset(trial)} "
            what = f"{reached} {kind}(best {self._best(trials)})  {values}{over}"
        else:
            what = f"{ended.outcome}: {ended.message}"
        self.say(f"{place} trial {ended.number}: {what}")

    def _best(self, trials: list[Any]) -> str:
        scores = [trial.values[0] for trial in trials if may_be_best(trial) and confirms(trial) is None]
        if not scores:
            return "–"
        return f"{max(scores) if self.study.higher_is_better else min(scores):.2f}"


def _budget_text(budget: Budget) -> str:
    granted = {name: value for name, value in budget.model_dump().items() if value is not None}
    return " or ".join(f"{value:g} {name.replace('_', ' ')}" for name, value in granted.items())


def _setting(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
