"""The metric of long range: the one of SQuAD v1.1."""

from __future__ import annotations

from atinuke_bench.tasks.squad.metric import SquadMetric

METRICS = {"long-range": (SquadMetric(unanswerable=False),)}
