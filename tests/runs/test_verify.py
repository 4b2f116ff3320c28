"""Damage of every kind is found and named, and a run that is reset comes back whole."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from atinuke_bench import registry
from atinuke_bench.cli import main
from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import sha256_file
from atinuke_bench.metrics.metric import Measured, Metric, SumSample, mean_sample
from atinuke_bench.runs.execute import execute
from atinuke_bench.runs.verify import reset, verify, verify_runs
from atinuke_bench.sealed import sealed
from atinuke_bench.training.execution import Execution

QUIET = Execution(show_progress=False)


@pytest.fixture
def finished(make_run, tmp_path):
    run = make_run("glue/wnli")
    folder, _ = execute(run, tmp_path, wandb="disabled", execution=QUIET)
    return run, folder


def rewrite(folder, result):
    """Write a result as one who knows its checksum would, with a config of the same task."""
    config = folder.config.read_text()
    changed = config.replace(f"task: {folder.read_config().task}", f"task: {result.get('task')}")
    if changed != config:
        folder.config.write_text(changed)
        result["artefacts"]["config.yaml"] = sha256_file(folder.config)
    result = {name: value for name, value in result.items() if name != "sha256"}
    folder.result.write_text(json.dumps(sealed(result)))


def problems(folder):
    return verify(folder).problems


def test_a_whole_run_has_no_problem(finished):
    _, folder = finished
    verdict = verify(folder)
    assert verdict.is_finished
    assert verdict.problems == []


@pytest.mark.parametrize(
    "name", ["config.yaml", "manifest.json", "history.jsonl", "predictions.parquet", "checkpoints/best.safetensors"]
)
def test_a_changed_or_missing_file_is_named_and_the_run_comes_back(finished, tmp_path, name):
    run, folder = finished
    before = folder.predictions.read_bytes()
    content = (folder.path / name).read_bytes()
    (folder.path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert problems(folder) == [f"{name}: has changed since the run was finished (its checksum differs)"]
    (folder.path / name).unlink()
    if name != "config.yaml":  # by which a run is found
        (verdict,) = verify_runs([tmp_path])
        assert verdict.problems == [f"{name}: is missing"]
    reset(verify(folder))
    assert not folder.is_finished()
    execute(run, tmp_path, wandb="disabled", execution=QUIET)
    assert problems(folder) == []
    assert folder.predictions.read_bytes() == before


def test_a_score_that_its_predictions_do_not_give_is_named(finished):
    _, folder = finished
    result = json.loads(folder.result.read_text())
    rewrite(folder, {**result, "score": result["score"] + 0.5})
    (problem,) = problems(folder)
    assert "the predictions do not give the recorded accuracy" in problem


def test_predictions_that_were_exchanged_are_found_even_with_a_new_checksum(finished):
    _, folder = finished
    rows = pd.read_parquet(folder.predictions)
    rows["prediction"] = rows["gold"].map({"0": "1", "1": "0"})
    rows.to_parquet(folder.predictions, index=False)
    result = json.loads(folder.result.read_text())
    result["artefacts"]["predictions.parquet"] = sha256_file(folder.predictions)
    rewrite(folder, result)
    assert problems(folder)[0].endswith("; they give 0.0000")


class SpanF1(Metric):
    """F1 of spans, which no metric here knows how to read."""

    name = "f1"

    def measure(self, answers):
        counts = [
            [2 * len(set(p) & set(g)), len(p) + len(g)] for p, g in zip(answers.predicted, answers.gold, strict=True)
        ]
        sample = SumSample(tuple(answers.ids), np.array(counts, float), lambda sums: 100 * sums[:, 0] / sums[:, 1])
        return Measured({"f1": sample.value()}, [None] * len(answers), sample)

    def from_stored(self, prediction, gold):
        return [tuple(map(tuple, json.loads(side))) for side in (prediction, gold)]


@pytest.fixture
def span_run(finished, monkeypatch):
    """A whole run of a plug-in's task, which `registered` makes known; its F1 is 50."""
    _, folder = finished
    spans = {"prediction": ["[[0, 1]]", "[[2, 3]]"], "gold": ["[[0, 1]]", "[[4, 5]]"]}
    pd.DataFrame({"split": "dev", "id": ["a", "b"], "score": [None, None], **spans}).to_parquet(folder.predictions)
    result = json.loads(folder.result.read_text()) | {"task": "spans", "metric": "f1", "score": 50.0, "split": "dev"}
    result |= {"scores": {"dev": {"f1": 50.0}}, "slices": {}, "resampled": None, "interval": None}
    result["protocol"]["result_version"] = 1
    result["artefacts"]["predictions.parquet"] = sha256_file(folder.predictions)
    rewrite(folder, result)
    return folder


