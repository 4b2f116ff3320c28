"""GLUE's average over its tasks."""

from __future__ import annotations

import math

import pytest

from atinuke_bench.tasks.glue.files import LAYOUTS
from atinuke_bench.tasks.glue.submission import GLUE_METRICS, GlueSubmission, glue_average


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


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ([0, 1, 2], None),
        ([2, 0, 1], None),
        ([0, 2], "1 of 3 rows have no answer, first index 1"),
        ([0, 1, 2, 12, 9], "2 answers belong to no row of it, first index 9"),
        ([0, 1, 3], "1 of 3 rows have no answer, first index 2; 1 answers belong to no row of it, first index 3"),
    ],
)
def test_every_official_row_is_answered_and_no_other(indices, expected) -> None:
    submission = GlueSubmission({"test": (LAYOUTS["rte"], "test"), "dev": (LAYOUTS["rte"], "dev")}, {"test": 3})
    found = submission.shortfall("test", [f"test-{index}" for index in indices])
    assert found == (expected and f"RTE.tsv must answer the official test set: {expected}")
    assert submission.shortfall("dev", []) is None
