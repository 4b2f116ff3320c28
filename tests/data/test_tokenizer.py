"""The tokenizer: equal in every process, trained on nothing else, cached with a check."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers

from atinuke_bench.config import TokenizerConfig
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.tokenizer import (
    CLS_ID,
    LONGEST_WORD,
    SEP_ID,
    SPECIAL_TOKENS,
    UNK_ID,
    cached_tokenizer,
    encode_texts,
    encode_words,
    fingerprint,
    has_cut_words,
    plain_copy,
    train_tokenizer,
    unique_texts,
    unknown_percent,
)

# Many ties between merges: this is what the library's own trainer breaks differently in every process.
TEXTS = [" ".join(f"{a}{b}{c}" for b in "aeiou" for c in "xyzw") for a in "bcdfghjklm"] * 2
CONFIG = TokenizerConfig(vocab_size=120)


def test_equal_texts_give_equal_vocabularies_in_every_process():
    code = (
        "from atinuke_bench.data.tokenizer import *; from atinuke_bench.config import TokenizerConfig;"
        f"print(fingerprint(train_tokenizer({TEXTS!r}, TokenizerConfig(vocab_size=120))))"
    )
    others = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
        for _ in range(2)
    }
    assert others == {fingerprint(train_tokenizer(TEXTS, CONFIG))}


def test_special_tokens_come_first_and_are_not_matched_in_text():
    tokenizer = train_tokenizer([*TEXTS, "[ sep ] [ cls ]"], CONFIG)
    vocabulary = tokenizer.get_vocab()
    assert [vocabulary[token] for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    assert len(vocabulary) <= 120
    ids = tokenizer.encode("bax [SEP]").ids
    assert ids[0] == CLS_ID
    assert ids.count(SEP_ID) == 1


def test_pairs_are_cut_at_the_longer_text_and_the_tokenizer_keeps_no_state():
    tokenizer = train_tokenizer(TEXTS, CONFIG)
    before = fingerprint(tokenizer)
    input_ids, segment_ids = encode_texts(tokenizer, [TEXTS[0] * 3], ["bax"], max_length=16)
    assert len(input_ids[0]) == 16
    assert segment_ids[0].tolist()[-2:] == [1, 1]
    assert input_ids[0][-2:].tolist() == [*tokenizer.encode("bax", add_special_tokens=False).ids, SEP_ID]
    assert fingerprint(tokenizer) == before


def test_the_second_text_may_come_first_with_its_own_segment():
    tokenizer = train_tokenizer(TEXTS, CONFIG)
    texts = ["bax cez dow", "fux"], ["gix", TEXTS[0]]
    usual, swapped = (encode_texts(tokenizer, *texts, max_length=16, second_first=how) for how in (False, True))
    for row in range(2):
        ids, segments = (part[row] for part in usual)
        num_first = int((segments == 0).sum())
        order = [0, *range(num_first, len(ids)), *range(1, num_first)]
        assert [part[row].tolist() for part in swapped] == [ids[order].tolist(), segments[order].tolist()]


def test_cache_is_used_and_checked(tmp_path):
    first = cached_tokenizer(tmp_path, TEXTS, CONFIG)
    (path,) = (tmp_path / "tokenizers").iterdir()
    path.write_text(path.read_text().replace("bax", "bay"))
    again = cached_tokenizer(tmp_path, TEXTS, CONFIG)
    assert fingerprint(again) == fingerprint(first)
    assert fingerprint(cached_tokenizer(tmp_path, TEXTS, TokenizerConfig(vocab_size=100))) != fingerprint(first)
    (other,) = set((tmp_path / "tokenizers").iterdir()) - {path}
    path.write_bytes(other.read_bytes())
    assert fingerprint(cached_tokenizer(tmp_path, TEXTS, CONFIG)) == fingerprint(first)


def test_a_text_that_repeats_counts_once():
    assert list(unique_texts([["a", "b"], ["b", "c", "a"]])) == ["a", "b", "c"]


WORDS = st.lists(st.sampled_from(["bax", "hex", "x", "☃", "kuw-mow"]), max_size=30).map(" ".join)
PAIRS = train_tokenizer(TEXTS, CONFIG)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5), st.integers(8, 60))
def test_pairs_are_cut_as_the_library_cuts_them(pairs, max_length):
    library = plain_copy(PAIRS)
    library.enable_truncation(max_length, strategy="longest_first")
    input_ids, segment_ids = encode_texts(PAIRS, [a for a, _ in pairs], [b for _, b in pairs], max_length)
    for row, pair in enumerate(pairs):
        encoding = library.encode(*pair)
        assert input_ids[row].tolist() == encoding.ids
        assert segment_ids[row].tolist() == encoding.type_ids


def test_the_memory_of_a_long_pair_does_not_grow_with_its_square():
    """The library would keep every pair of the windows of both texts: here 4 million, which take gigabytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    input_ids, segment_ids = encode_texts(PAIRS, ["x y " * 8_000], ["x " * 16_000], 20)
    assert len(input_ids[0]) == 20
    assert np.bincount(segment_ids[0]).tolist() == [10, 10]
    unit = 1 if sys.platform == "darwin" else 1024
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < 200e6


