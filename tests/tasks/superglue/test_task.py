"""Every task of SuperGLUE trains on official layouts, is scored by its own figures, and makes its file for the site."""

from __future__ import annotations

import json
import zipfile

import pytest

from atinuke_bench.errors import RunFolderError
from atinuke_bench.registry import load_task, task_names
from atinuke_bench.run_folder import find_runs
from atinuke_bench.runs.execute import execute
from atinuke_bench.runs.recompute import contradictions
from atinuke_bench.runs.submission import benchmark_of, write_submission
from atinuke_bench.tasks.superglue.submission import OFFICIAL, SuperGlueSubmission
from atinuke_bench.testing import check_task
from atinuke_bench.training.predict import load_predictor

KEYS = [name.removeprefix("superglue/") for name in task_names() if name.startswith("superglue/")]
FIGURES = {
    "boolq": {"accuracy", "macro_f1"},
    "cb": {"accuracy_and_macro_f1", "accuracy", "macro_f1"},
    "copa": {"accuracy"},
    "multirc": {"f1_a_and_exact_match", "f1_a", "exact_match"},
    "record": {"f1_and_exact_match", "f1", "exact_match"},
    "rte": {"accuracy", "macro_f1"},
    "wic": {"accuracy", "macro_f1"},
    "wsc": {"accuracy", "macro_f1"},
    "ax-b": {"matthews_correlation", "accuracy"},
    "ax-g": {"winogender_accuracy", "gender_parity"},
}


@pytest.mark.parametrize("key", KEYS)
def test_a_task_trains_and_is_scored(make_superglue, tmp_path, key):
    run = make_superglue(key)
    folder, result = execute(run, tmp_path / "runs", wandb="disabled", predicts_unlabelled=True)
    splits = ("dev", "test") if key.startswith("ax-") else ("dev",)
    assert {name: set(figures) for name, figures in result["scores"].items()} == dict.fromkeys(splits, FIGURES[key])
    assert result["task"] == f"superglue/{key}"
    assert contradictions(folder, result) == []
    assert load_task(result["task"]).is_official(OFFICIAL[key].sizes)
    assert result["protocol"]["is_cut"], "these are no official files"
    inputs = load_task(result["task"]).inputs
    assert load_predictor(folder).predict([inputs.example])


@pytest.mark.parametrize("key", ["multirc", "record"])
def test_conformance(make_superglue, tmp_path, key):
    check_task(make_superglue(key), tmp_path)


@pytest.fixture
def store(make_superglue, tmp_path):
    """The floor of every task."""
    for key in KEYS:
        execute(make_superglue(key, "majority"), tmp_path / "runs", wandb="disabled", predicts_unlabelled=True)
    return tmp_path / "runs"


def test_the_submission_has_every_official_file(store, tmp_path, cli):
    folders = find_runs(store)
    assert benchmark_of(folders) == "SuperGLUE"
    with pytest.raises(
        RunFolderError, match=r"AX-b.jsonl must answer the official test set: 1098 of 1104 examples have"
    ):
        write_submission("SuperGLUE", folders, tmp_path / "s.zip")
    done = cli("submit", store, "--out", tmp_path / "s.zip", "--partial")
    assert done.status == 0, done.err
    assert "SuperGLUE average of the dev sets, 8 tasks: " in done.out
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert set(archive.namelist()) == {official.file for official in OFFICIAL.values()}
        rows = {name: list(map(json.loads, archive.read(name).decode().splitlines())) for name in archive.namelist()}
    for name in ("BoolQ", "CB", "COPA", "ReCoRD", "RTE", "WiC", "WSC", "AX-b", "AX-g"):
        assert [row["idx"] for row in rows[f"{name}.jsonl"]] == list(range(6 if "AX" in name else 4))
    assert rows["BoolQ.jsonl"][0]["label"] in ("true", "false")
    assert rows["WSC.jsonl"][0]["label"] in ("True", "False")
    assert rows["COPA.jsonl"][0]["label"] in (0, 1)
    assert rows["ReCoRD.jsonl"][0]["label"] in ("Ada Lovelace", "Ben", "Lagos", "Ada")
    first = rows["MultiRC.jsonl"][0]
    assert [len(question["answers"]) for question in first["passage"]["questions"]] == [2, 2]
    assert first["passage"]["questions"][1]["idx"] == 1
    assert first["passage"]["questions"][1]["answers"][0] in ({"idx": 2, "label": 0}, {"idx": 2, "label": 1})
    assert len(rows["MultiRC.jsonl"]) == 4


def test_runs_of_two_benchmarks_are_told_apart(make_superglue, make_run, tmp_path):
    for run in (make_superglue("cb", "majority"), make_run("glue/rte", "majority")):
        execute(run, tmp_path / "runs", wandb="disabled", predicts_unlabelled=True)
    with pytest.raises(RunFolderError, match=r"found runs of GLUE and SuperGLUE; nearest: --benchmark GLUE"):
        benchmark_of(find_runs(tmp_path / "runs"))
    with pytest.raises(RunFolderError, match="none of these is a finished run of a task whose benchmark"):
        benchmark_of([])


def test_the_average_is_the_mean_of_eight_tasks():
    names = [key for key in KEYS if not key.startswith("ax-")]
    results = [
        {"task": f"superglue/{key}", "scores": {"dev": {load_task(f"superglue/{key}").metric.name: 10.0 * place}}}
        for place, key in enumerate(names)
    ]
    submission = SuperGlueSubmission("boolq")
    assert submission.averages(results)["8 tasks"].score == pytest.approx(35.0)
    assert submission.averages(results[1:])["8 tasks"].missing == ("superglue/boolq accuracy",)


def test_answers_beyond_the_official_test_set_are_told():
    submission = SuperGlueSubmission("wsc")
    assert submission.shortfall("test", map(str, range(146))) is None
    assert submission.shortfall("dev", ["0"]) is None
    found = submission.shortfall("test", ["0", "400"])
    assert found == (
        "WSC.jsonl must answer the official test set: 145 of 146 examples have no answer, first idx 1; "
        "1 answers belong to no example of it, first idx 400"
    )
