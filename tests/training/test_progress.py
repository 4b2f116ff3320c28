"""What a run says off a terminal before its first epoch ends."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from atinuke_bench.training import progress


@pytest.fixture
def watched(make_run, monkeypatch):
    """A run's progress off a terminal, its clock, and what it has printed."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now.seconds)
    shown = io.StringIO()
    return progress.RunProgress(make_run(), Console(file=shown, width=60)), now, shown


def step(number, epoch=0):
    return SimpleNamespace(current_epoch=epoch, global_step=number, num_training_batches=1000, is_global_zero=True)


def test_a_long_epoch_says_how_long_it_takes_and_once_a_minute_how_far_it_is(watched):
    own, now, shown = watched
    own.on_train_start(step(0), None)
    assert shown.getvalue() == "snli atinuke-nano seed 0  training begins: at most 2 epochs of 1,000 steps\n"
    for number in range(1, 261):
        now.seconds += 0.5
        own.on_train_batch_end(step(number), None, None, None, number - 1)
    lines = shown.getvalue().splitlines()[1:]
    assert [re.findall(r"step ([\d,]+)/1,000", line) for line in lines] == [["20"], ["140"], ["260"]]
    assert lines[0].endswith("epoch 1/2  step 20/1,000  about 8 min 20 s an epoch, at most 16 min 30 s left")


def test_a_resumed_run_counts_its_own_steps_alone(watched):
    own, now, shown = watched
    own.on_train_start(step(1500, epoch=1), None)
    assert "at most 1 epoch of" in shown.getvalue()
    now.seconds += 20
    own.on_train_batch_end(step(1510, epoch=1), None, None, None, 0)
    assert (
        shown.getvalue()
        .splitlines()[-1]
        .endswith("epoch 2/2  step 510/1,000  about 33 min 20 s an epoch, at most 16 min 20 s left")
    )


def test_other_processes_of_a_run_say_nothing(watched):
    own, now, shown = watched
    quiet = step(0)
    quiet.is_global_zero = False
    own.on_train_start(quiet, None)
    now.seconds += 100
    own.on_train_batch_end(quiet, None, None, None, 0)
    assert shown.getvalue() == ""
