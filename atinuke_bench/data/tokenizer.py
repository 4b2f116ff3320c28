"""A WordPiece tokenizer trained on the train split, kept under the fingerprint of what it was trained on.

A core may bring its own tokenizer; code that encodes text asks `special_tokens` how it frames one.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from atinuke_bench.config import TokenizerConfig
from atinuke_bench.data.cache import cached
from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.errors import ConfigError, RunFolderError
from atinuke_bench.files import read_json, write_text
from atinuke_bench.source_code import digest_of_module

log = logging.getLogger(__name__)

#: Special tokens in the order of their ids; padding is 0 everywhere.
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD_ID, UNK_ID, CLS_ID, SEP_ID, MASK_ID = range(len(SPECIAL_TOKENS))
#: Characters that WordPiece reads of a word; of more it would make one [UNK], so that longer ones are cut into parts.
LONGEST_WORD = 100
_TEXTS_PER_CALL = 1024  # bounds the memory that the library's own objects take
#: Names that other tokenizers have for them.
_OTHER_NAMES = {"[PAD]": "<pad>", "[UNK]": "<unk>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<mask>"}


@dataclass(frozen=True)
class SpecialTokens:
    """How a tokenizer frames texts: `cls a sep`, and `cls a sep b sep` with `num_between` of `sep` in the middle.

    `unk` and `mask` are None in a tokenizer that has none.
    """

    cls: int
    sep: int
    num_between: int
    unk: int | None
    mask: int | None

    @property
    def num_in_pair(self) -> int:
        """Special tokens that a pair has in all."""
        return 2 + self.num_between


def special_tokens(tokenizer: Tokenizer) -> SpecialTokens:
    """The special tokens of a tokenizer, from what it puts around empty texts, or else by name; ConfigError.

    >>> special_tokens(train_tokenizer(["a"], TokenizerConfig()))
    SpecialTokens(cls=2, sep=3, num_between=1, unk=1, mask=4)
    """
    tokenizer = plain(tokenizer)
    single, pair = tokenizer.encode("").ids, tokenizer.encode("", "").ids
    named = {name: _id_of(tokenizer, name) for name in SPECIAL_TOKENS}
    if not single:  # nothing is put around a text
        single = [id_ for id_ in (named["[CLS]"], named["[SEP]"]) if id_ is not None]
        pair = [*single, *single[1:]]
    cls, *seps = pair
    if len(single) != 2 or len(seps) not in (2, 3) or set(seps) != {single[1]} or cls != single[0] or cls in seps:
        found = [tokenizer.id_to_token(id_) for id_ in pair]
        raise ConfigError(
            "a tokenizer must frame a pair as '[CLS] a [SEP] b [SEP]', under whatever names; "
            f"this one puts {' '.join(map(str, found)) or 'nothing'} around two empty texts"
        )
    return SpecialTokens(cls, seps[0], len(seps) - 1, named["[UNK]"], named["[MASK]"])


def _id_of(tokenizer: Tokenizer, name: str) -> int | None:
    found = tokenizer.token_to_id(name)
    return tokenizer.token_to_id(_OTHER_NAMES[name]) if found is None else found


def plain(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer itself if it already is as a `plain_copy`, else such a copy; its state must not be changed."""
    keeps_text = tokenizer.encode_special_tokens or not tokenizer.get_added_tokens_decoder()
    is_plain = tokenizer.truncation is None and tokenizer.padding is None and keeps_text
    return tokenizer if is_plain else plain_copy(tokenizer)


