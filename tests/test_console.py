"""What tables in a terminal put side by side."""

from __future__ import annotations

import io

from rich.console import Console

from atinuke_bench.console import named_table, study_tables, suite_table


def lines(*tables):
    file = io.StringIO()
    Console(file=file, width=200).print(*tables, sep="\n")
    return [line.split() for line in file.getvalue().splitlines()]


def result(metric, score, split="test", task="lm"):
    return {"task": task, "split": split, "metric": metric, "score": score, "protocol": {"source": "local"}}


def test_a_row_of_a_suite_has_scores_of_its_metric_alone():
    outcomes = [
        ("floor", result("bits_per_byte", 2.9)),
        ("bilstm", result("masked_loss", 5.7)),
        ("bilstm", result("masked_loss", 5.9)),
        ("atinuke", result("bits_per_byte", 2.95)),
        ("gone", result("masked_loss", None)),
    ]
    assert lines(suite_table(outcomes)) == [
        ["task", "split", "metric", "floor", "bilstm", "atinuke", "gone"],
        ["lm", "test", "bits_per_byte", "2.90", "(n=1)", "–", "2.95", "(n=1)", "–"],
        ["lm", "test", "masked_loss", "–", "5.80", "±", "0.14", "(n=2)", "–", "–"],
    ]


def test_a_row_of_a_suite_has_scores_of_its_split_alone():
    outcomes = [("a", result("accuracy", 60.0, "dev", "snli")), ("a", result("accuracy", 70.0, "test", "snli"))]
    assert [row[3:] for row in lines(suite_table(outcomes))] == [["a"], ["60.00", "(n=1)"], ["70.00", "(n=1)"]]


def test_a_study_says_what_its_best_score_is_of():
    spent = {"trials": 1, "seconds": 1.0, "training_flops": 1.0}
    trial = {"number": 0, "state": "failed"}
    studies = [
        {"study": core, "core": core, "metric": metric, "best": None, "spent": spent, "trials": [trial],
         "higher_is_better": False, "importance": None}
        for core, metric in (("atinuke", "bits_per_byte"), ("bilstm", "masked_loss"))
    ]  # fmt: skip
    assert [row[2] for row in lines(*study_tables(studies))] == ["metric", "bits_per_byte", "masked_loss"]


def test_figures_of_one_list_are_written_alike():
    record = {"parameters": 121347, "flops": 49152.0, "latency": 0.000456, "loss": 1.0, "is_cut": True, "none": None}
    assert [row[1] for row in lines(named_table("", record)) if len(row) > 1] == [
        "121,347", "49,152", "0.000456", "1.00", "True", "None",
    ]  # fmt: skip
