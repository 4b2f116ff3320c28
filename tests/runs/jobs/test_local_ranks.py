"""What the executor does with the other processes of a run when one of them ends."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, cast

import pytest
from safetensors.torch import load_file

from atinuke_bench.config import RunConfig, SourceConfig, make_run_config
from atinuke_bench.errors import FailureClass, PrunedError
from atinuke_bench.run_folder import folder_of
from atinuke_bench.runs.execute import execute
from atinuke_bench.runs.jobs import local
from atinuke_bench.runs.jobs.local import LocalExecutor
from atinuke_bench.runs.jobs.types import Event, Failed, Job
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate


class EndedProcess:
    """A process that has ended by the time anybody looks."""

    pid = None
    exitcode: int | None = 0

    def join(self, timeout: float | None = None) -> None:
        return None

    def is_alive(self) -> bool:
        return False


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The processes that were killed by force."""
    found: list[Any] = []
    monkeypatch.setattr(local, "_kill", found.extend)
    return found


@pytest.fixture
def shared(make_run: Any, tmp_path: Path) -> tuple[LocalExecutor, list[Any]]:
    """An executor that carries out a run of two processes, and their ends of the connections."""
    executor = LocalExecutor(1)
    ours, theirs = zip(*(Pipe() for _ in range(2)), strict=True)
    job = Job("run", cast(RunConfig, make_run()), tmp_path)
    processes = cast(Any, [EndedProcess(), EndedProcess()])
    executor._running["run"] = local._Running(job, processes, list(ours))
    return executor, list(theirs)


def drain(executor: LocalExecutor) -> list[Event]:
    return [event for _ in range(4) for event in executor.events(0.05)]


def test_a_process_that_fails_in_order_leaves_the_others_time_to_end(shared, killed):
    executor, (first, second) = shared
    second.send(Failed("run", FailureClass.PRUNED, "stopped after epoch 2 of 50"))
    second.close()
    assert drain(executor) == []
    assert killed == []  # the first process may be about to write why
    first.send(Failed("run", FailureClass.PRUNED, "stopped after epoch 2 of 50"))
    first.close()
    (event,) = drain(executor)
    assert isinstance(event, Failed)
    assert event.failure_class == FailureClass.PRUNED
    assert killed == []


def test_they_are_not_waited_for_without_end(shared, killed, monkeypatch):
    monkeypatch.setattr(local, "_ORDERLY_SECONDS", 0.0)
    executor, (_, second) = shared
    second.send(Failed("run", FailureClass.DIVERGED, "the loss is nan"))
    second.close()
    drain(executor)
    assert killed


def test_a_process_that_is_lost_takes_the_others_with_it(shared, killed):
    executor, (_, second) = shared
    second.close()
    drain(executor)
    assert killed


def test_a_run_goes_on_with_another_number_of_processes(tmp_path):
    """One process begins, three go on, with a split that has fewer rows than there are processes."""
    sizes = {f"source.microworld.{split}": size for split, size in (("train", 20), ("dev", 4), ("test", 2))}
    settings = {"core.dropout": 0.0, "training.max_epochs": 2, "training.batch_tokens": 128, **sizes}
    run = make_run_config("snli", "bilstm", preset="nano", source=SourceConfig(kind="microworld"), overrides=settings)
    prepared = prepare(run)
    alone = folder_of(tmp_path / "alone", prepared.run, prepared.identity)
    shared = folder_of(tmp_path / "shared", prepared.run, prepared.identity)
    quiet = Execution(show_progress=False)
    expected = train_and_evaluate(prepared, alone, quiet)
    with pytest.raises(PrunedError):
        train_and_evaluate(prepared, shared, quiet, should_continue=lambda record: False)
    _, result = execute(run, tmp_path / "shared", wandb="disabled", execution=replace(quiet, devices=3))
    assert len(shared.read_history()) == len(alone.read_history()) == 2
    weights = load_file(shared.best_checkpoint)
    for name, right in load_file(alone.best_checkpoint).items():
        assert (weights[name] - right).norm() <= 1e-4 * right.norm(), name
    assert result["scores"] == expected["scores"]


@pytest.mark.parametrize(("length", "is_too_long"), [(40, False), (79, False), (80, True), (200, True)])
def test_sockets_lie_where_their_paths_are_short_enough(monkeypatch, length, is_too_long):
    asked: list[str | None] = []
    monkeypatch.setattr(local, "get_temp_dir", lambda: asked.append(tempfile.tempdir))
    long = "/" + "x" * (length - 1)
    monkeypatch.setattr(tempfile, "tempdir", long)
    LocalExecutor(1)
    assert asked == (["/tmp"] if is_too_long else [])
    assert tempfile.tempdir == long, "other files lie where the user wants them"