def plain_copy(tokenizer: Tokenizer) -> Tokenizer:
    """A copy that neither truncates nor pads, and reads "[SEP]" in a text as text."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    copy.encode_special_tokens = True
    return copy


def train_tokenizer(texts: Sequence[str], config: TokenizerConfig) -> Tokenizer:
    """A WordPiece tokenizer with BERT's normalisation and `[CLS] a [SEP] b [SEP]` layout.

    The vocabulary has at most `config.vocab_size` entries, special tokens and single characters included. Equal texts
    give equal vocabularies.
    """
    trained = _empty_tokenizer(models.WordPiece(unk_token="[UNK]"), config)
    # The library's trainer numbers the continuation pieces (`##a`) in the order of a hash map and breaks ties between
    # merges by number, so the same text gives another vocabulary in every process. Declared first and sorted they
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
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=config.lowercase, strip_accents=config.strip_accents)
    parts = pre_tokenizers.Split(Regex(f".{{1,{LONGEST_WORD}}}"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), parts])
    return tokenizer


#: Part of the identity of runs whose tokenizer reads words in parts: they were [UNK] once.
CUT_WORDS_VERSION = 1


def has_cut_words(texts: Iterable[str], config: TokenizerConfig) -> bool:
    """Whether any text has a word of more than `LONGEST_WORD` characters, which our tokenizers read in parts.

    >>> [has_cut_words([text], TokenizerConfig()) for text in ("a " * 99, "https://" + "a" * 100, "ก" * 101)]
    [False, False, True]
    """
    tokenizer = _empty_tokenizer(models.WordPiece(unk_token="[UNK]"), config)
    words = pre_tokenizers.BertPreTokenizer()
    return any(
        len(word) > LONGEST_WORD
        for text in texts
        if len(text) > LONGEST_WORD
        for part in text.split()
        if len(part) > LONGEST_WORD
        for word, _ in words.pre_tokenize_str(tokenizer.normalizer.normalize_str(part))
    )


def _continuations(tokenizer: Tokenizer, texts: Sequence[str]) -> list[str]:
    """`##c` for every character that some word has after its first, sorted."""
    characters: set[str] = set()
    for text in texts:
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)):
            characters.update(word[1:])
    return [f"##{character}" for character in sorted(characters)]


def cached_tokenizer(
    folder: Path, texts: Sequence[str], config: TokenizerConfig, say: Callable[[str], None] = log.warning
) -> Tokenizer:
    """The tokenizer of these texts from `folder`, trained and kept there when absent or damaged."""
    path = folder / "tokenizers" / f"{_key(texts, config)}.json"
    return cached(path, _read, lambda: train_tokenizer(texts, config), _write, say)


def _read(path: Path) -> Tokenizer | None:
    try:
        record = read_json(path)
        if record["key"] == path.stem and record["sha256"] == _text_digest(record["tokenizer"]):
            return Tokenizer.from_str(record["tokenizer"])
    except (RunFolderError, ValueError, KeyError, TypeError):
        pass  # absent or damaged: trained again, which replaces it
    return None


def _write(path: Path, tokenizer: Tokenizer) -> None:
    content = tokenizer.to_str()
    # Another file of the cache in this one's place is whole too, and has another key.
    write_text(path, json.dumps({"key": path.stem, "sha256": _text_digest(content), "tokenizer": content}))


def fingerprint(tokenizer: Tokenizer) -> str:
    """SHA-256 of everything the tokenizer does."""
    return _text_digest(tokenizer.to_str())


def encode_texts(
    tokenizer: Tokenizer,
    first: Sequence[str],
    second: Sequence[str] | None,
    max_length: int,
    *,
    second_first: bool = False,
) -> tuple[Ragged, Ragged]:
    """`input_ids` and `segment_ids` of single texts or of pairs, the longer text of a pair cut first.

    A pair's text keeps at least its first token, however long the other is. Segments are 0 for the first text and what
    follows it, 1 for the second and its separator, also where the tokenizer itself tells no difference. They are of the
    texts and not of the places: with `second_first` the row begins with `[CLS]` (0) and the second text (1).
    """
    if second is None:
        tokenizer = plain_copy(tokenizer)  # truncation is state; the caller's tokenizer stays as it was
        tokenizer.enable_truncation(max_length)
        rows = list(encode_ids(tokenizer, first, add_special_tokens=True))
        return Ragged.from_rows(rows, padding=PAD_ID), Ragged.from_rows([0] * len(ids) for ids in rows)
    # Cut here, since the library's truncation keeps every pair of windows that it cuts off two long texts.
    tokenizer = plain(tokenizer)
    specials = special_tokens(tokenizer)
    room = max_length - specials.num_in_pair
    cls, sep, between = [specials.cls], [specials.sep], [specials.sep] * specials.num_between
    rows, segments = [], []
    for left, right in zip(encode_ids(tokenizer, first), encode_ids(tokenizer, second), strict=True):
        num_left, num_right = longest_first(len(left), len(right), room)
        if second_first:
            head, tail = right[:num_right] + between, left[:num_left] + sep
            rows.append(cls + head + tail)
            segments.append([0] + [1] * len(head) + [0] * len(tail))
            continue
        head, tail = cls + left[:num_left] + between, right[:num_right] + sep
        rows.append(head + tail)
        segments.append([0] * len(head) + [1] * len(tail))
    return Ragged.from_rows(rows, padding=PAD_ID), Ragged.from_rows(segments)


def longest_first(num_left: int, num_right: int, room: int) -> tuple[int, int]:
    """How many tokens of a pair's texts are kept: all that fit, the longer text being cut first (as in tokenizers).

    >>> longest_first(3, 9, 8), longest_first(9, 9, 7), longest_first(2, 3, 8)
    ((3, 5), (3, 4), (2, 3))
    """
    short, long = sorted((num_left, num_right))
    if short + long > room:
        short = min(short, room // 2)
        long = room - short
    return (short, long) if num_left <= num_right else (long, short)


def encode_ids(tokenizer: Tokenizer, texts: Sequence[str], *, add_special_tokens: bool = False) -> Iterator[list[int]]:
    """The token ids of every text."""
    for start in range(0, len(texts), _TEXTS_PER_CALL):
        batch = list(texts[start : start + _TEXTS_PER_CALL])
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=add_special_tokens):
            yield encoding.ids


def unknown_percent(tokenizer: Tokenizer, encoded: Encoded) -> float | None:
    """Of the tokens of text in these rows, those that are `[UNK]`; None where there is no text."""
    ids = encoded.ragged["input_ids"].values
    num_tokens = np.count_nonzero(~np.isin(ids, plain(tokenizer).encode("", "").ids))
    unknown = _id_of(tokenizer, "[UNK]")
    num_unknown = 0 if unknown is None else np.count_nonzero(ids == unknown)
    return float(100 * num_unknown / num_tokens) if num_tokens else None


def encode_words(tokenizer: Tokenizer, words: Iterable[str]) -> dict[str, list[int]]:
    """The pieces of every distinct word, each read alone and without special tokens; at least one, `[UNK]` if need be.

    A word may normalise to nothing, as a soft hyphen does, and still must have a place. Where the tokenizer
    distinguishes a word after a space from one that begins a text, it is read as after a space.
    """
    distinct = list(dict.fromkeys(words))
    tokenizer = plain(tokenizer)
    specials, prefix = special_tokens(tokenizer), _word_prefix(tokenizer)
    texts = [prefix + word for word in distinct]
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    nothing = [specials.sep if specials.unk is None else specials.unk]
    return {word: encoding.ids or nothing for word, encoding in zip(distinct, encodings, strict=True)}


def _word_prefix(tokenizer: Tokenizer) -> str:
    """What to put before a lone word so that it is read as inside a text: a space, or nothing.

    >>> _word_prefix(train_tokenizer(["a b"], TokenizerConfig()))
    ''
    """

    def ids(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False).ids

    inside = ids("a a")[len(ids("a")) :]
    return " " if ids("a") != inside and ids(" a") == inside else ""


def unique_texts(columns: Iterable[Iterable[str]]) -> Iterator[str]:
    """Every distinct text once, in order: a premise shared by three pairs counts once."""
    seen: set[str] = set()
    for column in columns:
        for text in column:
            if text not in seen:
                seen.add(text)
                yield text


def _key(texts: Sequence[str], config: TokenizerConfig) -> str:
    parts = (LONGEST_WORD, version("tokenizers"), digest_of_module(__name__), config.model_dump_json())
    digest = hashlib.sha256(" ".join(map(str, parts)).encode())
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:24]


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
