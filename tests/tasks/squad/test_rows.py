"""Windows over contexts of every script: nothing is lost, offsets stay exact, labels are minimal."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from atinuke_bench.errors import ConfigError
from atinuke_bench.tasks.squad.files import read_squad
from atinuke_bench.tasks.squad.rows import build_windows

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
CLS, SEP = 2, 3


def wordpiece(lowercase=True):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789é½שלוםمر"
    pieces = [*SPECIAL, "[", "]", *letters, *(f"##{letter}" for letter in letters), "cafe", "##fe", "word", "sep"]
    # Stripping accents decomposes a Hangul syllable into three letters, all from the same character.
    pieces += ["\u1112", "##\u1161", "##\u11ab"]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def byte_level():
    """One token per byte: white space is inside tokens, and a character can be several of them."""
    vocabulary = SPECIAL + sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(vocabulary)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


TOKENIZERS = {"uncased": wordpiece(), "cased": wordpiece(lowercase=False), "bytes": byte_level()}

PIECES = [
    *("cafe", "Cafe", "café", "cafe\u0301", "e\u0301\u0323x", "word", "a", "1999", ",", "."),
    *("\u0301", "\u200b", "\u00ad", "\ufeff", "\x00", "İ", "ß", "½", "漢字", "한", "ﬁ"),
    *("👩\u200d💻", "🇳🇬", "שָׁלוֹם", "שלום", "مَر", "[SEP]", "\u2028", "\u00a0", "\x1c"),
    *(" ", " ", " ", "  ", "\t", "\n", "\r\n"),
]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=24).map("".join).filter(str.strip)
lengths = st.integers(12, 40)
strides = st.integers(1, 20)


@st.composite
def contexts_with_answer(draw):
    """A context and a span of it that begins and ends with a visible character."""
    context = draw(texts)
    visible = [i for i, character in enumerate(context) if not character.isspace()]
    start = draw(st.sampled_from(visible))
    end = draw(st.sampled_from([i for i in visible if i >= start])) + 1
    return context, start, end


def answer(context, start, end):
    return {"text": [context[start:end]], "answer_start": [start]}


def context_tokens(encoded, row):
    """(char start, char end) of every context token of a window, in order."""
    second = np.flatnonzero(encoded.ragged["segment_ids"][row])[:-1]
    return list(zip(*(encoded.host[name][row][second].tolist() for name in ("char_starts", "char_ends")), strict=True))


def labelled_text(encoded, row, context):
    """The text between a window's labels."""
    start = encoded.host["char_starts"][row][encoded.fixed["start_label"][row]]
    return context[start : encoded.host["char_ends"][row][encoded.fixed["end_label"][row]]]


def columns_of(encoded):
    """Every column as plain lists, one entry a row."""
    ragged = {name: [part.tolist() for part in column] for name, column in {**encoded.ragged, **encoded.host}.items()}
    return ragged | {name: column.tolist() for name, column in encoded.fixed.items()}


def plain_ids(tokenizer, text):
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.encode_special_tokens = True
    return copy.encode(text, add_special_tokens=False).ids


