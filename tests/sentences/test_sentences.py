"""SNLI and GLUE on small official files: every task loads, trains, is scored and says what it read."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from atinuke_bench.config import SourceConfig
from atinuke_bench.core.build import build_core
from atinuke_bench.errors import ConfigError
from atinuke_bench.heads.pooling import pool
from atinuke_bench.metrics.classification import ClassMetric, CorrelationMetric
from atinuke_bench.registry import load_task, task_names
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

TASKS = [name for name in task_names() if name == "snli" or name.startswith("glue/")]


@pytest.mark.parametrize("name", TASKS)
def test_trains_and_is_scored_on_every_labelled_split(make_run, tmp_path, name):
    prepared = prepare(make_run(name, training__max_epochs=1), predicts_unlabelled=True)
    folder = RunFolder(tmp_path / "run")
    result = train_and_evaluate(prepared, folder, Execution(threads=1, show_progress=False))
    task = prepared.task
    assert isinstance(task.metric, ClassMetric | CorrelationMetric)
    rows = pd.read_parquet(folder.predictions)
    assert set(rows["split"]) == set(prepared.evaluation_splits)
    assert set(result["scores"]) == {
        s for s in prepared.evaluation_splits if task.is_labelled(prepared.loaded.splits[s])
    }
    for metrics in result["scores"].values():
        assert set(metrics) == {task.metric.name, *task.metric.beside}
    assert result["causal_view"] == task.causal_view, "the core is a causal one"
    assert (result["score"] is None) == (name == "glue/ax")  # the small diagnostic set has no labels


def test_mnli_answers_its_other_sets_and_the_diagnostic(make_run):
    labelled = ["dev_matched", "dev_mismatched"]
    assert list(prepare(make_run("glue/mnli")).evaluation_splits) == labelled
    prepared = prepare(make_run("glue/mnli"), predicts_unlabelled=True)
    assert list(prepared.evaluation_splits) == [*labelled, "test_matched", "test_mismatched", "ax"]


def test_what_has_no_label_at_all_is_predicted_anyway(make_run):
    assert list(prepare(make_run("glue/ax")).evaluation_splits) == ["test"]


def test_the_diagnostic_is_trained_on_mnli(make_run):
    mnli, diagnostic = prepare(make_run("glue/mnli")), prepare(make_run("glue/ax"))
    assert diagnostic.train_examples["sentence1"][:] == mnli.train_examples["sentence1"][:]


def test_skipped_lines_are_noted(make_run):
    assert prepare(make_run("glue/qqp")).loaded.notes[-1] == "train: train.tsv: 1 malformed lines skipped"


def test_quotes_are_text(make_run):
    assert '"' in prepare(make_run("glue/cola")).train_examples["sentence1"][0]


def test_a_score_is_learned_as_a_number(make_run):
    prepared = prepare(make_run("glue/stsb"))
    module = prepared.task.model.build(build_core(prepared.run.core, 200), prepared.run)
    assert module.num_outputs == 1
    floor = prepared.task.floor(prepared.train_examples, prepared.loaded.splits["dev"], prepared.run)
    mean = np.mean(prepared.train_examples["label"][:])
    assert all(value == pytest.approx(mean) for value in floor.values())
    evaluation = evaluate(prepared.task, prepared.loaded.splits["dev"], floor)
    assert evaluation.figures == {"spearman": None, "pearson": None}


def test_pairs_of_one_premise_stay_on_one_side_of_the_cut(make_run):
    prepared = prepare(make_run("snli"))
    assert not set(prepared.train_examples["sentence1"]) & set(prepared.selection_examples["sentence1"])


def test_pooling_reads_only_its_own_tokens():
    hidden = torch.randn(2, 5, 3)
    mask = torch.tensor([[True, True, False, False, False], [False, True, True, True, False]])
    for how, reference in (("max", lambda rows: rows.amax(0)), ("mean", lambda rows: rows.mean(0))):
        expected = torch.stack([reference(hidden[row][mask[row]]) for row in range(2)])
        torch.testing.assert_close(pool(hidden, mask, how), expected)


def test_stored_scores_recompute_the_headline(make_run, tmp_path):
    folder = RunFolder(tmp_path / "run")
    result = train_and_evaluate(prepare(make_run("glue/rte")), folder, Execution(show_progress=False))
    rows = pd.read_parquet(folder.predictions)
    dev = rows[rows["split"] == "dev"]
    assert result["score"] == pytest.approx(100 * dev["score"].mean())
    assert rows.loc[rows["split"] == "test", "score"].map(math.isnan).all()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("snli", {"train": 20_000, "dev": 9_842, "test": 9_824}),
        ("glue/wnli", {"train": 635, "dev": 71, "test": 146}),
        ("glue/qnli", {"train": 4_119, "dev": 1_344, "test": 5_463}),
        ("glue/stsb", {"train": 1_000, "dev": 750}),
        ("glue/mnli", {"train": 8_630, "dev_matched": 1_185, "dev_mismatched": 1_000}),
    ],
)
def test_real_files_have_their_known_sizes(data_dir, name, sizes):
    task = load_task(name)
    loaded = task.data.load(SourceConfig(data_dir=data_dir), task.options_class())
    assert {split: len(rows) for split, rows in loaded.splits.items()} == sizes


def test_which_text_comes_first_is_a_setting_of_pairs_alone(make_run):
    usual, said, swapped = (
        prepare(make_run("snli", **{"options__second_first": value} if value is not None else {}))
        for value in (None, False, True)
    )
    assert usual.run == said.run, "a run has one identity, whether the usual order is said or not"
    assert "second_first" not in usual.run.options
    assert usual.identity == said.identity != swapped.identity
    assert usual.protocol() == swapped.protocol(), "the examples and their scores stay comparable"
    train, own = usual.train_examples, [one.encode("train", one.train_examples) for one in (usual, swapped)]
    firsts = [sorted(one.ragged["input_ids"][0].tolist()) for one in own]
    assert firsts[0] == firsts[1]
    assert own[0].ragged["input_ids"][0].tolist() != own[1].ragged["input_ids"][0].tolist()
    assert len(train) == len(own[0]) == len(own[1])
    with pytest.raises(ConfigError, match="second_first"):
        prepare(make_run("glue/cola", options__second_first=True))
