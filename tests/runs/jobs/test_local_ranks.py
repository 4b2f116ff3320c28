"""What the executor does with the other processes of a run when one of them ends."""

from __future__ import annotations

from multiprocessing import Pipe
from pathlib import Path
from typing import Any, cast

import pytest

from atinuke_bench.config import RunConfig
from atinuke_bench.errors import FailureClass
from atinuke_bench.runs.jobs import local
from atinuke_bench.runs.jobs.local import LocalExecutor
from atinuke_bench.runs.jobs.types import Event, Failed, Job


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
