"""How a run is carried out: threads, devices, and the processes that share it. Nothing here may change its result."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
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
    #: A longer epoch is saved on the way as often, so that a resumed run goes on from there.
    checkpoint_minutes: float = 30.0
    #: Whether the store keeps the texts of evaluated examples, which reports show.
    keeps_texts: bool = True

    @property
    def is_shared(self) -> bool:
        """Whether several processes share the run."""
        return max(self.devices, self.size) > 1

    def strategy(self) -> Any:
        """Lightning's strategy: plain for one device, DDP for several (gloo between processors)."""
        if not self.is_shared:
            return "auto"
        from pytorch_lightning.strategies import DDPStrategy

        backend = "nccl" if self._has_gpus() else "gloo"
        return DDPStrategy(
            process_group_backend=backend,
            timeout=_PATIENCE,
            # A core may have parameters that a task leaves alone, such as the segments of single sentences. Without it
            # DDP also reorders what it sends after its first step: from then on the sums of three processes and more
            # are rounded otherwise, so that a resumed run, which has a first step again, would have other bits.
            find_unused_parameters=True,
            # The same bits in the same time, and no second copy of the gradients.
            gradient_as_bucket_view=True,
        )

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
