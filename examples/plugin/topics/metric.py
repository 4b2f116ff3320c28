"""The mean over topics of each topic's F1."""

import numpy as np

from atinuke_bench.metrics.metric import Answers, Measured, Metric, SumSample, ratio


class MacroF1(Metric):
    name = "macro_f1"

    def measure(self, answers: Answers) -> Measured:
        gold, predicted = np.array(answers.gold), np.array(answers.predicted)
        topics = np.unique(gold)
        right, sizes = (gold == predicted), []
        for topic in topics:
            sizes += [2.0 * (right & (gold == topic)), 1.0 * (gold == topic) + (predicted == topic)]
        sample = SumSample(tuple(answers.ids), np.stack(sizes, axis=1), finish)
        return Measured({"macro_f1": sample.value()}, right.astype(float).tolist(), sample)

    def from_stored(self, prediction: str, gold: str) -> tuple[str, str]:
        return prediction, gold


def finish(sums):  # [B, 2 * topics] -> [B]
    return 100 * ratio(sums[:, 0::2], sums[:, 1::2]).mean(axis=1)


METRICS = {"topics": (MacroF1(),)}