def starts_of(num_tokens, capacity, stride):
    """Where windows start, by the loop of BERT's run_squad.py."""
    starts = [0]
    while starts[-1] + capacity < num_tokens:
        starts.append(starts[-1] + min(capacity, stride))
    return starts


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(deadline=None, max_examples=60)
@given(question=texts, context=texts, max_length=lengths, stride=strides)
def test_windows_hold_the_question_and_cover_every_token(name, question, context, max_length, stride):
    tokenizer = TOKENIZERS[name]
    windows = build_windows(tokenizer, [question], [context], max_length=max_length, stride=stride)
    asked, told = plain_ids(tokenizer, question), plain_ids(tokenizer, context)
    kept = asked[: max_length - 3 - max_length // 4]
    assert windows.num_truncated_questions == int(len(kept) < len(asked))
    capacity = max_length - 3 - len(kept)
    starts = starts_of(len(told), capacity, stride)
    encoded = windows.encoded
    assert len(encoded) == len(starts)
    for window, start in enumerate(starts):
        part = told[start : start + capacity]
        ids = [CLS, *kept, SEP, *part, SEP]
        assert encoded.ragged["input_ids"][window].tolist() == ids
        segments = [0] * (len(kept) + 2) + [1] * (len(part) + 1)
        assert encoded.ragged["segment_ids"][window].tolist() == segments
        outside = np.ones(len(ids), bool)
        outside[len(kept) + 2 : -1] = False
        assert not encoded.ragged["context_mask"][window][outside].any()
    assert starts[-1] + capacity >= len(told)


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(deadline=None, max_examples=60)
@given(context=texts, stride=strides)
def test_every_visible_character_belongs_to_a_token(name, context, stride):
    encoded = build_windows(TOKENIZERS[name], ["a"], [context], max_length=16, stride=stride).encoded
    spans = sorted({span for window in range(len(encoded)) for span in context_tokens(encoded, window)})
    answerable = [span for span in spans if span[0] < span[1]]
    char_starts, char_ends = (encoded.host[name].values for name in ("char_starts", "char_ends"))
    assert encoded.ragged["context_mask"].values.sum() == (char_starts < char_ends).sum()
    covered = {i for start, end in answerable for i in range(start, end)}
    for start, end in answerable:
        assert not context[start].isspace()
        assert not context[end - 1].isspace()
    # A run between white space either has a token, then it is covered whole, or the tokenizer dropped all of it.
    begin = 0
    for i, character in enumerate(context + " "):
        if character.isspace():
            run = set(range(begin, i))
            assert run <= covered or not run & covered
            begin = i + 1


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(deadline=None, max_examples=100)
@given(case=contexts_with_answer(), max_length=st.integers(12, 24), stride=strides)
def test_labels_cover_the_answer_minimally_wherever_it_fits(name, case, max_length, stride):
    context, start, end = case
    answers = [answer(*case)]
    windows = build_windows(TOKENIZERS[name], ["a"], [context], answers, max_length=max_length, stride=stride)
    every = build_windows(TOKENIZERS[name], ["a"], [context], max_length=2000).encoded
    encoded, tokens = windows.encoded, context_tokens(every, 0)
    touched = [i for i, (left, right) in enumerate(tokens) if left < end and right > start]
    capacity = max_length - 4
    fits = 0
    for window, first in enumerate(starts_of(len(tokens), capacity, stride)):
        labels = tuple(int(encoded.fixed[name][window]) for name in ("start_label", "end_label"))
        if not touched or touched[0] < first or touched[-1] >= first + capacity:
            assert labels == (0, 0)
            continue
        fits += 1
        assert labels == (touched[0] - first + 3, touched[-1] - first + 3)
        assert encoded.ragged["context_mask"][window][list(labels)].all()
        # Only half-dropped runs without any token may stay outside the tokens that the answer touches.
        assert labelled_text(encoded, window, context) == context[tokens[touched[0]][0] : tokens[touched[-1]][1]]
    assert windows.num_lost_answers == int(fits == 0)


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(deadline=None, max_examples=60)
@given(context=texts, data=st.data())
def test_an_answer_of_whole_tokens_is_recovered_exactly(name, context, data):
    every = build_windows(TOKENIZERS[name], ["a"], [context], max_length=2000).encoded
    tokens = [span for span in context_tokens(every, 0) if span[0] < span[1]]
    if not tokens:
        return
    first = data.draw(st.integers(0, len(tokens) - 1))
    last = data.draw(st.integers(first, len(tokens) - 1))
    start, end = tokens[first][0], tokens[last][1]
    again = build_windows(TOKENIZERS[name], ["a"], [context], [answer(context, start, end)], max_length=2000)
    assert labelled_text(again.encoded, 0, context) == context[start:end]


@settings(deadline=None, max_examples=30)
@given(rows=st.lists(st.tuples(texts, contexts_with_answer()), min_size=2, max_size=6), stride=strides)
def test_questions_together_equal_questions_alone(rows, stride):
    questions = [question for question, _ in rows]
    contexts = [case[0] for _, case in rows]
    answers = [answer(*case) for _, case in rows]
    answers[0] = {"text": [], "answer_start": []}
    together = build_windows(TOKENIZERS["uncased"], questions, contexts, answers, max_length=20, stride=stride)
    alone = [
        build_windows(TOKENIZERS["uncased"], [question], [context], [one], max_length=20, stride=stride)
        for question, context, one in zip(questions, contexts, answers, strict=True)
    ]
    assert columns_of(together.encoded) == {
        name: [row for part in alone for row in columns_of(part.encoded)[name]] for name in columns_of(together.encoded)
    }
    expected = [question for question, part in enumerate(alone) for _ in range(len(part.encoded))]
    assert together.encoded.example_index.tolist() == expected
    assert together.num_lost_answers == sum(part.num_lost_answers for part in alone)


def test_combining_marks_stay_with_their_letter():
    context = "le cafe\u0301  bleu"
    windows = build_windows(TOKENIZERS["uncased"], ["a"], [context], [answer(context, 3, 8)])
    assert labelled_text(windows.encoded, 0, context) == "cafe\u0301"


def test_dtypes_are_as_declared():
    encoded = build_windows(TOKENIZERS["uncased"], ["a"], ["word"], [{"text": [], "answer_start": []}]).encoded
    kinds = {name: column.values.dtype for name, column in {**encoded.ragged, **encoded.host}.items()}
    assert kinds.pop("context_mask") == np.bool_
    names = ("input_ids", "segment_ids", "shared_count", "char_starts", "char_ends")
    assert kinds == dict.fromkeys(names, np.dtype(np.int32))
    for array in (encoded.example_index, *encoded.fixed.values(), encoded.ragged["input_ids"].offsets):
        assert array.dtype == np.int64


def test_an_answer_that_claims_more_than_its_context_is_clipped():
    answers: list[dict[str, list[Any]]]
    answers = [{"text": ["a word"], "answer_start": [5]}, {"text": ["word"], "answer_start": [0]}]
    labels = build_windows(TOKENIZERS["uncased"], ["a", "a"], ["word a", "word"], answers).encoded.fixed
    assert labels["start_label"].tolist() == labels["end_label"].tolist() == [4, 3]


def test_chunks_do_not_show(monkeypatch):
    contexts = ["word a", "cafe", "word a", "a b c", "word"]
    answers = [answer(context, 0, 1) for context in contexts]
    whole = build_windows(TOKENIZERS["uncased"], list("abcde"), contexts, answers)
    monkeypatch.setattr("atinuke_bench.tasks.squad.rows._QUESTIONS_PER_CHUNK", 2)
    monkeypatch.setattr("atinuke_bench.tasks.squad.rows._TEXTS_PER_CALL", 1)
    parts = build_windows(TOKENIZERS["uncased"], list("abcde"), contexts, answers)
    assert columns_of(parts.encoded) == columns_of(whole.encoded)
    assert parts.encoded.example_index.tolist() == whole.encoded.example_index.tolist()
    assert parts.num_lost_answers == whole.num_lost_answers
    assert parts.num_truncated_questions == whole.num_truncated_questions


def test_a_context_without_tokens_has_one_empty_window():
    windows = build_windows(TOKENIZERS["uncased"], ["a"], ["\u200b"], [answer("\u200b", 0, 1)])
    assert (len(windows.encoded), windows.num_lost_answers) == (1, 1)
    assert not windows.encoded.ragged["context_mask"].values.any()


def test_the_callers_tokenizer_is_left_alone_and_its_settings_are_ignored():
    tokenizer = wordpiece()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=50)
    before = tokenizer.to_str()
    windows = build_windows(tokenizer, ["a b c d"], ["word word word"])
    assert windows.encoded.lengths.tolist() == [4 + 3 + 3]
    assert tokenizer.to_str() == before
    assert tokenizer.encode_special_tokens is False


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"stride": 0}, "stride must be at least 1 token, got 0"),
        (
            {"max_length": 5, "min_context": 2},
            r"max_length 5 must hold 3 special tokens, .* min_context \(2, at least 1\)",
        ),
        ({"min_context": 0}, r"min_context \(0, at least 1\)"),
    ],
)
def test_settings_that_do_not_fit(settings_, message):
    with pytest.raises(ConfigError, match=message):
        build_windows(TOKENIZERS["uncased"], ["a"], ["b"], **settings_)


