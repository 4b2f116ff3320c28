"""The scores of a column's runs on the same resamples, computed once for the same predictions."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from atinuke_bench import registry
from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.metrics.bootstrap import resample_together
from atinuke_bench.metrics.metric import Floats

from ..kept import Kept, kept
from ..reading.column import Column
from ..reading.frame import Frame, Gap
from .pairing import Drawn, paired_samples

#: What of a run decides its scores on resamples, beside its predictions.
_FIELDS = ("folder", "task", "split", "metric", "score", "unit")


@dataclass(frozen=True)
class Resampled:
    """Scores on resamples [R] by run, what was drawn, runs whose predictions contradict their score, and gaps."""

    scores: Mapping[int, Floats]
    drawn: Drawn | None
    contradicted: set[int]
    gaps: list[Gap]


def resampled(frame: Frame, column: Column, rows: pd.DataFrame, num_resamples: int) -> Resampled:
    """The resampled scores of the runs of a column, `rows` of a frame; none where units are too few."""
    runs = list(rows.index)
    if not _is_ours(column.task, rows["metric"].iloc[0]):
        return _unpacked(_compute(frame, column, rows, num_resamples), runs)
    local = rows[~rows["is_remote"].astype(bool)]
    facts = [list(local[name]) for name in _FIELDS if name in local]
    digests = [frame.predictions_digest(run) for run in local.index]
    of = (column, num_resamples, [runs.index(run) for run in local.index], facts, digests)
    return _unpacked(kept("scores", of, lambda: _compute(frame, column, rows, num_resamples)), runs)


def _is_ours(task: str, metric: str) -> bool:
    """Whether a metric is of this package, whose code the names of what is kept are made of."""
    try:
        return type(registry.load_metric(task, metric)).__module__.partition(".")[0] == "atinuke_bench"
    except AtinukeBenchError:
        return False
    # A plug-in may fail in any way.
    except Exception:
        return False


def _compute(frame: Frame, column: Column, rows: pd.DataFrame, num_resamples: int) -> Kept:
    """Runs are told by their places among the rows, which are the same in another report."""
    gaps: list[Gap] = []
    samples, drawn, contradicted = paired_samples(frame, rows, gaps)
    runs = list(rows.index)
    scores: list[Floats] = []
    if drawn is not None and not drawn.too_few:
        # The same resamples of the same units for all.
        generator = np.random.default_rng(zlib.crc32(str(column).encode()))
        scores = list(resample_together(list(samples.values()), num_resamples, generator))
    record = {
        "runs": [runs.index(run) for run in samples][: len(scores)],
        "contradicted": [runs.index(run) for run in contradicted],
        "gaps": [[gap.where, gap.reason] for gap in gaps],
        "drawn": None if drawn is None else asdict(drawn),
    }
    return record, tuple(np.ascontiguousarray(one, dtype="<f8").tobytes() for one in scores)


def _unpacked(found: Kept, runs: list[Any]) -> Resampled:
    record, blobs = found
    scores = (np.frombuffer(blob, dtype="<f8") for blob in blobs)
    drawn = record["drawn"]
    if drawn is not None:
        units = None if drawn["units"] is None else tuple(drawn["units"])
        drawn = Drawn(drawn["noun"], drawn["num_units"], tuple(drawn["ids"]), units)
    return Resampled(
        dict(zip((runs[place] for place in record["runs"]), scores, strict=True)),
        drawn,
        {runs[place] for place in record["contradicted"]},
        [Gap(where, reason) for where, reason in record["gaps"]],
    )
