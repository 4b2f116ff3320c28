"""Which slices an example lies in agrees with what the slices count."""

from __future__ import annotations

from collections import Counter

import pytest

from atinuke_bench import registry
from atinuke_bench.config import MicroworldConfig, SourceConfig, make_run_config
from atinuke_bench.metrics.metric import Answers
from atinuke_bench.training.prepare import prepare

SMALL = SourceConfig(kind="microworld", microworld=MicroworldConfig(train=30, dev=40, test=40))


def _counted(task):
    """Of a task's generated examples: how many lie in each slice and label, and how many each counts."""
    prepared = prepare(make_run_config(task, "majority", source=SMALL))
    task = prepared.task
    split = next(name for name in task.splits.headline if name in prepared.evaluation_splits)
    examples = prepared.evaluation_splits[split]
    gold, found = task.data.gold(examples), task.floor(prepared.train_examples, examples, prepared.run)
    answers = Answers(examples["id"][:], [found[id_] for id_ in examples["id"][:]], gold)
    members = task.members(examples, gold)
    assert len(members) == len(examples)
    lie = Counter((name, label) for own in members for name, labels in own.items() for label in labels)
    slices = task.slices(examples, answers, task.metric.measure(answers))
    count = {(name, label): row["num"] for name, rows in slices.items() for label, row in rows.items() if row["num"]}
    return lie, count


@pytest.mark.parametrize("task", ["snli", "glue/cola", "squad-v2.0", "long-range"])
def test_as_many_examples_lie_in_a_slice_as_it_counts(task):
    lie, count = _counted(task)
    assert count
    assert lie == count


def test_predicates_lie_in_the_slices_of_their_arguments():
    lie, count = _counted("srl")
    assert lie.keys() == count.keys()
    assert all(lie[place] <= count[place] for place in lie)
    assert ("role", "A0") in lie


def test_tasks_whose_slices_are_of_parts_of_a_document_name_no_members():
    assert registry.load_task("coref").members is None
