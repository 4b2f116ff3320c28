"""Semantic role labelling scored as srl-eval.pl (CoNLL-2004 and 2005) scores it.

An argument is correct when its role, first and last word agree with a gold argument of the same predicate, and, where
it comes in several pieces (`A1` ... `C-A1`), every piece agrees. `V` is left out of the overall figures. The script's
corner cases are kept, since published figures contain them: see `srl_pieces`.

Spans are (start, end, role), words counted from 0, both ends inside. Percentages are 0 to 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from atinuke_bench.tasks.srl.counts import (
    EXCESS,
    MISSED,
    Integers,
    Predicate,
    Table,
    build_table,
    count_arguments,
    match_propositions,
)

#: What srl-eval.pl scores apart from everything else.
EXCLUDED_ROLES = frozenset({"V"})
#: Names and last distances of the slices by words between predicate and argument, those of He et al. (2017), "Deep
#: Semantic Role Labeling: What Works and What's Next". The last has no end.
DISTANCE_SLICES = ("0", "1-2", "3-6", "7+")
_SLICE_ENDS = np.array([0, 2, 6])


@dataclass(frozen=True, slots=True)
class Counts:
    """Correct, excess (predicted, not in gold) and missed arguments.

    >>> Counts(correct=1, excess=1, missed=3).rounded()
    {'correct': 1, 'excess': 1, 'missed': 3, 'precision': 50.0, 'recall': 25.0, 'f1': 33.33}
    """

    correct: int = 0
    excess: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Percentage of predicted arguments that are correct; 0 when there are none."""
        num_predicted = self.correct + self.excess
        return 100 * self.correct / num_predicted if num_predicted else 0.0

    @property
    def recall(self) -> float:
        """Percentage of gold arguments that were found; 0 when there are none."""
        num_gold = self.correct + self.missed
        return 100 * self.correct / num_gold if num_gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 when both are 0."""
        # In srl-eval.pl's order of operations, so that the last printed digit cannot differ.
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0

    def rounded(self) -> dict[str, float]:
        """The figures as srl-eval.pl prints them, percentages with two decimals."""
        figures = {name: float(f"{getattr(self, name):.2f}") for name in ("precision", "recall", "f1")}
        return {"correct": self.correct, "excess": self.excess, "missed": self.missed, **figures}


@dataclass(frozen=True, slots=True)
class SrlScores:
    """Everything `score` computes; `V` stands in `excluded` and counts nowhere else.

    `proposition_counts` [num_propositions, 3] and `sentence_counts` [num_sentences, 3] hold correct, excess and
    missed of each, in gold order, for storing beside predictions and for tests over sentences. `unlabelled` compares
    spans alone, as the script's option -C does. `num_perfect` propositions have nothing in excess and nothing
    missed. A gold predicate without a prediction at its word and of its lemma counts as one whose arguments are all
    missed (`num_unanswered`); predictions for no gold predicate are skipped (`num_skipped`). The script warns of both.
    """

    overall: Counts
    roles: dict[str, Counts]
    excluded: dict[str, Counts]
    unlabelled: Counts
    distances: dict[str, Counts]
    proposition_counts: Integers
    sentence_counts: Integers
    num_perfect: int
    num_unanswered: int
    num_skipped: int

    def rounded(self) -> dict[str, dict[str, float]]:
        """`Overall`, then every role that occurs, then `V`: counts and percentages as srl-eval.pl prints them."""
        named = {"Overall": self.overall, **self.roles, **self.excluded}
        return {name: counts.rounded() for name, counts in named.items()}


def score(sentences: Iterable[tuple[Sequence[Predicate], Sequence[Predicate]]]) -> SrlScores:
    """The figures over pairs (gold predicates, predicted predicates), one pair a sentence.

    A predicate has an `index` (its word), a `lemma` and `arguments`: (start, end, role) in the order in which their
    brackets open. Source: srl-eval.pl of the CoNLL-2005 shared task (Carreras and Màrquez).
    """
    pairs = list(sentences)
    return score_tables(build_table(gold for gold, _ in pairs), build_table(predicted for _, predicted in pairs))


def score_tables(gold: Table, predicted: Table) -> SrlScores:
    """Like `score`, for propositions that are in arrays already."""
    target = match_propositions(gold, predicted)
    events = count_arguments(gold, predicted, target, EXCLUDED_ROLES)
    is_excluded = np.array([name in EXCLUDED_ROLES for name in events.role_names], dtype=bool)
    counted = ~is_excluded[events.role]
    proposition, outcome = events.proposition[counted], events.outcome[counted]
    proposition_counts = _count(proposition, outcome, len(gold.lemmas))
    sentence_counts = _count(gold.sentence[proposition], outcome, gold.num_sentences)
    role_counts = _count(events.role, events.outcome, len(events.role_names))
    roles = {
        name: Counts(*row)
        for name, row in sorted(zip(events.role_names, role_counts.tolist(), strict=True))
        if any(row)
    }
    slices = _count(np.searchsorted(_SLICE_ENDS, events.distance[counted]), outcome, len(DISTANCE_SLICES))
    num_matched = int(np.sum(target >= 0))
    return SrlScores(
        overall=Counts(*sentence_counts.sum(axis=0).tolist()),
        roles={role: counts for role, counts in roles.items() if role not in EXCLUDED_ROLES},
        excluded={role: counts for role, counts in roles.items() if role in EXCLUDED_ROLES},
        unlabelled=Counts(*events.unlabelled.tolist()),
        distances={name: Counts(*row) for name, row in zip(DISTANCE_SLICES, slices.tolist(), strict=True)},
        proposition_counts=proposition_counts,
        sentence_counts=sentence_counts,
        num_perfect=int(np.sum((proposition_counts[:, EXCESS] == 0) & (proposition_counts[:, MISSED] == 0))),
        num_unanswered=len(gold.lemmas) - num_matched,
        num_skipped=len(target) - num_matched,
    )


def f1_from_counts(counts: np.ndarray) -> np.ndarray:
    """F1 (0 to 100) of counts [..., 3] of correct, excess and missed; 0 where nothing is correct.

    For a bootstrap over sentences, sum the counts of each resample first.

    >>> f1_from_counts(np.array([[1, 1, 3], [0, 2, 0]])).round(2).tolist()
    [33.33, 0.0]
    """
    correct = 2.0 * counts[..., 0]
    total = correct + counts[..., 1] + counts[..., 2]
    return 100 * np.divide(correct, total, out=np.zeros_like(correct), where=total > 0)


def _count(row: Integers, outcome: Integers, num_rows: int) -> Integers:
    """How often each row has each outcome: [num_rows, 3]."""
    return np.bincount(3 * row + outcome, minlength=3 * num_rows).reshape(num_rows, 3)
