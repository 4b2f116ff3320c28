"""Racing: who is given up, the finals of whole studies, and trials of several tasks."""

import math

import numpy as np
import pytest

from atinuke_bench.config import SourceConfig
from atinuke_bench.errors import ConfigError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.types import Finished, Job
from atinuke_bench.selection_record import SelectionRecord, write_selection
from atinuke_bench.sweeps import race
from atinuke_bench.sweeps.finals import FIRST, confirms, seed_offset
from atinuke_bench.sweeps.insight import insight
from atinuke_bench.sweeps.opening import open_study
from atinuke_bench.sweeps.parts import Part, Scored, StudyTask
from atinuke_bench.sweeps.race import Outcome, difference
from atinuke_bench.sweeps.recovery import settle
from atinuke_bench.sweeps.workers import Worker

UNITS = 200
PART = Part(StudyTask(task="snli", metric="accuracy", higher_is_better=True, max_epochs=3))
#: A process that is no more.
GONE = {"worker": "gone-1-x", "host": "elsewhere", "folder": ""}


def test_a_difference_of_two_numbers_of_seeds_has_the_luck_of_both():
    def scored(more):
        units = {str(unit): 0.1 * (unit % 2) + more for unit in range(10)}
        return [Outcome(PART, Scored(50.0, None), units)]

    one, two = scored(0.0), scored(0.1)
    found = difference([two, two, one], [one], "mean", luck=6.0)
    assert found is not None
    assert found.mean == pytest.approx(2 / 3)
    assert found.error == pytest.approx(math.sqrt(6 / 3 + 6 / 1))


def test_what_a_run_recorded_is_read_once_until_there_is_more(tmp_path, monkeypatch):
    folder, read = RunFolder(tmp_path / "run"), []
    folder.create()

    def noted(owner, name):
        known = getattr(owner, name)

        def called(given):
            read.append(name)
            return known(given)

        monkeypatch.setattr(owner, name, called)

    noted(RunFolder, "read_history")
    noted(race, "read_selection")
    outcomes = []
    seen = race.Outcomes(higher_is_better=True)
    for num_epochs in (1, 2):
        folder.write_history([{"epoch": epoch, "score": 50.0 + epoch} for epoch in range(num_epochs)])
        contributions = {epoch: np.array([100.0, 2.0 * epoch]) for epoch in range(num_epochs)}
        write_selection(folder.selection, SelectionRecord(("a", "b"), ("a", "b"), contributions))
        outcomes += [seen.of(PART, folder) for _ in range(3)]
    assert read == ["read_history", "read_selection"] * 2
    assert [outcome and outcome.scored.score for outcome in outcomes] == [50.0] * 3 + [51.0] * 3
    assert seen.of(PART, folder, 1) == outcomes[0]


def test_of_many_runs_those_are_kept_that_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(race, "_MOST_FILES", 4)
    seen, read = race.Outcomes(higher_is_better=True), []
    folders = [RunFolder(tmp_path / str(number)) for number in range(4)]
    for folder in folders:
        folder.create()
        folder.write_history([{"epoch": 0, "score": 50.0}])
        write_selection(folder.selection, SelectionRecord(("a", "b"), ("a", "b"), {0: np.array([100.0, 0.0])}))
    known = race.read_selection

    def noted(path):
        read.append(path)
        return known(path)

    monkeypatch.setattr(race, "read_selection", noted)
    for number in (0, 1, 0, 2, 0, 3, 0, 1):
        outcome = seen.of(PART, folders[number])
        assert outcome is not None
        assert outcome.scored.score == 50.0
    assert read == [folders[number].selection for number in (0, 1, 2, 3, 1)]


