"""GLUE's average over its tasks."""

from __future__ import annotations

import math

import pytest

from atinuke_bench.tasks.glue.submission import GLUE_METRICS, glue_average


def test_glue_average() -> None:
    scores = {task: dict.fromkeys(names, 80.0) for task, names in GLUE_METRICS.items()}
    scores["glue/mrpc"] = {"accuracy": 70.0, "f1": 80.0}
    scores["glue/mnli"] = {"accuracy_matched": 60.0, "accuracy_mismatched": 61.0}
    scores["glue/wnli"] = {"accuracy": 35.0}
    scores["glue/ax"] = {"matthews_correlation": -100.0}
    without = glue_average(scores, with_wnli=False)
    assert without.score == pytest.approx((6 * 80 + 75 + 60.5) / 8)
    assert glue_average(scores, with_wnli=True).score == pytest.approx((6 * 80 + 75 + 60.5 + 35) / 9)
    assert without.missing == ()


def test_glue_average_says_what_is_missing() -> None:
    scores: dict[str, dict[str, float | None]]
    scores = {task: dict.fromkeys(names, 80.0) for task, names in GLUE_METRICS.items() if task != "glue/wnli"}
    assert glue_average(scores, with_wnli=False).score == pytest.approx(80)
    assert glue_average(scores, with_wnli=True).missing == ("glue/wnli accuracy",)
    scores["glue/stsb"] = {"pearson": 50.0, "spearman": None}
    del scores["glue/mnli"]["accuracy_mismatched"]
    scores["glue/rte"] = {"accuracy": math.nan}
    average = glue_average(scores, with_wnli=False)
    assert average.score is None
    assert average.missing == ("glue/stsb spearman", "glue/mnli accuracy_mismatched", "glue/rte accuracy")
