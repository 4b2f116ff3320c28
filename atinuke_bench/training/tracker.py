"""Where a run reports to besides its folder. A tracker is a peripheral: it may fail, the run may not."""

from __future__ import annotations

from typing import Protocol

from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.prepare import PreparedRun


class Tracker(Protocol):
    """Told when a run begins and when it has ended, by a result or not: what there is to report is in its folder."""

    def start(self, prepared: PreparedRun, folder: RunFolder) -> None: ...

    def finish(self, folder: RunFolder) -> None: ...


class NoTracker:
    """Reports nowhere."""

    def start(self, prepared: PreparedRun, folder: RunFolder) -> None:
        pass

    def finish(self, folder: RunFolder) -> None:
        pass
