"""SQuAD v1.1 and v2.0 scores, equal to the official evaluate-v1.1.py and evaluate-v2.0.py to the last digit.

`references` maps each question id to its reference answers (empty when unanswerable), in file order; `predictions`
maps ids to answer texts, "" meaning unanswerable. Sums run left to right in file order, as the official scripts sum,
because a different order changes the last digits.

Source: Rajpurkar et al. 2016 (arXiv 1606.05250) and Rajpurkar, Jia, Liang 2018 (arXiv 1806.03822) with their scripts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from atinuke_bench.errors import DataError
from atinuke_bench.metrics.texts import exact_match, normalize_answer, token_f1

References = Mapping[str, Sequence[str]]
Predictions = Mapping[str, str]

#: The official `--na-prob-thresh` default. It presumes probabilities: with log-odds above 1 it empties answers.
OFFICIAL_THRESHOLD = 1.0


class ExampleScore(NamedTuple):
    """Exact match (0 or 1) and F1 (0 to 1) of one question."""

    exact: int
    f1: float


def examples_v1(references: References, predictions: Predictions) -> dict[str, ExampleScore]:
    """The v1.1 score of every question, best over its references; 0 where there is no prediction.

    Raises DataError for a question without a reference, which v1.1 does not have.
    """
    scores = {}
    for question_id, texts in references.items():
        if not texts:
            raise DataError(f"question {question_id!r} has no reference answer; score it as squad-v2.0")
        prediction = predictions.get(question_id)
        if prediction is None:
            scores[question_id] = ExampleScore(0, 0.0)
        else:
            exact = max(exact_match(prediction, text) for text in texts)
            scores[question_id] = ExampleScore(exact, max(token_f1(prediction, text) for text in texts))
    return scores


def squad_v1(references: References, predictions: Predictions) -> dict[str, float]:
    """`exact_match` and `f1` in percent over all questions, those without a prediction counted as wrong.

    Predictions for unknown ids are ignored, as in the official script.

    >>> squad_v1({"q1": ["Denver"], "q2": ["1999"]}, {"q1": "denver"})
    {'exact_match': 50.0, 'f1': 50.0}
    """
    return v1_figures(examples_v1(references, predictions))


def examples_v2(references: References, predictions: Predictions) -> dict[str, ExampleScore]:
    """The v2.0 score of every question, best over its references, before any no-answer threshold.

    References that are empty after normalisation do not count; a question left with none is unanswerable, and only
    an empty prediction is right. A missing prediction is a DataError: the official script prints a warning and then
    stops with a KeyError, so there is no official figure to return.
    """
    missing = missing_ids(references, predictions)
    if missing:
        raise DataError(
            f"{len(missing)} of {len(references)} questions have no prediction, first {missing[0]!r}; "
            'the official v2.0 scorer needs one for each ("" means unanswerable)'
        )
    scores = {}
    for question_id, texts in references.items():
        texts = [text for text in texts if normalize_answer(text)] or [""]
        prediction = predictions[question_id]
        exact = max(exact_match(prediction, text) for text in texts)
        f1 = max(token_f1(prediction, text, empty_can_match=True) for text in texts)
        scores[question_id] = ExampleScore(exact, f1)
    return scores


def squad_v2(
    references: References, predictions: Predictions, null_odds: Mapping[str, float] | None = None
) -> dict[str, float]:
    """`exact`, `f1`, `total` overall and for answerable (`HasAns_`) and unanswerable (`NoAns_`) questions, in percent.

    With `null_odds` (id -> how likely unanswerable) an answer whose odds exceed the official default threshold of 1.0
    (which suits probabilities and not log-odds) counts as "", and the best thresholds are added: `best_exact`,
    `best_exact_thresh`, `best_f1`, `best_f1_thresh`. A group without questions has no entries.
    Raises DataError when a question lacks a prediction or, if odds are given, its odds.

    >>> scores = squad_v2({"q1": ["Denver"], "q2": []}, {"q1": "Denver", "q2": "Boston"})
    >>> scores["exact"], scores["HasAns_f1"], scores["NoAns_exact"], scores["total"]
    (50.0, 100.0, 0.0, 2)
    """
    raw = examples_v2(references, predictions)
    if null_odds is None:
        return v2_figures(references, raw)
    final = apply_null_odds(references, raw, null_odds)
    return v2_figures(references, final) | best_figures(references, predictions, raw, null_odds)


def apply_null_odds(
    references: References, scores: Mapping[str, ExampleScore], null_odds: Mapping[str, float]
) -> dict[str, ExampleScore]:
    """Scores once every answer whose odds exceed `OFFICIAL_THRESHOLD` is replaced by "": right if unanswerable."""
    missing = missing_ids(scores, null_odds)
    if missing:
        raise DataError(f"{len(missing)} of {len(scores)} questions have no null odds, first {missing[0]!r}")
    final = {}
    for question_id, score in scores.items():
        if null_odds[question_id] > OFFICIAL_THRESHOLD:
            right = not references[question_id]
            score = ExampleScore(int(right), float(right))
        final[question_id] = score
    return final


def best_threshold(
    references: References, predictions: Predictions, scores: Mapping[str, float], null_odds: Mapping[str, float]
) -> tuple[float, float]:
    """The official best mean score (percent) over all thresholds and the odds at which it is reached.

    Starts from everything unanswered (reported as threshold 0.0 for any odds) and answers question by
    question in order of odds. Questions with equal odds are taken one at a time in the order of `null_odds`, so the
    official best can be one that no threshold reaches; use it to report, not to choose.

    >>> references, predictions = {"q1": ["Denver"], "q2": []}, {"q1": "Denver", "q2": "x"}
    >>> best_threshold(references, predictions, {"q1": 1.0, "q2": 0.0}, {"q1": -2.0, "q2": 3.0})
    (100.0, -2.0)
    """
    best: float = sum(1 for texts in references.values() if not texts)
    current, threshold = best, 0.0
    for question_id in sorted(null_odds, key=lambda key: null_odds[key]):
        if question_id not in scores:
            continue
        if references[question_id]:
            current += scores[question_id]
        elif predictions[question_id]:
            current -= 1
        if current > best:
            best, threshold = current, null_odds[question_id]
    return 100.0 * best / len(scores), threshold


def missing_ids(references: Mapping[str, object], predictions: Mapping[str, object]) -> list[str]:
    """Ids of `references` that `predictions` lacks, in order.

    >>> missing_ids({"q1": ["a"], "q2": ["b"]}, {"q2": "b", "q9": "c"})
    ['q1']
    """
    return [question_id for question_id in references if question_id not in predictions]


def v1_figures(scores: Mapping[str, ExampleScore]) -> dict[str, float]:
    """The figures of `squad_v1` from scores of `examples_v1`."""
    exact, f1 = _means(scores.values())
    return {"exact_match": exact, "f1": f1}


def v2_figures(references: References, scores: Mapping[str, ExampleScore]) -> dict[str, float]:
    """The figures of `squad_v2` from final scores, without the ones at best thresholds."""
    figures = _v2_group("", list(scores.values()))
    for prefix, wanted in (("HasAns_", True), ("NoAns_", False)):
        group = [score for question_id, score in scores.items() if bool(references[question_id]) is wanted]
        if group:
            figures |= _v2_group(prefix, group)
    return figures


def best_figures(
    references: References,
    predictions: Predictions,
    scores: Mapping[str, ExampleScore],
    null_odds: Mapping[str, float],
) -> dict[str, float]:
    """The figures of `squad_v2` at the best thresholds, from scores before any."""
    figures: dict[str, float] = {}
    for name in ("exact", "f1"):
        values = {question_id: getattr(score, name) for question_id, score in scores.items()}
        best, threshold = best_threshold(references, predictions, values, null_odds)
        figures |= {f"best_{name}": best, f"best_{name}_thresh": threshold}
    return figures


def _v2_group(prefix: str, scores: list[ExampleScore]) -> dict[str, float]:
    exact, f1 = _means(scores)
    return {f"{prefix}exact": exact, f"{prefix}f1": f1, f"{prefix}total": len(scores)}


def _means(scores: Iterable[ExampleScore]) -> tuple[float, float]:
    # Plain additions: from Python 3.12 on `sum` compensates rounding and would differ in the last digits.
    exact, f1, total = 0, 0.0, 0
    for score in scores:
        exact, f1, total = exact + score.exact, f1 + score.f1, total + 1
    if total == 0:
        raise DataError("no questions to score")
    return 100.0 * exact / total, 100.0 * f1 / total
