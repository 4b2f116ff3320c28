"""SQuAD questions as model inputs: `[CLS] question [SEP] context window [SEP]`, with exact character offsets.

The window may also come first, and the question behind it.

A context too long for one input is cut into overlapping windows. Each distinct context is tokenized once; the rest is
array arithmetic over all windows at a time, without a loop over tokens.

Letters: W windows, P positions of all windows together (windows are ragged, padding is the batch's business),
T tokens of all distinct contexts together, Q questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.data.tokenizer import PAD_ID, SpecialTokens, plain_copy, special_tokens
from atinuke_bench.errors import ConfigError

Array = NDArray[Any]

_TEXTS_PER_CALL = 1024  # bounds the memory that the tokenizer's own objects take
_QUESTIONS_PER_CHUNK = 8192  # bounds the memory of intermediate arrays


@dataclass(frozen=True)
class Windows:
    """Windows, a row each, in order of question, then of context, and what did not fit into them.

    A token's text is `context[char_starts:char_ends]`, in characters of the original context; both, which only decoding
    needs, are 0 where `context_mask` is false: there no answer may begin or end. `segment_ids` is 1 at the context and
    the separators behind it, 0 elsewhere, whichever comes first. `start_label` and `end_label` (inclusive) count tokens
    from the window's start; 0, the [CLS], says that the answer is not wholly inside the window, or that the question
    is unanswerable.
    """

    encoded: Encoded
    num_truncated_questions: int
    num_lost_answers: int  # answerable questions whose answer is wholly inside no window


@dataclass(frozen=True)
class _Layout:
    """How one window is laid out; lengths in tokens."""

    specials: SpecialTokens
    max_question: int
    max_length: int
    stride: int
    text_first: bool


@dataclass(frozen=True)
class _ContextTokens:
    """All tokens of the distinct contexts. Characters are numbered through: context c begins at `char_base[c]`."""

    ids: Array  # int32 [T]
    starts: Array  # int64 [T]
    ends: Array  # int64 [T]
    offsets: Array  # int64 [number of contexts + 1]
    char_base: Array  # int64 [number of contexts]
    next_visible: Array  # int64 [characters + 1]: the first character at or after this one that is not white space
    past_visible: Array  # int64 [characters + 1]: one past the last character before this one that is not white space


def build_windows(
    tokenizer: Tokenizer,
    questions: Sequence[str],
    contexts: Sequence[str],
    answers: Sequence[Mapping[str, Sequence[Any]]] | None = None,
    *,
    max_length: int = 384,
    stride: int = 128,
    min_context: int | None = None,
    text_first: bool = False,
) -> Windows:
    """All windows of Q questions, each with its context and, for labels, its answers `{"text", "answer_start"}`.

    `stride` is the distance in tokens between the starts of neighbouring windows (BERT's doc_stride, not an overlap),
    lowered where needed so that no token falls between two. A question keeps all its tokens as long as at least
    `min_context` (a quarter of `max_length` unless given) are left for the context; a longer one loses its tail. With
    `text_first` each window of the context is before the question.
    Labels follow a question's first answer: the fewest tokens that cover all its characters.

    Characters that the tokenizer drops (combining marks, joiners) belong to the token they touch, so that text cut
    at token borders keeps them. A context that spells out "[SEP]" is text. The special tokens are the tokenizer's own,
    also two of `[SEP]` after the question; its truncation and padding are not used. Raises ConfigError for lengths that
    do not fit or a tokenizer that frames texts in another way.
    Source: Devlin et al. 2019 (arXiv 1810.04805), run_squad.py.

    >>> from tokenizers import models, pre_tokenizers
    >>> tokenizer = Tokenizer(models.WordLevel({"[CLS]": 0, "[SEP]": 1, "[UNK]": 2, "Ada": 3}, unk_token="[UNK]"))
    >>> tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    >>> rows = build_windows(tokenizer, ["Who ?"], ["I am Ada"], [{"text": ["Ada"], "answer_start": [5]}]).encoded
    >>> rows.ragged["input_ids"][0].tolist(), rows.fixed["start_label"].tolist(), rows.host["char_starts"][0].tolist()
    ([0, 2, 2, 1, 2, 2, 3, 1], [6], [0, 0, 0, 0, 0, 2, 5, 0])
    """
    if not questions:
        raise ConfigError("no questions to build windows from")
    min_context = max_length // 4 if min_context is None else min_context
    specials = special_tokens(tokenizer)
    max_question = max_length - specials.num_in_pair - min_context
    _check_lengths(max_length, stride, min_context, specials.num_in_pair)
    layout = _Layout(specials, max_question, max_length, stride, text_first)
    tokenizer = plain_copy(tokenizer)
    rows: dict[str, int] = {}
    context_row = np.fromiter((rows.setdefault(context, len(rows)) for context in contexts), np.int64, len(contexts))
    tokens = _tokenize_contexts(tokenizer, list(rows))
    spans = _answer_spans(tokens, context_row, answers)
    parts = [
        _build_chunk(
            first,
            _ragged(_encode_ids(tokenizer, questions[first : first + _QUESTIONS_PER_CHUNK])),
            tokens,
            context_row[first : first + _QUESTIONS_PER_CHUNK],
            spans[first : first + _QUESTIONS_PER_CHUNK],
            layout,
        )
        for first in range(0, len(questions), _QUESTIONS_PER_CHUNK)
    ]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Windows(_encoded(arrays), int(arrays["is_truncated"].sum()), int(arrays["is_lost"].sum()))


def _encoded(arrays: Mapping[str, Array]) -> Encoded:
    offsets = _offsets(arrays["lengths"])
    return Encoded(
        {
            "input_ids": Ragged(arrays["input_ids"], offsets, padding=PAD_ID),
            **{name: Ragged(arrays[name], offsets) for name in ("segment_ids", "context_mask", "shared_count")},
        },
        arrays["example_index"],
        fixed={name: arrays[name] for name in ("start_label", "end_label")},
        host={name: Ragged(arrays[name], offsets) for name in ("char_starts", "char_ends")},
    )


def _check_lengths(max_length: int, stride: int, min_context: int, num_special: int) -> None:
    if stride < 1:
        raise ConfigError(f"stride must be at least 1 token, got {stride}")
    if min_context < 1 or max_length - num_special - min_context < 1:
        raise ConfigError(
            f"max_length {max_length} must hold {num_special} special tokens, 1 question token and min_context "
            f"({min_context}, at least 1) context tokens"
        )


def _ragged(lists: Sequence[Sequence[int]]) -> tuple[Array, Array]:
    """(values int32, offsets int64) of lists of integers."""
    offsets = _offsets(np.fromiter(map(len, lists), np.int64, len(lists)))
    return np.fromiter(chain.from_iterable(lists), np.int32, offsets[-1]), offsets


def _offsets(lengths: Array) -> Array:
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def _encode_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def _tokenize_contexts(tokenizer: Tokenizer, contexts: Sequence[str]) -> _ContextTokens:
    ids: list[list[int]] = []
    pairs: list[Array] = []
    for first in range(0, len(contexts), _TEXTS_PER_CALL):
        batch = tokenizer.encode_batch(list(contexts[first : first + _TEXTS_PER_CALL]), add_special_tokens=False)
        ids.extend(encoding.ids for encoding in batch)
        flat = chain.from_iterable(chain.from_iterable(encoding.offsets for encoding in batch))
        pairs.append(np.fromiter(flat, np.int64).reshape(-1, 2))
    values, offsets = _ragged(ids)
    # A new line after each context keeps the characters of neighbours apart.
    codes = np.frombuffer("".join(f"{context}\n" for context in contexts).encode("utf-32-le"), np.uint32)
    char_base = _offsets(np.fromiter((len(context) + 1 for context in contexts), np.int64, len(contexts)))[:-1]
    base = np.repeat(char_base, np.diff(offsets))
    starts, ends = np.concatenate(pairs).T + base
    space = _is_space(codes)
    starts, ends = _adopt_dropped(starts, ends, space)
    next_visible, past_visible = _runs(space)
    # A tokenizer that keeps spaces inside tokens must not put them at the edge of an answer.
    starts = np.minimum(next_visible[starts], ends)
    ends = np.maximum(past_visible[ends], starts)
    return _ContextTokens(values, starts, ends, offsets, char_base, next_visible, past_visible)


def _is_space(codes: Array) -> Array:
    """bool per character; `str.isspace` is asked once per distinct character."""
    table = np.zeros(0x110000, bool)
    table[codes] = True
    distinct = np.flatnonzero(table)
    table[distinct] = [chr(code).isspace() for code in distinct]
    return table[codes]


def _runs(inside: Array) -> tuple[Array, Array]:
    """Two int64 [n + 1], for the borders of n characters: the first character at or after a border that is not
    `inside` (else n), and one past the last such character before it (else 0).

    >>> [borders.tolist() for borders in _runs(np.array([False, True, True, False]))]
    [[0, 3, 3, 3, 4], [0, 1, 1, 1, 4]]
    """
    borders = np.arange(len(inside) + 1)
    after = np.where(np.append(inside, False), len(inside), borders)
    before = np.where(np.insert(inside, 0, False), 0, borders)
    return np.minimum.accumulate(after[::-1])[::-1], np.maximum.accumulate(before)


def _adopt_dropped(starts: Array, ends: Array, space: Array) -> tuple[Array, Array]:
    """Widen tokens over the visible characters next to them that no token covers.

    A run of such characters goes to the token before it, or, after white space, to the token behind it.
    """
    change = np.zeros(len(space) + 1, np.int64)
    np.add.at(change, starts, 1)
    np.add.at(change, ends, -1)
    dropped = (np.cumsum(change)[:-1] == 0) & ~space
    if dropped.any():
        run_end, run_start = _runs(dropped)
        begin = run_start[starts]
        after_space = (begin == 0) | space[begin - 1]
        starts, ends = np.where(after_space, begin, starts), run_end[ends]
    return starts, ends


def _answer_spans(
    tokens: _ContextTokens, context_row: Array, answers: Sequence[Mapping[str, Sequence[Any]]] | None
) -> Array:
    """int64 [Q, 2]: first and last (inclusive) token of each first answer, numbered from the context's first token.

    (-1, -1) where there is no answer, (-1, -2) where no token carries it.
    """
    num_questions = len(context_row)
    spans = np.full((num_questions, 2), -1, np.int64)
    if answers is None:
        return spans
    firsts = [
        (row, answer["answer_start"][0], answer["answer_start"][0] + len(answer["text"][0]))
        for row, answer in enumerate(answers)
        if answer["text"]
    ]
    if not firsts or not len(tokens.ids):
        spans[[row for row, _, _ in firsts], 1] = -2
        return spans
    rows, begin, end = np.array(firsts, np.int64).T
    base = tokens.char_base[context_row[rows]]
    # An answer kept for evaluation may claim more characters than its context has.
    end = np.minimum(end, np.append(tokens.char_base[1:], len(tokens.next_visible) - 1)[context_row[rows]] - base - 1)
    begin, end = tokens.next_visible[begin + base], tokens.past_visible[end + base]
    first = np.searchsorted(np.maximum.accumulate(tokens.ends), begin, side="right")
    last = np.searchsorted(np.maximum.accumulate(tokens.starts), end, side="left") - 1
    token_base = tokens.offsets[context_row[rows]]
    carried = (first <= last) & (begin < end)
    spans[rows, 0] = np.where(carried, first - token_base, -1)
    spans[rows, 1] = np.where(carried, last - token_base, -2)
    return spans


def _build_chunk(
    first_question: int,
    encoded: tuple[Array, Array],
    tokens: _ContextTokens,
    context_row: Array,
    spans: Array,
    layout: _Layout,
) -> dict[str, Array]:
    """Arrays over the chunk's windows [W], their positions [P] and its questions, by name."""
    question_ids, question_offsets = encoded
    full_lengths = np.diff(question_offsets)
    question_lengths = np.minimum(full_lengths, layout.max_question)
    num_special, num_between = layout.specials.num_in_pair, layout.specials.num_between
    question, start, length = _place_windows(
        np.diff(tokens.offsets)[context_row], layout.max_length - num_special - question_lengths, layout.stride
    )
    asked_length = question_lengths[question]  # [W]
    # Positions of the window's first context token and of its first question token, [W].
    if layout.text_first:
        context_at, question_at = np.ones_like(length), length + 1 + num_between
    else:
        context_at, question_at = asked_length + 1 + num_between, np.ones_like(length)
    offsets = _offsets(asked_length + length + num_special)

    window = np.repeat(np.arange(len(question)), np.diff(offsets))  # [P]
    position = np.arange(offsets[-1]) - offsets[window]  # [P]
    in_context = position - context_at[window]  # [P]: number within the window's context, negative before it
    in_question = position - question_at[window]  # [P]
    mask = (in_context >= 0) & (in_context < length[window])
    asked = (in_question >= 0) & (in_question < asked_length[window])
    is_second = (in_context >= 0) & (in_question < 0) if layout.text_first else in_context >= 0
    ids = np.full(offsets[-1], layout.specials.sep, np.int32)
    ids[offsets[:-1]] = layout.specials.cls
    ids[asked] = question_ids[question_offsets[question[window[asked]]] + in_question[asked]]
    token_base = tokens.offsets[context_row[question]] + start  # [W]
    chars = np.zeros((2, offsets[-1]), np.int32)
    token = (token_base[window] + in_context)[mask]
    ids[mask] = tokens.ids[token]
    char_base = tokens.char_base[context_row[question]][window][mask]
    chars[0, mask], chars[1, mask] = tokens.starts[token] - char_base, tokens.ends[token] - char_base

    in_text = mask & (chars[1] > chars[0])
    special = (ids == layout.specials.cls) | (ids == layout.specials.sep)
    labels, is_lost = _labels(question, start, length, context_at, spans)
    return {
        "lengths": np.diff(offsets),
        "input_ids": ids,
        "segment_ids": is_second.astype(np.int32),
        "context_mask": in_text,
        "shared_count": shared_counts(ids, window, asked & ~special, in_text),
        "char_starts": chars[0],
        "char_ends": chars[1],
        "example_index": question + first_question,
        "start_label": labels[:, 0],
        "end_label": labels[:, 1],
        "is_truncated": full_lengths > question_lengths,
        "is_lost": is_lost,
    }


def shared_counts(
    ids: Array,  # int32 [P], of all windows
    window: Array,  # int64 [P]
    is_question: Array,  # bool [P]
    is_text: Array,  # bool [P]
) -> Array:  # int32 [P]
    """How often each token of the text that the question has too is in its window's text; 0 for all other tokens.

    >>> flags = np.array([True, True, False, False, False]), np.array([False, False, True, True, True])
    >>> shared_counts(np.array([7, 9, 7, 8, 7]), np.zeros(5, int), *flags).tolist()
    [0, 0, 2, 0, 2]
    """
    key = window * (int(ids.max(initial=0)) + 1) + ids
    text = key[is_text]
    shared = np.isin(text, key[is_question])
    _, place, count = np.unique(text[shared], return_inverse=True, return_counts=True)
    counts = np.zeros(len(ids), np.int32)
    counts[np.flatnonzero(is_text)[shared]] = count[place]
    return counts


def _labels(question: Array, start: Array, length: Array, context_at: Array, spans: Array) -> tuple[Array, Array]:
    """Labels int64 [W, 2]: first and last position; bool per question: whether no window has its answer."""
    span = spans[question]  # [W, 2]
    inside = (span[:, 0] >= start) & (span[:, 1] >= 0) & (span[:, 1] < start + length)
    labels = np.where(inside[:, None], span + (context_at - start)[:, None], 0)
    found = np.bincount(question[inside], minlength=len(spans)) > 0
    return labels, (spans[:, 1] != -1) & ~found


def _place_windows(context_lengths: Array, capacity: Array, stride: int) -> tuple[Array, Array, Array]:
    """(question [W], first context token [W], number of context tokens [W]) of every window of a chunk."""
    step = np.minimum(stride, capacity)
    counts = 1 + np.maximum(0, -(-(context_lengths - capacity) // step))
    question = np.repeat(np.arange(len(counts)), counts)
    start = (np.arange(counts.sum()) - _offsets(counts)[question]) * step[question]
    return question, start, np.minimum(capacity[question], context_lengths[question] - start)
