"""The floor is the unigram model, and is asked for the same tokens as a core."""

from __future__ import annotations

import numpy as np
import pytest

from atinuke_bench.data.tokenizer import CLS_ID
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

QUIET = Execution(show_progress=False)


def test_learning_helps_and_the_floor_is_the_unigram_model(make_lm, tmp_path):
    prepared = prepare(make_lm("majority"))
    floor = train_and_evaluate(prepared, RunFolder(tmp_path / "floor"), QUIET)
    assert floor["metric"] == "bits_per_byte"
    run = make_lm(training__max_epochs=5, training__learning_rate=1e-2)
    learned = train_and_evaluate(prepare(run), RunFolder(tmp_path / "core"), QUIET)
    assert learned["score"] < 0.8 * floor["score"]

    tokenizer = prepared.tokenizer
    counts = np.ones(tokenizer.get_vocab_size())
    for text in prepared.train_examples["text"]:
        for token in tokenizer.encode(text).ids:
            counts[token] += token != CLS_ID
    counts[CLS_ID] = 0
    examples = prepared.loaded.splits["test"]
    ids = [token for text in examples["text"] for token in tokenizer.encode(text).ids[1:]]
    bits = -np.log2(counts[ids] / counts.sum()).sum()
    expected = bits / sum(len(text.encode()) for text in examples["text"])
    assert floor["score"] == pytest.approx(expected, rel=0.01)


def test_the_masked_floor_answers_the_same_tokens_as_a_masked_core(make_lm, tmp_path):
    floor = train_and_evaluate(
        prepare(make_lm("majority", options__objective="masked")), RunFolder(tmp_path / "floor"), QUIET
    )
    core = train_and_evaluate(prepare(make_lm("bilstm")), RunFolder(tmp_path / "core"), QUIET)
    assert floor["metric"] == core["metric"] == "masked_loss"
    for split in ("dev", "test"):
        assert floor["scores"][split]["num_scored_tokens"] == core["scores"][split]["num_scored_tokens"]
