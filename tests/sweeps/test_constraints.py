"""Limits of what trials may cost: what is foreseen costs nothing, and what is over a limit is never the best."""

from __future__ import annotations

import pytest

from atinuke_bench.errors import ConfigError, StudyError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.sweeps.best import best_trials
from atinuke_bench.sweeps.foreseen import FLOPS, PARAMETERS, Foreseen
from atinuke_bench.sweeps.insight import insight
from atinuke_bench.sweeps.limits import is_infeasible, is_untrained, parse_limits
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

MEMORY, LATENCY = "peak_memory_bytes", "latency_seconds"


@pytest.fixture
def sizes(config):
    """Parameters by number of layers of the small study's runs."""
    costs = Foreseen()
    return {depth: costs.cost(config().make_run({"core.num_layers": depth}))[PARAMETERS] for depth in range(1, 5)}


@pytest.mark.parametrize("core", ["atinuke", "bilstm"])
def test_what_is_foreseen_is_what_a_run_costs(make_run, tmp_path, core):
    prepared = prepare(make_run(core=core, training__max_epochs=1))
    cost = train_and_evaluate(prepared, RunFolder(tmp_path), Execution(show_progress=False))["cost"]
    foreseen = Foreseen().cost(make_run(core=core, training__max_epochs=1))
    assert foreseen == {name: cost[name] for name in (PARAMETERS, FLOPS)}


@pytest.mark.usefixtures("in_memory")
@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random", "cmaes"])
def test_a_trial_over_a_limit_is_not_trained_and_takes_nothing_of_the_budget(study, sweep, play, sizes, sampler):
    if sampler == "cmaes":
        pytest.importorskip("cmaes")
    tiny = study(at_most={PARAMETERS: sizes[2]}, budget={"trials": 12}, sampler=sampler)
    player = play()
    ends = sweep(tiny, player)
    trials = tiny.trials()
    refused = [trial for trial in trials if is_untrained(trial)]
    assert refused
    assert {end.number for end in ends if end.outcome == "infeasible"} == {trial.number for trial in refused}
    assert not {str(trial.number) for trial in refused} & set(player.started)
    assert all(job.run.core.num_layers <= 2 for job in player.jobs.values())
    tally = tiny.tally()
    assert (tally.counted, tally.complete + tally.pruned) == (12, 12)
    assert all(trial.params["core.num_layers"] > 2 for trial in refused)
    assert all(trial.params["core.num_layers"] <= 2 for trial in trials if not is_untrained(trial))
    if sampler in ("tpe", "nsga2"):
        over = refused[0]
        assert over.constraints[PARAMETERS] == pytest.approx(sizes[over.params["core.num_layers"]] / sizes[2] - 1)
    record = insight(tiny)
    assert record["spent"]["trials"] == record["history"][-1]["trials"] == 12
    assert [trial["state"] for trial in record["trials"]].count("infeasible") == len(refused)


@pytest.mark.usefixtures("in_memory")
def test_a_grid_leaves_out_points_over_a_limit(study, sweep, sizes):
    space = {"core.num_layers": {"int": [1, 4]}}
    tiny = study(space=space, at_most={PARAMETERS: sizes[3]}, budget={"trials": 4}, sampler="grid", pruner="none")
    sweep(tiny)
    assert len(tiny.trials()) == 4
    assert (tiny.tally().complete, sum(map(is_untrained, tiny.trials()))) == (3, 1)


@pytest.mark.usefixtures("in_memory")
@pytest.mark.parametrize(("name", "limit"), [(MEMORY, 2e6), (LATENCY, 0.002)])
def test_a_trial_over_a_limit_that_only_a_run_shows_is_paid_and_never_the_best(study, sweep, name, limit):
    tiny = study(at_most={name: limit}, pruner="none")
    sweep(tiny)
    trials = tiny.trials()
    deep = [trial for trial in trials if trial.params["core.num_layers"] > 2]
    assert deep
    assert [trial for trial in trials if is_infeasible(trial)] == deep
    assert tiny.tally().counted == len(trials) == 8
    # Deeper is better on these curves, so that only the limit keeps them from being the best.
    record = insight(tiny)
    assert record["trials"][record["best"]]["params"]["core.num_layers"] <= 2
    assert all(one.trials[0].params["core.num_layers"] <= 2 for one in best_trials(tiny, 8))
    assert record["trials"][deep[0].number]["over"] == {name: [deep[0].user_attrs["over"][name][0], limit]}
    assert record["trials"][deep[0].number]["score"] is not None


@pytest.mark.usefixtures("in_memory")
def test_draws_that_are_all_over_the_limits_end_the_study_in_one_line(study, sweep, monkeypatch, sizes):
    monkeypatch.setattr("atinuke_bench.sweeps.sweep._MOST_INFEASIBLE", 5)
    tiny = study(at_most={PARAMETERS: sizes[1]}, budget={"trials": 30})
    monkeypatch.setattr(tiny.limits._foreseen, "cost", lambda run: {PARAMETERS: 2 * sizes[1], FLOPS: 1.0})
    with pytest.raises(StudyError, match=r"the last 5 draws were all over --at-most; the last one: parameters .*where"):
        sweep(tiny)
    assert tiny.tally().counted == 0


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({PARAMETERS: 10.0}, r"nothing in the space is so small; its corners reach [\d,]+; nearest: parameters=\d+"),
        ({PARAMETERS: 1e9, FLOPS: 1.0}, r"forward_flops_per_token=1: nothing in the space is so small"),
    ],
)
def test_a_limit_that_nothing_meets_is_refused_before_a_study_is_made(study, tmp_path, limits, said):
    with pytest.raises(StudyError, match=said):
        study(at_most=limits)
    assert not (tmp_path / "runs").exists()


def test_limits_that_exclude_each_other_are_refused(study, monkeypatch):
    def cost(self, run):  # a core that is either small or quick
        return {PARAMETERS: 10.0 * run.core.num_layers, FLOPS: 100.0 / run.core.num_layers}

    monkeypatch.setattr(Foreseen, "cost", cost)
    with pytest.raises(StudyError, match="no corner of the space meets all limits at once; nearest: parameters="):
        study(at_most={PARAMETERS: 15.0, FLOPS: 30.0})


@pytest.mark.usefixtures("in_memory")
def test_limits_are_part_of_a_study(study, sizes):
    study(at_most={PARAMETERS: sizes[2]}).close()
    with pytest.raises(StudyError, match="it has at_most"):
        study(at_most={PARAMETERS: sizes[3]})


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["parameter=5"], "no limit 'parameter'; nearest: 'parameters'"),
        (["parameters"], "NAME=NUMBER"),
        (["parameters=0"], "above zero; found '0'"),
        (["memory=nan"], "above zero"),
        (["flops=big"], "above zero; found 'big'"),
        (["flops=1", "forward_flops_per_token=2"], "forward_flops_per_token twice"),
    ],
)
def test_limits_that_make_no_sense_are_refused(texts, said):
    with pytest.raises(ConfigError, match=said):
        parse_limits(texts)


def test_a_sampler_that_cannot_learn_of_limits_is_refused_what_only_runs_show(config):
    with pytest.raises(ConfigError, match="cmaes would learn from trials over latency_seconds"):
        config(at_most={LATENCY: 1.0}, sampler="cmaes")
