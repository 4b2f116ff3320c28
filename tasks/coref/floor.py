"""Coreference by rule: the floor that a trained model must beat. It reads words alone and learns nothing.

Mentions, none inside another of its own type:
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

Word lists are English, closed classes only. Spans are `(first word, last word)` of the document, both included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

MentionType = Literal["pronoun", "name", "nominal"]
Span = tuple[int, int]

#: How many words after its determiner a nominal may have.
MAX_WORDS_AFTER_DETERMINER = 3

_AGREEMENT = {
    "first person singular": "i me my myself",
    "second person": "you your yourself yourselves thou thee thy thine",
    "third person masculine": "he him his himself",
    "third person feminine": "she her herself",
    "third person neuter": "its",
    "first person plural": "we us our ourselves",
    "third person plural": "they them their themselves",
}


def word_set(text: str) -> frozenset[str]:
    """The words of a text, which stands for a list of them."""
    return frozenset(text.split())


#: Agreement class of the pronouns that the rules take as mentions.
AGREEMENT = {word: agreement for agreement, words in _AGREEMENT.items() for word in words.split()}

OTHER_PRONOUNS = word_set(
    "it itself mine yours hers ours theirs ye one oneself this that these those who whom whose which what there here "
    "everybody nobody somebody anybody everyone someone anyone everything nothing something anything none each "
    "another other others both all some any many few several"
)
_POSSESSIVES = word_set("my your his her its our their thy")
INDEFINITES = word_set("a an some every no another each any all both")
_DETERMINERS = word_set("the this that these those") | INDEFINITES | _POSSESSIVES
PREPOSITIONS = word_set(
    "of in on at by for with from to into upon about over under after before between through during without within "
    "against among amongst toward towards behind beside beyond near off out up down across along around above below "
    "like past since till until"
)
CLAUSE_WORDS = word_set(
    "and or but nor so yet if when while as than because though although unless whether who whom whose which that "
    "where why how what then now not never only just also too very there here"
)
AUXILIARIES = word_set(
    "is are was were be been being am has have had having do does did will would shall should can could may might "
    "must 'm 're 've 'll 'd n't"
)
#: Forms that only a finite verb has, or nearly so ("left" and "felt" are others too), of the irregular verbs.
IRREGULAR_PASTS = word_set(
    "said came went saw took made gave got knew thought found felt told left kept stood sat ran fell began spoke rose "
    "brought held heard became met sent lay led drew threw wore grew broke chose drove wrote rode slept ate drank sang "
    "flew blew shook woke swore caught taught bought fought sought lost meant paid sold spent built understood"
)
_INTERJECTIONS = word_set("oh o ah eh well yes no alas indeed hello")
_CALENDAR = word_set(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december christmas easter"
)
_TITLES = word_set(
    "mr mrs miss ms dr st rev sir lady lord captain colonel general major judge professor doctor madame monsieur "
    "mademoiselle prince princess king queen duke duchess count countess aunt uncle father mother brother sister"
)
_FUNCTION_WORDS = (
    _DETERMINERS | PREPOSITIONS | CLAUSE_WORDS | AUXILIARIES | OTHER_PRONOUNS | frozenset(AGREEMENT) | {"'s", "'"}
)
_NEVER_NAMES = _FUNCTION_WORDS | _INTERJECTIONS | _CALENDAR
#: A capital after one of these says nothing about the word.
_BEFORE_CAPITALS = frozenset([*".!?:;\"'`_([*", "``", "''", "--", "“", "‘", "—"])
#: What ends the part of a mention that holds its head.
AFTER_HEAD = PREPOSITIONS | {"who", "whom", "whose", "which", "that", "where", "when", "and", "or", ",", "--", "("}


@dataclass(frozen=True)
class RuleMention:
    """A candidate: its span in the document, its type, and what must be equal for two of the type to corefer."""

    span: Span
    type: MentionType
    match: str
    opens_cluster: bool = False


def head_index(words: Sequence[str]) -> int:
    """Position of a mention's head: the last word before the first preposition, comma, relative word or "and".

    >>> head_index("the old margin of the river".split()), head_index("her father 's car".split())
    (2, 3)
    """
    for index, word in enumerate(words):
        if index > 0 and word.lower() in AFTER_HEAD:
            return index - 1
    return len(words) - 1


def mention_type(words: Sequence[str], tags: Sequence[str] = ()) -> MentionType:
    """The type of a mention from its words, and from Penn Treebank part-of-speech tags where there are any.

    With tags: one word tagged as a pronoun, determiner or wh-word is a pronoun, a head tagged NNP or NNPS makes a
    name. Without: one word of a closed list is a pronoun, a capitalised head makes a name, so that a one-word nominal
    at the start of a sentence counts as a name. All else is nominal. `-` and `_` are no tags.

    >>> [mention_type(words.split()) for words in ("She", "the Prince of Wales", "a man she knew")]
    ['pronoun', 'name', 'nominal']
    """
    head = head_index(words)
    if any(tag not in ("-", "_") for tag in tags):
        if len(words) == 1 and tags[0] in ("PRP", "PRP$", "DT", "WP", "WP$", "WDT", "EX", "WRB"):
            return "pronoun"
        return "name" if tags[head] in ("NNP", "NNPS") else "nominal"
    if len(words) == 1 and (words[0].lower() in AGREEMENT or words[0].lower() in OTHER_PRONOUNS):
        return "pronoun"
    return "name" if words[head][:1].isupper() else "nominal"


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


def predict_clusters(sentences: Sequence[Sequence[str]], *, singletons: bool = True) -> list[list[Span]]:
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


def _is_word(token: str) -> bool:
    return any(character.isalpha() for character in token)


def is_title(token: str) -> bool:
    """True for "Mr", "Mr.", "aunt"."""
    return token.lower().removesuffix(".") in _TITLES


def known_names(sentences: Sequence[Sequence[str]]) -> frozenset[str]:
    """Words that are capitalised somewhere for no other reason than being a name.

    >>> sorted(known_names(["Then Anna left .".split(), "Anna said : He is Ben .".split()]))
    ['Anna', 'Ben']
    """
    return frozenset(
        word
        for words in sentences
        for before, word in pairwise(words)
        if word[:1].isupper() and before not in _BEFORE_CAPITALS
    )


def _may_name(word: str, known_names: frozenset[str]) -> bool:
    if not word[:1].isupper() or word.lower() in _NEVER_NAMES:
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
        if word.lower() not in _DETERMINERS:
            continue
        end = index + 1
        while end < len(words) and end - index <= MAX_WORDS_AFTER_DETERMINER and _continues(words, named, index, end):
            end += 1
        if end > index + 1:
            yield RuleMention((index, end - 1), "nominal", words[end - 1].lower(), word.lower() in INDEFINITES)


def _continues(words: Sequence[str], named: Sequence[bool], determiner: int, index: int) -> bool:
    word = words[index].lower()
    if not _is_word(word) or word in _FUNCTION_WORDS or named[index] or word.endswith("ly"):
        return False
    return index == determiner + 1 or not (word.endswith("ed") or word in IRREGULAR_PASTS)
