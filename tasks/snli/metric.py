"""SNLI's metric."""

from __future__ import annotations

from atinuke_bench.metrics.classification import ClassMetric

METRICS = {"snli": (ClassMetric("accuracy"),)}
