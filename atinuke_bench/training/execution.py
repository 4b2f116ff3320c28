"""How a run is carried out: threads, devices, and the processes that share it. Nothing here may change its result."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from atinuke_bench.errors import ConfigError

# A process of a run that lost another one gives up after this long.
_PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True)
class Execution:
    """What one run may use. `devices` are those of one node; `rank` is this process's place among all of the run."""

    threads: int = 1
    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    rank: int = 0
    show_progress: bool = True

    def strategy(self) -> Any:
        """Lightning's strategy: plain for one device, DDP for several (gloo between processors)."""
        if self.devices * self.num_nodes == 1:
            return "auto"
        import torch
        from pytorch_lightning.strategies import DDPStrategy

        has_gpus = self.accelerator != "cpu" and torch.cuda.is_available()
        # A core may have parameters that a task leaves alone, such as the second segment of single sentences.
        return DDPStrategy(
            process_group_backend="nccl" if has_gpus else "gloo", find_unused_parameters=True, timeout=_PATIENCE
        )

    def joined(self) -> Execution:
        """This execution as part of the processes that torchrun or SLURM started; itself where neither did.

        ConfigError when they started another number of processes than were asked for.
        """
        world = _launched_world()
        if world is None:
            return self
        per_node, num_nodes, rank = world
        if self.devices not in (1, per_node):
            raise ConfigError(f"--devices is {self.devices}, but {per_node} processes were started on each node")
        return replace(self, devices=per_node, num_nodes=num_nodes, rank=rank)


def _launched_world() -> tuple[int, int, int] | None:
    """Processes a node, nodes and this process's rank, from the variables of torchrun or of SLURM's srun."""
    env = os.environ
    if "TORCHELASTIC_RUN_ID" in env:
        size, per_node = int(env["WORLD_SIZE"]), int(env["LOCAL_WORLD_SIZE"])
        return per_node, size // per_node, int(env["RANK"])
    # A single task of SLURM, such as an interactive shell, is no distributed run.
    if "SLURM_PROCID" in env and int(env.get("SLURM_NTASKS", "1")) > 1:
        num_nodes = int(env.get("SLURM_NNODES", "1"))
        return int(env["SLURM_NTASKS"]) // num_nodes, num_nodes, int(env["SLURM_PROCID"])
    return None


def rank_environment(rank: int, size: int, port: int, address: str = "127.0.0.1") -> dict[str, str]:
    """The variables by which a process of a run on one node finds the others: those of torchrun."""
    return {
        "TORCHELASTIC_RUN_ID": f"atinuke-bench-{port}",
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size),
    }
