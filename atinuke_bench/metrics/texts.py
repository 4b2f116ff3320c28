"""How alike two answers are, by the rule of SQuAD's scripts (Rajpurkar et al. 2016), which others took over."""

from __future__ import annotations

import re
import string
from collections import Counter

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize_answer(text: str) -> str:
    """Lower-cased, without ASCII punctuation and English articles, single-spaced; the same rule in v1.1 and v2.0.

    >>> normalize_answer("The  Panthers' (defense)")
    'panthers defense'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, reference: str) -> int:
    """1 when both are equal after `normalize_answer`, else 0.

    >>> exact_match("the Panthers.", "Panthers")
    1
    """
    return int(normalize_answer(prediction) == normalize_answer(reference))


def token_f1(prediction: str, reference: str, *, empty_can_match: bool = False) -> float:
    """F1 (0 to 1) over the multiset of normalised words.

    With no common word it is 0, also when both are empty. `empty_can_match` is the v2.0 rule: when either has no
    words the score is 1 if both have none, else 0.

    >>> token_f1("in the late 1990s", "late 1990s")
    0.8
    >>> token_f1("", "the"), token_f1("", "the", empty_can_match=True)
    (0.0, 1.0)
    """
    predicted_words, reference_words = normalize_answer(prediction).split(), normalize_answer(reference).split()
    if empty_can_match and not (predicted_words and reference_words):
        return float(predicted_words == reference_words)
    num_common = sum((Counter(predicted_words) & Counter(reference_words)).values())
    if num_common == 0:
        return 0.0
    precision = 1.0 * num_common / len(predicted_words)
    recall = 1.0 * num_common / len(reference_words)
    return (2 * precision * recall) / (precision + recall)
