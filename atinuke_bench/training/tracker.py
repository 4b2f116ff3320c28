"""Where a run reports to besides its folder. A tracker is a peripheral: it may fail, the run may not."""

from __future__ import annotations

from typing import Any, Protocol

import pandas as pd

from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.prepare import PreparedRun


class Tracker(Protocol):
    """What training reports to a tracker, in this order; `finish` is always called, with None when the run failed."""

    def start(self, prepared: PreparedRun, folder: RunFolder) -> None: ...

    def epoch(self, record: dict[str, Any]) -> None: ...

    def finish(self, result: dict[str, Any] | None, predictions: pd.DataFrame | None) -> None: ...


class NoTracker:
    """Reports nowhere."""

    def start(self, prepared: PreparedRun, folder: RunFolder) -> None:
        pass

    def epoch(self, record: dict[str, Any]) -> None:
        pass

    def finish(self, result: dict[str, Any] | None, predictions: pd.DataFrame | None) -> None:
        pass
