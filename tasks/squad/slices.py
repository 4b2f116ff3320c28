"""Slices of SQuAD questions: by question word, answer type, answer length, context length and the answer's position.

Each rule is a pure function of one question, so that a slice means the same in every run. Where a question has
several references, the first decides, as it does in training.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset

from atinuke_bench.metrics.metric import Answers, Measured
from atinuke_bench.tasks.squad.scores import ExampleScore
from atinuke_bench.training.task import Slices

QUESTION_WORDS = ("what", "who", "when", "where", "why", "how", "which", "other")
ANSWER_TYPES = ("none", "date", "number", "name", "other")
ANSWER_LENGTHS = ("0", "1", "2", "3-5", "6-10", "11+")
CONTEXT_LENGTHS = ("1-100", "101-150", "151-200", "201+")
#: Words of the context before the answer, which are about as many as lie between question and answer.
ANSWER_POSITIONS = ("0-24", "25-49", "50-99", "100-199", "200+")

_WORD = re.compile(r"\w+")
_VARIANTS = {"whom": "who", "whose": "who"}
_MONTHS = "january february march april may june july august september october november december"
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday"
_DATE_WORDS = frozenset(f"{_MONTHS} {_WEEKDAYS} century centuries decade ad bc bce ce".split())
_YEAR = re.compile(r"(1\d{3}|20\d{2})s?")
_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands "
    "million millions billion billions trillion dozen dozens half first second third fourth fifth sixth seventh "
    "eighth ninth tenth once twice"
)
_NUMBER_WORDS = frozenset(_NUMBERS.split())
_ARTICLES = frozenset(("a", "an", "the"))
_FUNCTION_WORDS = _ARTICLES | {"of", "and", "in", "on", "for", "at", "to", "by", "de", "la", "le", "van", "von"}


def question_word(question: str) -> str:
    """The first of the seven question words in a question ("whom" and "whose" count as "who"), else "other".

    >>> question_word("In which city was she born?"), question_word("Whose idea?"), question_word("Name a city.")
    ('which', 'who', 'other')
    """
    for word in _WORD.findall(question.lower()):
        word = _VARIANTS.get(word, word)
        if word in QUESTION_WORDS[:-1]:
            return word
    return QUESTION_WORDS[-1]


def answer_type(texts: Sequence[str]) -> str:
    """A coarse type of the first reference; "none" when there is none. The first rule that fits decides.

    date: a month, weekday, "century" or era, or a year 1000 to 2099 as a separate word, without a currency or percent
    sign; "May" counts only beside a digit or alone. number: begins with a digit (after signs, currency and articles) or
    with a number word. name: every word but function words begins with an upper-case letter or digit. other: the rest.

    >>> [answer_type([text]) for text in ("May 1998", "the $12 rise", "two of them", "University of Ibadan", "fear")]
    ['date', 'number', 'number', 'name', 'other']
    >>> answer_type([])
    'none'
    """
    if not texts:
        return "none"
    text = texts[0]
    words = _WORD.findall(text)
    lower = [word.lower() for word in words]
    if _is_date(text, lower):
        return "date"
    content = [word for word in lower if word not in _ARTICLES]
    if content and (content[0][0].isdigit() or content[0] in _NUMBER_WORDS):
        return "number"
    named = [word for word in words if word.lower() not in _FUNCTION_WORDS]
    if named and all(word[0].isupper() or word[0].isdigit() for word in named):
        return "name"
    return "other"


def _is_date(text: str, words: list[str]) -> bool:
    if any(sign in text for sign in "$€£¥%"):
        return False
    has_digit = any(word[0].isdigit() for word in words)
    marks = [word for word in words if word in _DATE_WORDS and (word != "may" or has_digit or len(words) == 1)]
    # A comma inside digits makes a quantity: in "1,500" neither part is a year.
    return bool(marks) or any(_YEAR.fullmatch(word) for word in words if not re.search(r"\d,\d{3}", text))


def answer_length(texts: Sequence[str]) -> str:
    """The bucket of the number of white-space separated words in the first reference; "0" when there is none.

    >>> answer_length(["the Denver Broncos"]), answer_length([])
    ('3-5', '0')
    """
    return _bucket(len(texts[0].split()) if texts else 0, (0, 1, 2, 5, 10), ANSWER_LENGTHS)


def context_length(context: str) -> str:
    """The bucket of the number of white-space separated words in a context.

    >>> context_length("word " * 120)
    '101-150'
    """
    return _bucket(len(context.split()), (100, 150, 200), CONTEXT_LENGTHS)


def answer_position(context: str, starts: Sequence[int]) -> str | None:
    """The bucket of the number of words before the first reference; None where a question has none.

    >>> answer_position("word " * 120 + "Ada", [600]), answer_position("Ada", [])
    ('100-199', None)
    """
    if not starts:
        return None
    return _bucket(len(context[: starts[0]].split()), (24, 49, 99, 199), ANSWER_POSITIONS)


def _bucket(count: int, upper_ends: Sequence[int], names: Sequence[str]) -> str:
    return names[sum(count > end for end in upper_ends)]


def by_question(examples: Dataset, answers: Answers, measured: Measured) -> Slices:
    """The slices of all questions; `measured.details` has their scores."""
    columns = examples["question"][:], examples["context"][:], answers.gold, _starts(examples)
    return slice_scores(measured.details, *columns)


def _starts(examples: Dataset) -> list[Sequence[int]]:
    return [answers["answer_start"] for answers in examples["answers"][:]]


def slice_scores(
    scores: Sequence[ExampleScore],
    questions: Sequence[str],
    contexts: Sequence[str],
    texts: Sequence[Sequence[str]],
    starts: Sequence[Sequence[int]],
) -> Slices:
    """Every slice's `num`, `exact` and `f1` (percent), as `{"question_word": {"who": {...}}, ...}`.

    `scores` and the four columns are in the same order. A slice without questions is absent, not zero; unanswerable
    questions are in none by position.

    >>> slice_scores([ExampleScore(1, 1.0)], ["Who?"], ["Ada wrote."], [["Ada"]], [[0]])["answer_type"]
    {'name': {'num': 1, 'exact': 100.0, 'f1': 100.0}}
    """
    columns = _columns(questions, contexts, texts, starts)
    return {
        name: {label: _mean_scores(scores, column, label) for label in names if label in column}
        for name, (names, column) in columns.items()
        if any(label is not None for label in column)
    }


def slices_of_question(examples: Dataset, gold: Sequence[Any]) -> list[dict[str, list[str]]]:
    """The slices of each question."""
    columns = _columns(examples["question"][:], examples["context"][:], gold, _starts(examples))
    labels = [column for _, column in columns.values()]
    return [
        {name: [label] for name, label in zip(columns, row, strict=True) if label is not None}
        for row in zip(*labels, strict=True)
    ]


def _columns(
    questions: Sequence[str],
    contexts: Sequence[str],
    texts: Sequence[Sequence[str]],
    starts: Sequence[Sequence[int]],
) -> Mapping[str, tuple[Sequence[str], Sequence[str | None]]]:
    """Of each slice, all labels in order and the label of each question; None where it has none."""
    positions = [answer_position(context, own) for context, own in zip(contexts, starts, strict=True)]
    return {
        "question_word": (QUESTION_WORDS, [question_word(question) for question in questions]),
        "answer_type": (ANSWER_TYPES, [answer_type(answers) for answers in texts]),
        "answer_length": (ANSWER_LENGTHS, [answer_length(answers) for answers in texts]),
        "context_length": (CONTEXT_LENGTHS, [context_length(context) for context in contexts]),
        "answer position in words": (ANSWER_POSITIONS, positions),
    }


def _mean_scores(values: Sequence[ExampleScore], column: Sequence[str | None], label: str) -> dict[str, float | None]:
    members = [score for score, of in zip(values, column, strict=True) if of == label]
    num_examples = len(members)
    return {
        "num": num_examples,
        "exact": 100.0 * sum(score.exact for score in members) / num_examples,
        "f1": 100.0 * sum(score.f1 for score in members) / num_examples,
    }
