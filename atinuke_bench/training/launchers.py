"""What torchrun and SLURM's srun tell the processes that they start, and what is passed on to those of our own.

torchrun and srun start a command several times. A `run` is then shared by these processes. A suite or a sweep is not:
each of them serves it as if it had been started by hand, on its part of the node.
"""

from __future__ import annotations

import os
import re
import sys
import zlib
from dataclasses import dataclass

#: The variable by which torchrun's processes are known.
_TORCHRUN = "TORCHELASTIC_RUN_ID"
#: What says which of many a process is. Lightning reads some of them wherever it finds them.
_PLACE = re.compile(
    r"TORCHELASTIC_\w+|MASTER_(ADDR|PORT)|((GROUP|ROLE|LOCAL)_)?(RANK|WORLD_SIZE)|ROLE_NAME"
    r"|SLURM_(PROCID|LOCALID|NODEID|NTASKS|NPROCS|NTASKS_PER_NODE|STEP_NUM_TASKS|STEP_NUM_NODES|STEP_TASKS_PER_NODE)"
)


@dataclass(frozen=True)
class Launched:
    """The place of this process among the `size` that a launcher started, and among the `local_size` of its node."""

    rank: int
    size: int
    local_rank: int
    local_size: int
    #: Where the first process is found.
    address: str
    port: int
    is_slurm: bool = False
    #: Whether the GPUs that this process sees are its alone.
    has_own_gpus: bool = False


def launched() -> Launched | None:
    """The place that torchrun or srun gave to this process; None for one that nobody started as one of several."""
    env = os.environ
    if _TORCHRUN in env:
        return Launched(
            rank=int(env["RANK"]),
            size=int(env["WORLD_SIZE"]),
            local_rank=int(env["LOCAL_RANK"]),
            local_size=int(env["LOCAL_WORLD_SIZE"]),
            address=env["MASTER_ADDR"],
            port=int(env["MASTER_PORT"]),
        )
    # Only what srun starts has the variables of a step: a batch job's script, and anything it starts without srun, is
    # one process however many tasks were asked for.
    if (size := int(env.get("SLURM_STEP_NUM_TASKS", "1"))) == 1:
        return None
    per_node = tasks_per_node(env.get("SLURM_STEP_TASKS_PER_NODE", str(size)))
    nodes = env.get("SLURM_STEP_NODELIST") or env.get("SLURM_JOB_NODELIST") or "127.0.0.1"
    step = f"{env.get('SLURM_JOB_ID')}.{env.get('SLURM_STEP_ID')}"
    return Launched(
        rank=int(env["SLURM_PROCID"]),
        size=size,
        local_rank=int(env["SLURM_LOCALID"]),
        local_size=per_node[int(env.get("SLURM_NODEID", "0"))],
        address=env.get("MASTER_ADDR") or first_host(nodes),
        # Two steps of a job may lie on one node.
        port=int(env.get("MASTER_PORT") or 15_000 + zlib.crc32(step.encode()) % 10_000),
        is_slurm=True,
        has_own_gpus="SLURM_GPUS_PER_TASK" in env,
    )


def tasks_per_node(text: str) -> list[int]:
    """The tasks of each node, as SLURM abbreviates them.

    >>> tasks_per_node("4(x2),1")
    [4, 4, 1]
    """
    parts = (re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part) for part in text.split(","))
    return [int(part[1]) for part in parts if part is not None for _ in range(int(part[2] or 1))]


def first_host(nodes: str) -> str:
    """The first host of a list as SLURM abbreviates it.

    >>> first_host("gpu[07-09,12],cpu1"), first_host("a1,a2"), first_host("r[1-2]n3")
    ('gpu07', 'a1', 'r1n3')
    """
    return re.sub(r"\[(\w+)[^]]*\]", r"\1", nodes).split(",")[0]


def forget_launcher() -> None:
    """Remove from the environment what a launcher said of this process's place, for a process that has another one."""
    for name in [name for name in os.environ if _PLACE.fullmatch(name)]:
        del os.environ[name]


def rank_environment(rank: int, size: int, port: int, address: str = "127.0.0.1") -> dict[str, str]:
    """The variables by which a process of a run on one node finds the others, named as torchrun names them."""
    return {
        _TORCHRUN: f"atinuke-bench-{port}",
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
    }


def own_gpus() -> list[str]:
    """The GPUs that are this process's alone, by the names that CUDA_VISIBLE_DEVICES takes."""
    gpus, place = visible_gpus(), launched()
    if place is None or place.has_own_gpus or (place.is_slurm and len(gpus) == 1):
        return gpus
    return gpus[place.local_rank :: place.local_size]


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes."""
    import torch

    # Counted without opening any, so that processes forked from here on can.
    count = torch.cuda.device_count()
    names = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not names:
        # What SLURM gave to the step or job is binding, also where nothing else hides the other GPUs of the node.
        granted = _numbers(os.environ.get("SLURM_STEP_GPUS") or os.environ.get("SLURM_JOB_GPUS") or "")
        return granted if 0 < len(granted) < count else [str(index) for index in range(count)]
    return [name.strip() for name in names.split(",")][:count]


def _numbers(text: str) -> list[str]:
    """
    >>> _numbers("0-2,5"), _numbers("")
    (['0', '1', '2', '5'], [])
    """
    ends = [part.split("-") for part in text.split(",") if part]
    return [str(number) for part in ends for number in range(int(part[0]), int(part[-1]) + 1)]


def own_cores() -> int:
    """The processor cores that are this process's alone: those of its container or allocation, not of the machine."""
    all_cores = os.cpu_count() or 1
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else all_cores
    place = launched()
    if place is None or cores < int(os.environ.get("SLURM_CPUS_ON_NODE", all_cores)):
        return cores
    return max(1, cores // place.local_size)
