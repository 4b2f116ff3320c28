"""How a run is carried out: threads, devices, and the processes that share it. Nothing here may change its result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from atinuke_bench.errors import ConfigError
from atinuke_bench.training.launchers import launched

if TYPE_CHECKING:
    import torch

# A process of a run that lost another one gives up after this long.
_PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True)
class Execution:
    """What one run may use. `devices` are those of one node; `rank` is this process's place among the run's `size`."""

    threads: int = 1
    accelerator: str = "auto"
    devices: int = 1
    size: int = 1
    rank: int = 0
    local_rank: int = 0
    show_progress: bool = True
    #: Tokens of a batch that a device computes at once, padding counted. The default is all, and on GPUs `auto`: all
    #: while the memory is large enough, then half as many, and so on.
    device_batch_tokens: int | Literal["auto"] | None = None

    @property
    def is_shared(self) -> bool:
        """Whether several processes share the run."""
        return max(self.devices, self.size) > 1

    def strategy(self) -> Any:
        """Lightning's strategy: plain for one device, DDP for several (gloo between processors)."""
        if not self.is_shared:
            return "auto"
        from pytorch_lightning.strategies import DDPStrategy

        # A core may have parameters that a task leaves alone, such as the second segment of single sentences.
        backend = "nccl" if self._has_gpus() else "gloo"
        return DDPStrategy(process_group_backend=backend, find_unused_parameters=True, timeout=_PATIENCE)

    def chosen_accelerator(self) -> str:
        """The accelerator for Lightning's trainer; Apple's GPU, which is one, is not shared between processes."""
        return "cpu" if self.is_shared and self.accelerator == "auto" and not self._has_gpus() else self.accelerator

    def trainer_devices(self) -> int | list[int]:
        """What Lightning's trainer takes as `devices`: each process tells it of the one device that it computes on."""
        if not (self.is_shared and self._has_gpus()):
            return 1
        self.require_gpus()
        return [self.local_rank if _num_gpus() > 1 else 0]

    def require_gpus(self) -> None:
        """ConfigError where processes that share a run would have to share GPUs too."""
        place, num_gpus = launched(), _num_gpus() if self.is_shared and self._has_gpus() else self.devices
        # Of several tasks on a node, SLURM may show each its own.
        if num_gpus < self.devices and (num_gpus > 1 or place is None or not place.is_slurm):
            raise ConfigError(
                f"each process of a run has a GPU; found {num_gpus} for {self.devices} processes on this node; "
                f"nearest: --devices {num_gpus}"
            )

    def cluster_environment(self) -> Any:
        """How the processes of this run find each other, for Lightning's trainer.

        Left to itself, Lightning takes a run alone on a SLURM allocation for one of many, and saves and requeues it.
        """
        from atinuke_bench.training.processes import RunEnvironment

        return RunEnvironment(self.rank, launched() if self.is_shared else None)

    def under_launcher(self) -> Execution:
        """This execution as part of the processes that torchrun or SLURM started; itself where neither did.

        ConfigError when they started another number of processes than were asked for.
        """
        place = launched()
        if place is None:
            return self
        if self.devices not in (1, place.local_size):
            found = "one process" if place.local_size == 1 else f"{place.local_size} processes"
            ask = f"--ntasks-per-node={self.devices}" if place.is_slurm else f"--nproc-per-node={self.devices}"
            raise ConfigError(f"--devices is {self.devices}, but {found} started on this node; nearest: {ask}")
        return replace(self, devices=place.local_size, size=place.size, rank=place.rank, local_rank=place.local_rank)

    def _has_gpus(self) -> bool:
        import torch

        return self.accelerator != "cpu" and torch.cuda.is_available()


def _num_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def wait_for(device: torch.device) -> None:
    """Let a device finish what it was given, so that a clock can be read."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
