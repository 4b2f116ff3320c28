"""The tokenizer: equal in every process, trained on nothing else, cached with a check."""

from __future__ import annotations

import subprocess
import sys

from atinuke_bench.config import TokenizerConfig
from atinuke_bench.data.tokenizer import (
    CLS_ID,
    SEP_ID,
    SPECIAL_TOKENS,
    cached_tokenizer,
    encode_texts,
    fingerprint,
    train_tokenizer,
    unique_texts,
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


def test_cache_is_used_and_checked(tmp_path):
    first = cached_tokenizer(tmp_path, TEXTS, CONFIG)
    (path,) = (tmp_path / "tokenizers").iterdir()
    path.write_text(path.read_text().replace("bax", "bay"))
    again = cached_tokenizer(tmp_path, TEXTS, CONFIG)
    assert fingerprint(again) == fingerprint(first)
    assert fingerprint(cached_tokenizer(tmp_path, TEXTS, TokenizerConfig(vocab_size=100))) != fingerprint(first)


def test_a_text_that_repeats_counts_once():
    assert list(unique_texts([["a", "b"], ["b", "c", "a"]])) == ["a", "b", "c"]
