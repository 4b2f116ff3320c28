"""Rows without padding, and masks that depend on nothing but seed, epoch, row and place."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.data.tokenizer import CLS_ID, MASK_ID, SEP_ID, SPECIAL_TOKENS
from atinuke_bench.tasks.lm.rows import corrupt, evaluated_places, masked_places, next_token_places, pack

FIRST = len(SPECIAL_TOKENS)


def documents(num, seed=0):
    draw = np.random.default_rng(seed)
    return [draw.integers(FIRST, 90, size=draw.integers(1, 40)).tolist() for _ in range(num)]


def stream_of(texts):
    return [token for ids in texts for token in (CLS_ID, *ids, SEP_ID)]


@pytest.mark.parametrize("length", [2, 7, 64, 10_000])
@pytest.mark.parametrize("overlap", [0, 1])
def test_rows_hold_the_stream_and_only_the_last_is_short(length, overlap):
    texts = documents(30)
    packed = pack(texts, length, overlap)
    rows = [packed.ragged["input_ids"][row].tolist() for row in range(len(packed))]
    assert all(len(row) == length for row in rows[:-1])
    assert overlap < len(rows[-1]) <= length
    assert rows[0] + [token for row in rows[1:] for token in row[overlap:]] == stream_of(texts)
    for before, after in pairwise(rows):
        assert before[len(before) - overlap :] == after[:overlap]


def test_segments_alternate_with_documents():
    packed = pack([[7, 8], [9], [7]], length=100)
    assert packed.ragged["document"][0].tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert packed.ragged["segment_ids"][0].tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_a_document_of_no_words_and_a_stream_of_one_row():
    packed = pack([[]], length=8, overlap=1)
    assert packed.ragged["input_ids"][0].tolist() == [CLS_ID, SEP_ID]
    assert len(packed) == 1


def test_every_token_is_the_next_one_exactly_once():
    texts = documents(30)
    packed = pack(texts, 16, overlap=1)
    batch = BatchDataset(packed)[np.arange(len(packed))]
    places = next_token_places(batch["input_ids"], batch["attention_mask"])
    assert batch["input_ids"][places].tolist() == [token for token in stream_of(texts) if token != CLS_ID]


def test_masks_depend_on_seed_epoch_row_and_place_alone():
    packed = pack(documents(60), 32)
    whole = BatchDataset(packed)
    rows = np.arange(len(packed))
    batch = whole[rows]
    args = batch["input_ids"], batch["attention_mask"], batch["rows"]
    masked = masked_places(*args, 3, 5)
    hidden = corrupt(batch["input_ids"], masked, batch["rows"], 3, 5, 90)
    picked = rows[::-1][3:9].copy()  # another order, other neighbours, other length of the batch
    part = whole[picked]
    own = masked_places(part["input_ids"], part["attention_mask"], part["rows"], 3, 5)
    width = own.shape[1]
    assert torch.equal(own, masked[torch.from_numpy(picked), :width])
    assert torch.equal(
        corrupt(part["input_ids"], own, part["rows"], 3, 5, 90), hidden[torch.from_numpy(picked), :width]
    )
    for seed, epoch in ((4, 5), (3, 6), (5, 3)):
        assert not torch.equal(masked_places(*args, seed, epoch), masked)
    assert torch.equal(evaluated_places("masked", *args), evaluated_places("masked", *args))
    assert not torch.equal(evaluated_places("masked", *args), masked_places(*args, 0, 0))


def test_fifteen_percent_are_masked_of_which_eighty_ten_ten():
    ids = torch.randint(FIRST, 1000, (400, 500), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, 100] = CLS_ID, SEP_ID
    rows, mask = torch.arange(400), torch.ones(400, 500, dtype=torch.bool)
    mask[:, 450:] = False
    masked = masked_places(ids, mask, rows, 0, 0)
    assert not masked[:, [0, 100]].any()
    assert not masked[:, 450:].any()
    # 179,200 words: a share's standard error is below 0.1 % of them, and 0.25 % of the masked ones.
    assert masked.sum().item() / (400 * 448) == pytest.approx(0.15, abs=0.004)
    hidden = corrupt(ids, masked, rows, 0, 0, 1000)
    assert torch.equal(hidden[~masked], ids[~masked])
    shown, before = hidden[masked], ids[masked]
    assert (shown == MASK_ID).float().mean().item() == pytest.approx(0.8, abs=0.01)
    assert (shown == before).float().mean().item() == pytest.approx(0.1, abs=0.01)
    others = shown[(shown != MASK_ID) & (shown != before)]
    assert others.min() >= FIRST
    assert others.max() < 1000
    assert len(others.unique()) > 800  # drawn from the whole vocabulary
