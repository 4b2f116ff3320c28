"""The processes that share a run: how they find each other, and what they tell each other."""

from __future__ import annotations

from pytorch_lightning.plugins.environments import LightningEnvironment

from atinuke_bench.training.launchers import Launched


class RunEnvironment(LightningEnvironment):
    """Each process is a node of one device to Lightning, so that it never counts the devices of a machine.

    They may be placed on machines in any number and order, and see all GPUs of a machine or only their own.
    """

    def __init__(self, rank: int, place: Launched | None) -> None:
        super().__init__()
        self._rank = rank
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return super().main_address if self._place is None else self._place.address

    @property
    def main_port(self) -> int:
        return super().main_port if self._place is None else self._place.port

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return self._rank

    def teardown(self) -> None:
        """Does nothing, where Lightning would remove what a launcher said."""