def _without_parts(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer as it would be if no word were cut."""
    whole = Tokenizer.from_str(tokenizer.to_str())
    whole.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return whole


@pytest.mark.parametrize("lowercase", [True, False])
def test_words_of_at_most_a_hundred_characters_are_read_as_ever(lowercase):
    tokenizer = train_tokenizer(TEXTS, CONFIG.model_copy(update={"lowercase": lowercase}))
    whole = _without_parts(tokenizer)
    texts = ["bax" * 33 + "x", "Bax, hex ☃ [SEP] x" * 9, "é" * LONGEST_WORD, ""]
    for ours, theirs in zip(tokenizer.encode_batch(texts), whole.encode_batch(texts), strict=True):
        assert (ours.ids, ours.offsets) == (theirs.ids, theirs.offsets)
    assert not has_cut_words(texts, CONFIG)


@pytest.mark.data
def test_official_text_is_read_as_ever(data_dir: Path):
    pairs = [json.loads(line) for line in (data_dir / "snli/snli_1.0_train.jsonl").read_text("utf-8").splitlines()]
    articles = json.loads((data_dir / "squad/v1.1/train-v1.1.json").read_text("utf-8"))["data"]
    for texts in (
        list(unique_texts([pair["sentence1"], pair["sentence2"]] for pair in pairs)),
        [paragraph["context"] for article in articles for paragraph in article["paragraphs"]],
    ):
        tokenizer = train_tokenizer(texts, TokenizerConfig())
        whole = _without_parts(tokenizer)
        for ours, theirs in zip(tokenizer.encode_batch(texts), whole.encode_batch(texts), strict=True):
            assert (ours.ids, ours.offsets) == (theirs.ids, theirs.offsets)
        assert not has_cut_words(texts, TokenizerConfig())


def test_longer_words_are_read_in_parts_with_exact_places():
    long = "b" + "axey" * 75
    text = f"bax {long} ☃"
    tokenizer = train_tokenizer(TEXTS, CONFIG)
    encoding = tokenizer.encode(text, add_special_tokens=False)
    assert encoding.ids.count(UNK_ID) == 1
    assert "".join(text[start:end] for start, end in encoding.offsets) == text.replace(" ", "")
    assert UNK_ID in _without_parts(tokenizer).encode(long).ids
    assert UNK_ID not in encode_words(tokenizer, [long])[long]
    assert has_cut_words([text], CONFIG)


def test_accents_are_kept_where_asked():
    texts = ["é ẹ o" * 40, "côté cote"] * 3

    def ids(**settings):
        tokenizer = train_tokenizer(texts, TokenizerConfig(vocab_size=100, **settings))
        return tokenizer.encode("côté").ids == tokenizer.encode("cote").ids

    assert ids()
    assert not ids(lowercase=False)
    assert not ids(strip_accents=False)
    assert ids(strip_accents=True, lowercase=False)


def test_the_share_of_unknown_tokens():
    tokenizer = train_tokenizer(TEXTS, CONFIG)
    num_known = len(tokenizer.encode("bax", add_special_tokens=False).ids)
    input_ids, _ = encode_texts(tokenizer, ["bax ☃", "☃"], None, 20)
    percent = unknown_percent(tokenizer, Encoded({"input_ids": input_ids}, np.arange(2)))
    assert percent == pytest.approx(100 * 2 / (num_known + 2))
    empty, _ = encode_texts(tokenizer, [""], None, 20)
    assert unknown_percent(tokenizer, Encoded({"input_ids": empty}, np.arange(1))) is None