def racing(play, better=lambda run: run.core.num_layers, seeds=lambda run: 0.0, units=UNITS):
    """An executor whose runs record their examples: a trial is right about as many as its score says."""

    def scores(run):
        value = 50 + 8 * better(run) + seeds(run)
        return [value - 20 / (epoch + 1) for epoch in range(run.training.max_epochs)]

    executor = play(scores=scores, slots=1)
    write_epoch = executor._epoch

    def epoch(job):
        folder, place = executor.folder(job), executor.epochs[job.key]
        names = tuple(map(str, range(units)))
        # The same examples are easy for all, so that the difference is what one has more.
        epochs = {
            number: 100.0 * (np.arange(units) < round(units * value / 100))
            for number, value in enumerate(scores(job.run)[: place + 1])
        }
        write_selection(folder.selection, SelectionRecord(names, names, epochs))
        write_epoch(job)

    executor._epoch = epoch
    return executor


SPACE = {"core.num_layers": {"int": [1, 4]}, "core.dropout": {"float": [0.0, 0.3]}}


@pytest.mark.usefixtures("in_memory")
def test_a_trial_that_is_shown_worse_is_given_up_and_another_is_not(study, sweep, play):
    tiny = study(space=SPACE, pruner="race", sampler="random", budget={"trials": 12})
    sweep(tiny, racing(play))
    best = 0
    for trial in tiny.trials():
        layers = trial.params["core.num_layers"]
        assert (trial.state.name == "PRUNED") == (layers < best)
        if trial.state.name == "PRUNED":
            assert len(trial.intermediate_values) == 1  # a fifth of four epochs
        best = max(best, layers)


@pytest.mark.usefixtures("in_memory")
def test_without_records_of_examples_no_trial_is_given_up(study, sweep, play):
    tiny = study(space=SPACE, pruner="race", sampler="random", budget={"trials": 6})
    sweep(tiny, play())
    assert {trial.state.name for trial in tiny.trials()} == {"COMPLETE"}


@pytest.mark.usefixtures("in_memory")
def test_the_best_trials_get_further_seeds_once_the_search_is_over(study, sweep, play):
    def luck(run):  # with the search's own seed shallow cores look better than they are
        return 12.0 * (run.seed == 0 and run.core.num_layers == 3)

    depths = {"core.num_layers": {"int": [1, 4]}}
    tiny = study(space=depths, pruner="none", sampler="grid", budget={"trials": 4}, num_seeds=3)
    executor = racing(play, seeds=luck)
    sweep(tiny, executor)
    trials = tiny.trials()
    further = [trial for trial in trials if confirms(trial) is not None]
    assert [seed_offset(trial) for trial in further] == [1] * FIRST
    assert all(trial.params == trials[confirms(trial)].params for trial in further)
    assert tiny.tally().counted == 4
    assert min(trial.number for trial in further) >= 4
    record = insight(tiny)
    chosen = trials[record["best"]]
    plain = max(trials[:4], key=lambda trial: trial.values[0])
    assert (plain.params["core.num_layers"], chosen.params["core.num_layers"]) == (3, 4)
    assert record["choice"]["num_seeds"] == 2
    assert record["choice"]["chance"] > 0.5
    assert {one["number"] for one in record["choice"]["finalists"]} >= {confirms(trial) for trial in further}
    seeds = {trial["number"]: trial["seed"] for trial in record["trials"]}
    assert [seeds[trial.number] for trial in further] == [seed_offset(trial) for trial in further]
    assert [entry["trials"] for entry in record["history"]][-1] == 4
    again = racing(play)
    sweep(tiny, again)
    assert again.started == []


@pytest.mark.usefixtures("in_memory")
def test_a_budget_of_operations_leaves_something_for_the_finals(study, sweep, play):
    tiny = study(space=SPACE, pruner="none", sampler="random", budget={"training_flops": 20_000}, num_seeds=2)
    sweep(tiny, racing(play))
    trials = tiny.trials()
    search = sum(trial.user_attrs["training_flops"] for trial in trials if confirms(trial) is None)
    assert 15_000 <= search < 20_000
    assert any(confirms(trial) is not None for trial in trials)


