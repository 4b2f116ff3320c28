"""Coreference by rule: the floor that a trained model must beat. It reads words alone and learns nothing.

Mentions, none inside another of the same type:
- pronoun: a personal, possessive determiner or reflexive pronoun, without "it" and "itself", which seldom refer to
  a mention, and without the free possessives ("mine");
- name: a longest run of capitalised words, none of them a function word, each capitalised at least once in the
  document where no sentence or quotation begins, or a title ("Mr.", "Aunt");
- nominal: a determiner or possessive and the one to three words after it, up to a function word, punctuation, an
  adverb in -ly, a past form (in -ed, or of an irregular verb), or a name.

Clusters:
- names, and nominals, corefer when their last words (their heads) are the same, letter case aside; a nominal that
  begins with an indefinite determiner ("a", "some", "every") opens a new cluster, which later ones join;
- pronouns corefer when person, number and gender are the same ("I", "my"), as if they were the same string; no
  pronoun joins a name or a nominal;
- a nominal that corefers with nothing is dropped, since most such phrases are mentions of no entity.

The rules know only the words of the lexicon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datasets import Dataset

from atinuke_bench.config import RunConfig
from atinuke_bench.tasks.coref.clusters import Clusters, Span
from atinuke_bench.tasks.coref.documents import sentences_of
from atinuke_bench.tasks.coref.lexicon import (
    AGREEMENT,
    DETERMINERS,
    FUNCTION_WORDS,
    INDEFINITES,
    IRREGULAR_PASTS,
    NEVER_NAMES,
    MentionType,
    is_title,
    is_word,
    known_names,
)
from atinuke_bench.tasks.coref.model import CorefOptions
from atinuke_bench.training.task import options_of

#: How many words after its determiner a nominal may have.
MAX_WORDS_AFTER_DETERMINER = 3


def cluster_by_rules(train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, Clusters]:
    """The clusters of the rules above, which learn nothing from the train split."""
    keep = options_of(run, CorefOptions).answers_singletons
    return {example["id"]: predict_clusters(sentences_of(example), singletons=keep) for example in examples}


@dataclass(frozen=True)
class RuleMention:
    """A candidate: its span in the document, its type, and what must be equal for two of the type to corefer."""

    span: Span
    type: MentionType
    match: str
    opens_cluster: bool = False


def find_mentions(sentences: Sequence[Sequence[str]]) -> list[RuleMention]:
    """The candidate mentions of a document by the rules above, in the order of their spans.

    >>> [mention.span for mention in find_mentions(["Then Anna saw her mother .".split()])]
    [(1, 1), (3, 3), (3, 4)]
    """
    names = known_names(sentences)
    found: list[RuleMention] = []
    start = 0
    for words in sentences:
        named = [_may_name(word, names) for word in words]
        for mention in (*_pronouns(words), *_names(words, named), *_nominals(words, named)):
            first, last = mention.span
            span = (start + first, start + last)
            found.append(RuleMention(span, mention.type, mention.match, mention.opens_cluster))
        start += len(words)
    return sorted(found, key=lambda mention: mention.span)


def predict_clusters(sentences: Sequence[Sequence[str]], *, singletons: bool = True) -> Clusters:
    """The clusters of a document by the rules above, ordered by their first mention.

    `singletons=False` drops clusters of one mention, for data sets that do not annotate them.

    >>> predict_clusters(["A man saw Anna .".split(), "The man liked Anna and her dog .".split()])
    [[(0, 1), (5, 6)], [(3, 3), (8, 8)], [(10, 10)]]
    """
    clusters: list[tuple[MentionType, list[Span]]] = []
    latest: dict[tuple[MentionType, str], list[Span]] = {}
    for mention in find_mentions(sentences):
        place = mention.type, mention.match
        if mention.opens_cluster or place not in latest:
            latest[place] = []
            clusters.append((mention.type, latest[place]))
        latest[place].append(mention.span)
    return [spans for type_, spans in clusters if len(spans) > 1 or (singletons and type_ != "nominal")]


def _may_name(word: str, known_names: frozenset[str]) -> bool:
    if not word[:1].isupper() or word.lower() in NEVER_NAMES:
        return False
    return word in known_names or is_title(word)


def _pronouns(words: Sequence[str]) -> Iterator[RuleMention]:
    for index, word in enumerate(words):
        agreement = AGREEMENT.get(word.lower())
        if agreement is not None:
            yield RuleMention((index, index), "pronoun", agreement)


def _names(words: Sequence[str], named: Sequence[bool]) -> Iterator[RuleMention]:
    index = 0
    while index < len(words):
        end = index
        while end < len(words) and named[end]:
            end += 1
        # An abbreviated title alone names nobody: "Mr." before a word that is no name.
        if end > index and not (end == index + 1 and is_title(words[index]) and words[index].endswith(".")):
            yield RuleMention((index, end - 1), "name", words[end - 1].lower())
        index = max(end, index + 1)


def _nominals(words: Sequence[str], named: Sequence[bool]) -> Iterator[RuleMention]:
    for index, word in enumerate(words):
        if word.lower() not in DETERMINERS:
            continue
        end = index + 1
        while end < len(words) and end - index <= MAX_WORDS_AFTER_DETERMINER and _continues(words, named, index, end):
            end += 1
        if end > index + 1:
            yield RuleMention((index, end - 1), "nominal", words[end - 1].lower(), word.lower() in INDEFINITES)


def _continues(words: Sequence[str], named: Sequence[bool], determiner: int, index: int) -> bool:
    word = words[index].lower()
    if not is_word(word) or word in FUNCTION_WORDS or named[index] or word.endswith("ly"):
        return False
    return index == determiner + 1 or not (word.endswith("ed") or word in IRREGULAR_PASTS)
