"""The metrics that declarations of one text or two may name; `registry` finds them here."""

from __future__ import annotations

from atinuke_bench.metrics.classification import ClassMetric, CorrelationMetric

ACCURACY = ClassMetric("accuracy", ("macro_f1",))
MACRO_F1 = ClassMetric("macro_f1", ("accuracy",))
MATTHEWS = ClassMetric("matthews_correlation", ("accuracy",))
SPEARMAN = CorrelationMetric("spearman", ("pearson",))
PEARSON = CorrelationMetric("pearson", ("spearman",))


def f1_of(label: str) -> ClassMetric:
    """F1 of one label, with accuracy beside it."""
    return ClassMetric(f"f1({label})", ("accuracy",), positive=label)