@pytest.fixture
def two_tasks(official):
    return {
        "tasks": [("snli", None), ("glue/mrpc", None)],
        "source": SourceConfig(data_dir=official),
        "space": SPACE,
        "aggregate": "mean",
    }


@pytest.mark.usefixtures("in_memory")
def test_a_trial_is_one_configuration_on_all_tasks(study, sweep, play, two_tasks, monkeypatch):
    tiny = study(pruner="none", budget={"trials": 3}, sampler="random", **two_tasks)
    executor = of_two_metrics(play, monkeypatch)
    sweep(tiny, executor)
    for trial in tiny.trials():
        snli, mrpc = trial.user_attrs["parts"]
        assert (snli["part"], mrpc["part"]) == ("snli", "glue/mrpc")
        assert trial.values[0] == pytest.approx((snli["score"] + mrpc["score"]) / 2)
        assert max(trial.intermediate_values) == 8
        assert trial.user_attrs["training_flops"] == snli["training_flops"] + mrpc["training_flops"]
    assert [job.split(".")[-1] for job in executor.started if "." in job] == ["1"] * 3
    record = insight(tiny)
    assert (record["task"], record["metric"]) == ("snli,glue/mrpc", "mean of scores of 2 tasks")
    assert record["front_of_tasks"]


def of_two_metrics(play, monkeypatch):
    """Runs whose task decides their metric and which depth is best."""
    executor = play(
        scores=lambda run: [60.0 + run.core.num_layers * (1 if run.task == "snli" else -1)] * run.training.max_epochs
    )
    finish = executor._end

    def end(event):
        if hasattr(event, "result") and event.result["task"] == "glue/mrpc":
            event.result["metric"] = "f1"
        finish(event)

    monkeypatch.setattr(executor, "_end", end, raising=False)
    return executor


@pytest.mark.parametrize(("latency", "state"), [(0.5, "complete"), (2.0, "infeasible")])
def test_a_trial_of_several_runs_costs_what_the_dearest_of_them_does(
    study, sweep, play, two_tasks, monkeypatch, latency, state
):
    tiny = study(pruner="none", budget={"trials": 1}, at_most={"latency_seconds": 1.0}, **two_tasks)
    executor = of_two_metrics(play, monkeypatch)
    finish = executor._end

    def dear_at_first(event):
        if isinstance(event, Finished) and event.key == "0":
            event.result["cost"] |= {"parameters": 10**6, "forward_flops_per_token": 7.0, "latency_seconds": latency}
        finish(event)

    monkeypatch.setattr(executor, "_end", dear_at_first, raising=False)
    sweep(tiny, executor)
    (trial,) = insight(tiny)["trials"]
    assert (trial["state"], trial["parameters"]) == (state, 10**6)
    assert trial["forward_flops_per_token"] >= 10.0  # of the second, which is the dearer one there


def test_a_process_that_dies_between_two_tasks_leaves_the_trial_to_the_next(study, sweep, play, two_tasks, monkeypatch):
    tiny = study(pruner="none", budget={"trials": 2}, sampler="random", **two_tasks)
    executor = of_two_metrics(play, monkeypatch)
    start = executor.start

    def die_before_the_second_part(job):
        if job.key == "0.1":
            raise RuntimeError("killed")
        start(job)

    monkeypatch.setattr(executor, "start", die_before_the_second_part, raising=False)
    with pytest.raises(RuntimeError, match="killed"):
        sweep(tiny, executor)
    sweep(study(pruner="none", budget={"trials": 2}, sampler="random", **two_tasks), of_two_metrics(play, monkeypatch))
    now = open_study("tiny", tiny.store)
    states = [trial.state.name for trial in now.trials()]
    assert (states.count("COMPLETE"), states.count("RUNNING"), states.count("WAITING")) == (2, 0, 0)
    assert now.tally().counted == 2
    now.close()


