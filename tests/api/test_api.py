"""The Python API: light to import, whole in the reference, and the same as the command line."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import atinuke_bench
from atinuke_bench import compare, evaluate, load, load_runs, predict, report, run, suite
from atinuke_bench.cli import app
from atinuke_bench.errors import ConfigError, DataError, RunFolderError, UnknownNameError
from atinuke_bench.files import read_object, write_json

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "python.md"
TINY = {
    "training.max_epochs": 2,
    "source.microworld.train": 40,
    "source.microworld.dev": 12,
    "source.microworld.test": 12,
}
NANO: dict[str, Any] = {"preset": "nano", "source": "microworld", "overrides": TINY, "wandb": "disabled"}
NAMES = [name for name in atinuke_bench.__all__ if not name.startswith("__")]
#: The most seconds that an import may take.
MOST_SECONDS = 0.15


@pytest.fixture
def beside(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds the store `runs`, entered."""
    monkeypatch.chdir(trained)
    return trained


@pytest.fixture(scope="module")
def folder(trained: Path) -> Path:
    """A finished run."""
    return next((trained / "runs/glue/sst2/bilstm").glob("seed-0-*"))


def _json(*arguments: object) -> Any:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_importing_is_light():
    names = ", ".join(NAMES)
    code = (
        f"import sys, time; started = time.perf_counter(); from atinuke_bench import {names};"
        "print(time.perf_counter() - started); assert not {'torch', 'pandas', 'scipy'} & sys.modules.keys()"
    )
    # The shortest of a few: other processes may hold the machine meanwhile.
    seconds = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)]
    assert min(seconds) < MOST_SECONDS


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_typed_shown_and_in_the_reference(name):
    found = getattr(atinuke_bench, name)
    assert found.__doc__
    assert ">>>" in found.__doc__
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")
    if inspect.isfunction(found):
        signature = inspect.signature(found)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(one.annotation is not inspect.Parameter.empty for one in signature.parameters.values())
    assert name in dir(atinuke_bench)


def test_what_is_public_has_a_docstring():
    for name in NAMES:
        for member, value in vars(getattr(atinuke_bench, name)).items():
            if not member.startswith("_") and (inspect.isfunction(value) or hasattr(value, "fget")):
                assert value.__doc__, f"{name}.{member}"


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="has no attribute 'runn'"):
        atinuke_bench.runn  # noqa: B018


def test_a_run_is_that_of_the_command_line(beside, folder):
    settings = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
    options = ["--preset", "nano", "--source", "microworld", "--out", "runs", "--wandb", "disabled", *settings]
    told = _json("run", "--task", "glue/sst2", "--core", "bilstm", *options)
    found = run("glue/sst2", "bilstm", **NANO)
    assert found.folder.resolve() == (beside / told.pop("folder")).resolve() == folder.resolve()
    assert found.result == told


