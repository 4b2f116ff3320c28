"""Trials that fail: which count, and which end the study."""

from __future__ import annotations

import math

import pytest

from atinuke_bench.errors import ConfigError, StudyError
from atinuke_bench.sweeps.definition import StudyConfig

pytestmark = pytest.mark.usefixtures("in_memory")


def states(study):
    return [trial.state.name for trial in study.trials()]


@pytest.mark.parametrize(
    ("score", "reason"),
    [(math.nan, "the score is nan"), (math.inf, "the score is inf"), (None, "the score is missing")],
)
def test_a_score_that_is_not_finite_is_a_failure_with_a_reason(study, sweep, play, score, reason):
    tiny = study(budget={"trials": 2}, pruner="none")
    sweep(tiny, play(scores=lambda run: [score] * 4))
    assert states(tiny) == ["FAIL", "FAIL"]
    assert all(reason in trial.user_attrs["reason"] for trial in tiny.trials())


def test_a_reason_is_kept_as_short_as_it_is_shown(study):
    """MySQL's column holds 65,535 bytes; an error that quotes its data may be longer."""
    tiny = study(budget={"trials": 1})
    tiny.fail(tiny.ask({}).number, "crashed", f"the rule\n{'☃' * 100_000}; nearest: this")
    reason = tiny.trials()[0].user_attrs["reason"]
    assert len(reason) <= 400
    assert reason.startswith("the rule ")
    assert reason.endswith("; nearest: this")


def test_a_run_of_another_metric_is_a_failure_with_a_reason(study, sweep, monkeypatch):
    opened = study(budget={"trials": 1})
    monkeypatch.setattr(opened, "config", opened.config.model_copy(update={"metric": "f1"}))
    (end,) = sweep(opened)
    assert (end.outcome, end.message) == ("failed", "it is judged by accuracy, and the study ranks by f1")


def test_a_diverged_run_is_a_failed_trial_that_counts(study, sweep, play):
    tiny = study(budget={"trials": 4})
    sweep(tiny, play(fails=lambda job: "diverged" if job.key == "1" else None))
    assert states(tiny)[1] == "FAIL"
    assert len(tiny.trials()) == 4
    assert tiny.trials()[1].user_attrs["reason"] == "it diverged"


def test_values_that_a_task_refuses_are_a_failed_trial(study, sweep, play):
    tiny = study(budget={"trials": 4}, pruner="none")
    sweep(tiny, play(fails=lambda job: "config" if job.key in ("0", "2") else None))
    assert [state == "FAIL" for state in states(tiny)] == [True, False, True, False]
    assert tiny.tally().counted == 4


def test_values_that_make_no_run_are_a_failed_trial(study, sweep, monkeypatch):
    tiny = study(budget={"trials": 4}, pruner="none")
    make_run = tiny.config.make_run

    def refuse(config, overrides, *, seed=None, part=None):
        if overrides.get("core.num_layers") == refused:
            raise ConfigError("no run for these")
        return make_run(overrides, seed=seed, part=part)

    refused = study(name="same", budget={"trials": 1}).ask({}).draw.overrides["core.num_layers"]
    monkeypatch.setattr(StudyConfig, "make_run", refuse)
    ends = sweep(tiny)
    assert (ends[0].outcome, ends[0].message) == ("failed", "config: no run for these")
    assert states(tiny)[0] == "FAIL"
    assert "COMPLETE" in states(tiny)
    assert tiny.tally().counted == 4


def test_a_study_whose_trials_are_all_refused_stops(study, sweep, play):
    tiny = study(budget={"trials": 30}, pruner="none")
    with pytest.raises(StudyError, match="the last 10 trials were all refused; the last one: it config"):
        sweep(tiny, play(slots=1, fails=lambda job: "config"))
    assert tiny.tally().counted == 10


def test_missing_data_stops_the_sweep_and_counts_for_nothing(study, sweep, play):
    tiny = study()
    with pytest.raises(StudyError, match="study 'tiny' stops: it data"):
        sweep(tiny, play(slots=1, fails=lambda job: "data"))
    assert tiny.tally().counted == 0
    sweep(study())
    assert study().tally().counted == 8