def test_a_trial_between_two_of_its_runs_is_to_blame_for_no_death(study, play, two_tasks, monkeypatch):
    tiny = study(pruner="none", budget={"trials": 1}, sampler="random", **two_tasks)
    executor = of_two_metrics(play, monkeypatch)
    for _ in range(4):
        asked = tiny.ask(GONE)
        job = Job(str(asked.number), asked.runs[0], tiny.store)
        executor.start(job)
        tiny.begin_part(asked.number, 0, str(executor.folder(job).path.relative_to(tiny.store)))
        with Worker(tiny) as worker:
            monkeypatch.setattr(worker, "is_alive", lambda owner: False)
            (line,) = settle(tiny, worker)
        assert "between two of its runs; it is repeated" in line
    assert tiny.tally().counted == 0


@pytest.mark.usefixtures("in_memory")
def test_a_trial_is_tried_on_less_data_first(study, sweep, play):
    tiny = study(space=SPACE, pruner="race", sampler="random", budget={"trials": 8}, shares=(0.25,))
    jobs = []
    executor = racing(play)
    start = executor.start

    def noted(job):
        jobs.append(job)
        start(job)

    executor.start = noted
    sweep(tiny, executor)
    limits = {job.key: job.run.training.train_limit for job in jobs}
    assert {key: limit for key, limit in limits.items() if "." not in key} == {str(n): 0.25 for n in range(8)}
    assert {limit for key, limit in limits.items() if "." in key} == {None}
    for trial in tiny.trials():
        is_complete = trial.state.name == "COMPLETE"
        assert is_complete == (f"{trial.number}.1" in limits)
        if is_complete:
            assert trial.values[0] == trial.user_attrs["parts"][1]["score"]
    assert any(trial.state.name == "PRUNED" for trial in tiny.trials())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tasks": [("snli", None), ("snli", None)]}, "a study has each task once; found snli, snli"),
        (
            {"tasks": [("snli", None), ("lm", None)], "core": "atinuke"},
            "lm is judged by bits_per_byte; search it alone",
        ),
        (
            {"tasks": [("snli", None), ("squad-v1.1", None)], "space": {"options.max_answer_length": {"int": [5, 9]}}},
            "on snli: space: unknown field 'options.max_answer_length'",
        ),
        ({"shares": (0.2, 1.5)}, "a share of the data is above 0 and below 1; found 1.5"),
        ({"shares": (0.2, 0.2)}, "each share of the data once"),
        ({"num_seeds": 2, "against": "parameters", "pruner": "none"}, "has a front, not a best trial"),
        ({"aggregate": "ranks"}, "aggregate"),
    ],
)
def test_what_no_study_can_be_is_refused_in_one_line(config, settings, message):
    with pytest.raises(ConfigError) as refused:
        config(**settings)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_space_that_gives_tasks_other_values_is_refused(config):
    space = {"training.max_length": {"int": [0.5, 2], "relative": True}}
    with pytest.raises(ConfigError, match="one configuration is for all tasks, and it draws other values for"):
        config(tasks=[("snli", None), ("squad-v1.1", None)], space=space)


def test_a_search_that_learns_begins_with_what_is_there_without_it(study):
    tiny = study(
        space={"core.num_layers": {"int": [1, 4]}, "core.norm": {"categorical": ["pre", "post"]}}, sampler="tpe"
    )
    first = tiny.ask({}).draw.overrides
    known = tiny.config.make_run({}).core
    assert first == {"core.num_layers": known.num_layers, "core.norm": known.norm}


def test_a_damaged_record_of_examples_shows_nothing(study, sweep, play):
    tiny = study(space=SPACE, pruner="race", sampler="random", budget={"trials": 4})
    executor = racing(play)
    epoch = executor._epoch

    def damaged(job):
        epoch(job)
        path = RunFolder(executor.folder(job).path).selection
        path.write_bytes(path.read_bytes()[:-40])

    executor._epoch = damaged
    sweep(tiny, executor)
    assert {trial.state.name for trial in tiny.trials()} == {"COMPLETE"}
