"""A WordPiece tokenizer trained on the train split, kept under the fingerprint of what it was trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from atinuke_bench.config import TokenizerConfig
from atinuke_bench.data.features import Ragged
from atinuke_bench.files import make_folder, write_text

#: Special tokens in the order of their ids; padding is 0 everywhere.
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD_ID, UNK_ID, CLS_ID, SEP_ID, MASK_ID = range(len(SPECIAL_TOKENS))


def train_tokenizer(texts: Sequence[str], config: TokenizerConfig) -> Tokenizer:
    """A WordPiece tokenizer with BERT's normalisation and `[CLS] a [SEP] b [SEP]` layout.

    The vocabulary has at most `config.vocab_size` entries, special tokens and single characters included. Equal texts
    give equal vocabularies.
    """
    trained = _empty_tokenizer(models.WordPiece(unk_token="[UNK]"), config)
    # The library's trainer numbers the continuation pieces (`##a`) in the order of a hash map and breaks ties between
    # merges by number, so that the same text gives another vocabulary in every process. Declared first and sorted they
    # have fixed numbers. Declared tokens are also matched verbatim inside text, so the vocabulary moves into a new
    # model that declares none: a user's "[SEP]" stays three ordinary words.
    trainer = trainers.WordPieceTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=[*SPECIAL_TOKENS, *_continuations(trained, texts)],
        show_progress=False,
    )
    trained.train_from_iterator(texts, trainer)
    tokenizer = _empty_tokenizer(models.WordPiece(trained.get_vocab(), unk_token="[UNK]"), config)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", CLS_ID), ("[SEP]", SEP_ID)],
    )
    return tokenizer


def _empty_tokenizer(model: models.WordPiece, config: TokenizerConfig) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=config.lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _continuations(tokenizer: Tokenizer, texts: Sequence[str]) -> list[str]:
    """`##c` for every character that some word has after its first, sorted."""
    characters: set[str] = set()
    for text in texts:
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)):
            characters.update(word[1:])
    return [f"##{character}" for character in sorted(characters)]


def cached_tokenizer(folder: Path, texts: Sequence[str], config: TokenizerConfig) -> Tokenizer:
    """The tokenizer of these texts from `folder`, trained and kept there when absent or damaged."""
    path = folder / "tokenizers" / f"{_key(texts, config)}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["sha256"] == _text_digest(record["tokenizer"]):
            return Tokenizer.from_str(record["tokenizer"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # absent or damaged: trained again below, which replaces it
    tokenizer = train_tokenizer(texts, config)
    make_folder(path.parent)
    content = tokenizer.to_str()
    write_text(path, json.dumps({"sha256": _text_digest(content), "tokenizer": content}))
    return tokenizer


def fingerprint(tokenizer: Tokenizer) -> str:
    """SHA-256 of everything the tokenizer does."""
    return _text_digest(tokenizer.to_str())


def encode_texts(
    tokenizer: Tokenizer, first: Sequence[str], second: Sequence[str] | None, max_length: int
) -> tuple[Ragged, Ragged]:
    """`input_ids` and `segment_ids` of single texts or of pairs, the longer text of a pair cut first.

    A pair's text keeps at least its first token, however long the other is.
    """
    tokenizer = Tokenizer.from_str(tokenizer.to_str())  # truncation is state; the caller's tokenizer stays as it was
    tokenizer.enable_truncation(max_length, strategy="longest_first")
    inputs = list(first) if second is None else list(zip(first, second, strict=True))
    encodings = tokenizer.encode_batch_fast(inputs)
    return (
        Ragged.from_rows((encoding.ids for encoding in encodings), padding=PAD_ID),
        Ragged.from_rows(encoding.type_ids for encoding in encodings),
    )


def encode_words(tokenizer: Tokenizer, words: Iterable[str]) -> dict[str, list[int]]:
    """The pieces of every distinct word, each read alone and without special tokens; at least one, `[UNK]` if need be.

    A word may normalise to nothing, as a soft hyphen does, and still must have a place.
    """
    distinct = list(dict.fromkeys(words))
    encodings = tokenizer.encode_batch_fast(distinct, add_special_tokens=False)
    return {word: encoding.ids or [UNK_ID] for word, encoding in zip(distinct, encodings, strict=True)}


def unique_texts(columns: Iterable[Iterable[str]]) -> Iterator[str]:
    """Every distinct text once, in order: a premise shared by three pairs counts once."""
    seen: set[str] = set()
    for column in columns:
        for text in column:
            if text not in seen:
                seen.add(text)
                yield text


def _key(texts: Sequence[str], config: TokenizerConfig) -> str:
    digest = hashlib.sha256(f"{version('tokenizers')} {config.model_dump_json()}".encode())
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:24]


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
