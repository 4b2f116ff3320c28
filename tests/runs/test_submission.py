"""The GLUE submission and the GLUE average, from finished runs."""

from __future__ import annotations

import shutil
import zipfile

import pandas as pd
import pytest

from atinuke_bench.config import MicroworldConfig, SourceConfig
from atinuke_bench.errors import CheckpointError, RunFolderError
from atinuke_bench.files import read_json, sha256_file, write_json
from atinuke_bench.registry import load_task, task_names
from atinuke_bench.run_folder import find_runs
from atinuke_bench.runs.execute import execute
from atinuke_bench.runs.submission import write_submission
from atinuke_bench.sealed import sealed
from atinuke_bench.tasks.glue.files import LAYOUTS

TASKS = [name for name in task_names() if name.startswith("glue/")]


@pytest.fixture
def store(make_run, tmp_path):
    """The floor of every GLUE task."""
    for task in TASKS:
        execute(make_run(task, "majority"), tmp_path / "runs", wandb="disabled", predicts_unlabelled=True)
    return tmp_path / "runs"


@pytest.fixture
def small_is_official(store, monkeypatch):
    """Test sets of the official size are those of the small files."""
    for folder in find_runs(store):
        result = folder.read_result()
        submission = load_task(result["task"]).submission
        monkeypatch.setattr(submission, "official_sizes", result["protocol"]["split_sizes"])


def test_the_submission_has_every_official_file_with_every_row(store, small_is_official, tmp_path):
    written = write_submission("GLUE", find_runs(store), tmp_path / "out" / "submission.zip")
    with zipfile.ZipFile(written.path) as archive:
        names = set(archive.namelist())
        rows = {name: archive.read(name).decode().splitlines() for name in names}
    assert names == {name for layout in LAYOUTS.values() for name in layout.submissions.values()}
    assert all(lines[0] == "index\tprediction" for lines in rows.values())
    (answer,) = {line.split("\t")[1] for line in rows["RTE.tsv"][1:]}
    assert answer in ("entailment", "not_entailment")
    assert [line.split("\t")[0] for line in rows["RTE.tsv"][1:]] == list("012345")
    assert all(len(lines) >= 6 for lines in rows.values())
    assert written.missing == written.shortfalls == ()
    # The floor answers STS-B with a constant, which has no correlation: no average can be stated.
    assert written.dev_averages["with WNLI"].score is None
    assert "glue/stsb pearson" in written.dev_averages["with WNLI"].missing


def test_missing_tasks_and_two_runs_of_one_task_are_refused(store, make_run, tmp_path):
    folders = find_runs(store)
    rte = [folder for folder in folders if "rte" in str(folder.path)]
    with pytest.raises(RunFolderError, match=r"needs all 11 files; missing AX.tsv, CoLA.tsv"):
        write_submission("GLUE", rte, tmp_path / "s.zip")
    assert write_submission("GLUE", rte, tmp_path / "s.zip", partial=True).files == ("RTE.tsv",)
    again, _ = execute(make_run("glue/rte", "majority", seed=1), store, wandb="disabled", predicts_unlabelled=True)
    with pytest.raises(RunFolderError, match="takes one run a task; 'glue/rte' has"):
        write_submission("GLUE", [*folders, again], tmp_path / "s.zip")


def test_a_file_that_two_runs_answer_differently_is_refused(store, make_run, tmp_path):
    ax, mnli = (
        next(one for one in find_runs(store) if one.read_result()["task"] == f"glue/{name}") for name in ("ax", "mnli")
    )
    both = write_submission("GLUE", [ax, mnli], tmp_path / "same.zip", partial=True)
    assert both.files == ("AX.tsv", "MNLI-m.tsv", "MNLI-mm.tsv")
    predictions = pd.read_parquet(ax.predictions)
    other = next(label for label in ("neutral", "entailment") if label != predictions["prediction"].iloc[0])
    predictions.assign(prediction=other).to_parquet(ax.predictions)
    with pytest.raises(CheckpointError, match=r"predictions\.parquet: missing or damaged"):
        write_submission("GLUE", [ax, mnli], tmp_path / "s.zip", partial=True)
    result = ax.read_result()
    result["artefacts"]["predictions.parquet"] = sha256_file(ax.predictions)
    write_json(ax.result, sealed(result))
    with pytest.raises(RunFolderError, match=r"AX\.tsv has other answers in \S*glue/ax/\S* than in \S*glue/mnli/"):
        write_submission("GLUE", [ax, mnli], tmp_path / "s.zip", partial=True)
    assert not (tmp_path / "s.zip").exists()


def test_without_test_predictions_the_way_to_them_is_named(make_run, tmp_path):
    run = make_run("glue/rte", "majority")
    folder, _ = execute(run, tmp_path / "runs", wandb="disabled")
    with pytest.raises(RunFolderError, match=r"missing .*RTE\.tsv.*; .*--predict-unlabelled"):
        write_submission("GLUE", [folder], tmp_path / "s.zip")
    execute(run, tmp_path / "runs", wandb="disabled", predicts_unlabelled=True)
    assert write_submission("GLUE", [folder], tmp_path / "s.zip", partial=True).files == ("RTE.tsv",)


