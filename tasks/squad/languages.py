"""Answers of other languages, compared as MLQA's official script does (Lewis et al. 2020, `mlqa_evaluation_v1.py`).

It leaves out the punctuation of all scripts and the articles of the answer's language, and takes each Chinese character
for a word.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from atinuke_bench.errors import UnknownNameError
from atinuke_bench.metrics.metric import Answers, Measured, mean_sample
from atinuke_bench.tasks.squad.metric import SquadMetric
from atinuke_bench.tasks.squad.scores import ExampleScore, v1_figures

#: Language -> its articles. Arabic has a prefix, which the script takes away wherever its letters are.
ARTICLES = {
    "ar": r"ال",
    "de": r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "en": r"\b(?:a|an|the)\b",
    "es": r"\b(?:un|una|unos|unas|el|la|los|las)\b",
    "hi": None,
    "vi": r"\b(?:của|là|cái|chiếc|những)\b",
    "zh": None,
}
_CHINESE_WORD = re.compile("[\u4e00-\u9fa5]|[^\\s\u4e00-\u9fa5]+")


@dataclass(frozen=True)
class MlqaMetric(SquadMetric):
    """F1 and exact match of answers in a language."""

    language: str

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"mlqa_f1({self.language})"

    def measure(self, answers: Answers) -> Measured:
        pairs = zip(answers.predicted, answers.gold, strict=True)
        details = [_score(predicted.text, texts, self.language) for predicted, texts in pairs]
        f1 = [score.f1 for score in details]
        figures = v1_figures(dict(zip(answers.ids, details, strict=True)))
        return Measured(
            {self.name: figures["f1"], "exact_match": figures["exact_match"]}, f1, mean_sample(answers.ids, f1), details
        )


def mlqa_f1(language: str) -> MlqaMetric:
    """The metric of one of MLQA's languages, by its code; UnknownNameError."""
    if language not in ARTICLES:
        raise UnknownNameError("language of mlqa_f1", language, ARTICLES, f"it is one of {', '.join(ARTICLES)}")
    return MlqaMetric(False, language)


def words_of_answer(text: str, language: str) -> list[str]:
    """The words of an answer that count, lower-cased.

    >>> words_of_answer("„Die Kirche“ der Stadt", "de"), words_of_answer("1999年、北京", "zh")
    (['kirche', 'stadt'], ['1999', '年', '北', '京'])
    """
    kept = "".join(char for char in text.lower() if not _is_punctuation(char))
    articles = ARTICLES[language]
    kept = kept if articles is None else re.sub(articles, " ", kept)
    return _CHINESE_WORD.findall(kept) if language == "zh" else kept.split()


def _is_punctuation(char: str) -> bool:
    return char in string.punctuation or unicodedata.category(char).startswith("P")


def _score(predicted: str, references: Sequence[str], language: str) -> ExampleScore:
    own = words_of_answer(predicted, language)
    others = [words_of_answer(text, language) for text in references]
    return ExampleScore(int(own in others), max((_f1(own, other) for other in others), default=0.0))


def _f1(own: Sequence[str], other: Sequence[str]) -> float:
    num_same = (Counter(own) & Counter(other)).total()
    if num_same == 0:
        return 0.0
    precision, recall = num_same / len(own), num_same / len(other)
    return 2 * precision * recall / (precision + recall)
