"""The loop of jobs, over an executor that plays them: signals, errors, and what becomes of the other jobs then."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from atinuke_bench.errors import FailureClass
from atinuke_bench.runs.jobs import loop
from atinuke_bench.runs.jobs.loop import JobLoop, carry_out
from atinuke_bench.runs.jobs.types import EpochDone, Event, Failed, Finished, Job, Started

FOLDER = Path("folder")


class Player:
    """Starts jobs that run until they are stopped; `play(key)` gives what a job says at once."""

    def __init__(self, play: Callable[[str], list[Event]] = lambda key: [], *, obeys: bool = True) -> None:
        self.play, self.slots, self.obeys = play, 2, obeys
        self.started: list[str] = []
        self.stopped: list[tuple[str, bool]] = []
        self.queue: list[Event] = []
        self.running: set[str] = set()

    def start(self, job: Job) -> None:
        self.started.append(job.key)
        self.running.add(job.key)
        self.queue += self.play(job.key)

    def events(self, timeout: float) -> list[Event]:
        events, self.queue = self.queue, []
        self.running -= {event.key for event in events if isinstance(event, Finished | Failed)}
        if not events:
            time.sleep(min(timeout, 0.01))
        return events

    def answer(self, key: str, should_continue: bool) -> None:
        raise AssertionError("no job asks")

    def stop(self, key: str, *, at_once: bool = False) -> None:
        self.stopped.append((key, at_once))
        if key in self.running and (self.obeys or at_once):
            self.queue.append(Failed(key, FailureClass.KILLED, "told to stop"))

    def close(self) -> None:
        pass


class Endless:
    """An agenda that never ends and remembers what it is told."""

    def __init__(self, make_job, on_event=lambda event: None):
        self.make_job, self.on_event = make_job, on_event
        self.seen, self.num_jobs = [], 0

    def next_job(self):
        self.num_jobs += 1
        return self.make_job(str(self.num_jobs))

    def is_over(self):
        return False

    def handle(self, event):
        self.seen.append(event)
        self.on_event(event)

    def tick(self):
        pass


@pytest.fixture
def make_job(make_run, tmp_path):
    run = make_run("glue/wnli")
    return lambda key: Job(key, run, tmp_path)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def kind(request):
    """A signal that this process does not ignore."""
    before = signal.signal(request.param, signal.default_int_handler)
    yield request.param
    signal.signal(request.param, before)


def press(kind: signal.Signals) -> list[Event]:
    """Send this process a signal; what a job says meanwhile, nothing."""
    os.kill(os.getpid(), kind)
    return []


def ends(key: str) -> list[Event]:
    return [Started(key, FOLDER), EpochDone(key, {}), Finished(key, {"score": 1.0})]


def test_a_batch_gives_folders_and_ends_and_never_fills_more_than_the_slots(make_job):
    player = Player(lambda key: ends(key) if key != "2" else [Failed(key, FailureClass.DIVERGED, "the loss is nan")])
    told: list[Finished | Failed] = []
    folders, ended = carry_out(map(make_job, "12345"), player, told.append)
    assert player.started == list("12345")
    assert folders == dict.fromkeys("1345", FOLDER)
    failed = {key: end.failure_class for key, end in ended.items() if isinstance(end, Failed)}
    assert failed == {"2": "diverged"}
    assert sorted(event.key for event in told) == list("12345")
    assert player.stopped == []


def test_a_signal_ends_the_jobs_in_order(make_job, kind):
    player = Player(lambda key: press(kind) if key == "2" else [])
    handler, agenda = signal.getsignal(kind), Endless(make_job)
    with pytest.raises(KeyboardInterrupt):
        JobLoop(player, agenda).run()
    assert sorted(player.stopped) == [("1", False), ("2", False)]
    assert {event.key for event in agenda.seen} == {"1", "2"}
    assert signal.getsignal(kind) is handler


def test_a_second_signal_ends_at_once_what_does_not_end_in_order(make_job, kind):
    class PressedAgain(Player):
        def stop(self, key: str, *, at_once: bool = False) -> None:
            super().stop(key, at_once=at_once)
            if len(self.stopped) == 2:
                press(kind)

    player = PressedAgain(lambda key: press(kind) if key == "2" else [], obeys=False)
    with pytest.raises(KeyboardInterrupt):
        JobLoop(player, Endless(make_job)).run()
    assert sorted(player.stopped) == [("1", False), ("1", True), ("2", False), ("2", True)]


def test_what_never_ends_is_not_waited_for_without_end(make_job, monkeypatch):
    monkeypatch.setattr(loop, "_STOP_SECONDS", 0.05)

    def fail(event):
        raise ValueError("a mistake")

    player = Player(lambda key: [Started(key, FOLDER)], obeys=False)
    with pytest.raises(ValueError, match="a mistake"):
        JobLoop(player, Endless(make_job, fail)).run()


def test_an_error_of_the_agenda_loses_no_event(make_job):
    def fail_once(event):
        if isinstance(event, Failed) and event.failure_class == "data":
            raise ValueError("no such data")

    # Both end in the same moment, and the first end is an error.
    player = Player(lambda key: [Failed(key, FailureClass.DATA, "missing")] if key == "1" else ends(key))
    agenda = Endless(make_job, fail_once)
    with pytest.raises(ValueError, match="no such data"):
        JobLoop(player, agenda).run()
    assert [type(event) for event in agenda.seen if event.key == "2"] == [Started, EpochDone, Finished]


def test_a_signal_that_the_process_ignores_is_ignored(make_job, kind):
    signal.signal(kind, signal.SIG_IGN)  # as nohup does
    player = Player(lambda key: press(kind) + ends(key))
    _, ended = carry_out([make_job("1")], player)
    assert isinstance(ended["1"], Finished)


def test_a_batch_may_wait_for_runs_that_others_carry_out(make_job, monkeypatch):
    monkeypatch.setattr(loop, "LOOK_AGAIN_SECONDS", 0.02)
    answers: dict[str, list[Event]] = {
        "1": [Failed("1", FailureClass.BUSY, "elsewhere"), Finished("1", {})],
        "2": [Finished("2", {})],
    }
    player = Player(lambda key: [answers[key].pop(0)])
    _, ended = carry_out(map(make_job, "12"), player, awaits_others=True)
    assert player.started == ["1", "2", "1"]
    assert ended == {"1": Finished("1", {}), "2": Finished("2", {})}
    _, ended = carry_out([make_job("1")], Player(lambda key: [Failed("1", FailureClass.BUSY, "elsewhere")]))
    assert isinstance(ended["1"], Failed)
