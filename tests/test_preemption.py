"""A job that SLURM warns ends in order, and is queued again where it is not done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from atinuke_bench.cli.preemption import requeued_when_preempted
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.guards import sigterm_as_interrupt
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate


@pytest.fixture
def scontrol(tmp_path, monkeypatch) -> Iterator[Path]:
    """The file in which a stand-in for SLURM's command notes what it is asked."""
    asked, command = tmp_path / "asked", tmp_path / "scontrol"
    command.write_text(
        f'#!/bin/sh\necho "$@" >> {asked}\n[ "$2" != 13 ] || {{ echo "is not a batch job" >&2; exit 1; }}\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    # Other packages, such as Ray, leave handlers of their own in a process.
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield asked
    signal.signal(signal.SIGTERM, before)


def warn_and_work(kind: signal.Signals = signal.SIGUSR1) -> None:
    os.kill(os.getpid(), kind)
    for _ in range(100):
        time.sleep(0.01)
    raise AssertionError("nothing ended it")


def test_a_warned_job_ends_as_at_sigterm_and_is_queued_again(scontrol, capsys):
    before = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"), requeued_when_preempted(), sigterm_as_interrupt():
        warn_and_work()
    assert scontrol.read_text() == "requeue 12\n"
    assert "job 12 is queued again" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_warned_run_saves_its_epoch_and_is_queued_again(scontrol, make_run, tmp_path, monkeypatch):
    original = TaskModule.training_step

    def training_step(self, batch, batch_index):
        if batch_index == 2:
            os.kill(os.getpid(), signal.SIGUSR1)
        return original(self, batch, batch_index)

    monkeypatch.setattr(TaskModule, "training_step", training_step)
    prepared, folder = prepare(make_run(training__batch_tokens=48)), RunFolder(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt), requeued_when_preempted():
        train_and_evaluate(prepared, folder, Execution(show_progress=False))
    assert folder.middle_checkpoint.exists()
    assert "saved at step 3 of epoch 0" in folder.log.read_text()
    assert scontrol.read_text() == "requeue 12\n"


def test_so_it_is_before_anything_is_carried_out(scontrol):
    with pytest.raises(KeyboardInterrupt), requeued_when_preempted():
        warn_and_work()
    assert scontrol.exists()


def test_sigterm_alone_queues_nothing(scontrol):
    with pytest.raises(KeyboardInterrupt), requeued_when_preempted(), sigterm_as_interrupt():
        warn_and_work(signal.SIGTERM)
    assert not scontrol.exists()


@pytest.mark.parametrize(("code", "is_queued"), [(None, False), (0, False), (130, True)])
def test_what_is_done_is_not_queued_again(scontrol, code, is_queued):
    def end() -> None:
        with requeued_when_preempted():
            try:
                warn_and_work()
            except KeyboardInterrupt:
                raise SystemExit(code) from None

    with pytest.raises(SystemExit):
        end()
    assert scontrol.exists() == is_queued


def test_of_several_processes_the_first_one_asks(scontrol, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "1")
    with pytest.raises(KeyboardInterrupt), requeued_when_preempted():
        warn_and_work()
    assert not scontrol.exists()


def test_a_refusal_of_slurm_is_told(scontrol, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_JOB_ID", "13")
    with pytest.raises(KeyboardInterrupt), requeued_when_preempted():
        warn_and_work()
    assert "job 13 could not be queued again: is not a batch job" in capsys.readouterr().err


def test_outside_of_slurm_the_signal_means_what_it_meant(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    before = signal.getsignal(signal.SIGUSR1)
    with requeued_when_preempted():
        assert signal.getsignal(signal.SIGUSR1) is before
