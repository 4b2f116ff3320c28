"""Answers by rule: word overlap in v1.1, none in v2.0."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.tasks.squad.floor import sliding_window_answer
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.prepare import prepare


def test_the_sliding_window_prefers_the_overlapping_sentence():
    context = "Paris is in France. The tower of Paris was built by Gustave Eiffel, in 1889!\nIt rains."
    assert sliding_window_answer("Who built the tower of Paris?", context) == "Gustave Eiffel"
    assert sliding_window_answer("tower Paris?", "The tower of Paris.") == "The tower of Paris"
    assert sliding_window_answer("Why?", " … ") == "…"


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=40), st.text(min_size=1, max_size=80).filter(str.strip))
def test_the_sliding_window_answers_with_context(question, context):
    answer = sliding_window_answer(question, context)
    assert answer
    assert answer in context


@pytest.mark.parametrize("version", ["1.1", "2.0"])
def test_floor(squad_run, version):
    prepared = prepare(squad_run(version, core="majority"))
    examples = prepared.evaluation_splits["dev"]
    floor = prepared.task.floor(prepared.train_examples, examples, prepared.run)
    figures = evaluate(prepared.task, examples, floor).figures
    if version == "1.1":
        assert all(floor[id_].text for id_ in floor)
        assert set(figures) == {"exact_match", "f1"}
    else:
        assert {answer.text for answer in floor.values()} == {""}
        assert (figures["exact"], figures["HasAns_f1"], figures["NoAns_f1"]) == (pytest.approx(100 / 3), 0.0, 100.0)
        assert not any(name.startswith("best_") for name in figures)
