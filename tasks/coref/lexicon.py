"""What English words say by themselves: word lists, classes of words, heads of mentions, types of mentions.

The rules of the floor, the features that every core gets and the slices of the score all read this one lexicon, so none
of them knows a word that the others do not. Lists are of closed classes, and of nouns of natural gender.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

MentionType = Literal["pronoun", "name", "nominal"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- word lists -------------------------------------------------------------------------------------------------------

_AGREEMENT = {
    "first person singular": "i me my myself",
    "second person": "you your yourself yourselves thou thee thy thine",
    "third person masculine": "he him his himself",
    "third person feminine": "she her herself",
    "third person neuter": "its",
    "first person plural": "we us our ourselves",
    "third person plural": "they them their themselves",
}
#: Person, number and gender of the pronouns that the rules of the floor take as mentions.
AGREEMENT = {word: agreement for agreement, words in _AGREEMENT.items() for word in words.split()}
OTHER_PRONOUNS = _words(
    "it itself mine yours hers ours theirs ye one oneself this that these those who whom whose which what there here "
    "everybody nobody somebody anybody everyone someone anyone everything nothing something anything none each "
    "another other others both all some any many few several"
)
_RELATIVES = _words("who whom whose which")
_POSSESSIVES = _words("my your his her its our their thy")
_DEMONSTRATIVES = _words("this that these those")
INDEFINITES = _words("a an some every no another each any all both")
DETERMINERS = _words("the") | _DEMONSTRATIVES | INDEFINITES | _POSSESSIVES
_PREPOSITIONS = _words(
    "of in on at by for with from to into upon about over under after before between through during without within "
    "against among amongst toward towards behind beside beyond near off out up down across along around above below "
    "like past since till until"
)
_CLAUSE_WORDS = _words(
    "and or but nor so yet if when while as than because though although unless whether who whom whose which that "
    "where why how what then now not never only just also too very there here"
)
_AUXILIARIES = _words(
    "is are was were be been being am has have had having do does did will would shall should can could may might "
    "must 'm 're 've 'll 'd n't"
)
#: Forms that only a finite verb has, or nearly so ("left" and "felt" are others too), of the irregular verbs.
IRREGULAR_PASTS = _words(
    "said came went saw took made gave got knew thought found felt told left kept stood sat ran fell began spoke rose "
    "brought held heard became met sent lay led drew threw wore grew broke chose drove wrote rode slept ate drank sang "
    "flew blew shook woke swore caught taught bought fought sought lost meant paid sold spent built understood"
)
_INTERJECTIONS = _words("oh o ah eh well yes no alas indeed hello")
_CALENDAR = _words(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december christmas easter"
)
_TITLES = _words(
    "mr mrs miss ms dr st rev sir lady lord captain colonel general major judge professor doctor madame monsieur "
    "mademoiselle prince princess king queen duke duchess count countess aunt uncle father mother brother sister"
)
_MALE_NOUNS = _words(
    "mr sir lord king prince duke count uncle father brother son man boy husband gentleman men boys gentlemen "
    "monsieur papa fellow lad grandfather nephew"
)
_FEMALE_NOUNS = _words(
    "mrs miss ms lady madame mademoiselle queen princess duchess countess aunt mother sister daughter woman girl wife "
    "women girls ladies madam mamma maid lass grandmother niece"
)
FUNCTION_WORDS = (
    DETERMINERS | _PREPOSITIONS | _CLAUSE_WORDS | _AUXILIARIES | OTHER_PRONOUNS | frozenset(AGREEMENT) | {"'s", "'"}
)
NEVER_NAMES = FUNCTION_WORDS | _INTERJECTIONS | _CALENDAR
#: A capital after one of these says nothing about the word.
_BEFORE_CAPITALS = frozenset([*".!?:;\"'`_([*", "``", "''", "--", "“", "‘", "—"])
#: What ends the part of a mention that holds its head.
_AFTER_HEAD = _PREPOSITIONS | {"who", "whom", "whose", "which", "that", "where", "when", "and", "or", ",", "--", "("}

# --- classes of words -------------------------------------------------------------------------------------------------

#: Class 0 is padding; the classes of pronouns come first, in the order of `AGREEMENT`.
WORD_CLASSES = (
    "padding",
    *_AGREEMENT,
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
#: Class of each word of a closed class. A word of several lists is of the one that comes last here.
_CLOSED_CLASSES = {
    **dict.fromkeys(_AUXILIARIES, "auxiliary"),
    **dict.fromkeys(_CLAUSE_WORDS, "clause word"),
    **dict.fromkeys(_PREPOSITIONS, "preposition"),
    **dict.fromkeys(OTHER_PRONOUNS, "other pronoun"),
    **dict.fromkeys(INDEFINITES, "indefinite"),
    **dict.fromkeys(_RELATIVES, "relative"),
    **dict.fromkeys(_DEMONSTRATIVES, "demonstrative"),
    "the": "definite",
    **dict.fromkeys(("'s", "'"), "genitive"),
    **dict.fromkeys(("it", "itself"), "it"),
    **AGREEMENT,
}
_NOUN_CLASSES = {**dict.fromkeys(_FEMALE_NOUNS, "female noun"), **dict.fromkeys(_MALE_NOUNS, "male noun")}


def word_class(word: str, known_names: frozenset[str] = frozenset()) -> str:
    """The one of WORD_CLASSES that a word belongs to.

    >>> [word_class(word) for word in ("HERSELF", "whom", "those", "mother", "quickly", "1871", "--", "river")]
    ['third person feminine', 'relative', 'demonstrative', 'female noun', 'adverb', 'number', 'punctuation', 'other']
    """
    low = word.lower()
    listed = _CLOSED_CLASSES.get(low) or _NOUN_CLASSES.get(low.removesuffix("."))
    if listed is not None:
        return listed
    if not is_word(word):
        return "number" if any(character.isdigit() for character in word) else "punctuation"
    if word[:1].isupper():
        if is_title(word):
            return "title"
        if word in known_names:
            return "known name"
        return "upper case" if len(word) > 1 and word.isupper() else "capitalised"
    if low.endswith("ly"):
        return "adverb"
    return "past form" if low.endswith("ed") or low in IRREGULAR_PASTS else "other"


def is_word(token: str) -> bool:
    """True where a letter is in it."""
    return any(character.isalpha() for character in token)


def is_title(token: str) -> bool:
    """True for "Mr", "Mr.", "aunt"."""
    return token.lower().removesuffix(".") in _TITLES


def known_names(sentences: Iterable[Sequence[str]]) -> frozenset[str]:
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


# --- mentions ---------------------------------------------------------------------------------------------------------


def head_index(words: Sequence[str]) -> int:
    """Position of a mention's head: the last word before the first preposition, comma, relative word or "and".

    >>> head_index("the old margin of the river".split()), head_index("her father 's car".split())
    (2, 3)
    """
    return head_limits(words)[0]


def head_limits(words: Sequence[str]) -> list[int]:
    """For each word, the last one that can be the head of a mention that begins with it.

    >>> head_limits("the old margin of the river".split())
    [2, 2, 2, 5, 5, 5]
    """
    limits, limit = [], len(words) - 1
    for index in range(len(words) - 1, -1, -1):
        limits.append(limit)
        if words[index].lower() in _AFTER_HEAD:
            limit = index - 1
    return limits[::-1]


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
