"""Which epoch's weights count, and whether another epoch follows: a function of the epochs' records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from atinuke_bench.training.prepare import PreparedRun

History = list[dict[str, Any]]


@dataclass(frozen=True)
class SelectionRule:
    """The best selection score counts; training ends after `patience` epochs without a better one."""

    higher_is_better: bool
    max_epochs: int
    patience: int

    @classmethod
    def of(cls, prepared: PreparedRun) -> SelectionRule:
        training = prepared.run.training
        return cls(prepared.task.metric.higher_is_better, training.max_epochs, training.patience)

    def best_epoch(self, history: History) -> int | None:
        """The epoch with the best selection score, the earliest of equals; None before the first.

        >>> rule = SelectionRule(higher_is_better=True, max_epochs=9, patience=2)
        >>> history = [{"epoch": 0, "score": None}, {"epoch": 1, "score": 60.0}, {"epoch": 2, "score": 60.0}]
        >>> rule.best_epoch(history), rule.is_over(history), rule.is_over([*history, {"epoch": 3, "score": 59.0}])
        (1, False, True)
        """
        if not history:
            return None
        return max(history, key=lambda record: (self._rank(record["score"]), -record["epoch"]))["epoch"]

    def is_over(self, history: History) -> bool:
        """True when no epoch is left or `patience` epochs have not improved."""
        best = self.best_epoch(history)
        if best is None:
            return False
        last = history[-1]["epoch"]
        return last + 1 >= self.max_epochs or last - best >= self.patience

    def _rank(self, score: float | None) -> float:
        if score is None:
            return float("-inf")
        return score if self.higher_is_better else -score
