"""What W&B holds of a run after `sync`, whatever happened to the run before: sent to a stand-in on this machine."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from atinuke_bench.cli import main
from atinuke_bench.errors import DivergedError, PrunedError
from atinuke_bench.run_folder import RunFolder, find_runs
from atinuke_bench.runs.tracking import make_tracker
from atinuke_bench.runs.wandb_record import Note
from atinuke_bench.training.failure import write_failure
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

pytestmark = pytest.mark.slow

QUIET = Execution(show_progress=False)


@pytest.fixture(scope="module")
def standin():
    # Test folders are no packages, so a helper module is loaded by its path.
    spec = importlib.util.spec_from_file_location("wandb_server", Path(__file__).parent / "wandb_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(standin, tmp_path, monkeypatch):
    """An empty server, which `sync` talks to; none of the user's own settings."""
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    with standin.serve() as (server, address):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        yield server


@pytest.fixture(scope="module")
def trained(tmp_path_factory, official):
    """A finished run of two epochs."""
    from atinuke_bench.config import SourceConfig, make_run_config

    small = {"training.max_epochs": 2, "training.batch_tokens": 256, "tokenizer.vocab_size": 200}
    source = SourceConfig(data_dir=official)
    run = make_run_config("snli", "atinuke", preset="nano", source=source, overrides=small)
    folder = RunFolder(tmp_path_factory.mktemp("trained") / "run")
    train_and_evaluate(prepare(run), folder, QUIET)
    return folder


@pytest.fixture
def make_folder(trained, tmp_path):
    """`make_folder(name)`: a copy of the finished run under another identity; with `num_epochs`, not finished."""

    def make(name: str, *, num_epochs: int | None = None, is_under_way: bool = False) -> RunFolder:
        folder = RunFolder(tmp_path / "store" / name)
        shutil.copytree(trained.path, folder.path)
        Note(name, 1, "atinuke-bench", "grid", is_under_way).write(folder)
        if num_epochs is not None:
            folder.result.unlink()
            folder.write_history(folder.read_history()[:num_epochs])
        return folder

    return make


@pytest.fixture
def sync(tmp_path, monkeypatch, capsys):
    """`sync()`: the command on the whole store; its status and what it says."""

    def run(*options: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["atinuke-bench", "sync", str(tmp_path / "store"), *options])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().err

    return run


def test_a_finished_run_is_online_once_with_its_test_score(make_folder, server, sync):
    folder = make_folder("a0")
    result, history = folder.read_result(), folder.read_history()
    assert sync()[0] == 0
    online = server.runs["a0"]
    assert (online.state, online.group, online.config["identity"]) == ("finished", "grid", "a0")
    assert online.epochs == [0, 1]
    *epochs, table = online.history
    assert [row["loss"] for row in epochs] == pytest.approx([record["loss"] for record in history])
    assert [row["selection_score"] for row in epochs] == [record["score"] for record in history]
    assert table["predictions"]["nrows"] == 20
    assert online.summary["score"] == pytest.approx(result["score"])
    assert online.summary["state"] == "finished"
    assert not {"epoch", "loss", "calibration"} & online.summary.keys(), "an epoch's values are no result's"
    assert "nothing to upload" in sync()[1]
    assert online.num_uploads == 1
    assert list(folder.path.rglob("files/config.yaml")), "W&B leaves a config of its own"
    assert find_runs(folder.path.parent) == [folder]


def test_a_run_under_way_is_sent_as_it_is_and_whole_when_it_has_ended(make_folder, server, sync):
    folder = make_folder("a0", num_epochs=1, is_under_way=True)
    with folder.lock():
        assert sync()[0] == 0
    online = server.runs["a0"]
    assert (online.state, online.epochs) == ("running", [0])
    assert "score" not in online.summary
    shutil.rmtree(folder.path)
    make_folder("a0")
    assert sync()[0] == 0
    assert (online.state, online.epochs) == ("finished", [0, 1])
    assert online.summary["score"] is not None


