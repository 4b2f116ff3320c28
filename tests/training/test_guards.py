"""Who may carry out a run, whatever happens to the files around it."""

from __future__ import annotations

import signal
import threading

import pytest

from atinuke_bench.errors import BusyError, RunFolderError
from atinuke_bench.locks import marker_of
from atinuke_bench.run_folder import RunFolder, folder_of
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.guards import EndRequest, only_holder, sigterm_as_interrupt
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate


def test_a_run_stays_held_when_its_lock_is_removed(tmp_path):
    folder = RunFolder(tmp_path)
    with only_holder(folder):
        (tmp_path / ".lock").unlink()
        with pytest.raises(BusyError, match=r"another process is carrying out this run$"), only_holder(folder):
            raise AssertionError("two carry it out")
        assert folder.is_locked()
    assert not folder.is_locked()


def test_a_marker_in_place_of_a_lock_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    folder = RunFolder(tmp_path)
    marker_of(tmp_path / ".lock").write_text("1\nanother-machine\n", encoding="utf-8")
    with pytest.raises(BusyError, match=r"if none does, remove \.lock\.held"), only_holder(folder):
        raise AssertionError("two carry it out")


def test_a_wish_to_end_is_noted_while_it_is_held_and_a_second_one_ends_at_once():
    with sigterm_as_interrupt():
        before = signal.getsignal(signal.SIGTERM)
        request = EndRequest()
        request.hold()
        request.hold()
        assert not request.is_made
        signal.raise_signal(signal.SIGTERM)
        assert request.is_made
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("is_made", "ends"), [(True, KeyboardInterrupt), (False, RuntimeError)])
def test_what_fails_after_the_wish_to_end_is_the_end(is_made, ends):
    request = EndRequest()

    def lose_the_others():
        with request.settled():
            request.hold()
            if is_made:
                signal.raise_signal(signal.SIGTERM)
            raise RuntimeError("Connection closed by peer")

    with sigterm_as_interrupt():
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(ends):
            lose_the_others()
        assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("step", "kind", "message"),
    [
        ("training_step", signal.SIGINT, "interrupted by SIGINT after 1 whole epoch"),
        ("evaluation", signal.SIGTERM, "interrupted by SIGTERM after 2 whole epochs"),
    ],
)
def test_an_interrupted_run_says_what_ended_it_and_how_far_it_was(make_run, tmp_path, monkeypatch, step, kind, message):
    name = "validation_step" if step == "evaluation" else step
    original, signals = getattr(TaskModule, name), list[signal.Signals]()

    def signalled(self, *given):
        is_moment = self.trainer.state.fn == "validate" if step == "evaluation" else self.trainer.current_epoch == 1
        if is_moment and not signals:
            signals.append(kind)
            signal.raise_signal(kind)
        return original(self, *given)

    monkeypatch.setattr(TaskModule, name, signalled)
    prepared, folder = prepare(make_run(core="bilstm")), RunFolder(tmp_path / "run")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_and_evaluate(prepared, folder, Execution(show_progress=False))
    assert signal.getsignal(signal.SIGINT) is before
    failure = folder.read_failure()
    assert failure is not None
    assert (failure.failure_class, failure.message) == ("killed", message)
    assert f"failed: KeyboardInterrupt: {message}" in folder.log.read_text(encoding="utf-8")


def test_processes_that_begin_at_once_do_not_hinder_each_other(tmp_path):
    errors: list[RunFolderError] = []

    def create():
        try:
            for _ in range(50):
                RunFolder(tmp_path).create()
        except RunFolderError as error:
            errors.append(error)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_what_a_killed_process_left_of_files_is_removed(make_run, tmp_path):
    prepared = prepare(make_run(core="majority"))
    folder = folder_of(tmp_path, prepared.run, prepared.identity)
    folder.create()
    left = [folder.path / ".manifest.json.a1b2.part", folder.checkpoints / ".last.safetensors.c3d4.part"]
    for path in left:
        path.write_text("half", encoding="utf-8")
    train_and_evaluate(prepared, folder, Execution(show_progress=False))
    assert not any(path.exists() for path in left)


def test_a_run_says_once_that_its_cache_cannot_be_kept(make_run, tmp_path, monkeypatch, capfd):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ATINUKE_CACHE", str(tmp_path / "file" / "cache"))
    prepared = prepare(make_run(core="bilstm", training__max_epochs=1))
    folder = folder_of(tmp_path, prepared.run, prepared.identity)
    assert train_and_evaluate(prepared, folder, Execution())["score"] is not None
    assert capfd.readouterr().err.count("ATINUKE_CACHE") == 1
    assert folder.log.read_text(encoding="utf-8").count("ATINUKE_CACHE") == 1
