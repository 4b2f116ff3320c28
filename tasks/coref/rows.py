"""A document as numbers: its pieces in segments, and columns of what words alone say, with one entry a word.

Lexical columns know nothing that the rules of the floor do not know, and every core is given the same: which words are
equal, the class of a word (closed classes of English, capitals, names), where the head of a span that begins here must
end, and how often the word occurs in the document.

Letters: W words of a document.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from atinuke_bench.data.tokenizer import encode_words, special_tokens
from atinuke_bench.tasks.coref.clusters import as_spans, cluster_by_mention
from atinuke_bench.tasks.coref.documents import sentences_of
from atinuke_bench.tasks.coref.lexicon import CLASS_ID, head_limits, known_names, word_class
from atinuke_bench.tasks.coref.segments import cut_segments

#: Buckets of counts: 1, 2-3, 4-7, ...; the last holds 128 and more.
NUM_COUNT_BUCKETS = 8
#: Official genres of OntoNotes 5, the only corpus with CoNLL-2012 columns whose names begin with one; 0 is any other.
GENRES = ("bc", "bn", "mz", "nw", "pt", "tc", "wb")


def encode_document(
    example: Mapping[str, Any], tokenizer: Tokenizer, segment_length: int, overlap: int, max_width: int
) -> dict[str, Any]:
    """All columns of a document: of its pieces, of its segments, of its words and of its gold mentions.

    Gold mentions are those that can be found: of at most `max_width` words, within a sentence.
    """
    words, sentences = example["words"], sentences_of(example)
    pieces, specials = encode_words(tokenizer, words), special_tokens(tokenizer)
    frame = (specials.cls, specials.sep)
    segments = cut_segments([pieces[word] for word in words], segment_length, overlap, frame)
    number_of = cluster_by_mention(as_spans(example["clusters"]))  # a mention is learned in one cluster
    sentence = np.repeat(np.arange(len(sentences)), example["sentence_lengths"])
    gold = [
        (start, end, number)
        for (start, end), number in number_of.items()
        if end - start < max_width and sentence[start] == sentence[end]
    ]
    starts, ends, clusters = zip(*gold, strict=True) if gold else ((), (), ())
    speakers = example["speakers"]
    return {
        "input_ids": segments.piece_ids,
        "piece_word": segments.piece_word,
        "segment_lengths": segments.lengths,
        "sentence": sentence,
        **lexical_columns(sentences),
        "speaker": speaker_ids(speakers) if speakers else np.zeros(len(words), dtype=np.int32),
        "gold_start": starts,
        "gold_end": ends,
        "gold_cluster": clusters,
    }


def lexical_columns(sentences: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:  # each (W,)
    """What the words of a document say.

    `word_id` is equal for equal words, letter case aside; `word_class` numbers WORD_CLASSES; `head_limit` is the last
    word that can be the head of a span that begins here; `count_bucket` is how often the document has this word.

    >>> columns = lexical_columns(["The heir of Anna came .".split()])
    >>> columns["head_limit"].tolist(), columns["count_bucket"].tolist()
    ([1, 1, 5, 5, 5, 5], [0, 0, 0, 0, 0, 0])
    """
    words = [word for sentence in sentences for word in sentence]
    lowered = [word.lower() for word in words]
    known, counts = known_names(sentences), Counter(lowered)
    return {
        "word_id": np.fromiter(map(_word_id, lowered), np.int64, len(words)),
        "word_class": np.fromiter((CLASS_ID[word_class(word, known)] for word in words), np.int32, len(words)),
        "head_limit": np.array(head_limits(lowered), np.int32),
        "count_bucket": np.fromiter((count_bucket(counts[word]) for word in lowered), np.int32, len(words)),
    }


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
    nobody = dict.fromkeys(("-", "_", ""), 0)
    named = (speaker for speaker in dict.fromkeys(speakers) if speaker not in nobody)
    numbers = nobody | {speaker: number for number, speaker in enumerate(named, start=1)}
    return np.array([numbers[speaker] for speaker in speakers], dtype=np.int32)


@lru_cache(maxsize=262_144)
def _word_id(low: str) -> int:
    # 62 bits of a hash that is the same in every process; two words of a document that share one are never seen.
    return int.from_bytes(hashlib.blake2b(low.encode(), digest_size=8).digest(), "little") >> 2