def test_no_questions():
    with pytest.raises(ConfigError, match="no questions"):
        build_windows(TOKENIZERS["uncased"], [], [])


@pytest.mark.data
def test_official_answers_are_inside_their_labels():
    folder = os.environ.get("ATINUKE_DATA")
    if not folder:
        pytest.skip("ATINUKE_DATA is not set")
    columns = read_squad(Path(folder) / "squad/v1.1/dev-v1.1.json", unanswerable=False)
    columns = {name: column[:200] for name, column in columns.items()}
    windows = build_windows(TOKENIZERS["uncased"], columns["question"], columns["context"], columns["answers"])
    assert windows.num_lost_answers == 0
    encoded = windows.encoded
    for window in np.flatnonzero(encoded.fixed["start_label"]):
        row = encoded.example_index[window]
        assert columns["answers"][row]["text"][0] in labelled_text(encoded, window, columns["context"][row])


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_token_that_the_question_has_too_is_counted_in_its_window(name):
    context = "word cafe, word 1999. a cafe a word"
    encoded = build_windows(
        TOKENIZERS[name], ["word [SEP] a?", "1999"], [context] * 2, None, max_length=28, stride=6, min_context=6
    ).encoded
    columns = ("input_ids", "segment_ids", "context_mask", "shared_count")
    largest = 0
    for row in range(len(encoded)):
        ids, segments, in_text, counts = (encoded.ragged[column][row] for column in columns)
        asked, text = set(ids[segments == 0].tolist()) - {CLS, SEP}, ids[in_text.astype(bool)].tolist()
        right = [
            text.count(token) if inside and token in asked else 0
            for token, inside in zip(ids.tolist(), in_text, strict=True)
        ]
        assert counts.tolist() == right
        largest = max(largest, *right)
    assert largest > 1


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(deadline=None, max_examples=40)
@given(question=texts, case=contexts_with_answer(), max_length=lengths, stride=strides)
def test_a_text_that_comes_first_makes_the_same_windows_in_another_order(name, question, case, max_length, stride):
    context, *_ = case
    given_ = TOKENIZERS[name], [question], [context], [answer(*case)]
    usual, swapped = (
        build_windows(*given_, max_length=max_length, stride=stride, text_first=text_first)
        for text_first in (False, True)
    )
    assert usual.num_lost_answers == swapped.num_lost_answers
    assert len(usual.encoded) == len(swapped.encoded)
    for window in range(len(usual.encoded)):
        before, after = (
            {key: column[window] for key, column in one.encoded.ragged.items()} for one in (usual, swapped)
        )
        # [CLS] question [SEP] | text [SEP]  ->  [CLS] | text [SEP] | question [SEP]
        num_asked = int((before["segment_ids"] == 0).sum())
        order = [0, *range(num_asked, len(before["input_ids"])), *range(1, num_asked)]
        for column in before:
            assert after[column].tolist() == before[column][order].tolist(), column
        for column in ("char_starts", "char_ends"):
            assert swapped.encoded.host[column][window].tolist() == usual.encoded.host[column][window][order].tolist()
        for column in ("start_label", "end_label"):
            label = int(usual.encoded.fixed[column][window])
            assert int(swapped.encoded.fixed[column][window]) == (label and label - num_asked + 1)
