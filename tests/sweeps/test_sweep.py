"""The loop of a sweep over runs that are only played: budgets, pruning, failures, repetition, samplers."""

from __future__ import annotations

import socket

import pytest

from atinuke_bench.errors import StudyError
from atinuke_bench.files import write_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.types import Job
from atinuke_bench.sweeps import study as studies
from atinuke_bench.sweeps import workers
from atinuke_bench.sweeps.insight import insight
from atinuke_bench.sweeps.opening import open_study
from atinuke_bench.sweeps.recovery import settle
from atinuke_bench.sweeps.trial_parts import value_at
from atinuke_bench.sweeps.workers import Worker

pytestmark = pytest.mark.usefixtures("in_memory")


def states(study):
    return [trial.state.name for trial in study.trials()]


def test_a_study_has_the_trials_it_was_granted_and_no_more(study, sweep, play):
    tiny, executor = study(), play(slots=3)
    sweep(tiny, executor)
    assert len(executor.started) == 8
    assert executor.most == 3
    assert set(states(tiny)) == {"COMPLETE", "PRUNED"}
    assert tiny.is_over()


def test_a_finished_study_is_carried_out_no_further(study, sweep, play):
    sweep(study())
    again = play()
    sweep(study(), again)
    assert again.started == []


def test_a_raised_budget_goes_on_where_the_study_stopped(study, sweep, play):
    sweep(study())
    more = play()
    sweep(study(budget={"trials": 11}), more)
    assert len(more.started) == 3


def test_pruned_trials_cost_less_and_are_stopped_early(study, sweep, play):
    tiny = study(budget={"trials": 12})
    sweep(tiny, play(slots=1))
    pruned = [trial for trial in tiny.trials() if trial.state.name == "PRUNED"]
    assert pruned
    assert {len(trial.intermediate_values) for trial in pruned} <= {1, 3}
    best = max(trial.values[0] for trial in tiny.trials() if trial.state.name == "COMPLETE")
    assert all(trial.values[0] < best for trial in pruned)


@pytest.mark.parametrize("shares", [[], [0.5]])
def test_each_epoch_and_each_part_is_valued_once(study, sweep, play, monkeypatch, shares):
    valued = []

    def counted(*given):
        valued.append(given)
        return value_at(*given)

    monkeypatch.setattr(studies, "value_at", counted)
    tiny = study(pruner="none", shares=shares, budget={"trials": 1})
    sweep(tiny, play(slots=1))
    parts = 1 + len(shares)
    assert len(valued) == parts * (4 + 1)


def test_without_a_pruner_no_trial_is_asked_about(study, sweep, play):
    tiny = study(pruner="none")
    sweep(tiny)
    assert states(tiny) == ["COMPLETE"] * 8


def test_the_last_epoch_is_never_pruned(study, sweep, play):
    tiny = study(overrides={"training.max_epochs": 3}, budget={"trials": 15})
    sweep(tiny, play(slots=1))
    # A rung of ASHA lies at epoch 3, where there is nothing left to save.
    assert {len(trial.intermediate_values) for trial in tiny.trials() if trial.state.name == "PRUNED"} == {1}


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "nsga2"])
@pytest.mark.parametrize("pruner", ["asha", "hyperband", "median"])
def test_samplers_and_pruners_go_together(study, sweep, sampler, pruner):
    tiny = study(name=f"{sampler}-{pruner}", sampler=sampler, pruner=pruner)
    sweep(tiny)
    assert tiny.tally().counted == 8


