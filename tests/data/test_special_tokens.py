"""Tokenizers that a core brings with it: their own special tokens, in words, pairs and windows."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from atinuke_bench.config import TokenizerConfig
from atinuke_bench.data.tokenizer import SpecialTokens, encode_texts, encode_words, special_tokens, train_tokenizer
from atinuke_bench.errors import ConfigError
from atinuke_bench.tasks.squad.rows import build_windows

TEXT = "Ada sees Ben and Ben sees Ada again"


def byte_level() -> Tokenizer:
    """As RoBERTa's: `<s> a </s></s> b </s>`, a word after a space is another than one without."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT] * 3, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def metaspace() -> Tokenizer:
    """As XLM-R's: every word begins with a mark, also the first."""
    words = {f"▁{word}" for word in TEXT.split()}
    vocabulary = [
        ("<s>", 0.0),
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        *((word, -1.0) for word in sorted(words)),
    ]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.normalizer = normalizers.Replace("  ", " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer


def test_special_tokens_are_found_under_any_name():
    assert special_tokens(byte_level()) == SpecialTokens(cls=0, sep=2, num_between=2, unk=3, mask=4)
    assert special_tokens(metaspace()) == SpecialTokens(cls=0, sep=2, num_between=2, unk=3, mask=None)


def test_settings_of_a_tokenizer_hide_none():
    tokenizer = byte_level()
    tokenizer.enable_padding(length=9)
    tokenizer.enable_truncation(1)
    assert special_tokens(tokenizer) == special_tokens(byte_level())
    assert tokenizer.padding is not None
    assert tokenizer.padding["length"] == 9


@pytest.mark.parametrize("single", ["[CLS] $A", "$A [CLS] [SEP]"])
def test_another_frame_is_refused(single):
    tokenizer = train_tokenizer([TEXT], TokenizerConfig())
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=f"{single} $B:1 [MASK]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3), ("[MASK]", 4)]
    )
    with pytest.raises(ConfigError, match=r"must frame a pair as '\[CLS\] a \[SEP\] b \[SEP\]'"):
        special_tokens(tokenizer)


def test_pairs_have_two_segments_where_the_tokenizer_tells_none():
    tokenizer = byte_level()
    ids, segments = encode_texts(tokenizer, ["Ada", "Ada", "Ada sees Ben and Ben"], ["Ben sees", "", "Ada"], 8)
    first = segments[0].tolist()
    assert tokenizer.encode("Ada", "Ben sees").type_ids == [0] * len(first)
    inside = len(tokenizer.encode("Ada", add_special_tokens=False).ids)
    assert first == [0] * (inside + 3) + [1] * (len(first) - inside - 3)
    assert segments[1].tolist() == [0] * (inside + 3) + [1], "a second text of nothing has the separator behind it"
    assert len(ids[2]) == 8
    assert set(segments[2].tolist()) == {0, 1}
    assert set(encode_texts(tokenizer, ["Ada"], None, 8)[1][0].tolist()) == {0}


def test_words_are_read_as_inside_a_text():
    tokenizer = byte_level()
    pieces = encode_words(tokenizer, ["sees", "Ben"])
    assert pieces["sees"] == tokenizer.encode("Ada sees", add_special_tokens=False).ids[-len(pieces["sees"]) :]
    assert pieces["sees"] != tokenizer.encode("sees", add_special_tokens=False).ids
    other = metaspace()
    assert encode_words(other, ["sees"])["sees"] == other.encode("sees", add_special_tokens=False).ids


def test_a_word_of_nothing_is_unknown_in_the_tokenizers_own_number():
    tokenizer = metaspace()
    tokenizer.normalizer = normalizers.Replace("\u00ad", "")
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    assert encode_words(tokenizer, ["\u00ad"]) == {"\u00ad": [3]}


@pytest.mark.parametrize("text", ["</s>", "<s>", "<mask>"])
def test_a_special_tokens_name_in_a_text_is_text(text):
    tokenizer = byte_level()
    specials = {0, 2, 4}
    ids, _ = encode_texts(tokenizer, [text], None, 20)
    assert not specials & set(ids[0].tolist()[1:-1])
    assert not specials & set(encode_words(tokenizer, [text])[text])


def test_windows_have_both_separators_and_exact_offsets():
    tokenizer = byte_level()
    context = "Ben and  Ada again\nsees Ben"
    encoded = build_windows(
        tokenizer,
        ["Ada sees"],
        [context],
        [{"text": ["Ada"], "answer_start": [9]}],
        max_length=18,
        stride=4,
        min_context=6,
    ).encoded
    asked = len(tokenizer.encode("Ada sees", add_special_tokens=False).ids)
    for window in range(len(encoded)):
        ids, mask, segments = (encoded.ragged[name][window] for name in ("input_ids", "context_mask", "segment_ids"))
        assert ids[0] == 0
        assert ids[asked + 1 : asked + 3].tolist() == [2, 2]
        assert ids[-1] == 2
        assert not mask[: asked + 3].any()
        assert segments.tolist() == [0] * (asked + 3) + [1] * (len(ids) - asked - 3)
    found = np.flatnonzero(encoded.fixed["start_label"])
    assert len(found)
    for window in found.tolist():
        begin = encoded.host["char_starts"][window][encoded.fixed["start_label"][window]]
        end = encoded.host["char_ends"][window][encoded.fixed["end_label"][window]]
        assert context[begin:end] == "Ada"
