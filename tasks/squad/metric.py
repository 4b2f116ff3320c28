"""SQuAD's metric objects: the official figures of answers, and F1 of any sample of questions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from atinuke_bench.metrics.metric import Answers, Figures, Measured, Metric, Sample, mean_sample
from atinuke_bench.tasks.squad.scores import (
    References,
    best_figures,
    examples_v1,
    examples_v2,
    v1_figures,
    v2_figures,
)
from atinuke_bench.tasks.squad.show import SquadDisplay


@dataclass(frozen=True)
class SquadAnswer:
    """What is answered to one question; "" leaves it unanswered.

    `best_text` is the best span, decided before whether to answer at all, and `null_odds` how much more the model
    believes in no answer than in it; a rule and a stored prediction have no odds.
    """

    text: str
    best_text: str
    null_odds: float | None = None


@dataclass(frozen=True)
class SquadMetric(Metric):
    """The figures of v1.1, or of v2.0 where questions may be `unanswerable`; details are a list of ExampleScore.

    None means that the questions show it: the figures are those of v2.0 where any has no answer.
    """

    unanswerable: bool | None
    name = "f1"
    display = SquadDisplay()

    def measure(self, answers: Answers) -> Measured:
        references = dict(zip(answers.ids, answers.gold, strict=True))
        predicted: dict[str, SquadAnswer] = dict(zip(answers.ids, answers.predicted, strict=True))
        texts = {id_: answer.text for id_, answer in predicted.items()}
        figures: Figures
        if self.unanswerable or (self.unanswerable is None and not all(references.values())):
            scores = examples_v2(references, texts)
            figures = {**v2_figures(references, scores), **_best_of_odds(references, predicted)}
        else:
            scores = examples_v1(references, texts)
            figures = {**v1_figures(scores)}
        details = list(scores.values())
        f1 = [score.f1 for score in details]
        return Measured(figures, f1, mean_sample(answers.ids, f1), details)

    def sample(self, answers: Answers) -> Sample:
        return super().sample(answers) if answers.scores is None else mean_sample(answers.ids, answers.scores)

    def to_stored(self, prediction: SquadAnswer) -> str:
        return prediction.text

    def from_stored(self, prediction: str, gold: str) -> tuple[SquadAnswer, list[str]]:
        return SquadAnswer(prediction, prediction), json.loads(gold)


def _best_of_odds(references: References, predicted: Mapping[str, SquadAnswer]) -> dict[str, float]:
    """The `best_` figures of answers with odds; the others are of the final answers as they are.

    The official default threshold of 1.0, meant for probabilities, would empty answers.
    """
    odds = {id_: answer.null_odds for id_, answer in predicted.items() if answer.null_odds is not None}
    if not odds:
        return {}
    texts = {id_: answer.best_text for id_, answer in predicted.items()}
    return best_figures(references, texts, examples_v2(references, texts), odds)


#: F1 of a declared task, of either version.
DECLARED = SquadMetric(unanswerable=None)
METRICS = {"squad-v1.1": (SquadMetric(unanswerable=False),), "squad-v2.0": (SquadMetric(unanswerable=True),)}
