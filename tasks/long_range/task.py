"""Does a core keep what it has read? A question's one word that matters, and the answer many words later.

The examples are those of `atinuke_bench.microworld.long_range`; model, decoding and metric are SQuAD's. The score
is also given for every distance, which is what the task is for. The paper under test (arXiv 2401.16736) asserts that
attention keeps such dependencies where recurrent networks lose them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import datasets
import numpy as np
from datasets import Dataset

from atinuke_bench.config import RunConfig, SourceConfig
from atinuke_bench.data.sources import Loaded
from atinuke_bench.errors import ConfigError
from atinuke_bench.microworld import load_microworld
from atinuke_bench.tasks.squad.model import SquadOptions
from atinuke_bench.tasks.squad.task import FEATURES, SquadAnswer, SquadTask
from atinuke_bench.training.task import Evaluation


class LongRangeTask(SquadTask):
    """Questions of SQuAD's form with their distance to the answer in words."""

    name = "long-range"
    family = "long-range"
    features = datasets.Features({**FEATURES, "distance": datasets.Value("int32"), "kept": datasets.Value("string")})
    group_column = None

    def __init__(self) -> None:
        super().__init__(
            "1.1",
            ("", ""),
            unanswerable=False,
            summary="answers 8 to 512 words after their question; microworld only",
            training={"max_length": 600, "max_epochs": 3, "batch_tokens": 2048, "learning_rate": 2e-3},
            official_sizes={},
        )
        self.name = "long-range"

    def load(self, source: SourceConfig, options: SquadOptions) -> Loaded:
        if source.kind != "microworld":
            raise ConfigError(
                f"task 'long-range' has only generated data; found source {source.kind!r}, nearest: --source microworld"
            )
        return load_microworld(self.name, self.features, source)

    def evaluate(self, examples: Dataset, predictions: Mapping[str, SquadAnswer], run: RunConfig) -> Evaluation:
        whole = super().evaluate(examples, predictions, run)
        scores = np.array([row.score for row in whole.predictions])
        distances, kept = np.array(examples["distance"][:]), np.array(examples["kept"][:])
        slices = {"distance in words": _by_distance(distances, scores)}
        for kind in sorted(set(kept.tolist())):
            own = kept == kind
            slices[f"distance in words, {kind} kept"] = _by_distance(distances[own], scores[own])
        return replace(whole, slices=slices)


def _by_distance(distances: np.ndarray, scores: np.ndarray) -> dict[str, dict[str, Any]]:
    """Mean F1 at every distance, with the number of questions.

    >>> _by_distance(np.array([8, 16, 8]), np.array([1.0, 0.5, 0.0]))
    {'8': {'f1': 50.0, 'num': 2}, '16': {'f1': 50.0, 'num': 1}}
    """
    return {
        str(distance): {
            "f1": 100.0 * float(scores[distances == distance].mean()),
            "num": int((distances == distance).sum()),
        }
        for distance in sorted(set(distances.tolist()))
    }


LONG_RANGE = LongRangeTask()