def test_a_run_trains_in_its_own_folder_and_reruns(beside, tmp_path):
    again = run("glue/sst2", "bilstm", out=tmp_path, **NANO)
    ours = run("glue/sst2", "bilstm", **NANO)
    assert again.folder.is_relative_to(tmp_path)
    assert (again.scores, again.result["identity"]) == (ours.scores, ours.result["identity"])
    assert again.predictions()["prediction"].tolist() == ours.predictions()["prediction"].tolist()
    run("glue/sst2", "bilstm", out=tmp_path, rerun=True, **NANO)
    assert (again.folder / ".earlier-1").is_dir()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: run("snly", "bilstm"), UnknownNameError, "nearest: 'snli'"),
        (lambda: run(Path("nowhere.yaml"), "bilstm"), ConfigError, "nowhere.yaml: no such file"),
        (lambda: run("snli", "bilstn"), UnknownNameError, "nearest: 'bilstm'"),
        (lambda: run("snli", "bilstm", **{**NANO, "wandb": "of"}), UnknownNameError, "no W&B mode 'of'"),
        (lambda: run("snli", "bilstm", overrides={"seeed": 1}), ConfigError, "nearest: 'seed'"),
        (lambda: suite("quik"), UnknownNameError, "nearest: 'quick'"),
        (lambda: evaluate("nowhere", "hans"), ConfigError, "no such folder: nowhere"),
        (lambda: evaluate("runs", "hanz"), UnknownNameError, "nearest: 'hans'"),
        (lambda: compare("bilstm", "bilstm"), ConfigError, "name the same runs"),
        (lambda: report("nowhere", "out"), RunFolderError, "nowhere"),
        (lambda: load("nowhere"), RunFolderError, "not a finished run"),
    ],
)
def test_mistakes_are_the_errors_of_the_package(beside, call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_mistakes_are_said_in_the_keywords_of_the_caller(beside, monkeypatch):
    monkeypatch.delenv("ATINUKE_DATA", raising=False)
    with pytest.raises(ConfigError) as caught:
        run("snli", "bilstm")
    assert "data_dir=DIR or $ATINUKE_DATA" in str(caught.value)
    assert "source='microworld'" in str(caught.value)
    assert "--" not in str(caught.value)


def test_a_run_of_two_processes_is_that_of_one(beside, folder, tmp_path):
    store = Path(os.path.relpath(tmp_path))
    found = run("glue/sst2", "bilstm", seed=0, out=store, devices=2, **NANO)
    assert found.folder == store / folder.relative_to(beside / "runs")
    manifest = read_object(found.folder / "manifest.json")
    assert manifest["execution"]["devices"] == 2
    assert found.result["protocol"] == read_object(folder / "result.json")["protocol"]


def test_a_predictor_gives_the_stored_predictions_again(beside, folder):
    runs = load_runs(folder)
    known = runs.predictions(split="test").merge(runs.examples(), on=["task", "data", "split", "id"])
    inputs = [{"sentence1": text} for text in known["sentence1"]]
    assert load(folder).predict(inputs) == known["prediction"].tolist() == predict(folder, inputs)
    assert predict(folder, []) == []
    with pytest.raises(DataError, match="record:2"):
        predict(folder, [inputs[0], {"sentence": "no such field"}])


def test_a_comparison_is_that_of_the_command_line(beside):
    told = _json("compare", "bilstm", "transformer", "--runs", "runs")
    found = compare("bilstm", "transformer")
    (ours,), (theirs,) = found.verdicts.to_dict("records"), told["comparisons"]
    assert ours == pytest.approx(theirs)
    assert len(found.by_seed) == len(told["by_seed"])
    # The reference has each column, and no other.
    rows = [line.split("|")[1:3] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    named = {frame.strip(): re.findall(r"`([^`]+)`", columns) for frame, columns in rows}
    assert named["`verdicts`"] == list(found.verdicts.columns)
    assert named["`by_seed`"] == list(found.by_seed.columns)
    with_margin = compare("bilstm", "transformer", margin=2).verdicts.columns
    assert named["`verdicts`"] + named["`verdicts` with a `margin`"] == list(with_margin)
    assert found.note == told["note"]


def test_a_report_is_that_of_the_command_line(beside, tmp_path):
    told = _json("report", "runs", "--out", tmp_path / "told")
    written = report("runs", tmp_path / "written")
    assert written.page.is_file()
    assert list(written.tables) == list(told["tables"])
    assert written.titles == told["titles"]
    assert len(written.tables["cost"]) == len(told["tables"]["cost"]) == 2


def test_an_evaluation_is_kept_in_the_run(beside, folder):
    found = evaluate([folder], "shuffled-words")
    kept = read_object(folder / "evaluations/shuffled-words/result.json")
    (row,) = found.scores.to_dict("records")
    assert (row["value"], row["is_headline"]) == (kept["scores"]["test"]["accuracy"], True)
    assert (row["identity"], row["seed"]) == (kept["run"]["identity"], 0)


def test_runs_that_do_not_fit_are_gaps(beside, tmp_path):
    majority = run("glue/sst2", "majority", out=tmp_path, source="microworld", overrides=TINY, wandb="disabled")
    shutil.copytree(beside / "runs/glue/sst2/bilstm", tmp_path / "glue/sst2/bilstm")
    found = evaluate(tmp_path, "shuffled-words")
    assert len(found.scores) == 2
    assert found.gaps["where"].tolist() == [str(majority.folder)]
    with pytest.raises(ConfigError, match="the floor answers from the train split"):
        evaluate(majority.folder, "shuffled-words")


def test_other_code_is_warned_of(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    manifest = read_object(copy / "manifest.json")
    assert not {"atinuke_bench", "atinuke_bench.api.training"} & manifest["code"]["modules"].keys()
    # Runs of earlier versions recorded the top of the package too, which says nothing of their figures.
    for kind in ("modules", "texts"):
        manifest["code"][kind]["atinuke_bench"] = "of another version"
    write_json(copy / "manifest.json", manifest)
    load(copy)
    for kind in ("modules", "texts"):
        manifest["code"][kind]["atinuke_bench.core.bilstm"] = "of another version"
    write_json(copy / "manifest.json", manifest)
    for call in (lambda: load(copy), lambda: predict(copy, []), lambda: evaluate(copy, "shuffled-words")):
        with pytest.warns(UserWarning, match=r"finished earlier with other code \(atinuke_bench.core.bilstm\)") as told:
            call()
        assert {one.filename for one in told} == {__file__}  # the caller's own line


def test_a_suite_gives_its_runs_and_its_failures(beside, tmp_path, monkeypatch):
    description: dict[str, Any] = {
        "name": "two",
        "tasks": ["glue/sst2"],
        "cores": {"small": {"core": "bilstm", "preset": "nano"}, "lost": {"core": "bilstm", "preset": "nano"}},
        "seeds": [0],
        "source": {"kind": "microworld", "microworld": {"train": 40, "dev": 12, "test": 12}},
        "overrides": {"training.max_epochs": 2},
        "evaluate": ["shuffled-words"],
    }
    # A run that starts from one which is not there.
    description["cores"]["lost"]["overrides"] = {"init_from.run": str(tmp_path / "nowhere")}
    write_json(tmp_path / "two.yaml", description)
    done = suite(tmp_path / "two.yaml", out=tmp_path / "runs", workers=1, wandb="disabled")
    (found,) = done
    assert (found.variant, found.scores) == ("small", run("glue/sst2", "bilstm", **NANO).scores)
    (failed,) = done.failed
    assert failed.name == "glue/sst2/lost/0"
    assert "nowhere" in failed.message
    assert done.evaluations is not None
    assert done.evaluations.scores["test_set"].tolist() == ["shuffled-words"]
    assert load_runs(done.out).scores["variant"].unique().tolist() == ["small"]
    again = suite(tmp_path / "two.yaml", out=tmp_path / "runs", only=["*/small"], workers=1, wandb="disabled")
    assert [one.result for one in again] == [found.result]
