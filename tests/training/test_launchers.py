"""What of a machine belongs to a process that a launcher started as one of several."""

from __future__ import annotations

import os

import pytest
import torch

from atinuke_bench.training import launchers
from atinuke_bench.training.launchers import forget_launcher, launched, own_cores, own_gpus, rank_environment

SECOND_OF_TWO = {
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "0",
}


@pytest.fixture
def machine(monkeypatch):
    """`machine(gpus, cores, variables)`: what the process sees of a machine of 64 cores."""

    def see(gpus=0, cores=64, variables=None):
        for name in os.environ:
            if name.startswith(("SLURM_", "CUDA_VISIBLE")) or name in rank_environment(0, 1, 1):
                monkeypatch.delenv(name)
        for name, value in (variables or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(launchers.sys, "platform", "linux")
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
        monkeypatch.setattr(os, "cpu_count", lambda: 64)

    return see


def test_a_process_alone_has_all_gpus_that_it_sees(machine):
    machine(4)
    assert own_gpus() == ["0", "1", "2", "3"]
    machine(2, variables={"CUDA_VISIBLE_DEVICES": "GPU-5, 7"})
    assert own_gpus() == ["GPU-5", "7"]
    for hidden in ("", "-1", "7"):  # with which CUDA finds none
        machine(0, variables={"CUDA_VISIBLE_DEVICES": hidden})
        assert own_gpus() == []


def test_an_allocation_has_its_gpus_and_no_others(machine):
    machine(8, variables={"SLURM_JOB_GPUS": "2,5-6"})
    assert own_gpus() == ["2", "5", "6"]
    machine(8, variables={"SLURM_JOB_GPUS": "2,5-6", "SLURM_STEP_GPUS": "5"})
    assert own_gpus() == ["5"]
    # Where the system shows no others, they are counted from 0.
    machine(3, variables={"SLURM_JOB_GPUS": "2,5-6"})
    assert own_gpus() == ["0", "1", "2"]


def test_tasks_of_a_node_share_its_gpus(machine):
    machine(4, variables=SECOND_OF_TWO)
    assert own_gpus() == ["1", "3"]
    machine(2, variables=SECOND_OF_TWO | {"CUDA_VISIBLE_DEVICES": "6,7"})
    assert own_gpus() == ["7"]
    machine(2, variables=rank_environment(0, 2, 29_500))
    assert own_gpus() == ["0"]


def test_a_task_with_its_own_gpus_keeps_them(machine):
    machine(1, variables=SECOND_OF_TWO)
    assert own_gpus() == ["0"]
    machine(2, variables=SECOND_OF_TWO | {"SLURM_GPUS_PER_TASK": "2"})
    assert own_gpus() == ["0", "1"]


def test_cores_are_those_of_the_allocation(machine):
    machine()
    assert own_cores() == 64
    machine(cores=6)
    assert own_cores() == 6
    # Tasks are bound to theirs, or share what the step has on the node.
    machine(cores=3, variables=SECOND_OF_TWO | {"SLURM_CPUS_ON_NODE": "6"})
    assert own_cores() == 3
    machine(cores=6, variables=SECOND_OF_TWO | {"SLURM_CPUS_ON_NODE": "6"})
    assert own_cores() == 3


def test_a_process_that_forgets_its_launcher_is_one_alone(machine):
    for variables in (SECOND_OF_TWO, rank_environment(1, 2, 29_500) | {"TORCHELASTIC_USE_AGENT_STORE": "True"}):
        machine(2, variables=variables)
        assert launched() is not None
        forget_launcher()
        assert launched() is None
        assert not set(variables) & set(os.environ)
