"""What a run will cost, as far as it is known before it trains: parameters, and operations a token.

A run's own module is built on the meta device, which holds no numbers, with the vocabulary and the lengths of texts
that the run will have, so that the figures are those of its result.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from atinuke_bench.config import RunConfig
from atinuke_bench.core.build import build_core
from atinuke_bench.core.cost import count_parameters
from atinuke_bench.training.cost import flops_of_lengths
from atinuke_bench.training.prepare import prepare, resolve_settings
from atinuke_bench.training.task import Task

PARAMETERS, FLOPS = "parameters", "forward_flops_per_token"
#: The settings of training that decide which examples are learned from, and how long they are.
_OF_DATA = ("max_length", "select_on", "held_out_fraction", "held_out_limit", "train_limit", "drop_overlap")


def shapes_data(path: str) -> bool:
    """Whether a field of a run's config may change what `Foreseen` says: all but settings of the optimisation.

    >>> shapes_data("core.num_layers"), shapes_data("training.max_length"), shapes_data("training.learning_rate")
    (True, True, False)
    """
    room, _, field = path.partition(".")
    return room != "training" or field in _OF_DATA


@dataclass(frozen=True)
class SizingData:
    """What a run's size takes from its data."""

    task: Task
    options: dict[str, Any]
    vocabulary: int
    input_lengths: np.ndarray  # (inputs of train,)


class Foreseen:
    """The cost of runs before they train. Data that several runs have in common is read once."""

    def __init__(self) -> None:
        self._data: dict[str, SizingData] = {}

    def cost(self, run: RunConfig) -> dict[str, float]:
        """Parameters and operations a token, named as in a run's result; ConfigError or DataError."""
        data = self.read(run)
        run = resolve_settings(run).model_copy(update={"options": data.options})
        with torch.device("meta"):
            module = data.task.model.build(build_core(run.core, data.vocabulary, is_shell=True), run)
        flops = flops_of_lengths(module, data.input_lengths) / int(data.input_lengths.sum())
        return {PARAMETERS: count_parameters(module).total, FLOPS: flops}

    def read(self, run: RunConfig) -> SizingData:
        """What a run's size takes from its data, kept for the runs to come; ConfigError or DataError."""
        record = run.model_dump(mode="json", include={"task", "source", "options", "tokenizer", "init_from"})
        record["training"] = run.training.model_dump(mode="json", include=set(_OF_DATA))
        if run.core.has_tokenizer:
            record["core"] = run.core.model_dump(mode="json")
        key = json.dumps(record, sort_keys=True)
        if key not in self._data:
            prepared = prepare(run)
            # Kept in the cache, where the run itself finds it.
            encoded = prepared.encode("train", prepared.train_examples)
            options, vocabulary = prepared.run.options, prepared.tokenizer.get_vocab_size()
            self._data[key] = SizingData(prepared.task, options, vocabulary, encoded.input_lengths)
        return self._data[key]