@pytest.fixture
def register(monkeypatch):
    def registered(metric, version=1):
        table = registry._table("tasks") | {"spans": "topics:SPANS"}
        monkeypatch.setattr(registry, "_table", lambda kind: table)
        monkeypatch.setattr(registry, "metrics_of", lambda task: (metric,))
        monkeypatch.setattr(
            registry, "load_task", lambda name, declaration=None: SimpleNamespace(result_version=version)
        )

    return registered


def content(folder):
    return {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}


def verify_command(place, monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["atinuke-bench", "verify", str(place), *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, capsys.readouterr()


def assert_left_alone(folder, monkeypatch, capsys, reason):
    """It is not checked, says why, and `--reset` changes nothing of it, however often."""
    before = content(folder)
    verdict = verify(folder)
    assert verdict.problems == []
    assert reason in verdict.not_checked
    reset(verdict)
    for _ in range(2):
        code, printed = verify_command(folder.path, monkeypatch, capsys, "--reset", "--json")
        assert code == 0
        assert json.loads(printed.out)["damaged"] == []
        (told,) = json.loads(printed.out)["not_checked"]
        assert reason in told["reason"]
    assert content(folder) == before


@pytest.mark.parametrize("change", [{"task": "of-a-plug-in"}, {"metric": "exactness"}, {"metric": "f1"}])
def test_a_score_whose_metric_is_not_known_is_no_problem_of_the_run(finished, monkeypatch, capsys, change):
    _, folder = finished
    rewrite(folder, json.loads(folder.result.read_text()) | change)
    assert_left_alone(folder, monkeypatch, capsys, "no task" if "task" in change else "no metric")


def test_span_f1_of_a_plug_in_is_computed_by_its_own_metric(span_run, register):
    register(SpanF1())
    verdict = verify(span_run)
    assert (verdict.problems, verdict.not_checked) == ([], "")
    rewrite(span_run, json.loads(span_run.result.read_text()) | {"score": 60.0})
    (problem,) = verify(span_run).problems
    assert problem == "the predictions do not give the recorded f1 60.0000; they give 50.0000"


def test_span_f1_of_a_plug_in_that_is_gone_is_not_checked(span_run, monkeypatch, capsys):
    assert_left_alone(span_run, monkeypatch, capsys, "no task 'spans'")


class FailingF1(SpanF1):
    def measure(self, answers):
        raise RuntimeError("no lexicon here")


class TextualF1(SpanF1):
    def measure(self, answers):
        return Measured({"f1": "fifty"}, [], mean_sample([], []))  # type: ignore[dict-item]


class OtherFigure(SpanF1):
    def measure(self, answers):
        return Measured({"f2": 50.0}, [], mean_sample([], []))


@pytest.mark.parametrize(
    ("metric", "reason"),
    [(FailingF1(), "no lexicon here"), (TextualF1(), "could not convert"), (OtherFigure(), "'f1'")],
)
def test_a_metric_that_fails_accuses_nobody(span_run, register, monkeypatch, capsys, metric, reason):
    register(metric)
    assert_left_alone(span_run, monkeypatch, capsys, reason)


class HalvedF1(SpanF1):
    def measure(self, answers):
        return Measured({"f1": 25.0}, [], mean_sample([], []))


def test_a_metric_that_has_changed_since_accuses_nobody(span_run, register, monkeypatch, capsys):
    register(HalvedF1(), version=2)
    assert_left_alone(span_run, monkeypatch, capsys, "measured by version 1 of the task; this is version 2")
    register(HalvedF1(), version=1)
    assert verify(span_run).problems


def test_predictions_that_are_as_the_run_wrote_them_are_no_damage_even_where_they_cannot_be_read(
    finished, monkeypatch, capsys
):
    _, folder = finished
    folder.predictions.write_bytes(b"in a format to come")
    result = json.loads(folder.result.read_text())
    result["artefacts"]["predictions.parquet"] = sha256_file(folder.predictions)
    rewrite(folder, result)
    assert_left_alone(folder, monkeypatch, capsys, "predictions.parquet: cannot be read")
    del result["artefacts"]["predictions.parquet"]
    rewrite(folder, result)
    assert problems(folder)[0].startswith("predictions.parquet: cannot be read")


@pytest.mark.parametrize("change", [{"score": "high"}, {"score": [1]}, {"metric": None}])
def test_a_result_without_a_score_that_is_a_number_is_damaged_in_one_line(finished, change):
    _, folder = finished
    result = json.loads(folder.result.read_text()) | change
    rewrite(folder, {name: value for name, value in result.items() if value is not None})
    assert problems(folder)[0].startswith("result.json: ")


def test_a_damaged_result_and_a_name_outside_the_folder_are_named(finished):
    _, folder = finished
    result = json.loads(folder.result.read_text())
    rewrite(folder, {**result, "artefacts": {"../../secret": "0"}})
    assert problems(folder)[0] == "../../secret: lies outside the run folder"
    folder.result.write_text("{")
    assert problems(folder)[0].startswith("result.json: ")


def test_the_command_names_damage_and_fails_until_it_is_reset(finished, tmp_path, capsys, monkeypatch):
    _, folder = finished

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["atinuke-bench", "verify", str(tmp_path), *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr()

    assert call()[0] == 0
    folder.predictions.write_bytes(b"PAR1")
    code, printed = call("--json")
    assert code == 1
    assert [entry["folder"] for entry in json.loads(printed.out)["damaged"]] == [str(folder.path)]
    code, printed = call("--reset")
    assert code == 0
    assert "1 set to run again" in printed.err
    code, printed = call()
    assert code == 0
    assert "1 not finished" in printed.err


def edited(result, path, value):
    """A copy of a result with the value at a path of keys; DROP leaves the key out."""
    copy = json.loads(json.dumps(result))
    *parents, last = path
    place = copy
    for key in parents:
        place = place[key]
    if value is DROP:
        del place[last]
    else:
        place[last] = value
    return copy


DROP = object()
#: Edits of a result, and whether one who also makes a new checksum is found by what the run's other files say.
EDITS = {
    "score": (["score"], 99.9, True),
    "null score": (["score"], None, True),
    "figure of a split": (["scores", "dev", "accuracy"], 99.9, True),
    "split that is none": (["scores", "test"], {"accuracy": 99.9}, True),
    "dropped split": (["scores", "dev"], DROP, True),
    "dropped figure": (["scores", "dev", "accuracy"], DROP, True),
    "figure that is none": (["scores", "dev", "f1"], 99.9, False),
    "headline split": (["split"], "test", True),
    "interval": (["interval"], [99.0, 99.9], True),
    "units": (["resampled", "num_units"], 7, True),
    "direction": (["higher_is_better"], False, True),
    "task": (["task"], "glue/rte", True),
    "core": (["core"], "transformer", True),
    "seed": (["seed"], 7, True),
    "dropped artefact": (["artefacts", "checkpoints/best.safetensors"], DROP, True),
    "dropped predictions": (["artefacts", "predictions.parquet"], DROP, True),
    "slice": (["slices", "dev"], {}, False),
    "cost": (["cost", "parameters"], 1, False),
    "protocol": (["protocol", "source"], "hub", False),
    "identity": (["identity"], "0123456789", True),
}


@pytest.fixture(scope="module")
def untouched(official, tmp_path_factory):
    overrides = {"training.max_epochs": 1, "tokenizer.vocab_size": 200}
    run = make_run_config(
        "glue/wnli", "bilstm", preset="nano", source=SourceConfig(data_dir=official), overrides=overrides
    )
    return execute(run, tmp_path_factory.mktemp("store"), wandb="disabled", execution=QUIET)[0]


@pytest.mark.parametrize("name", EDITS)
def test_any_edit_of_a_result_is_found(untouched, name):
    path, value, is_recomputed = EDITS[name]
    before = untouched.result.read_text()
    result = json.loads(before)
    try:
        assert verify(untouched).problems == []
        changed = edited(result, path, value)
        untouched.result.write_text(json.dumps(changed))
        (problem,) = problems(untouched)
        assert problem.endswith("not as the run wrote it (its checksum differs)")
        with pytest.raises(RunFolderError, match=r"result\.json: not as the run wrote it"):
            untouched.read_result()
        del changed["sha256"]
        untouched.result.write_text(json.dumps(changed if name == "task" else sealed(changed)))
        assert bool(problems(untouched)) == is_recomputed
    finally:
        untouched.result.write_text(before)


def test_reset_deletes_nothing_and_a_renamed_folder_is_no_damage(finished, monkeypatch, capsys):
    _, folder = finished
    renamed = type(folder)(folder.path.rename(f"{folder.path}.backup"))
    before = content(renamed)
    code, printed = verify_command(renamed.path, monkeypatch, capsys, "--reset")
    assert code == 0
    assert "the folder's name is not that of run" in printed.err
    assert content(renamed) == before
    renamed.best_checkpoint.write_bytes(b"junk")
    before = content(renamed)
    reset(verify(renamed))
    assert not renamed.is_finished()
    assert sorted(content(renamed).values()) == sorted(before.values())


def test_a_run_whose_result_was_torn_is_whole_once_it_is_finished_again(finished, tmp_path):
    run, folder = finished
    before = folder.predictions.read_bytes()
    folder.result.write_bytes(folder.result.read_bytes()[:100])
    assert problems(folder)
    execute(run, tmp_path, wandb="disabled", execution=QUIET)
    assert problems(folder) == []
    assert folder.predictions.read_bytes() == before
    assert len(list(folder.path.glob(".damaged-1/result.json"))) == 1
    result = json.loads(folder.result.read_text())
    result["artefacts"]["result.json"] = "0" * 64  # as earlier versions wrote of a result that they found torn
    rewrite(folder, result)
    assert problems(folder) == []
