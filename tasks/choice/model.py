"""The choices of a question, each read after its text, and which of them is right.

Letters: B rows (examples), C choices of the example that has most, N choices of all, L tokens of a row's column,
T tokens of the longest input, D hidden size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.batching import input_sizes, padded_length
from atinuke_bench.data.features import INPUT_LENGTHS, Encoded
from atinuke_bench.heads.places import true_places
from atinuke_bench.sentences.model import SentenceModule, SentenceOptions
from atinuke_bench.tasks.choice.decode import choice_probabilities, decode_choices
from atinuke_bench.training.module import Batch, TaskModule
from atinuke_bench.training.task import Outputs, TaskModel, options_of


class ChoiceModel(TaskModel):
    """Predictions name a choice by its number, from 0, and its text."""

    def build(self, core: Core, run: RunConfig) -> TaskModule:
        return ChoiceModule(core, run, options_of(run, SentenceOptions).pooling)

    def decode(self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig) -> dict[str, Any]:
        return decode_choices(outputs, examples)

    @property
    def has_probabilities(self) -> bool:
        return True

    def probabilities(
        self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig, calibration: Mapping[str, float]
    ) -> dict[str, list[float]]:
        """The probability of each choice, by its number."""
        return choice_probabilities(outputs, examples)


class ChoiceModule(SentenceModule):
    """Each choice gets a score from its comparison with the text, as a pair of sentences does; the highest is chosen.

    The loss is minus the log of the probability that the softmax over an example's choices gives to its right ones
    together: cross-entropy where one is right.
    """

    def __init__(self, core: Core, run: RunConfig, pooling: str) -> None:
        super().__init__(core, run, num_outputs=1, pooling=pooling, pair=True)

    def scores(self, batch: Batch) -> Tensor:  # (B, C), float32, -inf where an example has no such choice
        inputs = Inputs.of(batch, self.sizes(batch))
        logits = self.logits(inputs.unpack(batch))[:, 0].float()  # (N,)
        scores = logits.new_full(batch[INPUT_LENGTHS].shape, -torch.inf)
        scores[inputs.row, inputs.choice] = logits
        return scores

    def loss(self, batch: Batch) -> Tensor:
        scores = self.scores(batch)
        right = scores.masked_fill(batch["right"] == 0, -torch.inf)
        return (scores.logsumexp(dim=1) - right.logsumexp(dim=1)).mean()

    def row_sizes(self, batch: Batch) -> dict[str, Tensor]:
        return input_sizes(batch)

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        return {"scores": self.scores(batch)}


class Inputs:
    """The inputs that a batch's rows hold, one a choice."""

    def __init__(self, row: Tensor, choice: Tensor, width: int) -> None:
        self.row = row  # (N,)
        self.choice = choice  # (N,) its number within the row
        self.width = width

    @classmethod
    def of(cls, batch: Batch, sizes: dict[str, Tensor]) -> Inputs:
        lengths = batch[INPUT_LENGTHS]  # (B, C)
        place = true_places(lengths > 0, int(sizes["num_inputs"].sum()))
        longest = int(sizes["longest_input"].max())
        width = padded_length(longest, longest + 7, lengths.device)
        return cls(place // lengths.shape[1], place % lengths.shape[1], width)

    def unpack(self, batch: Batch) -> Batch:
        """The inputs as a batch of pairs: what is kept of the text, then the choice; 0 at padding."""
        lengths, heads = batch[INPUT_LENGTHS], batch["head_lengths"]  # (B, C)
        tails = lengths - heads
        starts = heads.amax(dim=1, keepdim=True) + tails.cumsum(dim=1) - tails  # of each choice in its row's column
        head, start, length = (column[self.row, self.choice][:, None] for column in (heads, starts, lengths))
        columns = torch.arange(self.width, device=lengths.device)
        mask = columns < length  # (N, T)
        places = torch.where(columns < head, columns, start + columns - head)
        num_places = batch["input_ids"].shape[1]
        places = self.row[:, None] * num_places + places.clamp(max=num_places - 1)
        packed = {name: batch[name].flatten()[places] * mask for name in ("input_ids", "segment_ids")}
        return {**packed, "attention_mask": mask}
