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
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment
from safetensors.torch import load_file

from atinuke_bench.core.build import build_core
from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.errors import ConfigError, DivergedError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.local import free_port
from atinuke_bench.training import cost
from atinuke_bench.training.execution import Execution, rank_environment
from atinuke_bench.training.module import TaskModule

STEP = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "4",
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NAME": "train",
    "SLURM_NTASKS_PER_NODE": "2",
}


@pytest.fixture
def environment(monkeypatch):
    """`environment(variables)`: those variables, and no others of torchrun or SLURM."""

    def use(variables):
        for name in (*STEP, *rank_environment(0, 1, 1)):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return use


def test_a_process_that_nobody_launched_is_alone(environment):
    environment({})
    assert Execution().under_launcher() == Execution()
    assert isinstance(Execution().cluster_environment(), LightningEnvironment)


def test_processes_of_torchrun_are_joined(environment):
    environment(rank_environment(1, 2, 29_500))
    joined = Execution().under_launcher()
    assert (joined.devices, joined.num_nodes, joined.rank) == (2, 1, 1)
    assert isinstance(joined.cluster_environment(), TorchElasticEnvironment)
    with pytest.raises(ConfigError, match="2 processes were started"):
        Execution(devices=3).under_launcher()


def test_tasks_of_srun_are_joined_and_never_requeued_by_lightning(environment):
    environment(STEP)
    joined = Execution().under_launcher()
    assert (joined.devices, joined.num_nodes, joined.rank) == (2, 2, 3)
    found = joined.cluster_environment()
    assert isinstance(found, SLURMEnvironment)
    assert found.auto_requeue is False


def test_the_script_of_a_slurm_job_is_one_process_whatever_was_asked_for(environment):
    environment({name: value for name, value in STEP.items() if "STEP" not in name} | {"SLURM_PROCID": "0"})
    assert Execution().under_launcher() == Execution()
    assert isinstance(Execution().cluster_environment(), LightningEnvironment)


def test_processes_that_share_a_run_on_slurm_are_those_that_were_started_for_it(environment):
    environment(STEP | rank_environment(0, 2, 29_500))
    joined = Execution(devices=2).under_launcher()
    assert (joined.devices, joined.num_nodes, joined.rank) == (2, 1, 0)
    assert isinstance(joined.cluster_environment(), TorchElasticEnvironment)


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


# Thirty tokens are a row or two. Under `auto` gradients are sent once all are there, not as they come.
@pytest.mark.parametrize(("launcher", "device_tokens"), [("torchrun", "30"), ("srun", "auto")])
def test_a_run_that_a_launcher_shares_gives_what_one_process_gives(launcher, device_tokens, cli, tmp_path):
    """Two processes as torchrun or srun would start them, without any supervisor of ours.

    Batches of one to three rows are shared unequally: a process has one row, two, or none.
    """
    port, command = str(free_port()), [sys.executable, "-m", "atinuke_bench", *_SHARED_RUN]
    processes = []
    for rank in range(2):
        if launcher == "torchrun":
            variables = rank_environment(rank, 2, int(port))
        else:
            variables = STEP | {
                "SLURM_STEP_NUM_TASKS": "2",
                "SLURM_STEP_NUM_NODES": "1",
                "SLURM_NTASKS": "2",
                "SLURM_NNODES": "1",
                "SLURM_PROCID": str(rank),
                "SLURM_LOCALID": str(rank),
                "SLURM_NODEID": "0",
                "SLURM_NODELIST": "localhost",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
            }
        processes.append(
            subprocess.Popen(
                [*command, "--out", str(tmp_path / "shared"), "--device-batch-tokens", device_tokens],
                env={**os.environ, **variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        (out, err), (silence, _) = (process.communicate(timeout=120) for process in processes)
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], err
    assert silence == ""
    shared, alone = json.loads(out), json.loads(cli(*_SHARED_RUN, "--out", tmp_path / "alone").out)
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
