"""What ends a run, or a process of one, by a signal costs it nothing that was done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from atinuke_bench.files import read_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.local import free_port
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.launchers import rank_environment
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.selection import EpochSelection
from atinuke_bench.training.train import train_and_evaluate

pytestmark = pytest.mark.slow

#: What is under way when a signal comes, and where the run goes on.
MOMENTS = {
    "a step": (TaskModule, "training_step", "after step 6 of epoch 1"),
    "the last step": (TaskModule, "training_step", "after epoch 1"),
    "the selection": (TaskModule, "validation_step", "after epoch 1"),
    "the choice": (EpochSelection, "on_train_epoch_end", "after epoch 1"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_sigterm_ends_in_an_epoch_loses_none_of_it(make_run, tmp_path, monkeypatch, assert_equal, moment):
    run = make_run(training__max_epochs=3, training__batch_tokens=48, core__dropout=0.3)
    whole = RunFolder(tmp_path / "whole")
    execution = Execution(show_progress=False)
    train_and_evaluate(prepare(run), whole, execution)
    steps_an_epoch = whole.read_history()[0]["step"]
    owner, name, place = MOMENTS[moment]
    step = {"a step": steps_an_epoch + 5, "the last step": 2 * steps_an_epoch - 1}.get(moment, 2 * steps_an_epoch)
    original, signals = getattr(owner, name), list[str]()

    def signalled(self, *given):
        trainer = given[0] if owner is EpochSelection else self.trainer
        if trainer.global_step == step and not signals:
            signals.append(moment)
            signal.raise_signal(signal.SIGTERM)
        return original(self, *given)

    cut = RunFolder(tmp_path / "cut")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, signalled)
        with pytest.raises(KeyboardInterrupt):
            train_and_evaluate(prepare(run), cut, execution)
    assert signals
    assert read_json(cut.failure)["class"] == "killed"
    train_and_evaluate(prepare(run), cut, execution)
    assert f"resuming {place}" in cut.log.read_text()
    assert_equal(cut, whole)


ENDED = """
import os, signal, sys
from atinuke_bench.cli import main
from atinuke_bench.training.module import TaskModule

original = TaskModule.training_step

def training_step(self, batch, batch_index):
    if self.global_step == int(os.environ.get("END_AT", "-1")):
        os.kill(os.getpid(), int(os.environ["END_BY"]))
    return original(self, batch, batch_index)

TaskModule.training_step = training_step
main()
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory, official):
    """`shared(store, num_processes, end_at)`: the folder of a run that as many processes share, and their statuses.

    At the step `end_at` the `ranks` get a signal.
    """
    place = tmp_path_factory.mktemp("shared")
    (place / "ended.py").write_text(ENDED)
    settings = ["training.max_epochs=2", "training.batch_tokens=32", "core.dropout=0.3", "tokenizer.vocab_size=200"]
    command = [sys.executable, place / "ended.py", "run", "--task", "snli", "--core", "atinuke"]
    command += ["--preset", "nano", "--data-dir", official, "--wandb", "disabled"]
    command += [part for setting in settings for part in ("--set", setting)]

    def carry_out(store, num_processes, end_at=-1, by=signal.SIGKILL, ranks=(0, 1), minutes=0):
        port, processes = free_port(), []
        for rank in range(num_processes):
            variables = rank_environment(rank, num_processes, port) if num_processes > 1 else {}
            variables |= {"END_AT": str(end_at), "END_BY": str(int(by))} if rank in ranks else {}
            arguments = [*command, "--checkpoint-minutes", str(minutes), "--out", place / store]
            processes.append(subprocess.Popen(arguments, env={**os.environ, **variables}))
        statuses = [process.wait(timeout=120) for process in processes]
        (config,) = (place / store).rglob("config.yaml")
        return RunFolder(config.parent), statuses

    return carry_out


@pytest.fixture(scope="module")
def whole_of_two(shared):
    """The run that two processes share, never interrupted."""
    whole, statuses = shared("whole", 2)
    assert statuses == [0, 0]
    assert whole.read_history()[0]["step"] > 17
    return whole


def test_processes_that_are_killed_within_an_epoch_go_on_with_the_same_bits(shared, whole_of_two, assert_equal):
    cut, statuses = shared("killed", 2, whole_of_two.read_history()[0]["step"] + 17)
    assert -signal.SIGKILL in statuses
    cut, statuses = shared("killed", 2)
    assert statuses == [0, 0]
    assert "resuming after step 16 of epoch 1" in cut.log.read_text()
    assert_equal(cut, whole_of_two)


def test_processes_of_which_one_gets_sigterm_save_the_same_step_and_go_on_with_the_same_bits(
    shared, whole_of_two, assert_equal
):
    end_at = whole_of_two.read_history()[0]["step"] + 10
    cut, statuses = shared("ended", 2, end_at, by=signal.SIGTERM, ranks=[1], minutes=30)
    assert statuses == [130, 130]
    assert "saved at step 11 of epoch 1" in cut.log.read_text()
    cut, statuses = shared("ended", 2, minutes=30)
    assert statuses == [0, 0]
    assert "resuming after step 11 of epoch 1" in cut.log.read_text()
    assert_equal(cut, whole_of_two)


def test_another_number_of_processes_goes_on_from_the_end_of_the_epoch_before(shared):
    cut, statuses = shared("alone", 1, end_at=35)
    assert statuses == [-signal.SIGKILL]
    assert len(cut.read_history()) == 1
    assert cut.middle_checkpoint.exists()
    cut, statuses = shared("alone", 2)
    assert statuses == [0, 0]
    log = cut.log.read_text()
    assert "saved by 1 processes, and now there are 2" in log
    assert "resuming after epoch 0" in log
    assert len(cut.read_history()) == 2