def test_how_a_run_ended_is_told(make_folder, server, sync):
    torn = make_folder("killed", num_epochs=1, is_under_way=True).path / "wandb" / "offline-run-1" / "run-killed.wandb"
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b":W&B\x21\xbe\x00torn")
    for name, error in {
        "interrupted": KeyboardInterrupt("SIGTERM"),
        "pruned": PrunedError("stopped after epoch 1 of 2"),
        "diverged": DivergedError("the loss is not finite; see http://ada:swordfish@host/x"),
    }.items():
        write_failure(make_folder(name, num_epochs=1), error)
    status, said = sync()
    assert status == 0, said
    states = {name: (run.state, run.summary["state"]) for name, run in server.runs.items()}
    assert states == {
        "killed": ("preempted", "interrupted"),
        "interrupted": ("preempted", "interrupted"),
        "pruned": ("failed", "pruned"),
        "diverged": ("failed", "diverged"),
    }
    assert all("score" not in run.summary and run.epochs == [0] for run in server.runs.values())
    assert b"swordfish" not in server.received


def test_a_bad_run_holds_up_no_other(make_folder, server, sync):
    damaged, refused, full = make_folder("a-damaged"), make_folder("b-refused"), make_folder("c-full")
    damaged.config.write_text("[")
    torn = make_folder("b-torn")
    torn.predictions.write_bytes(b"PAR1")
    make_folder("d-good")
    server.refused.add("b-refused")
    server.full.add("c-full")
    status, said = sync()
    assert status == 1
    assert f"{damaged.path}: not uploaded: the run's folder cannot be read" in said
    assert f"{torn.path}: not uploaded: RunFolderError: {torn.predictions}: cannot be read as predictions" in said
    assert f"{refused.path}: not uploaded: " in said
    assert "run b-refused was deleted and cannot be written" in said
    assert f"{full.path}: not uploaded: wandb: ERROR" in said
    assert "1 runs uploaded, 4 not" in said
    server.refused.clear()
    server.full.clear()
    assert "2 runs uploaded, 2 not" in sync()[1]
    assert {name: run.epochs for name, run in server.runs.items()} == {
        "b-refused": [0, 1],
        "c-full": [0, 1],
        "d-good": [0, 1],
    }


def test_one_command_in_two_stores_is_one_run(make_folder, server, sync, tmp_path):
    folder = make_folder("a0")
    shutil.copytree(folder.path, tmp_path / "store" / "second" / "a0")
    assert sync()[0] == 0
    online = server.runs["a0"]
    assert (online.num_uploads, online.epochs, len(online.history)) == (2, [0, 1], 3)
    assert online.summary["score"] is not None


def test_a_resumed_run_goes_on_where_it_was(make_run, server, sync, tmp_path):
    prepared = prepare(make_run())
    folder = RunFolder(tmp_path / "store" / "run")

    def interrupt(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_and_evaluate(prepared, folder, QUIET, make_tracker("offline"), interrupt)
    assert sync()[0] == 0
    online = server.runs[prepared.identity]
    assert (online.state, online.epochs) == ("preempted", [0])
    train_and_evaluate(prepared, folder, QUIET, make_tracker("offline"))
    assert sync()[0] == 0
    assert (online.state, online.epochs) == ("finished", [0, 1])
    assert len(list((folder.path / "wandb").glob("offline-run-*"))) == 1, "earlier records are removed"


def test_a_run_that_is_trained_again_is_another_one_online(make_run, server, sync, tmp_path):
    prepared = prepare(make_run("snli", "majority"))
    folder = RunFolder(tmp_path / "store" / "run")
    train_and_evaluate(prepared, folder, QUIET, make_tracker("offline"))
    assert sync()[0] == 0
    train_and_evaluate(prepared, folder, QUIET, make_tracker("offline"), rerun=True)
    assert sync()[0] == 0
    assert {name: len(run.history) for name, run in server.runs.items()} == {
        prepared.identity: 1,
        f"{prepared.identity}-2": 1,
    }
