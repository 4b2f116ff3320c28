"""Running text as rows without padding, for language modelling; and which of a row's tokens are masked.

The documents of a split follow one another in one stream, each as `[CLS] text [SEP]`, and the stream is cut into rows
of one length. Only the last row of a split is shorter. A row may end in the middle of a document and hold parts of
several. Attention crosses from one document to the next (as in GPT-3, Brown et al. 2020, appendix B): a core sees the
boundary in the two special tokens, and in segment ids that alternate from document to document.

Letters: B rows of a batch, T tokens of a row, L length of a full row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.data.tokenizer import CLS_ID, MASK_ID, PAD_ID, SEP_ID, SPECIAL_TOKENS

#: What a core is asked for: the next token, or tokens that are hidden from it.
Objective = Literal["causal", "masked"]

#: Of the tokens that can be masked, 15 % are; of these 80 % become [MASK], 10 % another token, and 10 % stay
#: (Devlin et al. 2019, section 3.1).
MASK_FRACTION, REPLACED_BY_MASK, REPLACED_BY_OTHER = 0.15, 0.8, 0.1

#: The masks of evaluation are one function of row and place for every run, so that scores of runs can be paired.
EVALUATION_SEED = 20_240_116


def pack(
    documents: Sequence[Sequence[int]], length: int, overlap: int = 0, hidden: Sequence[Sequence[int]] | None = None
) -> Encoded:
    """Rows of `length` tokens from the token ids of documents, in order.

    With `overlap` 1 a row begins with the last token of the row before it, so that a model of the next token predicts
    every token exactly once. Columns beside `input_ids`: `segment_ids`, the parity of the token's document, and
    `document`, its number. The host column `hidden` is the bytes that each token hides, 0 where they are not given.

    >>> packed = pack([[7, 8, 9], [6]], length=4, overlap=1)
    >>> [packed.ragged["input_ids"][row].tolist() for row in range(len(packed))]
    [[2, 7, 8, 9], [9, 3, 2, 6], [6, 3]]
    """
    assert 0 <= overlap < length, f"rows of {length} tokens cannot overlap by {overlap}"
    lengths = np.array([len(ids) + 2 for ids in documents], dtype=np.int64)
    stream = np.fromiter(
        (token for ids in documents for token in (CLS_ID, *ids, SEP_ID)), dtype=np.int32, count=int(lengths.sum())
    )
    sizes = np.zeros(len(stream), dtype=np.int32)
    if hidden is not None:
        sizes[(stream != CLS_ID) & (stream != SEP_ID)] = [size for own in hidden for size in own]
    document = np.repeat(np.arange(len(documents), dtype=np.int32), lengths)
    stride = length - overlap
    # A row that held nothing but its overlap would predict nothing.
    starts = np.arange(0, max(1, len(stream) - overlap), stride)
    ends = np.minimum(starts + length, len(stream))
    places = np.concatenate([np.arange(start, end) for start, end in zip(starts, ends, strict=True)])
    offsets = np.concatenate([[0], np.cumsum(ends - starts)])
    columns = {"input_ids": stream[places], "segment_ids": document[places] % 2, "document": document[places]}
    ragged = {name: Ragged(values, offsets, PAD_ID) for name, values in columns.items()}
    return Encoded(ragged, document[starts].astype(np.int64), host={"hidden": Ragged(sizes[places], offsets)})


def next_token_places(input_ids: Tensor, attention_mask: Tensor) -> Tensor:  # (B, T), (B, T) -> (B, T) bool
    """The tokens that are predicted from those before them: all but a row's first and the beginnings of documents.

    `[CLS]` always follows `[SEP]`; predicting it says nothing of a core.
    """
    scored = attention_mask & (input_ids != CLS_ID)
    scored[:, 0] = False
    return scored


def masked_places(input_ids: Tensor, attention_mask: Tensor, rows: Tensor, seed: int, epoch: int) -> Tensor:
    """The tokens that are masked, (B, T) bool: a pure function of (seed, epoch, row, place). Never a special token."""
    words = attention_mask & (input_ids >= len(SPECIAL_TOKENS))
    return words & (_uniform(input_ids, rows, seed, epoch, draw=0) < MASK_FRACTION)


def corrupt(input_ids: Tensor, masked: Tensor, rows: Tensor, seed: int, epoch: int, vocab_size: int) -> Tensor:
    """`input_ids` (B, T) with the masked tokens hidden: most become [MASK], some any other token, some stay."""
    fate = _uniform(input_ids, rows, seed, epoch, draw=1)
    number = _uniform(input_ids, rows, seed, epoch, draw=2)
    first = len(SPECIAL_TOKENS)
    others = first + (number * (vocab_size - first)).long().clamp(max=vocab_size - first - 1)
    hidden = torch.where(masked & (fate < REPLACED_BY_MASK), MASK_ID, input_ids)
    swapped = masked & (fate >= REPLACED_BY_MASK) & (fate < REPLACED_BY_MASK + REPLACED_BY_OTHER)
    return torch.where(swapped, others, hidden)


def evaluated_places(
    objective: Objective, input_ids: Tensor, attention_mask: Tensor, rows: Tensor
) -> Tensor:  # (B, T) bool
    """The tokens that evaluation scores, the same for every model of an objective."""
    if objective == "causal":
        return next_token_places(input_ids, attention_mask)
    return masked_places(input_ids, attention_mask, rows, EVALUATION_SEED, 0)


def _uniform(like: Tensor, rows: Tensor, seed: int, epoch: int, draw: int) -> Tensor:  # (B, T) float64 in [0, 1)
    """A number for every place of a row, from a hash of all it may depend on: no generator, no order of batches."""
    if like.device.type == "mps":  # which has no float64
        return _uniform(like.cpu(), rows.cpu(), seed, epoch, draw).float().to(like.device)
    places = torch.arange(like.shape[1], device=like.device)
    key = _mix(_mix(_mix(torch.tensor(seed)) + epoch) + draw)  # on the host: to send a number, a GPU is waited for
    mixed = _mix(_mix(rows.to(like.device)[:, None] + int(key)) + places)
    return _shift(mixed, 11).double() / 2**53


def _mix(value: Tensor) -> Tensor:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014) in wrapping int64 arithmetic."""
    value = value + _signed(0x9E3779B97F4A7C15)
    value = (value ^ _shift(value, 30)) * _signed(0xBF58476D1CE4E5B9)
    value = (value ^ _shift(value, 27)) * _signed(0x94D049BB133111EB)
    return value ^ _shift(value, 31)


def _shift(value: Tensor, bits: int) -> Tensor:
    # int64 shifts bring copies of the sign in from the left; they are cut off.
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
