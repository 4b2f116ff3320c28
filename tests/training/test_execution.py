"""Which processes a run is shared by, and how it is timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pytorch_lightning.plugins.environments import SLURMEnvironment
from safetensors.torch import load_file

from atinuke_bench.core.build import build_core
from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.errors import ConfigError, DivergedError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.local import free_port
from atinuke_bench.training import cost
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.launchers import rank_environment
from atinuke_bench.training.module import TaskModule

#: The fourth of four processes that srun started on two nodes.
STEP = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_STEP_NODELIST": "node[3-4]",
    "SLURM_JOB_NODELIST": "node[1-4]",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}


@pytest.fixture
def environment(monkeypatch):
    """`environment(variables)`: those variables, and no others of torchrun or SLURM."""

    def use(variables):
        for name in os.environ:
            if name.startswith("SLURM_") or name in rank_environment(0, 1, 1):
                monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return use


@pytest.fixture
def gpus(monkeypatch):
    """`gpus(number)`: so many are visible to this process."""

    def show(number):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: number > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: number)

    return show


def place_of(execution):
    return execution.devices, execution.size, execution.rank, execution.local_rank


def test_a_process_that_nobody_launched_is_alone(environment):
    environment({})
    assert Execution().under_launcher() == Execution()


def test_processes_of_torchrun_are_joined(environment):
    environment(rank_environment(1, 2, 29_500))
    joined = Execution().under_launcher()
    assert place_of(joined) == (2, 2, 1, 1)
    with pytest.raises(ConfigError, match="3, but 2 processes started on this node; nearest: --nproc-per-node=3"):
        Execution(devices=3).under_launcher()


def test_processes_of_torchrun_on_other_machines_are_joined(environment):
    environment(rank_environment(5, 8, 29_500, "head") | {"LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"})
    joined = Execution().under_launcher()
    assert place_of(joined) == (4, 8, 5, 1)
    assert (joined.cluster_environment().main_address, joined.cluster_environment().main_port) == ("head", 29_500)


def test_tasks_of_srun_are_joined_and_never_requeued_by_lightning(environment):
    environment(STEP)
    joined = Execution().under_launcher()
    assert place_of(joined) == (2, 4, 3, 1)
    found = joined.cluster_environment()
    assert found.main_address == "node3", "the first node of the step, not of the job"
    assert not isinstance(found, SLURMEnvironment)
    environment(STEP | {"SLURM_STEP_ID": "1"})
    assert joined.cluster_environment().main_port != found.main_port, "two steps may lie on one node"


def test_nodes_may_have_unequal_numbers_of_tasks(environment):
    environment(STEP | {"SLURM_STEP_TASKS_PER_NODE": "3,1", "SLURM_LOCALID": "0"})
    assert place_of(Execution().under_launcher()) == (1, 4, 3, 0)


def test_one_task_a_node_is_told_what_starts_a_process_a_device(environment):
    environment(STEP | {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_TASKS_PER_NODE": "1(x2)", "SLURM_PROCID": "1"})
    with pytest.raises(ConfigError, match="4, but one process started on this node; nearest: --ntasks-per-node=4"):
        Execution(devices=4).under_launcher()
    # On one node there is nothing that it would have to agree on with others.
    environment(STEP | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_TASKS_PER_NODE": "1"})
    assert Execution(devices=4).under_launcher() == Execution(devices=4)


def test_the_script_of_a_slurm_job_is_one_process_whatever_was_asked_for(environment):
    environment({name: value for name, value in STEP.items() if "STEP" not in name} | {"SLURM_PROCID": "0"})
    assert Execution().under_launcher() == Execution()


def test_processes_that_share_a_run_on_slurm_are_those_that_were_started_for_it(environment):
    environment(STEP | rank_environment(0, 2, 29_500))
    assert place_of(Execution(devices=2).under_launcher()) == (2, 2, 0, 0)


def test_each_process_computes_on_its_own_gpu(environment, gpus):
    environment(STEP)
    gpus(2)
    assert Execution().under_launcher().trainer_devices() == [1]
    # With --gpus-per-task each sees its own alone, under the same number.
    environment(STEP | {"SLURM_GPUS_PER_TASK": "1"})
    gpus(1)
    assert Execution().under_launcher().trainer_devices() == [0]
    gpus(0)
    assert Execution().under_launcher().trainer_devices() == 1


def test_a_gpu_that_is_not_there_is_refused(environment, gpus):
    environment({})
    gpus(2)
    with pytest.raises(ConfigError, match="found 2 for 3 processes on this node; nearest: --devices 2"):
        Execution(devices=3).require_gpus()
    Execution(devices=2).require_gpus()
    gpus(1)
    environment(rank_environment(1, 2, 29_500))
    with pytest.raises(ConfigError, match="found 1 for 2 processes"):
        Execution().under_launcher().require_gpus()
    gpus(0)
    Execution(devices=3).require_gpus()


def test_only_a_run_alone_takes_whatever_accelerator_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Execution().chosen_accelerator() == "auto"
    assert Execution(devices=2).chosen_accelerator() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Execution(devices=2).chosen_accelerator() == "auto"


_SHARED_RUN = [
    *("run", "--task", "snli", "--core", "bilstm", "--preset", "nano", "--source", "microworld", "--wandb", "disabled"),
    *("--set", "source.microworld.train=60", "--set", "source.microworld.dev=8", "--set", "source.microworld.test=9"),
    *("--set", "training.max_epochs=1", "--set", "training.batch_tokens=64", "--set", "core.dropout=0", "--json"),
]


#: How launchers place two processes: what their variables say beyond the rank.
_LAYOUTS = {
    "torchrun": lambda rank, port: rank_environment(rank, 2, port),
    "torchrun on two machines": lambda rank, port: (
        rank_environment(rank, 2, port) | {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "GROUP_RANK": str(rank)}
    ),
    "srun with a GPU a task": lambda rank, port: _step(rank, port) | {"SLURM_GPUS_PER_TASK": "1"},
    "srun with tasks on a node": lambda rank, port: _step(rank, port) | {"SLURM_NTASKS_PER_NODE": "2"},
    "srun with a task on each node": lambda rank, port: (
        _step(rank, port)
        | {"SLURM_STEP_TASKS_PER_NODE": "1(x2)", "SLURM_LOCALID": "0", "SLURM_NODEID": str(rank)}
        | {"SLURM_STEP_NODELIST": "localhost,other"}
    ),
}


def _step(rank, port):
    # Only the port is given, since the one that follows from the job may be taken on the machine of the tests.
    return {
        "SLURM_JOB_ID": "7",
        "SLURM_STEP_ID": "0",
        "SLURM_NTASKS": "2",
        "SLURM_NNODES": "1",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "SLURM_NODEID": "0",
        "MASTER_PORT": str(port),
    }


def _start(arguments, variables=None):
    return subprocess.Popen(
        [sys.executable, "-m", "atinuke_bench", *_SHARED_RUN, *map(str, arguments)],
        env={**os.environ, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The result of one process."""
    process = _start(["--out", tmp_path_factory.mktemp("alone")])
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.mark.slow
# Thirty tokens are a row or two. Under `auto` gradients are sent once all are there, not as they come.
@pytest.mark.parametrize(
    ("layout", "device_tokens"), list(zip(_LAYOUTS, ["30", "auto", "auto", "90000", "30"], strict=True))
)
def test_a_run_that_a_launcher_shares_gives_what_one_process_gives(layout, device_tokens, alone, tmp_path):
    """Two processes as torchrun or srun would start them, without any supervisor of ours.

    Batches of one to three rows are shared unequally: a process has one row, two, or none.
    """
    port, place = free_port(), ["--out", tmp_path, "--device-batch-tokens", device_tokens]
    processes = [_start(place, _LAYOUTS[layout](rank, port)) for rank in range(2)]
    try:
        (out, err), (silence, other) = (process.communicate(timeout=300) for process in processes)
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], err + other
    assert silence == ""
    shared = json.loads(out)
    assert shared["protocol"] == alone["protocol"]
    folders = [RunFolder(Path(record["folder"])) for record in (shared, alone)]
    weights = [load_file(folder.best_checkpoint) for folder in folders]
    for name, expected in weights[1].items():
        assert (weights[0][name] - expected).norm() <= 1e-4 * expected.norm(), name
    histories = [folder.read_history()[0] for folder in folders]
    assert histories[0]["loss"] == pytest.approx(histories[1]["loss"], rel=1e-4)
    assert histories[0]["tokens"] == histories[1]["tokens"], "a row that stands in for none is not counted"
    predictions = [pd.read_parquet(folder.predictions)[["split", "id", "prediction"]] for folder in folders]
    assert predictions[0].equals(predictions[1])


