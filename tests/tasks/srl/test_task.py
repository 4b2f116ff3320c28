"""Semantic role labelling from files to files, on a few dozen sentences in both formats."""

from __future__ import annotations

import pandas as pd
import pytest

from atinuke_bench.metrics.units import by_unit
from atinuke_bench.tasks.srl.props import read_props
from atinuke_bench.tasks.srl.task import SRL
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.prepare import prepare


@pytest.mark.parametrize("feature", ["indicator", "late"])
def test_a_run_writes_a_response_that_scores_as_the_run_says(conll2012, tmp_path, feature, make_srl_run, carry_out):
    folder, result = carry_out(make_srl_run(conll2012, options__predicate_feature=feature), tmp_path / "run")
    gold, response = (folder.path / f"test.{name}.props" for name in ("gold", "response"))
    overall = SRL.require("files").score(gold, response)["Overall"]
    for metric in ("f1", "precision", "recall"):
        assert overall[metric] == round(result["scores"]["test"][metric], 2)
    assert result["score"] > 90  # there is one pattern to learn
    assert result["protocol"]["verbs_only"] is False
    assert "test.response.props" in result["artefacts"]
    assert len(list(read_props(response))) == 12  # sentences without predicates included
    rows = pd.read_parquet(folder.predictions)
    assert not rows.duplicated(["split", "id"]).any()
    assert rows["score"].between(0, 1).all()
    assert folder.read_config().options["roles"] == ["A0", "A1", "AM-NEG", "AM-TMP", "V"]


def test_gold_as_the_response_scores_100(conll2012, conll2005, tmp_path, make_srl_run, carry_out):
    folder, _ = carry_out(make_srl_run(conll2012, "majority"), tmp_path / "run")
    gold = folder.path / "dev.gold.props"
    assert SRL.require("files").score(gold, gold)["Overall"]["f1"] == 100.0
    assert SRL.require("files").score(conll2005 / "dev.props", gold)["Overall"]["f1"] == 100.0
    examples = prepare(make_srl_run(conll2012)).loaded.splits["dev"]
    evaluation = evaluate(SRL, examples, dict(zip(examples["id"], SRL.data.gold(examples), strict=True)))
    assert evaluation.figures["f1"] == evaluation.figures["unlabelled_f1"] == 100.0
    assert evaluation.figures["perfect_propositions"] == 100.0
    assert all(row.score == 1.0 for row in evaluation.predictions)


def test_stored_rows_give_the_recorded_figures(conll2012, tmp_path, make_srl_run, carry_out):
    run = make_srl_run(conll2012, training__max_epochs=1, training__learning_rate=0.005)
    folder, result = carry_out(run, tmp_path / "run")
    rows = pd.read_parquet(folder.predictions).sort_values("id")
    for split, figures in result["scores"].items():
        answers = SRL.metric.read(rows[rows["split"] == split])
        measured = SRL.metric.measure(answers)
        assert measured.figures == figures
        assert answers.scores is not None
        assert measured.scores == list(answers.scores)
        sample = SRL.metric.sample(answers)
        assert sample.value() == pytest.approx(figures["f1"])
        units = by_unit(SRL.metric, answers.ids, None, sample).units
        assert len(units) == 10  # sentences with predicates


def test_full_official_splits_are_no_cut():
    assert SRL.is_official({"train": 90_750, "dev": 3_248, "test": 5_267, "test_brown": 804})
    assert SRL.is_official({"train": 253_070, "dev": 35_297, "test": 24_462})
    assert not SRL.is_official({"train": 90_750, "dev": 35_297})
    assert not SRL.is_official({"train": 253_070, "dev": 35_297, "test_brown": 804})
