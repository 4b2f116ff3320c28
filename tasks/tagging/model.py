"""The module of tagging: a core, word vectors, a tag for every word.

Letters: B rows, T tokens, W words of a row, D hidden size, K tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.features import Encoded
from atinuke_bench.heads.pooling import pool_words
from atinuke_bench.heads.viterbi import decode_viterbi, tag_marginals
from atinuke_bench.tasks.tagging.decode import join_rows
from atinuke_bench.tasks.tagging.tagset import IGNORED, TagSet
from atinuke_bench.training.module import Batch, TaskModule
from atinuke_bench.training.task import Outputs, TaskModel, TaskOptions, options_of


class TaggingOptions(TaskOptions):
    """How words get their vectors, and which tags they may have."""

    #: How the pieces of a word become its vector. In a causal core its first piece has not seen the rest of it.
    pooling: Literal["first", "mean"] = "mean"
    #: How tags name chunks; found in the train split when not given. `plain` where they name none.
    scheme: Literal["plain", "iob1", "iob2", "bioes", "bilou", "bmes"] | None = None
    #: The types of chunks, or plain tags, that can be given; those of the train split when not given.
    labels: tuple[str, ...] = ()


def tagset_of(run: RunConfig) -> TagSet:
    """The tags of a run whose options are resolved."""
    options = options_of(run, TaggingOptions)
    assert options.scheme is not None, "the scheme is known once the data is read"
    return TagSet(options.scheme, options.labels)


class TaggingModel(TaskModel):
    """Predictions are the tags of a sentence, in the scheme of the corpus."""

    def build(self, core: Core, run: RunConfig) -> TaskModule:
        return TaggingModule(core, run, tagset_of(run), options_of(run, TaggingOptions).pooling)

    def decode(self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig) -> dict[str, list[str]]:
        tagset, numbers = tagset_of(run), join_rows(outputs, encoded, examples.num_rows)
        return {id_: tagset.decode(own) for id_, own in zip(examples["id"][:], numbers, strict=True)}

    def token_classifier(self, module: Any, run: RunConfig) -> tuple[nn.Linear, tuple[str, ...]]:
        return module.output, tagset_of(run).names

    @property
    def has_probabilities(self) -> bool:
        return True

    def probabilities(
        self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig, calibration: Mapping[str, float]
    ) -> dict[str, list[dict[str, float]]]:
        """The probability of each tag at each word; of chunks in BIO, whatever scheme the corpus writes them in.

        The answer is the most probable sequence as a whole, whose tags need not be the most probable ones of words.
        """
        names, words = tagset_of(run).names, join_rows(outputs, encoded, examples.num_rows, "probabilities")
        named = ([dict(zip(names, word, strict=True)) for word in own.tolist()] for own in words)
        return dict(zip(examples["id"][:], named, strict=True))


class TaggingModule(TaskModule):
    """A linear layer over each word's vector. Where tags name chunks, the best allowed sequence of a row is chosen."""

    def __init__(self, core: Core, run: RunConfig, tagset: TagSet, pooling: str) -> None:
        super().__init__(core, run)
        self.is_plain = tagset.is_plain
        self.pooling = pooling
        self.dropout = nn.Dropout(getattr(run.core, "dropout", 0.0))
        self.output = nn.Linear(core.hidden_size, tagset.num_tags)

    def logits(self, batch: Batch) -> Tensor:  # (B, W, K)
        # The width of the targets is the number of words of the longest row: no value of the device is read.
        words = pool_words(self.encode(batch), batch["word"], batch["targets"].shape[1], self.pooling)
        return self.output(self.dropout(words)).float()

    def loss(self, batch: Batch) -> Tensor:
        total = F.cross_entropy(
            self.logits(batch).flatten(0, 1), batch["targets"].flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return total / self.num_units(batch).clamp(min=1)

    def num_units(self, batch: Batch) -> Tensor:
        """Words whose tags are learned from the batch."""
        return (batch["targets"] != IGNORED).sum()

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        logits = self.logits(batch)
        if self.is_plain:
            found = {"tags": logits.argmax(dim=2)}  # (B, W)
            return found | ({"probabilities": logits.softmax(dim=2)} if self.gives_logits else {})
        places = torch.arange(logits.shape[1], device=logits.device)
        is_word = places <= batch["word"].amax(dim=1, keepdim=True)
        found = {"tags": decode_viterbi(logits, is_word)}
        return found | ({"probabilities": tag_marginals(logits, is_word)} if self.gives_logits else {})
