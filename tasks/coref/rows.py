"""A document as numbers for coreference: overlapping segments of word pieces, and what words alone say of mentions.

Segments: at most S pieces each, `[CLS]` and `[SEP]` included, whole words only. Neighbours share at least `overlap`
pieces where words allow, and a word is read from the segment in which the nearer edge is farthest; the ends of the
document are no edges, since no context is missing there.

Lexical columns have one entry a word. They know nothing that the rules of `coref_rules` do not know, and every core is
given the same: which words are equal, the class of a word (closed classes of English, capitals, names), where the
head of a span that begins here must end, and how often the word occurs in the document.

Letters: W words of a document, P pieces of all its segments together, G segments.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from atinuke_bench.tasks.coref import floor as rules

#: Class 0 is padding; the classes of pronouns come first, in the order of `coref_rules.AGREEMENT`.
WORD_CLASSES = (
    "padding",
    *dict.fromkeys(rules.AGREEMENT.values()),
    "it",
    "relative",
    "other pronoun",
    "definite",
    "demonstrative",
    "indefinite",
    "genitive",
    "preposition",
    "clause word",
    "auxiliary",
    "past form",
    "adverb",
    "number",
    "punctuation",
    "male noun",
    "female noun",
    "title",
    "known name",
    "capitalised",
    "upper case",
    "other",
)
CLASS_ID = {name: index for index, name in enumerate(WORD_CLASSES)}
#: Classes 1 to this one are pronouns; up to `LAST_AGREEMENT` they agree in person, number and gender.
LAST_PRONOUN = CLASS_ID["other pronoun"]
LAST_AGREEMENT = CLASS_ID["it"]
NAME_CLASSES = tuple(CLASS_ID[name] for name in ("title", "known name", "capitalised", "upper case"))

#: Nouns of natural gender, titles included.
_MALE = rules.word_set(
    "mr sir lord king prince duke count uncle father brother son man boy husband gentleman men boys gentlemen "
    "monsieur papa fellow lad grandfather nephew"
)
_FEMALE = rules.word_set(
    "mrs miss ms lady madame mademoiselle queen princess duchess countess aunt mother sister daughter woman girl wife "
    "women girls ladies madam mamma maid lass grandmother niece"
)
_RELATIVES = rules.word_set("who whom whose which")
_DEMONSTRATIVES = rules.word_set("this that these those")
#: Buckets of counts: 1, 2-3, 4-7, ...; the last holds 128 and more.
NUM_COUNT_BUCKETS = 8
#: Official genres of OntoNotes 5, the only corpus with CoNLL-2012 columns whose names begin with one; 0 is any other.
GENRES = ("bc", "bn", "mz", "nw", "pt", "tc", "wb")


@dataclass(frozen=True)
class Segments:
    """The pieces of a document in overlapping segments, one after another."""

    piece_ids: np.ndarray  # (P,) int32
    piece_word: np.ndarray  # (P,) int32: the word that reads this piece; -1 where another segment is read for it
    lengths: np.ndarray  # (G,) int32: pieces of each segment, special ones included


@dataclass(frozen=True)
class Lexicon:
    """What the words of a document say, one entry a word; each array is (W,)."""

    word_id: np.ndarray  # int64: equal for equal words, letter case aside
    word_class: np.ndarray  # int32: index in WORD_CLASSES
    head_limit: np.ndarray  # int32: the last word that can be the head of a span that begins here
    count_bucket: np.ndarray  # int32: how often the document has this word


def cut_segments(
    pieces: Sequence[Sequence[int]], segment_length: int, overlap: int, special: tuple[int, int]
) -> Segments:
    """Segments of a document whose words have these pieces, between the ids of `[CLS]` and `[SEP]`.

    A word of more pieces than a segment holds keeps its first ones.

    >>> segments = cut_segments([[7], [8], [9], [10]], segment_length=5, overlap=2, special=(2, 3))
    >>> segments.piece_ids.tolist(), segments.piece_word.tolist()
    ([2, 7, 8, 9, 3, 2, 8, 9, 10, 3], [-1, 0, 1, -1, -1, -1, -1, 2, 3, -1])
    """
    room = segment_length - 2
    pieces = [word[:room] for word in pieces]
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in pieces])]).astype(np.int64)  # (W + 1,)
    spans = _segment_spans(offsets, room, overlap)
    owner = _owners(offsets, spans)
    ids: list[int] = []
    readers: list[int] = []
    lengths = []
    for number, (first, end) in enumerate(spans):
        ids.append(special[0])
        readers.append(-1)
        for word in range(first, end):
            ids += pieces[word]
            readers += [word if owner[word] == number else -1] * len(pieces[word])
        ids.append(special[1])
        readers.append(-1)
        lengths.append(2 + int(offsets[end] - offsets[first]))
    return Segments(np.array(ids, np.int32), np.array(readers, np.int32), np.array(lengths, np.int32))


def _segment_spans(offsets: np.ndarray, room: int, overlap: int) -> list[tuple[int, int]]:
    """First word and end of every segment. Each segment brings at least one new word."""
    num_words = len(offsets) - 1
    spans, first = [], 0
    while True:
        end = int(np.searchsorted(offsets, offsets[first] + room, side="right")) - 1
        spans.append((first, end))
        if end >= num_words:
            return spans
        back = int(np.searchsorted(offsets, offsets[end] - overlap, side="right")) - 1
        # The next segment must reach past this one's end, however long the next word is.
        while offsets[end + 1] - offsets[max(back, 0)] > room:
            back += 1
        first = max(back, first + 1)


def _owners(offsets: np.ndarray, spans: Sequence[tuple[int, int]]) -> np.ndarray:  # (W,)
    """The segment that each word is read from: the first of those where its nearer edge is farthest."""
    num_words = len(offsets) - 1
    owner = np.zeros(num_words, dtype=np.int64)
    best = np.full(num_words, -1.0)
    for number, (first, end) in enumerate(spans):
        left = offsets[first:end] - offsets[first] if first > 0 else np.full(end - first, np.inf)
        right = offsets[end] - offsets[first + 1 : end + 1] if end < num_words else np.full(end - first, np.inf)
        context = np.minimum(left, right)
        better = context > best[first:end]
        owner[first:end][better] = number
        best[first:end][better] = context[better]
    return owner


def read_lexicon(sentences: Sequence[Sequence[str]]) -> Lexicon:
    """The lexical columns of a document.

    >>> lexicon = read_lexicon(["The heir of Anna came .".split()])
    >>> [WORD_CLASSES[number] for number in lexicon.word_class[:4]], lexicon.head_limit.tolist()
    (['definite', 'other', 'preposition', 'known name'], [1, 1, 5, 5, 5, 5])
    """
    words = [word for sentence in sentences for word in sentence]
    lowered = [word.lower() for word in words]
    known = rules.known_names(sentences)
    counts = Counter(lowered)
    return Lexicon(
        np.fromiter(map(_word_id, lowered), np.int64, len(words)),
        np.fromiter((CLASS_ID[word_class(word, known)] for word in words), np.int32, len(words)),
        _head_limits(lowered),
        np.fromiter((count_bucket(counts[word]) for word in lowered), np.int32, len(words)),
    )


def word_class(word: str, known_names: frozenset[str] = frozenset()) -> str:
    """The first class of WORD_CLASSES that fits a word.

    >>> [word_class(word) for word in ("HERSELF", "whom", "those", "mother", "quickly", "1871", "--", "river")]
    ['third person feminine', 'relative', 'demonstrative', 'female noun', 'adverb', 'number', 'punctuation', 'other']
    """
    low = word.lower()
    closed = _closed_class(low)
    if closed is not None:
        return closed
    if not any(character.isalpha() for character in word):
        return "number" if any(character.isdigit() for character in word) else "punctuation"
    if word[:1].isupper():
        if rules.is_title(word):
            return "title"
        if word in known_names:
            return "known name"
        return "upper case" if len(word) > 1 and word.isupper() else "capitalised"
    if low.endswith("ly"):
        return "adverb"
    return "past form" if low.endswith("ed") or low in rules.IRREGULAR_PASTS else "other"


@lru_cache(maxsize=65536)
def _closed_class(low: str) -> str | None:
    tables = (
        (rules.AGREEMENT.keys(), rules.AGREEMENT.get(low, "")),
        (("it", "itself"), "it"),
        (("'s", "'"), "genitive"),
        (("the",), "definite"),
        (_DEMONSTRATIVES, "demonstrative"),
        (_RELATIVES, "relative"),
        (rules.INDEFINITES, "indefinite"),
        (rules.OTHER_PRONOUNS, "other pronoun"),
        (rules.PREPOSITIONS, "preposition"),
        (rules.CLAUSE_WORDS, "clause word"),
        (rules.AUXILIARIES, "auxiliary"),
    )
    found = next((name for words, name in tables if low in words), None)
    if found is not None:
        return found
    bare = low.removesuffix(".")
    return "male noun" if bare in _MALE else "female noun" if bare in _FEMALE else None


def count_bucket(count: int) -> int:
    """The bucket of a count of at least 1.

    >>> [count_bucket(count) for count in (1, 2, 3, 4, 127, 128, 5000)]
    [0, 1, 1, 2, 6, 7, 7]
    """
    return min(int(math.log2(count)), NUM_COUNT_BUCKETS - 1)


def genre_id(genre: str | None) -> int:
    """1 for the first official genre; 0 when there is none or it is another.

    >>> genre_id("bc"), genre_id("litbank"), genre_id(None)
    (1, 0, 0)
    """
    return GENRES.index(genre) + 1 if genre in GENRES else 0


def speaker_ids(speakers: Sequence[str]) -> np.ndarray:  # (W,) int32
    """Speakers numbered from 1 in order of appearance; 0 where none is given.

    >>> speaker_ids(["-", "ann", "bob", "ann"]).tolist()
    [0, 1, 2, 1]
    """
    numbers: dict[str, int] = {"-": 0, "_": 0, "": 0}
    for speaker in speakers:
        numbers.setdefault(speaker, max(numbers.values()) + 1)
    return np.array([numbers[speaker] for speaker in speakers], dtype=np.int32)


def _head_limits(lowered: Sequence[str]) -> np.ndarray:
    """For each word, the one before the next word that ends a head (`coref_rules.head_index`), or the last word."""
    limits = np.empty(len(lowered), dtype=np.int32)
    limit = len(lowered) - 1
    for index in range(len(lowered) - 1, -1, -1):
        limits[index] = limit
        if lowered[index] in rules.AFTER_HEAD:
            limit = index - 1
    return limits


@lru_cache(maxsize=262_144)
def _word_id(low: str) -> int:
    # 62 bits of a hash that is the same in every process; two words of a document that share one are never seen.
    return int.from_bytes(hashlib.blake2b(low.encode(), digest_size=8).digest(), "little") >> 2
