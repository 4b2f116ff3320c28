"""Damage of every kind is found and named, and a run that is reset comes back whole."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from atinuke_bench.cli import main
from atinuke_bench.runs.execute import execute
from atinuke_bench.runs.verify import reset, verify, verify_runs
from atinuke_bench.training.execution import Execution

QUIET = Execution(show_progress=False)


@pytest.fixture
def finished(make_run, tmp_path):
    run = make_run("glue/wnli")
    folder, _ = execute(run, tmp_path, wandb="disabled", execution=QUIET)
    return run, folder


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
    folder.result.write_text(json.dumps({**result, "score": result["score"] + 0.5}))
    (problem,) = problems(folder)
    assert "the predictions do not give the recorded accuracy" in problem


def test_predictions_that_were_exchanged_are_found_even_with_a_new_checksum(finished):
    from atinuke_bench.files import sha256_file

    _, folder = finished
    rows = pd.read_parquet(folder.predictions)
    rows["prediction"] = rows["gold"].map({"0": "1", "1": "0"})
    rows.to_parquet(folder.predictions, index=False)
    result = json.loads(folder.result.read_text())
    result["artefacts"]["predictions.parquet"] = sha256_file(folder.predictions)
    folder.result.write_text(json.dumps(result))
    (problem,) = problems(folder)
    assert problem.endswith("; they give 0.0000")


@pytest.mark.parametrize("change", [{"task": "of-a-plug-in"}, {"metric": "exactness"}])
def test_a_score_whose_metric_is_not_known_is_no_problem_of_the_run(finished, change):
    _, folder = finished
    folder.result.write_text(json.dumps(json.loads(folder.result.read_text()) | change))
    verdict = verify(folder)
    assert verdict.problems == []
    assert "no task" in verdict.not_checked or "no metric" in verdict.not_checked


def test_a_damaged_result_and_a_name_outside_the_folder_are_named(finished):
    _, folder = finished
    result = json.loads(folder.result.read_text())
    folder.result.write_text(json.dumps({**result, "artefacts": {"../../secret": "0"}}))
    assert problems(folder) == ["../../secret: lies outside the run folder"]
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
