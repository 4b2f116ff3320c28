"""Losses of tokens add up to the sums of their documents, in any order of rows."""

from __future__ import annotations

import math

import numpy as np
from datasets import Dataset

from atinuke_bench.data.tokenizer import UNK_ID
from atinuke_bench.tasks.lm.decode import NOT_SCORED, sum_documents
from atinuke_bench.tasks.lm.rows import pack

TEXTS = Dataset.from_dict({"id": ["a", "b"], "text": ["", ""]})
DOCUMENTS = [[7, 8, UNK_ID], [9]]  # in rows of four: CLS 7 8 UNK | UNK SEP CLS 9 | 9 SEP


def test_sums_of_the_next_token():
    encoded = pack(DOCUMENTS, length=4, overlap=1, hidden=[[0, 0, 9], [0]])
    nats = np.array([[-1, 1, 2, 4], [-1, 8, -1, 16], [-1, 32, -1, -1]], dtype=float)
    right = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0]], dtype=float)
    outputs = [
        {"rows": np.array([row]), "nats": nats[[row], :width], "right": right[[row], :width]}
        for row, width in ((2, 2), (0, 4), (1, 4))
    ]
    assert sum_documents(outputs, encoded, TEXTS, "causal") == {
        "a": {"nats": 15.0, "scored": 4, "right": 2, "tokens": 3, "unknown": 1, "hidden": 9},
        "b": {"nats": 48.0, "scored": 2, "right": 1, "tokens": 1, "unknown": 0, "hidden": 0},
    }


def test_sums_of_hidden_tokens_and_a_loss_that_is_no_number():
    encoded = pack(DOCUMENTS, length=8)
    nats = np.full((1, 8), NOT_SCORED)
    nats[0, 1], nats[0, 6] = math.nan, 2.0
    sums = sum_documents([{"rows": np.array([0]), "nats": nats, "right": np.ones((1, 8))}], encoded, TEXTS, "masked")
    assert math.isnan(sums["a"].pop("nats"))
    assert sums["a"] == {"scored": 1, "right": 1, "tokens": 3, "unknown": 1, "hidden": 0}
    assert sums["b"] == {"nats": 2.0, "scored": 1, "right": 1, "tokens": 1, "unknown": 0, "hidden": 0}
