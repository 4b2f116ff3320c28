"""Semantic role labelling scored as srl-eval.pl (CoNLL-2004 and 2005; Carreras and Màrquez) scores it.

An argument is correct when its role, first and last word agree with a gold argument of the same predicate, and, where
it comes in several pieces (`A1` ... `C-A1`), every piece agrees. `V` is left out of the overall figures. The script's
corner cases are kept, since published figures contain them: see `pieces`.

Percentages are 0 to 100. Letters in shapes: P propositions (one a predicate).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from atinuke_bench.tasks.srl.events import EXCESS, EXCLUDED_ROLES, MISSED, count_arguments
from atinuke_bench.tasks.srl.propositions import Integers, Propositions

#: Names and last distances of the slices by words between predicate and argument, as in He et al. (2017), "Deep
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
class Totals:
    """Everything `totals_of` counts; `V` is in `excluded` and counts nowhere else.

    `unlabelled` compares spans alone, as the script's option -C does. `by_proposition` holds correct, excess and
    missed of each, in gold order.
    """

    overall: Counts
    roles: dict[str, Counts]
    excluded: dict[str, Counts]
    unlabelled: Counts
    distances: dict[str, Counts]
    by_proposition: Integers  # [P, 3]

    @property
    def num_perfect(self) -> int:
        """Propositions with nothing in excess and nothing missed."""
        return int(np.sum((self.by_proposition[:, EXCESS] == 0) & (self.by_proposition[:, MISSED] == 0)))

    @property
    def proposition_f1(self) -> np.ndarray:  # [P]
        """F1 of each proposition; 100 where there was nothing to find and nothing was found."""
        return np.where(self.by_proposition.sum(axis=1) == 0, 100.0, f1_from_counts(self.by_proposition))

    def rounded(self) -> dict[str, dict[str, float]]:
        """`Overall`, then every role that occurs, then `V`: counts and percentages as srl-eval.pl prints them."""
        named = {"Overall": self.overall, **self.roles, **self.excluded}
        return {name: counts.rounded() for name, counts in named.items()}


def totals_of(gold: Propositions, predicted: Propositions) -> Totals:
    """The counts of predicted arguments against gold ones.

    As in the script, a gold predicate without a prediction at its word and of its lemma counts as one whose arguments
    are all missed, and predictions for no gold predicate are skipped.
    """
    events = count_arguments(gold, predicted)
    is_excluded = np.array([name in EXCLUDED_ROLES for name in events.role_names], dtype=bool)
    counted = ~is_excluded[events.role]
    proposition, outcome = events.proposition[counted], events.outcome[counted]
    by_proposition = _count(proposition, outcome, len(gold.lemmas))
    by_role = _count(events.role, events.outcome, len(events.role_names))
    roles = {
        name: Counts(*row) for name, row in sorted(zip(events.role_names, by_role.tolist(), strict=True)) if any(row)
    }
    by_distance = _count(np.searchsorted(_SLICE_ENDS, events.distance[counted]), outcome, len(DISTANCE_SLICES))
    return Totals(
        overall=Counts(*by_proposition.sum(axis=0).tolist()),
        roles={role: counts for role, counts in roles.items() if role not in EXCLUDED_ROLES},
        excluded={role: counts for role, counts in roles.items() if role in EXCLUDED_ROLES},
        unlabelled=Counts(*events.unlabelled.tolist()),
        distances={name: Counts(*row) for name, row in zip(DISTANCE_SLICES, by_distance.tolist(), strict=True)},
        by_proposition=by_proposition,
    )


def distance_slice(words: int) -> str:
    """The slice of an argument with so many words between it and its predicate.

    >>> [distance_slice(words) for words in (0, 2, 3, 7)]
    ['0', '1-2', '3-6', '7+']
    """
    return DISTANCE_SLICES[int(np.searchsorted(_SLICE_ENDS, words))]


def f1_from_counts(counts: np.ndarray) -> np.ndarray:
    """F1 (0 to 100) of counts [..., 3] of correct, excess and missed; 0 where nothing is correct.

    >>> f1_from_counts(np.array([[1, 1, 3], [0, 2, 0]])).round(2).tolist()
    [33.33, 0.0]
    """
    correct = 2.0 * counts[..., 0]
    total = correct + counts[..., 1] + counts[..., 2]
    return 100 * np.divide(correct, total, out=np.zeros_like(correct), where=total > 0)


def _count(row: Integers, outcome: Integers, num_rows: int) -> Integers:
    """How often each row has each outcome: [num_rows, 3]."""
    return np.bincount(3 * row + outcome, minlength=3 * num_rows).reshape(num_rows, 3)
