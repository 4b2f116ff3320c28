"""From the losses of tokens to the sums of each document, which are its prediction.

Letters: B rows of a batch, T tokens of a row, N documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from datasets import Dataset

from atinuke_bench.data.features import Encoded
from atinuke_bench.data.tokenizer import SEP_ID, UNK_ID
from atinuke_bench.tasks.lm.metric import SUMS
from atinuke_bench.tasks.lm.rows import Objective

#: In place of the loss of a token that is not asked for; a loss is never negative.
NOT_SCORED = -1.0


def sum_documents(
    outputs: Iterable[Mapping[str, np.ndarray]], encoded: Encoded, examples: Dataset, objective: Objective
) -> dict[str, dict[str, float]]:
    """`SUMS` by document id, from batches of `rows` (B), `nats` (B, T) and `right` (B, T) as the module gives them."""
    sums = {name: np.zeros(len(examples)) for name in SUMS}  # (N) each
    for output in outputs:
        rows, nats = output["rows"].astype(np.int64), output["nats"]
        ids, documents = (encoded.ragged[name].pad(rows) for name in ("input_ids", "document"))
        is_text = (ids > SEP_ID) | (ids == UNK_ID)
        if objective == "causal":
            is_text[:, 0] = False  # a row's first token is the last of the row before it, or [CLS]
        scored = nats != NOT_SCORED  # not a number is a loss too, and must not go unseen
        parts = {
            "nats": np.where(scored, nats, 0.0),
            "scored": scored,
            "right": scored * output["right"],
            "tokens": is_text,
            "unknown": is_text & (ids == UNK_ID),
            "hidden": is_text * encoded.host["hidden"].pad(rows),
        }
        for name, part in parts.items():
            sums[name] += np.bincount(documents.ravel(), part.ravel().astype(float), minlength=len(examples))
    whole = [name for name in SUMS if name != "nats"]
    return {
        id_: {"nats": float(sums["nats"][place]), **{name: int(sums[name][place]) for name in whole}}
        for place, id_ in enumerate(examples["id"][:])
    }
