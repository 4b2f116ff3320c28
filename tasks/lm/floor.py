"""The floor of language modelling: how often each token occurs, regardless of what is before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from atinuke_bench.config import RunConfig
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.tokenizer import CLS_ID, cached_tokenizer
from atinuke_bench.environment import cache_folder
from atinuke_bench.tasks.lm.data import LmData
from atinuke_bench.tasks.lm.decode import NOT_SCORED, sum_documents
from atinuke_bench.tasks.lm.rows import Objective, evaluated_places


def unigrams(data: LmData, train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, Any]:
    """Each token by its frequency in the train split, one added to every count."""
    tokenizer = cached_tokenizer(cache_folder(), data.texts(train), run.tokenizer)
    learned, encoded = data.rows(train, tokenizer, run), data.rows(examples, tokenizer, run)
    counts = np.bincount(learned.ragged["input_ids"].values, minlength=tokenizer.get_vocab_size()) + 1.0
    if data.objective == "causal":
        counts[CLS_ID] = 1e-9  # never asked for
    return sum_documents(_outputs(encoded, counts, data.objective), encoded, examples, data.objective)


def _outputs(encoded: Encoded, counts: np.ndarray, objective: Objective) -> Iterator[dict[str, np.ndarray]]:
    """What a module would give, a row at a time."""
    nats = -np.log(counts / counts.sum())
    for row in range(len(encoded)):
        ids = encoded.ragged["input_ids"][row].astype(np.int64)
        tensor = torch.from_numpy(ids)[None]
        mask = torch.ones_like(tensor, dtype=torch.bool)
        scored = evaluated_places(objective, tensor, mask, torch.tensor([row]))[0].numpy()
        yield {
            "rows": np.array([row]),
            "nats": np.where(scored, nats[ids], NOT_SCORED)[None],
            "right": (ids == counts.argmax())[None].astype(float),
        }