def test_a_study_is_a_function_of_its_seed(study, sweep, play, tmp_path):
    first, same, other = (study(store=tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    for one in (first, same, other):
        sweep(one, play(slots=1))
    drawn = [[trial.params for trial in one.trials()] for one in (first, same, other)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


@pytest.mark.parametrize("pruner", ["asha", "hyperband", "median"])
@pytest.mark.parametrize("fewer", [0, 2])
def test_what_the_store_holds_decides_nothing(study, sweep, play, tmp_path, pruner, fewer):
    first, second = (study(store=tmp_path, name=name, pruner=pruner, budget={"trials": 24}) for name in ("a", "b"))
    sweep(first, play(slots=1))
    for path in list(tmp_path.rglob("history.jsonl"))[: 4 * fewer]:  # as if some had been killed on the way
        RunFolder(path.parent).write_history(RunFolder(path.parent).read_history()[:1])
    sweep(second, play(slots=1))
    assert "PRUNED" in states(first)
    for ours, theirs in zip(first.trials(), second.trials(), strict=True):
        assert (ours.params, ours.state, ours.values) == (theirs.params, theirs.state, theirs.values)
        assert ours.intermediate_values == theirs.intermediate_values
        assert ours.user_attrs["training_flops"] == theirs.user_attrs["training_flops"]


def test_a_restart_repeats_no_draw(study, sweep, play, tmp_path):
    whole = study(store=tmp_path / "whole", sampler="random")
    parts = study(store=tmp_path / "parts", sampler="random", budget={"trials": 4})
    sweep(whole, play(slots=1))
    sweep(parts, play(slots=1))
    again = study(store=tmp_path / "parts", sampler="random")
    sweep(again, play(slots=1))
    assert [trial.params for trial in again.trials()] == [trial.params for trial in whole.trials()]


def test_a_grid_takes_every_point_once_and_then_stops(study, sweep, play):
    tiny = study(
        sampler="grid",
        space={"core.num_layers": {"int": [1, 3]}, "core.norm": {"categorical": ["pre", "post"]}},
        budget={"trials": 100},
    )
    executor = play()
    sweep(tiny, executor)
    assert len(executor.started) == 6
    configs = [tuple(tiny.draw_of(trial).overrides.values()) for trial in tiny.trials()]
    assert len(set(configs)) == 6


@pytest.mark.parametrize(("limit", "value"), [("training_flops", 1000.0), ("seconds", 0.02)])
def test_other_budgets_end_a_study_too(study, sweep, play, limit, value):
    tiny = study(budget={limit: value}, pruner="none")
    sweep(tiny, play(slots=1))
    spent = getattr(tiny.tally(), limit)
    last = tiny.trials()[-1].user_attrs[limit]
    assert spent >= value > spent - last


def test_score_against_cost_gives_a_front(study, sweep, play):
    tiny = study(against="parameters", pruner="none", sampler="nsga2", budget={"trials": 20})
    sweep(tiny)
    record = insight(tiny)
    assert [objective["direction"] for objective in record["objectives"]] == ["maximize", "minimize"]
    front = record["pareto"]
    assert len(front) >= 2
    assert front == sorted(front, key=lambda entry: entry["cost"])
    for trial in record["trials"]:
        score, cost = trial["objectives"]
        assert any(entry["score"] >= score and entry["cost"] <= cost for entry in front)


def test_a_killed_run_is_repeated_once(study, sweep, play):
    tiny = study(budget={"trials": 3})
    killed: list[str] = []

    def fails(job):
        if job.run.training.learning_rate == first_rate() and len(killed) < 5:
            killed.append(job.key)
            return "killed"
        return None

    def first_rate():
        return tiny.trials()[0].params["training.learning_rate"]

    sweep(tiny, play(slots=1, fails=fails))
    assert len(killed) == 2
    again = tiny.trials()[int(killed[1])]
    assert again.user_attrs["retry_of"] == 0
    assert again.params == tiny.trials()[0].params
    # The first death counts for nothing, the second is held against the values.
    assert tiny.tally().counted == 3
    assert tiny.tally().failed == 1


def test_a_busy_run_is_waited_for(study, sweep, play):
    tiny = study(budget={"trials": 2})
    turns = []

    def fails(job):
        turns.append(job.key)
        return "busy" if turns.count("0") == 1 and job.key == "0" else None

    sweep(tiny, play(fails=fails))
    assert turns.count("0") == 2
    assert tiny.tally().counted == 2
    assert tiny.tally().failed == 0


def test_the_same_run_is_not_trained_twice(study, sweep, play):
    tiny = study(space={"core.num_layers": {"int": [1, 2]}}, pruner="none")
    executor = play(slots=2)
    sweep(tiny, executor)
    assert len(executor.started) == 2
    assert states(tiny) == ["COMPLETE"] * 8
    assert tiny.tally().training_flops == 100 * 4 * (1 + 2)


def test_an_endless_repetition_is_noticed(study, sweep, monkeypatch):
    monkeypatch.setattr("atinuke_bench.sweeps.sweep._MOST_REPEATS", 10)
    tiny = study(space={"core.num_layers": {"int": [1, 2]}}, budget={"training_flops": 1e9})
    with pytest.raises(StudyError, match="its space holds nothing new"):
        sweep(tiny)


def test_an_interruption_queues_its_trials_again(study, sweep, play):
    tiny = study()
    executor = play(slots=2)
    real = executor.events
    calls = []

    def events(timeout):
        calls.append(timeout)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(timeout)

    executor.events = events
    with pytest.raises(KeyboardInterrupt):
        sweep(tiny, executor)
    assert "RUNNING" not in states(tiny)
    assert states(tiny).count("WAITING") == 2
    again = study()
    sweep(again)
    assert again.tally().counted == 8
    assert again.tally().failed == 0


def test_the_dead_process_s_trials_are_settled_from_their_folders(study, sweep, play):
    tiny, executor = study(), play()
    owner = dead_owner(tiny)
    drawn = [tiny.ask(owner) for _ in range(4)]
    jobs = [job_of(tiny, one) for one in drawn]
    # 0 had finished, 1 had been pruned, 2 had diverged, 3 died half-way.
    for job in jobs:
        executor.start(job)
        tiny.note(int(job.key), folder=str(executor.folder(job).path.relative_to(tiny.store)))
    for _ in range(4):
        executor.answer("0", True)
    for key, kind in (("1", "pruned"), ("2", "diverged")):
        write_failure(executor.folder(jobs[int(key)]), kind)
    again = study()
    sweep(again)
    found = states(again)
    assert found[:4] == ["COMPLETE", "PRUNED", "FAIL", "FAIL"]
    assert again.trials()[0].values == [max(score for score in play().scores(jobs[0].run))]
    assert again.trials()[2].user_attrs["reason"] == "it diverged"
    repeated = [trial for trial in again.trials() if trial.user_attrs.get("retry_of") == 3]
    assert len(repeated) == 1
    assert repeated[0].params == again.trials()[3].params
    assert again.tally().counted == 8
    assert "RUNNING" not in found


def test_a_trial_that_died_twice_is_given_up_and_another_takes_its_place(study, sweep, play):
    tiny = study(budget={"trials": 3})
    gone = dead_owner(tiny)
    tiny.ask(gone)
    tiny.fail_and_repeat(0, "killed", "died")
    tiny.ask(gone)
    again = study(budget={"trials": 3})
    sweep(again)
    assert states(again)[:2] == ["FAIL", "FAIL"]
    assert again.tally().counted == 3
    assert len(again.trials()) == 5


def test_a_trial_left_without_values_is_settled_and_draws_nothing_twice(study, sweep):
    tiny = study(budget={"trials": 6}, sampler="random", pruner="none")
    tiny._study.ask()  # a death before its values are drawn
    tiny.ask(dead_owner(tiny))
    sweep(study(budget={"trials": 6}, sampler="random", pruner="none"))
    assert states(tiny).count("RUNNING") == 0
    assert tiny.tally().counted == 6
    told = [trial for trial in tiny.trials() if trial.state.name == "COMPLETE"]
    assert len({trial.params["training.learning_rate"] for trial in told}) == 6
    assert [trial.user_attrs.get("retry_of") for trial in told].count(None) == 5


def test_a_living_process_s_trials_are_left_alone(study, play):
    tiny = study()
    with Worker(tiny) as first, Worker(tiny) as second:
        tiny.ask(first.owner())
        assert settle(tiny, second) == []
        assert states(tiny) == ["RUNNING"]
    with Worker(tiny) as third:
        assert settle(tiny, third) == ["trial 0: its process died before it began; it is repeated"]


def test_a_silent_process_of_another_machine_is_dead_after_a_while(study, monkeypatch):
    tiny = study()
    far = {"worker": "far-1-x", "host": "far", "folder": "/far"}
    now = [1000.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    with workers.Worker(tiny) as here:
        tiny.set_beat("far-1-x", 1)
        assert here.is_alive(far)
        now[0] += workers.SILENT_SECONDS - 1
        assert here.is_alive(far)
        tiny.set_beat("far-1-x", 2)
        now[0] += 2
        assert here.is_alive(far)
        now[0] += workers.SILENT_SECONDS + 1
        assert not here.is_alive(far)


def test_another_study_under_the_same_name_is_refused_and_untouched(study, sweep):
    tiny = study()
    sweep(tiny)
    before = (tiny.folder / "study.yaml").read_bytes()
    other = {"core.num_layers": {"int": [1, 5]}}
    for settings, difference in (
        ({"space": other}, "int [1, 4], not [1, 5]"),
        ({"sampler": "random"}, "sampler 'tpe', not 'random'"),
        ({"overrides": {"training.max_epochs": 9}}, "max_epochs 4, not 9"),
    ):
        with pytest.raises(StudyError) as caught:
            study(**settings)
        assert difference in str(caught.value)
        assert "\n" not in str(caught.value)
    assert (tiny.folder / "study.yaml").read_bytes() == before
    assert len(tiny.trials()) == 8


def test_studies_from_before_versions_are_of_the_first_schedule(config):
    now = config()
    before = now.model_copy(update={"versions": {}})
    assert "versions" not in before.definition()
    assert now.difference(now) is None
    assert now.difference(before) == "schedule version 1, not 2"


def test_opening_what_is_not_there_names_the_nearest(study, tmp_path):
    study()
    with pytest.raises(StudyError, match=r"no study 'tinny' in .*; nearest: 'tiny'"):
        open_study("tinny", tmp_path / "runs")
    assert open_study("tiny", tmp_path / "runs").config == study().config


def dead_owner(study):
    return {"worker": "gone-1-x", "host": socket.gethostname(), "folder": str((study.folder / "workers").absolute())}


def job_of(study, assigned):
    return Job(str(assigned.number), assigned.runs[0], study.store, asks=True)


def write_failure(folder, kind):
    write_json(folder.failure, {"class": kind, "message": f"it {kind}"})