def test_the_average_is_of_the_dev_sets_with_and_without_wnli():
    def result(task, **metrics):
        return {"task": task, "scores": {"dev": metrics}}

    results = [
        result("glue/cola", matthews_correlation=50.0),
        result("glue/mrpc", accuracy=60.0, f1=80.0),
        result("glue/qqp", accuracy=70.0, f1=70.0),
        result("glue/stsb", pearson=60.0, spearman=80.0),
        *(result(f"glue/{name}", accuracy=70.0) for name in ("sst2", "qnli", "rte")),
        {"task": "glue/mnli", "scores": {"dev_matched": {"accuracy": 60.0}, "dev_mismatched": {"accuracy": 80.0}}},
        result("glue/wnli", accuracy=10.0),
    ]
    averages = load_task("glue/cola").submission.averages
    with_wnli, without = averages(results).values()
    assert without.score == pytest.approx((50 + 7 * 70) / 8)
    assert with_wnli.score == pytest.approx((50 + 7 * 70 + 10) / 9)
    assert averages(results[:3])["with WNLI"].score is None


def test_a_cut_test_set_is_refused_and_partial_says_so(store, tmp_path, cli):
    with pytest.raises(
        RunFolderError,
        match=r"glue/ax/\S*: AX.tsv must answer the official test set: 1098 of 1104 rows have no answer, first index 6 "
        r"\(and 11 more such files\); --partial writes what there is$",
    ):
        write_submission("GLUE", find_runs(store), tmp_path / "s.zip")
    assert not (tmp_path / "s.zip").exists()
    rte = next(folder for folder in find_runs(store) if folder.read_result()["task"] == "glue/rte")
    done = cli("submit", rte.path, "--out", tmp_path / "s.zip", "--partial")
    assert done.status == 0
    assert "warning: partial submission; missing AX.tsv, CoLA.tsv" in done.err
    assert f"partial submission; {rte.path}: RTE.tsv must answer the official test set: 2994 of 3000" in done.err
    assert "other code" not in done.err


def test_a_submission_says_whose_code_has_changed_since(make_run, tmp_path, cli):
    folder, _ = execute(make_run("glue/rte", "majority"), tmp_path / "runs", wandb="disabled")
    manifest = read_json(folder.manifest)
    for digests in manifest["code"].values():
        digests["atinuke_bench.core.majority"] = "another"
    write_json(folder.manifest, manifest)
    done = cli("submit", folder.path, "--out", tmp_path / "s.zip", "--partial")
    assert f"{folder.path}: finished earlier with other code (atinuke_bench.core.majority)" in done.err


def test_each_test_set_of_mnli_is_checked_by_its_own_size(make_run, tmp_path):
    run = make_run("glue/mnli", "majority")
    folder, _ = execute(run, tmp_path / "runs", wandb="disabled", predicts_unlabelled=True)
    written = write_submission("GLUE", [folder], tmp_path / "s.zip", partial=True)
    sizes = {"AX.tsv": 1104, "MNLI-m.tsv": 9796, "MNLI-mm.tsv": 9847}
    assert set(written.files) == set(sizes)
    for (name, size), shortfall in zip(sizes.items(), written.shortfalls, strict=True):
        assert f"{name} must answer" in shortfall
        assert f" of {size} rows have no answer" in shortfall


def test_answers_to_generated_data_are_refused_whatever_their_number(make_run, tmp_path):
    world = {"train": 60, "dev": 20, "test": 146}
    run = make_run("glue/wnli", "majority").model_copy(
        update={"source": SourceConfig(kind="microworld", microworld=MicroworldConfig(**world))}
    )
    folder, _ = execute(run, tmp_path / "runs", wandb="disabled")
    (shortfall,) = write_submission("GLUE", [folder], tmp_path / "s.zip", partial=True).shortfalls
    assert shortfall.endswith("glue/wnli was run on generated data")


def test_a_test_set_with_a_deleted_line_is_short_at_that_number(make_run, official, tmp_path):
    folder = shutil.copytree(official / "glue/QQP", tmp_path / "data/glue/QQP")
    lines = (folder / "test.tsv").read_text(encoding="utf-8").splitlines(keepends=True)[:7]
    (folder / "test.tsv").write_text("".join(lines[:3] + lines[4:]), encoding="utf-8")
    run = make_run("glue/qqp", "majority").model_copy(update={"source": SourceConfig(data_dir=tmp_path / "data")})
    folder, _ = execute(run, tmp_path / "runs", wandb="disabled", predicts_unlabelled=True)
    submission = load_task("glue/qqp").submission
    written = write_submission("GLUE", [folder], tmp_path / "s.zip", partial=True)
    assert "390960 of 390965 rows have no answer, first index 2" in written.shortfalls[0]
    with zipfile.ZipFile(written.path) as archive:
        rows = archive.read("QQP.tsv").decode().splitlines()[1:]
    assert [row.split("\t")[0] for row in rows] == list("01345")
    assert submission.shortfall("dev", ["dev-0"]) is None
