"""What a study learned: the data, from which reports draws without knowing of sweeps."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import pytest

from atinuke_bench.reports.sections import studies
from atinuke_bench.sweeps.insight import insight, write_insight

pytestmark = pytest.mark.usefixtures("in_memory")


SPACE = {
    "core.num_layers": {"int": [1, 4]},
    "core.num_heads": {"categorical": [1, 3]},
    "core.hidden_size": {"int": [16, 48]},
    "training.learning_rate": {"float": [1e-4, 1e-2], "log": True},
}


@pytest.fixture
def learned(study, sweep, play):
    tiny = study(budget={"trials": 16}, space=SPACE)
    sweep(tiny, play(slots=1))
    return tiny


def test_history_is_the_best_so_far_against_what_was_spent(learned):
    record = insight(learned)
    entries = record["history"]
    assert [entry["trials"] for entry in entries] == list(range(1, 17))
    assert all(later["training_flops"] > sooner["training_flops"] for sooner, later in itertools.pairwise(entries))
    assert entries[-1]["training_flops"] == record["spent"]["training_flops"]
    assert record["spent"]["training_flops"] == sum(trial["training_flops"] for trial in record["trials"])
    complete = {trial["number"]: trial["score"] for trial in record["trials"] if trial["state"] == "complete"}
    assert entries[-1]["best"] == max(complete.values()) == complete[record["best"]]


def test_importance_finds_what_the_score_depends_on(study, sweep, play):
    tiny = study(budget={"trials": 40}, pruner="none", sampler="random", seed=2)
    sweep(tiny, play(scores=lambda run: [10.0 * run.core.num_layers] * 4))
    record = insight(tiny)
    assert record["importance"]["values"]["core.num_layers"] > 0.9
    assert record["importance"]["shown"] == {"core.num_layers": True, "training.learning_rate": False}
    assert record["effects"]["core.num_layers"]["good"] == [[4, 4]]
    assert record["advice"][0]["text"].endswith("good: 4, best at the end of its range")


def test_trials_that_repeat_a_run_are_learned_from_once(study, sweep, play):
    tiny = study(
        budget={"trials": 12}, pruner="none", sampler="random", space={"core.num_layers": {"int": [1, 2]}}
    )  # fmt: skip
    sweep(tiny, play(scores=lambda run: [10.0 * run.core.num_layers] * 4))
    record = insight(tiny)
    assert sum(trial["state"] == "complete" for trial in record["trials"]) == 12
    assert record["importance_note"] == "2 complete trials; it takes 8"


def test_the_best_to_expect_is_of_independent_whole_trials_alone(study, sweep):
    def record(**settings):
        tiny = study(name=f"s{len(settings)}", budget={"trials": 12}, **settings)
        sweep(tiny)
        return insight(tiny)

    whole = record(sampler="random", pruner="none")
    scores = [trial["score"] for trial in whole["trials"]]
    found = whole["expected_best"]
    assert whole["expected_best_note"] is None
    assert found["trials"] == list(range(1, 7))
    assert found["mean"][0] == pytest.approx(sum(scores) / 12)
    assert found["training_flops"][0] == pytest.approx(whole["spent"]["training_flops"] / 12)
    assert record(pruner="none")["expected_best_note"].startswith("trials of sampler tpe depend on earlier ones")
    assert record(sampler="random", pruner="asha", seed=3)["expected_best_note"].startswith("trials that were stopped")


def test_too_few_trials_have_no_importance_and_a_reason(study, sweep):
    tiny = study(budget={"trials": 3}, pruner="none")
    sweep(tiny)
    record = insight(tiny)
    assert record["importance"] is None
    assert record["importance_note"] == "3 complete trials; it takes 8"


def test_params_are_in_the_terms_of_the_space_and_fit_the_run(learned):
    record = insight(learned)
    for trial in record["trials"]:
        assert trial["config"]["core.hidden_size"] % trial["config"]["core.num_heads"] == 0
        assert trial["params"] == trial["config"]


def test_a_pruned_trial_has_the_best_of_its_epochs(learned):
    record = insight(learned)
    pruned = [trial for trial in record["trials"] if trial["state"] == "pruned"]
    assert pruned
    for trial in pruned:
        assert trial["score"] == trial["epochs"][-1][1]
        assert trial["objectives"] is None


def test_the_file_is_plain_json_and_draws_without_torch_or_optuna(study, sweep, tmp_path):
    tiny = study(budget={"trials": 16}, space=SPACE, pruner="none", sampler="random")
    sweep(tiny)
    write_insight(tiny, insight(tiny))
    path = tiny.folder / "insight.json"
    code = (
        "import json, sys, pathlib; from atinuke_bench.reports.sections.studies import write_figures;"
        f"write_figures(json.loads(open({str(path)!r}).read()), pathlib.Path({str(tmp_path / 'drawn')!r}));"
        "assert not {'torch', 'optuna'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    names = {drawn.name for drawn in (tmp_path / "drawn").iterdir()}
    drawn = ("history", "budget", "expected", "importance", "slices", "contours", "pareto")
    assert names == {f"{name}.{kind}" for name in drawn for kind in ("png", "svg")}


def test_nothing_is_drawn_of_a_study_without_trials(study, tmp_path):
    studies.write_figures(json.loads(json.dumps(insight(study()))), tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize("against", [None, "parameters", "flops"])
def test_the_front_lies_on_the_trials_it_is_drawn_with(study, sweep, tmp_path, against):
    tiny = study(against=against, pruner="none")
    sweep(tiny)
    record = insight(tiny)
    front = {(entry["cost"], entry["score"]) for entry in record["pareto"]}
    assert front
    assert front <= set(studies.Study(record, tmp_path).costed())
