"""`diagnose` on the command line: finished, failed and interrupted runs, and the scan of learning rates."""

from __future__ import annotations

import json

import pytest

from atinuke_bench.errors import DivergedError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs import rate_scan
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

QUIET = Execution(show_progress=False)


@pytest.fixture
def runs(make_run, tmp_path, monkeypatch):
    """A finished run and one that diverged."""
    train_and_evaluate(prepare(make_run(training__max_epochs=1)), RunFolder(tmp_path / "runs/done"), QUIET)

    def diverges(self, batch, batch_index):
        raise DivergedError("the loss is nan at step 0")

    with monkeypatch.context() as patch:
        patch.setattr(TaskModule, "training_step", diverges)
        with pytest.raises(DivergedError):
            train_and_evaluate(prepare(make_run(seed=1)), RunFolder(tmp_path / "runs/failed"), QUIET)
    return tmp_path / "runs"


def test_every_run_is_diagnosed_whatever_became_of_it(runs, cli):
    said = cli("diagnose", runs, "--json")
    assert said.status == 0
    records = {record["folder"].rpartition("/")[2]: record for record in json.loads(said.out)["runs"]}
    assert records["failed"]["findings"][0]["name"] == "diverging"
    assert records["failed"]["findings"][0]["try"]
    assert records["done"]["core"] == "atinuke-nano"
    shown = cli("diagnose", runs)
    assert "diverging (serious)" in shown.out
    assert "try: training.learning_rate=" in shown.out


def test_a_scan_trains_apart_from_the_store(runs, cli, tmp_path, monkeypatch):
    monkeypatch.setattr(rate_scan, "NUM_RATES", 2)
    before = sorted(runs.rglob("*"))
    said = cli("diagnose", runs / "done", "--lr-scan", "--scan-out", tmp_path / "scan", "--json")
    assert said.status == 0, said.err
    scan = json.loads(said.out)["lr_scan"]
    assert len(scan["rates"]) == 2
    assert all(rate["first"] > 0 for rate in scan["rates"])
    assert sorted(runs.rglob("*")) == before
    assert len(list((tmp_path / "scan").glob("rate-*/steps.parquet"))) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lr-scan"], "--lr-scan is of one run; found 2"),
        (["--scan-out", "x"], "nearest: --lr-scan"),
    ],
)
def test_mistakes_are_told_in_a_line(runs, cli, arguments, message):
    said = cli("diagnose", runs, *arguments)
    assert said.status == 2
    assert message in said.err
    assert said.err.count("\n") == 1


def test_a_place_without_runs_is_named(cli, tmp_path):
    assert "no run at or below" in cli("diagnose", tmp_path).err
