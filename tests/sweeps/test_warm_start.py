"""Studies that begin from others: what is known is not paid twice, and the best points are tried first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from atinuke_bench.errors import StudyError
from atinuke_bench.sweeps.insight import insight
from atinuke_bench.sweeps.limits import is_infeasible
from atinuke_bench.sweeps.opening import open_study
from atinuke_bench.sweeps.origins import KNOWN, POINT, is_known
from atinuke_bench.sweeps.spaces import make_space
from atinuke_bench.sweeps.warm_start import NUM_POINTS, require_sources, suggested, warm_start

pytestmark = pytest.mark.usefixtures("in_memory")

GRID = {"core.num_layers": {"int": [1, 4]}}
MORE = {**GRID, "core.num_heads": {"categorical": [1, 2, 4]}}


@pytest.fixture
def player(play: Any):
    """An executor whose runs have a manifest that says which data they are of."""

    class Player(play):
        data = None

        def start(self, job):
            super().start(job)
            data = self.data or fingerprint(job.run)
            (self.folder(job).path / "manifest.json").write_text(json.dumps({"data": {"fingerprint": data}}))

    return Player


def fingerprint(run):
    from atinuke_bench.training.task import task_of

    task = task_of(run)
    return task.data.load(run.source, task.options(run)).fingerprint


@pytest.fixture
def first(study, sweep, player):
    """`first(**settings)`: the finished study `first`, of every depth."""

    def make(executor=None, **settings):
        chosen = {"space": GRID, "sampler": "grid", "pruner": "none", "budget": {"trials": 4}, **settings}
        one = study(name="first", **chosen)
        sweep(one, executor or player())
        return one

    return make


@pytest.fixture
def then(study):
    """`then(**settings)`: a study that begins from `first`, and what it took."""

    def make(**settings):
        one = study(warm_start=("first",), **{"name": "then", "pruner": "none", "space": MORE, **settings})
        return one, warm_start(one)

    return make


def scores(trials):
    return {trial.params["core.num_layers"]: trial.value for trial in trials}


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_runs_of_both_studies_are_known_and_never_paid_twice(first, then, sweep, player, sampler):
    before = first()
    after, (taken,) = then(sampler=sampler, budget={"trials": 6})
    known = [trial for trial in after.trials() if is_known(trial)]
    assert (taken.num_known, len(known)) == (4, 4)
    assert scores(known) == scores(before.trials())
    assert {trial.params["core.num_heads"] for trial in known} == {2}  # nano's, which the first study left as it is
    assert {trial.user_attrs[KNOWN]["study"] for trial in known} == {"first"}
    now = after.tally()
    assert (now.counted, now.seconds, now.training_flops) == (0, 0, 0)
    executor = player()
    sweep(after, executor)
    assert after.tally().counted == 6
    trained = [after.draw_of(after.trials()[int(key)]).overrides for key in executor.started]
    assert not [draw for draw in trained if draw["core.num_heads"] == 2]
    assert len({tuple(draw.items()) for draw in trained}) == len(trained)
    record = insight(after)
    assert record["history"][0]["best"] is not None
    assert record["history"][3]["trials"] == 0
    assert record["trials"][0]["from"] == {**known[0].user_attrs[KNOWN], "as": "known"}


def test_a_grid_trains_only_what_is_not_known(first, then, sweep, player):
    first()
    after, _ = then(sampler="grid", budget={"trials": 12})
    executor = player()
    sweep(after, executor)
    assert len(executor.started) == 8
    assert after.tally().counted == 8
    assert after.is_over()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"seed": 1}, "it has seed 0, not 1"),
        ({"core": "transformer"}, "it has core 'atinuke', not 'transformer'"),
        ({"tasks": [("glue/mrpc", None)]}, "it has task 'snli', not 'glue/mrpc'"),
        ({"overrides": {"training.learning_rate": 1e-4}}, "none of its runs is in this space"),
    ],
)
def test_runs_of_another_kind_give_points_alone(first, then, sweep, player, settings, reason):
    before = first()
    after, (taken,) = then(**settings, budget={"trials": 4})
    assert (taken.num_known, taken.num_points, taken.reason) == (0, 4, reason)
    executor = player()
    sweep(after, executor)
    drawn = [after.trials()[number] for number in range(4)]
    best = sorted(scores(before.trials()), key=scores(before.trials()).get, reverse=True)
    assert [trial.params["core.num_layers"] for trial in drawn] == best
    assert [trial.user_attrs[POINT]["study"] for trial in drawn] == ["first"] * 4
    assert all(trial.params["core.num_heads"] in (1, 2, 4) for trial in drawn)
    assert len(executor.started) == after.tally().counted == 4


def test_scores_on_other_data_are_not_taken(first, then, player):
    executor = player()
    executor.data = "other"
    first(executor)
    _, (taken,) = then()
    assert (taken.num_known, taken.num_points) == (0, 4)
    assert taken.reason == "its runs are of other data, or are gone"


def test_points_beyond_a_range_are_left_out(first, then):
    first()
    after, (taken,) = then(space={**MORE, "core.num_layers": {"int": [3, 9]}}, seed=1)
    assert taken.num_points == 2
    waiting = [trial for trial in after.trials() if trial.state.name == "WAITING"]
    assert len(waiting) == 2


def test_the_best_points_come_first_and_not_all_of_them(first, then, player):
    first(player(), space={"training.learning_rate": {"float": [1e-4, 1e-2], "log": True}}, sampler="random",
          budget={"trials": 9})  # fmt: skip
    after, (taken,) = then(space={"training.learning_rate": {"float": [1e-4, 1e-2], "log": True}}, seed=1)
    assert taken.num_points == NUM_POINTS
    best = sorted(after.trials(), key=lambda trial: trial.number)
    sources = [open_study("first", after.store).trials()[trial.user_attrs[POINT]["number"]].value for trial in best]
    assert sources == sorted(sources, reverse=True)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_what_the_other_study_drew_is_not_drawn_again(first, then, sweep, player, sampler):
    rate = {"training.learning_rate": {"float": [1e-4, 1e-2], "log": True}}
    chosen = {"space": rate, "sampler": sampler, "budget": {"trials": 9}}
    before = first(player(), **chosen)
    # Of another core nothing is known, and all but the points is drawn.
    after, (taken,) = then(**chosen, core="transformer")
    assert taken.num_known == 0
    sweep(after, player())
    theirs, ours = ([trial.params["training.learning_rate"] for trial in one.trials()] for one in (before, after))
    assert len(ours) == 9
    assert not set(theirs) & set(ours[NUM_POINTS:])


def test_known_trials_are_held_to_this_study_s_limits(first, then):
    first()
    after, _ = then(at_most={"peak_memory_bytes": 2e6})
    over = {trial.params["core.num_layers"]: is_infeasible(trial) for trial in after.trials() if is_known(trial)}
    assert over == {1: False, 2: False, 3: True, 4: True}
    record = insight(after)
    assert record["trials"][record["best"]]["params"]["core.num_layers"] == 2


def test_pruned_trials_are_known_to_a_study_with_the_same_pruner_alone(first, then, player):
    before = first(player(slots=1), pruner="asha")
    num_pruned = before.tally().pruned
    assert num_pruned
    after, (taken,) = then(pruner="asha")
    assert taken.num_known == 4
    assert any(name.startswith("completed_rung_") for trial in after.trials() for name in trial.system_attrs)
    _, (taken,) = then(name="other", pruner="median")
    assert taken.num_known == 4 - num_pruned


def test_what_is_taken_is_taken_once(first, then):
    before = first()
    after, _ = then()
    assert warm_start(after) == []
    before.storage.close()
    assert sum(map(is_known, after.trials())) == 4


def test_what_a_killed_process_left_out_is_put_in_later(first, then):
    first()
    after, (taken,) = then()
    del after.storage.optuna._studies[after.optuna._study_id].user_attrs["warm_started"]
    assert warm_start(after) == [taken]
    assert sum(map(is_known, after.trials())) == 4


def test_studies_that_are_no_use_are_refused_before_anything_is_made(first, config, tmp_path, study):
    first()
    store = tmp_path / "runs"
    for settings, said in (
        ({"warm_start": ("fist",)}, r"no study 'fist' in .*; nearest: 'first'"),
        ({"warm_start": ("then",)}, "does not begin from itself"),
        ({"warm_start": ("first", "first")}, "names each study once"),
        ({"warm_start": ("first",), "space": {"core.dropout": {"float": [0.0, 0.3]}}}, "it searches core.num_layers"),
    ):
        with pytest.raises(StudyError, match=said):
            require_sources(config(name="then", **settings), store)
    study(name="empty")
    with pytest.raises(StudyError, match="--from empty: it has no complete trial"):
        require_sources(config(name="then", warm_start=("empty",)), store)
    assert sorted(path.name for path in (store / "studies").iterdir()) == ["empty", "first"]


def test_values_that_are_multiplied_are_suggested_as_factors():
    base = {"core.hidden_size": 64, "core.feedforward_size": 256}
    space = make_space({"core.feedforward_size": {"categorical": [2, 4], "times": "core.hidden_size"}}, base, "space")
    assert suggested(space, {"core.feedforward_size": 128}) == {"core.feedforward_size": 2}
    assert suggested(space, {"core.feedforward_size": 192}) == {}
    assert suggested(space, {"core.hidden_size": 32, "core.feedforward_size": 128}) == {"core.feedforward_size": 4}
    assert suggested(space, {"core.num_layers": 3}) == {}
