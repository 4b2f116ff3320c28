"""The GLUE submission and the GLUE average, from finished runs."""

from __future__ import annotations

import zipfile

import pytest

from atinuke_bench.errors import RunFolderError
from atinuke_bench.registry import load_task, task_names
from atinuke_bench.run_folder import find_runs
from atinuke_bench.runs.execute import execute
from atinuke_bench.runs.submission import write_submission
from atinuke_bench.tasks.glue.files import LAYOUTS

TASKS = [name for name in task_names() if name.startswith("glue/")]


@pytest.fixture
def store(make_run, tmp_path):
    """The floor of every GLUE task."""
    for task in TASKS:
        execute(make_run(task, "majority"), tmp_path / "runs", wandb="disabled")
    return tmp_path / "runs"


def test_the_submission_has_every_official_file_with_every_row(store, tmp_path):
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
    # The floor answers STS-B with a constant, which has no correlation: no average can be stated.
    assert written.dev_averages["with WNLI"].score is None
    assert "glue/stsb pearson" in written.dev_averages["with WNLI"].missing


def test_missing_tasks_and_two_runs_of_one_task_are_refused(store, make_run, tmp_path):
    folders = find_runs(store)
    rte = [folder for folder in folders if "rte" in str(folder.path)]
    with pytest.raises(RunFolderError, match=r"needs all 11 files; missing AX.tsv, CoLA.tsv"):
        write_submission("GLUE", rte, tmp_path / "s.zip")
    assert write_submission("GLUE", rte, tmp_path / "s.zip", partial=True).files == ("RTE.tsv",)
    again, _ = execute(make_run("glue/rte", "majority", seed=1), store, wandb="disabled")
    with pytest.raises(RunFolderError, match="takes one run a task; 'glue/rte' has"):
        write_submission("GLUE", [*folders, again], tmp_path / "s.zip")


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
