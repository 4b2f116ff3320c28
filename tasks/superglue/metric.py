"""The official metrics of SuperGLUE (Wang et al. 2019, arXiv 1905.00537, section 3) that are its own.

Where a task has two figures, its score on the leaderboard is their mean. It is what ranks here too: it is named after
both, which stand beside it. Sums are of N examples, B resamples of them, D statistics of each.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import defaultdict

import numpy as np

from atinuke_bench.errors import DataError
from atinuke_bench.metrics.metric import Answers, Figures, Floats, Measured, Metric, SumSample, mean_sample, ratio
from atinuke_bench.metrics.texts import exact_match, token_f1
from atinuke_bench.tasks.choice.metric import ChoiceMetric


class MeanOfTwo(Metric):
    """The mean of two figures that are functions of sums over examples."""

    first: str
    second: str

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.first}_and_{self.second}"

    @abstractmethod
    def count(self, answers: Answers) -> tuple[list[float], Floats]:
        """The score of each example, 0 to 1, and the statistics of each, [N, D]."""

    @abstractmethod
    def parts(self, sums: Floats) -> tuple[Floats, Floats]:
        """Both figures of sums: [B, D] -> [B], [B]."""

    def measure(self, answers: Answers) -> Measured:
        scores, statistics = self.count(answers)
        first, second = (float(part[0]) for part in self.parts(statistics.sum(axis=0, keepdims=True)))
        figures: Figures = {self.name: (first + second) / 2, self.first: first, self.second: second}
        sample = SumSample(tuple(answers.ids), statistics, lambda sums: np.mean(self.parts(sums), axis=0))
        return Measured(figures, scores, sample)


class CommitmentBankMetric(MeanOfTwo):
    """Accuracy, and the mean of the F1 of each class that is right or predicted anywhere (scikit-learn's `macro`).

    >>> answers = Answers("abcd", ["x", "x", "y", "y"], ["x", "x", "x", "z"])
    >>> CommitmentBankMetric().measure(answers).figures  # F1 of x is 80, of y and z 0
    {'accuracy_and_macro_f1': 38.333333333333336, 'accuracy': 50.0, 'macro_f1': 26.666666666666668}
    """

    first, second = "accuracy", "macro_f1"

    def count(self, answers: Answers) -> tuple[list[float], Floats]:
        gold, predicted = np.asarray(answers.gold), np.asarray(answers.predicted)
        right = (gold == predicted).astype(np.float64)
        columns = [right, np.ones_like(right)]
        for name in np.unique(np.concatenate([gold, predicted])):
            columns += [2.0 * right * (gold == name), 1.0 * (gold == name) + (predicted == name)]
        return right.tolist(), np.stack(columns, axis=1)

    def parts(self, sums: Floats) -> tuple[Floats, Floats]:
        right, sizes = sums[:, 2::2], sums[:, 3::2]  # of each class
        num_classes = (sizes > 0).sum(axis=1)
        return 100 * sums[:, 0] / sums[:, 1], 100 * ratio(right, sizes).sum(axis=1) / num_classes

    def from_stored(self, prediction: str, gold: str) -> tuple[str, str]:
        return prediction, gold


class MultiRcMetric(MeanOfTwo):
    """F1 of the answers that are right ("1") over all questions, and the share of questions whose answers all agree.

    The id of an example is `<paragraph>-<question>-<answer>`; the questions of a paragraph are drawn together.

    >>> answers = Answers(("0-0-0", "0-0-1", "0-1-2"), ["1", "1", "0"], ["1", "0", "0"])
    >>> MultiRcMetric().measure(answers).figures
    {'f1_a_and_exact_match': 58.33333333333333, 'f1_a': 66.66666666666666, 'exact_match': 50.0}
    """

    first, second = "f1_a", "exact_match"
    unit = "paragraph"

    def count(self, answers: Answers) -> tuple[list[float], Floats]:
        gold, predicted = (np.asarray(side) == "1" for side in (answers.gold, answers.predicted))
        right = gold == predicted
        questions = defaultdict(list)
        for number, id_ in enumerate(answers.ids):
            if id_.count("-") < 2:
                raise DataError(f"{self.name} needs ids of the form paragraph-question-answer; found {id_!r}")
            questions[id_.rpartition("-")[0]].append(number)
        # A question is counted with its first answer; the others are drawn with it.
        whole = np.zeros((len(answers), 2))
        for numbers in questions.values():
            whole[numbers[0]] = right[numbers].all(), 1.0
        return right.astype(float).tolist(), np.column_stack([2.0 * (gold & predicted), 1.0 * gold + predicted, whole])

    def parts(self, sums: Floats) -> tuple[Floats, Floats]:
        return 100 * ratio(sums[:, 0], sums[:, 1]), 100 * ratio(sums[:, 2], sums[:, 3])

    def unit_of(self, example: str) -> str:
        return example.rsplit("-", 2)[0]

    def from_stored(self, prediction: str, gold: str) -> tuple[str, str]:
        return prediction, gold


class RecordMetric(MeanOfTwo, ChoiceMetric):
    """F1 of the words of the chosen entity and exact match, each the best over all right answers.

    The official script of ReCoRD (Zhang et al. 2018, arXiv 1810.12885) compares texts as SQuAD's does.
    """

    first, second = "f1", "exact_match"

    def count(self, answers: Answers) -> tuple[list[float], Floats]:
        rows = []
        for predicted, gold in zip(answers.predicted, answers.gold, strict=True):
            f1 = max(token_f1(predicted["text"], text) for text in gold)
            rows.append((f1, max(exact_match(predicted["text"], text) for text in gold), 1.0))
        return [(f1 + exact) / 2 for f1, exact, _ in rows], np.array(rows)

    def parts(self, sums: Floats) -> tuple[Floats, Floats]:
        return 100 * sums[:, 0] / sums[:, 2], 100 * sums[:, 1] / sums[:, 2]


#: The id of an example of the Winogender diagnostic, with the number of its pair.
_PAIR = re.compile(r"(\d+)-\d+")


class WinogenderMetric(Metric):
    """Accuracy, and of the pairs that differ in the gender of a pronoun alone, the share that is answered alike.

    The id of an example is `<pair>-<index>`; examples of other ids have accuracy alone. Without a pair the parity is
    None. Source: Rudinger et al. 2018 (arXiv 1804.09301); Poliak et al. 2018 (arXiv 1804.08207).

    >>> answers = Answers(("0-0", "0-1", "1-2", "1-3"), list("xxyx"), list("xyxx"))
    >>> WinogenderMetric().measure(answers).figures
    {'winogender_accuracy': 50.0, 'gender_parity': 50.0}
    """

    name = "winogender_accuracy"

    def measure(self, answers: Answers) -> Measured:
        right = (np.asarray(answers.gold) == np.asarray(answers.predicted)).astype(float).tolist()
        pairs = defaultdict(list)
        for id_, predicted in zip(answers.ids, answers.predicted, strict=True):
            if (found := _PAIR.fullmatch(id_)) is not None:
                pairs[found[1]].append(predicted)
        alike = [len(set(both)) == 1 for both in pairs.values() if len(both) == 2]
        sample = mean_sample(answers.ids, right)
        parity = 100.0 * float(np.mean(alike)) if alike else None
        return Measured({self.name: sample.value(), "gender_parity": parity}, right, sample)

    def from_stored(self, prediction: str, gold: str) -> tuple[str, str]:
        return prediction, gold


COMMITMENT_BANK = CommitmentBankMetric()
MULTIRC = MultiRcMetric()
RECORD = RecordMetric()
WINOGENDER = WinogenderMetric()
