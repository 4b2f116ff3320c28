"""How a run is carried out: threads, devices, and the processes that share it. Nothing here may change its result."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from atinuke_bench.errors import ConfigError

if TYPE_CHECKING:
    import torch

# The variable by which torchrun's processes are known.
_TORCHRUN = "TORCHELASTIC_RUN_ID"
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
    #: Tokens of a batch that a device computes at once, padding counted. The default is all, and on GPUs `auto`: all
    #: while the memory is large enough, then half as many, and so on.
    device_batch_tokens: int | Literal["auto"] | None = None
    #: A longer epoch is saved on the way as often, so that a resumed run goes on from there.
    checkpoint_minutes: float = 30.0

    @property
    def is_shared(self) -> bool:
        """Whether several processes share the run."""
        return self.devices * self.num_nodes > 1

    def strategy(self) -> Any:
        """Lightning's strategy: plain for one device, DDP for several (gloo between processors)."""
        if not self.is_shared:
            return "auto"
        import torch
        from pytorch_lightning.strategies import DDPStrategy

        has_gpus = self.accelerator != "cpu" and torch.cuda.is_available()
        # A core may have parameters that a task leaves alone, such as the second segment of single sentences.
        return DDPStrategy(
            process_group_backend="nccl" if has_gpus else "gloo", find_unused_parameters=True, timeout=_PATIENCE
        )

    def chosen_accelerator(self) -> str:
        """The accelerator for Lightning's trainer; Apple's GPU, which is one, is not shared between processes."""
        import torch

        return (
            "cpu"
            if self.is_shared and self.accelerator == "auto" and not torch.cuda.is_available()
            else self.accelerator
        )

    def cluster_environment(self) -> Any:
        """How the processes of this run find each other, for Lightning's trainer.

        Left to itself, Lightning takes a run alone on a SLURM allocation for one of many, and saves and requeues it.
        """
        from pytorch_lightning.plugins.environments import (
            LightningEnvironment,
            SLURMEnvironment,
            TorchElasticEnvironment,
        )

        if not self.is_shared:
            return LightningEnvironment()
        return TorchElasticEnvironment() if _TORCHRUN in os.environ else SLURMEnvironment(auto_requeue=False)

    def under_launcher(self) -> Execution:
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
    if _TORCHRUN in env:
        size, per_node = int(env["WORLD_SIZE"]), int(env["LOCAL_WORLD_SIZE"])
        return per_node, size // per_node, int(env["RANK"])
    # Only what srun starts has the variables of a step: a batch job's script, and anything it starts without srun, is
    # one process however many tasks were asked for.
    if (size := int(env.get("SLURM_STEP_NUM_TASKS", "1"))) > 1:
        num_nodes = int(env.get("SLURM_STEP_NUM_NODES", "1"))
        return size // num_nodes, num_nodes, int(env["SLURM_PROCID"])
    return None


@dataclass
class Clock:
    """The time that a run has taken; `before` is that of earlier attempts whose work it goes on from."""

    before: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.started


def generator_states(device: torch.device) -> dict[str, torch.Tensor]:
    """The states of the generators that a training on this device draws from."""
    import torch

    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_generator_states(device: torch.device, states: dict[str, torch.Tensor]) -> None:
    """Let the generators go on from these states; one that was saved on another kind of device is left as it is."""
    import torch

    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def wait_for(device: torch.device) -> None:
    """Let a device finish what it was given, so that a clock can be read."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


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
