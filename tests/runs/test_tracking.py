"""The W&B record of a run, read back from disk; a tracker that fails; the run that goes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
from pathlib import Path

import pytest

from atinuke_bench.cli import main
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.execute import execute
from atinuke_bench.runs.tracking import make_tracker
from atinuke_bench.runs.wandb_record import Note
from atinuke_bench.runs.wandb_upload import needs_upload
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

QUIET = Execution(show_progress=False)


def records_of(path: Path) -> list:
    """Every record of a `.wandb` file: 7 bytes of header, then LevelDB's log format in blocks of 32 KiB."""
    from wandb.proto import wandb_internal_pb2

    content = path.read_bytes()
    assert content[:4] == b":W&B"
    records, place, part = [], 7, b""
    while place + 7 <= len(content):
        _, length, kind = struct.unpack_from("<IHB", content, place)
        if kind == 0:  # the rest of the block is empty
            place = (place // 32768 + 1) * 32768
            continue
        part += content[place + 7 : place + 7 + length]
        place += 7 + length
        if 32768 - place % 32768 < 7:
            place = (place // 32768 + 1) * 32768
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(part)
            records.append(record)
            part = b""
    return records


def name_of(item) -> str:
    return item.key or ".".join(item.nested_key)


@pytest.fixture
def offline_home(tmp_path, monkeypatch):
    """No key, no configuration of the user's."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    for name in ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.mark.parametrize("damage", ["", "[]", "null", '{"identity": "x", "training": "2"}', '{"training": 1}'])
def test_a_damaged_note_is_written_anew(make_run, tmp_path, damage):
    prepared, folder = prepare(make_run("snli", "majority")), RunFolder(tmp_path / "run")
    folder.create()
    (folder.path / ".wandb.json").write_text(damage)
    make_tracker("offline", group="grid").start(prepared, folder)
    assert Note.read(folder) == Note(prepared.identity, 1, "atinuke-bench", "grid", is_under_way=True)


def test_one_offline_record_holds_config_history_summary_and_predictions(make_run, tmp_path, offline_home):
    folder = RunFolder(tmp_path / "run")
    result = train_and_evaluate(prepare(make_run()), folder, QUIET, make_tracker("offline", group="grid"))
    note = folder.path / ".wandb.json"
    assert note.stat().st_mtime_ns < folder.result.stat().st_mtime_ns, "a kill would leave half a note for good"
    (file,) = (folder.path / "wandb").rglob("*.wandb")
    records = records_of(file)
    (header,) = [record.run for record in records if record.HasField("run")]
    assert header.run_id == result["identity"]
    assert header.run_group == "grid"
    config = {item.key: json.loads(item.value_json) for item in header.config.update}
    assert config["core"]["name"] == "atinuke"
    assert config["identity"] == result["identity"]

    history = [
        {name_of(item): json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]
    *epochs, table = history
    assert [row["loss"] for row in epochs] == pytest.approx([record["loss"] for record in folder.read_history()])
    assert [row["_step"] for row in epochs] == [row["epoch"] for row in epochs]
    assert not [row for row in history if "score" in row], "an epoch's score is not the run's"
    assert table["predictions._type"] == "table-file"
    assert table["predictions.nrows"] == 20

    summary: dict[str, str] = {}
    for record in records:
        if record.HasField("summary"):
            summary |= {name_of(item): item.value_json for item in record.summary.update}
    assert json.loads(summary["score"]) == pytest.approx(result["score"])


def test_a_tracker_that_fails_is_logged_and_the_run_goes_on(make_run, tmp_path, offline_home):
    folder = RunFolder(tmp_path / "run")
    folder.create()
    (folder.path / "wandb").write_text("in the way of W&B's folder")
    train_and_evaluate(prepare(make_run()), folder, QUIET, make_tracker("offline"))
    assert folder.is_finished()
    assert "W&B has no record of this run: " in folder.log.read_text()


def test_no_command_line_and_no_variable_of_the_shell_is_recorded(make_run, tmp_path, offline_home, monkeypatch):
    secret = "swordfish-" + "0" * 30
    monkeypatch.setattr("sys.argv", ["atinuke-bench", "--storage", f"postgresql://ada:{secret}@host/studies"])
    monkeypatch.setenv("WANDB_API_KEY", secret)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://ada:{secret}@127.0.0.1:9")
    folder = RunFolder(tmp_path / "run")
    train_and_evaluate(prepare(make_run("snli", "majority")), folder, QUIET, make_tracker("offline"))
    (file,) = (folder.path / "wandb").rglob("*.wandb")
    assert not [record for record in records_of(file) if record.HasField("environment")]
    for path in folder.path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_disabled_leaves_no_record(make_run, tmp_path):
    folder = RunFolder(tmp_path / "run")
    train_and_evaluate(prepare(make_run()), folder, QUIET, make_tracker("disabled"))
    assert not (folder.path / "wandb").exists()


@pytest.fixture(params=["refuses", "never answers"])
def bad_host(request, offline_home, monkeypatch):
    """A W&B host that refuses every connection, or takes it and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if request.param == "never answers":
            server.listen(64)
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        yield server


def test_a_host_that_cannot_be_talked_to_holds_up_no_run(make_run, tmp_path, bad_host, monkeypatch):
    uploads = []

    def start(*arguments, **options):
        uploads.append(really(*arguments, **options))
        return uploads[-1]

    really = subprocess.Popen
    monkeypatch.setattr("atinuke_bench.runs.wandb_upload.subprocess.Popen", start)
    folder = RunFolder(tmp_path / "run")
    result = train_and_evaluate(prepare(make_run()), folder, QUIET, make_tracker("online"))
    assert folder.is_finished()
    assert result["score"] is not None
    # The upload is a process that nobody waits for.
    (upload,) = [process for process in uploads if isinstance(process.args, list) and "sync" in process.args]
    os.killpg(upload.pid, signal.SIGKILL)
    upload.wait()
    assert needs_upload(folder)


def test_sync_says_why_it_could_not_upload(make_run, tmp_path, bad_host, capsys, monkeypatch):
    store = tmp_path / "store"
    folder, _ = execute(make_run(), store, execution=QUIET)
    monkeypatch.setattr("sys.argv", ["atinuke-bench", "sync", str(store), "--timeout", "4"])
    with pytest.raises(SystemExit, match="1"):
        main()
    printed = capsys.readouterr().err
    assert f"{folder.path}: not uploaded: " in printed
    assert "0 runs uploaded, 1 not" in printed
    assert needs_upload(folder)
