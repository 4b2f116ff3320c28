"""Metrics of multiple choice, and how its predictions are kept."""

from __future__ import annotations

import json
from typing import Any

from atinuke_bench.metrics.metric import Answers, Measured, Metric, mean_sample
from atinuke_bench.tasks.choice.show import ChoiceDisplay


class ChoiceMetric(Metric):
    """Predictions are `{"choice": number, "text": …}`, right answers the texts of all choices that are right."""

    display = ChoiceDisplay()

    def from_stored(self, prediction: str, gold: str) -> tuple[dict[str, Any], list[str]]:
        choice, answers = json.loads(prediction), json.loads(gold)
        if not isinstance(choice["text"], str) or not answers or not all(isinstance(text, str) for text in answers):
            raise ValueError("a prediction has a text, and right answers are a list of texts")
        return choice, answers


class ChoiceAccuracy(ChoiceMetric):
    """The share of examples whose chosen text is right."""

    name = "accuracy"

    def measure(self, answers: Answers) -> Measured:
        pairs = zip(answers.predicted, answers.gold, strict=True)
        right = [float(predicted["text"] in gold) for predicted, gold in pairs]
        sample = mean_sample(answers.ids, right)
        return Measured({"accuracy": sample.value()}, right, sample)


ACCURACY = ChoiceAccuracy()