def test_the_tokens_that_a_device_computes_at_once_are_a_number_or_auto(cli):
    for wrong in ("0", "-5", "many", "²", "9" * 5000):
        found = cli(*_SHARED_RUN, f"--device-batch-tokens={wrong}")
        assert found.status == 2
        assert "from 1 on, or 'auto'" in found.err


@pytest.mark.parametrize(("batch_index", "is_last", "is_seen"), [(0, False, True), (5, False, False), (5, True, True)])
def test_the_last_loss_of_an_epoch_is_always_read(make_run, monkeypatch, batch_index, is_last, is_seen):
    run = make_run()
    module = TaskModule(build_core(run.core, 9), run)
    # It lies on a device whose values are not read at every step.
    loss: Any = SimpleNamespace(device=SimpleNamespace(type="cuda"), item=lambda: float("nan"))
    trainer = SimpleNamespace(is_last_batch=is_last, global_step=0, current_epoch=0)
    monkeypatch.setattr(module, "_trainer", trainer)
    if not is_seen:
        module._require_finite(loss, batch_index)
        return
    with pytest.raises(DivergedError):
        module._require_finite(loss, batch_index)


def test_latency_is_measured_in_the_precision_of_the_run(make_run):
    seen = []

    class Module(TaskModule):
        def __init__(self, run):
            super().__init__(build_core(run.core, 9), run)
            self.head = torch.nn.Linear(2, 2)

        def outputs(self, batch):
            seen.append(self.head(torch.ones(1, 2)).dtype)
            return {}

    encoded = Encoded({"input_ids": Ragged.from_rows([[5] * length for length in (3, 5, 4)])}, np.arange(3))
    for precision in ("float32", "bfloat16"):
        assert cost._latency(Module(make_run(training__precision=precision)), encoded) > 0
    assert set(seen[: len(seen) // 2]) == {torch.float32}
    assert set(seen[len(seen) // 2 :]) == {torch.bfloat16}
