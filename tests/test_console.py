"""What tables in a terminal put side by side."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from atinuke_bench.console import (
    comparison_rows,
    fitted,
    named_table,
    result_row,
    score_tables,
    seed_rows,
    suite_table,
    without_last_columns,
)
from atinuke_bench.study_tables import retrained_table, study_tables


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


def test_a_study_says_what_to_set_and_what_to_expect():
    shown = [" ".join(line) for line in lines(*study_tables([STUDY]))]
    assert "training.learning_rate 61 % [45, 72] of the variance; good: 0.001 to 0.003" in shown
    assert "3 % of the variance is noise." in shown
    assert [line for line in shown if line.endswith("training FLOPs")] == [
        "1 trial 59.12 [58.10, 60.90], 1.5e+18 training FLOPs",
        "2 trials 60.50 [59.50, 61.50], 3e+18 training FLOPs",
        "4 trials 61.20, 6e+18 training FLOPs",
    ]
    why = {"importance": None, "importance_note": "3 complete trials; it takes 8", "expected_best": None}
    shown = [" ".join(line) for line in lines(*study_tables([{**STUDY, **why, "expected_best_note": "of tpe"}]))]
    assert "not computed 3 complete trials; it takes 8" in shown
    assert "not computed of tpe" in shown


def test_figures_of_one_list_are_written_alike():
    record = {"parameters": 121347, "flops": 49152.0, "latency": 0.000456, "loss": 1.0, "is_cut": True, "none": None}
    assert [row[1] for row in lines(named_table("", record)) if len(row) > 1] == [
        "121,347", "49,152", "0.000456", "1.00", "True", "None",
    ]  # fmt: skip


NAMES = ("atinuke-micro[dropout=0.2,norm=post]", "transformer", "быстрое-ядро", "快速核心" * 4, "n" * 300)
MEAN = {"mean": 61.234, "deviation": 0.256, "count": 5}
COST = {"parameters": 109482240, "tokens_per_second": 1234567.0}
RESULT = {"task": "squad-v2.0", "core_label": NAMES[0], "seed": 4294967295, "split": "validation_mismatched",
          "metric": "exact_match", "score": 61.239, "interval": [60.761, 62.662], "cost": COST, "seconds": 123456.7,
          "resampled": {"unit": "article", "num_units": 12345}, "protocol": {"source": "microworld"}}  # fmt: skip
COMPARED = {"task": "glue/mnli", "a": NAMES[0], "b": NAMES[3], "score_a": 61.239, "seeds_a": 5, "score_b": 60.111,
            "seeds_b": 5, "absolute difference": 1.128, "low": 0.126, "high": 2.131, "p corrected": 0.0123, "note": "",
            "verdict": "better", "seed": 3, "difference": 1.128, "p mcnemar": 0.0456, "p randomisation": 0.0312,
            "p bootstrap": 1e-9}  # fmt: skip
TRIAL = {"number": 123, "state": "complete", "score": 61.239, "parameters": 109482240, "training_flops": 1.234e18,
         "config": {"core.num_layers": 12, "training.learning_rate": 0.0012345}}  # fmt: skip
STUDY = {"study": "squad-v2-atinuke", "core": "atinuke", "metric": "bits_per_byte", "best": 123, "trials": [TRIAL],
         "spent": {"trials": 1234, "seconds": 123456.7, "training_flops": 1.234e18}, "higher_is_better": False,
         "importance": {"values": {"training.learning_rate": 0.6123, "core.num_layers": 0.3877}},
         "advice": [{"parameter": "training.learning_rate",
                     "text": "61 % [45, 72] of the variance; good: 0.001 to 0.003"},
                    {"parameter": "core.num_layers", "text": "39 % [20, 51] of the variance; no preference shown"}],
         "notes": ["47 of 1234 trials were stopped early and are left out.", "3 % of the variance is noise."],
         "expected_best": {"trials": [1, 2, 3, 4], "training_flops": [1.5e18, 3e18, 4.5e18, 6e18], "of": 9,
                           "mean": [59.123, 60.5, 61.0, 61.2], "low": [58.1, 59.5, None, None],
                           "high": [60.9, 61.5, None, None]}}  # fmt: skip
RIVAL = {"number": 123, "score_in_study": 61.239, "selection": MEAN, "evaluated": MEAN, "split": "test",
         "metric": "exact_match", "config": TRIAL["config"]}  # fmt: skip


def tables():
    scores = {"muc": {"recall": 61.239, "precision": 60.111, "f1": 60.67}, "conll_f1": 59.123}
    outcomes = [(name, result("exact_match", 60 + n / 8, "dev", "squad-v2.0")) for name in NAMES for n in range(3)]
    numbers = dict.fromkeys(NAMES, 109482240) | {"deep" * 20: [1.5, 2.5] * 20}
    return [
        result_row([RESULT, RESULT]), suite_table(outcomes), comparison_rows([COMPARED]), seed_rows([COMPARED]),
        *score_tables("coref", scores), named_table("cost", numbers), *study_tables([STUDY]),
        *retrained_table({"trials": [RIVAL]}),
    ]  # fmt: skip


def printed(part, width):
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(part)
    return file.getvalue()


def figures(text):
    """The numbers of a text in order of size; those of headings may be there once or with every row."""
    return sorted(set(re.findall(r"[-+<]?[0-9][0-9.,e+–]*[0-9]", text)))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_figure_is_cut_in_any_terminal(width):
    for table, whole in zip(tables(), tables(), strict=True):
        shown = printed(fitted(table, width), width)
        assert "…" not in shown
        assert figures(shown) == figures(printed(fitted(whole, 5000), 5000))
        assert max(map(cell_len, shown.splitlines())) <= width


def test_a_table_stays_one_where_there_is_room():
    (table,) = [fitted(suite_table([("a", result("f1", 60.0))]), 40)]
    assert isinstance(table, Table)
    assert not isinstance(fitted(result_row([RESULT]), 80), Table)


def test_a_table_that_changes_all_the_time_shows_fewer_columns():
    table = without_last_columns(result_row([RESULT]), 72)
    assert [column.header for column in table.columns] == ["task", "core", "seed"]
    assert "4294967295" in printed(table, 72)
