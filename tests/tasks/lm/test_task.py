"""Both objectives end to end, and which of them a run has."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from atinuke_bench.config import core_config_class
from atinuke_bench.errors import ConfigError
from atinuke_bench.files import sha256_file
from atinuke_bench.registry import load_task
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.testing import check_task
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.selection import EpochSelection
from atinuke_bench.training.train import Execution, train_and_evaluate

QUIET = Execution(show_progress=False)


@pytest.mark.parametrize("causal", [True, False])
def test_figures_follow_from_the_tokens(make_lm, tmp_path, causal):
    run = make_lm(core__causal=causal)
    folder = RunFolder(tmp_path / "run")
    result = train_and_evaluate(prepare(run), folder, QUIET)
    scores = result["scores"]["test"]
    rows = pd.read_parquet(folder.predictions)
    rows = rows[rows["split"] == "test"]
    sums = pd.DataFrame([json.loads(text) for text in rows["prediction"]]).sum()
    examples = prepare(run).loaded.splits["test"]
    num_bytes = sum(len(text.encode()) for text in examples["text"])
    if not causal:
        assert result["metric"] == "masked_loss"
        assert result["score"] == pytest.approx(sums["nats"] / sums["scored"])
        assert scores["masked_perplexity"] == pytest.approx(math.exp(result["score"]))
        return
    tokenizer = prepare(run).tokenizer
    num_tokens = sum(len(tokenizer.encode(text, add_special_tokens=False)) for text in examples["text"])
    assert sums["tokens"] == num_tokens
    assert sums["scored"] == num_tokens + len(examples)  # and the end of every document
    assert result["score"] == pytest.approx(sums["nats"] / math.log(2) / num_bytes)
    assert scores["perplexity"] == pytest.approx(math.exp(sums["nats"] / sums["scored"]))
    assert scores["num_bytes"] == num_bytes
    assert result["higher_is_better"] is False
    assert result["score"] < 2.0  # equally likely words of so small a vocabulary


@pytest.mark.parametrize(
    ("core", "changes", "objective"),
    [
        ("atinuke", {}, "causal"),
        ("atinuke", {"core.causal": False}, "masked"),
        ("transformer", {}, "masked"),
        ("bilstm", {}, "masked"),
        ("majority", {}, "causal"),
        ("atinuke", {"options.objective": "masked"}, "masked"),
    ],
)
def test_the_objective_follows_the_core_and_stands_in_the_protocol(make_lm, core, changes, objective):
    prepared = prepare(make_lm(core, **changes))
    assert prepared.protocol()["objective"] == prepared.run.options["objective"] == objective
    assert prepared.protocol()["primary_metric"] == {"causal": "bits_per_byte", "masked": "masked_loss"}[objective]
    assert load_task("lm").metric.name == "bits_per_byte"  # the registered task stays as it is


def test_a_core_that_sees_the_answer_is_refused(make_lm):
    with pytest.raises(ConfigError, match=r"options.objective: causal needs.*nearest: options.objective=masked"):
        prepare(make_lm("bilstm", options__objective="causal"))


def test_conformance(make_lm, tmp_path):
    check_task(make_lm("bilstm", training__max_epochs=1), tmp_path)


def test_masks_are_those_of_the_epoch_so_that_a_resumed_run_is_the_same(make_lm, tmp_path, monkeypatch):
    run = make_lm("transformer", training__max_epochs=2)
    whole = RunFolder(tmp_path / "whole")
    train_and_evaluate(prepare(run), whole, QUIET)
    original = EpochSelection.on_train_epoch_end

    def kill(self, trainer, module):
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt
        return original(self, trainer, module)

    cut = RunFolder(tmp_path / "cut")
    with monkeypatch.context() as patch:
        patch.setattr(EpochSelection, "on_train_epoch_end", kill)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train_and_evaluate(prepare(run), cut, QUIET)
    train_and_evaluate(prepare(run), cut, QUIET)
    assert sha256_file(cut.best_checkpoint) == sha256_file(whole.best_checkpoint)
    assert sha256_file(cut.predictions) == sha256_file(whole.predictions)
    losses = [record["loss"] for record in whole.read_history()]
    assert len(set(losses)) == len(losses)


def test_a_core_with_a_its_own_tokenizer_is_refused(make_lm):
    run = make_lm()
    pretrained = core_config_class("pretrained").model_validate({"model": "some/model"})
    with pytest.raises(ConfigError, match=r"task 'lm' trains cores that take its tokenizer; .* brings its own"):
        prepare(run.model_copy(update={"core": pretrained}))
