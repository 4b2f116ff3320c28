"""The module of semantic role labelling: a core, word vectors, a BIO tag for every word and predicate.

Letters: B rows, T tokens, W words of a row, D hidden size, P predicates of a row, N predicates of a batch, K tags.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.bio import BioTags, LabelledSpan
from atinuke_bench.data.features import Encoded
from atinuke_bench.heads.places import true_places
from atinuke_bench.heads.pooling import pool_words
from atinuke_bench.heads.viterbi import decode_viterbi
from atinuke_bench.training.module import Batch, TaskModule
from atinuke_bench.training.task import Outputs, TaskModel, TaskOptions, options_of

#: Words farther than this from the predicate share one bucket on each side.
_MAX_DISTANCE = 24
_NUM_BUCKETS = 2 * _MAX_DISTANCE + 1
#: Target of a word that is padding.
_IGNORED = -100
#: Added to a score to force a tag, and taken away to forbid one: larger than any logit, small enough to sum in float32.
_FORCE = 1e4


class SrlOptions(TaskOptions):
    """Which predicates, and how they meet the core."""

    #: Only predicates whose part of speech begins with VB, the classic setting; needs CoNLL-2012 columns.
    verbs_only: bool = False
    #: `late`: a sentence is encoded once, and each predicate meets its words only after the core.
    #: `indicator`: the predicate is marked in the core's input, and a sentence is encoded once a predicate, which costs
    #: four times as much on EWT.
    predicate_feature: Literal["indicator", "late"] = "late"
    #: Whether words get their signed distance to the predicate.
    distance_feature: bool = True
    #: How the pieces of a word become its vector. In a causal core its first piece has not seen the rest of it.
    pooling: Literal["first", "mean"] = "mean"
    #: Roles that can be tagged; by default all roles of the train split.
    roles: tuple[str, ...] = ()


class SrlModel(TaskModel):
    """Predictions are argument spans."""

    def build(self, core: Core, run: RunConfig) -> TaskModule:
        return SrlModule(core, run, options_of(run, SrlOptions))

    def decode(
        self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig
    ) -> dict[str, list[LabelledSpan]]:
        tags = BioTags(options_of(run, SrlOptions).roles)
        ids = examples["id"][:]
        asked = encoded.host["asked"]  # which predicates of its sentence each row answers
        predictions: dict[str, list[LabelledSpan]] = {}
        for output in outputs:
            _, num_slots, width = output["tags"].shape
            flat = output["tags"].reshape(-1, width).astype(np.int64)
            spans = tags.decode_batch(flat, np.full(len(flat), width))
            for place, row in enumerate(output["rows"].tolist()):
                first = int(encoded.fixed["first_word"][row])
                for slot, number in enumerate(asked[row].tolist()):
                    found = spans[place * num_slots + slot]
                    id_ = ids[encoded.example_index[row] + number]
                    predictions[id_] = [(start + first, end + first, role) for start, end, role in found]
        return predictions


class SrlModule(TaskModule):
    """Tags the words of a row for each of its predicates.

    Where the predicate is marked, a row has one predicate, which enters before the core; otherwise the core reads the
    sentence alone and all its predicates are answered from the same vectors. Either way a word's tag is read from its
    vector, the predicate's vector and, if asked for, the distance between them, in one hidden layer.
    """

    def __init__(self, core: Core, run: RunConfig, options: SrlOptions) -> None:
        super().__init__(core, run)
        size = core.hidden_size
        tags, distance = BioTags(options.roles), options.distance_feature
        indicator = options.predicate_feature == "indicator"
        self.tags = tags
        self.pooling = options.pooling
        input_size = core.token_embedding.embedding_dim
        self.indicator = nn.Embedding(2, input_size) if indicator else None
        self.input_distance = nn.Embedding(_NUM_BUCKETS, input_size) if indicator and distance else None
        for table in (self.indicator, self.input_distance):
            if table is not None and core.is_pretrained:
                nn.init.zeros_(table.weight)
        self.word_part = nn.Linear(size, size)
        self.predicate_part = nn.Linear(size, size, bias=False)
        self.distance_part = nn.Embedding(_NUM_BUCKETS, size) if distance else None
        self.dropout = nn.Dropout(getattr(run.core, "dropout", 0.0))
        self.output = nn.Linear(size, tags.num_tags)

    def encode(self, batch: Batch) -> Tensor:  # (B, T, D)
        if self.indicator is None:
            return super().encode(batch)
        embedded = self.core.token_embedding(batch["input_ids"])
        word, predicate = batch["word"], batch["predicates"]  # (B, T), (B, 1)
        embedded = embedded + self.indicator((word == predicate).long())
        if self.input_distance is not None:
            near = self.input_distance(predicate_distance_bucket(word - predicate))
            embedded = embedded + near * (word >= 0)[..., None]
        return self.core(None, batch["attention_mask"], inputs_embeds=embedded)

    def logits(self, batch: Batch) -> tuple[Tensor, Pairs]:  # (N, W, K)
        """Scores of every tag of every word for every predicate of the batch, in the order of `Pairs`."""
        sizes = self.sizes(batch)
        width = int(sizes["num_words"].max())
        words = pool_words(self.encode(batch), batch["word"], width, self.pooling)  # (B, W, D)
        words = self.dropout(words)
        pairs = Pairs.of(batch, width, int(sizes["num_predicates"].sum()))
        hidden = self.word_part(words)[pairs.row]  # (N, W, D)
        hidden = hidden + self.predicate_part(words[pairs.row, pairs.predicate])[:, None]
        if self.distance_part is not None:
            hidden = hidden + self.distance_part(predicate_distance_bucket(pairs.offset))
        return self.output(self.dropout(F.gelu(hidden))), pairs

    def loss(self, batch: Batch) -> Tensor:
        logits, pairs = self.logits(batch)
        return F.cross_entropy(
            logits.flatten(0, 1).float(), pairs.targets(batch["tags"]).flatten(), ignore_index=_IGNORED
        )

    def num_units(self, batch: Batch) -> Tensor:
        """Words, once for each predicate of their row."""
        return (num_predicates(batch) * num_words(batch)).sum()

    def row_sizes(self, batch: Batch) -> dict[str, Tensor]:
        return {"num_words": num_words(batch), "num_predicates": num_predicates(batch)}

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        logits, pairs = self.logits(batch)
        best = decode_viterbi(self._hold_verb(logits.float(), pairs), pairs.is_word)  # (N, W)
        tags = best.new_zeros(*batch["predicates"].shape, best.shape[1])
        tags[pairs.row, pairs.slot] = best
        return {"tags": tags}  # (B, P, W)

    def _hold_verb(self, logits: Tensor, pairs: Pairs) -> Tensor:  # (N, W, K)
        """Which word is the predicate is part of the question: `V` begins there and nowhere else."""
        if "V" not in self.tags.labels:
            return logits
        at_predicate = (pairs.offset == 0).to(logits.dtype)  # (N, W)
        logits[:, :, 1 + 2 * self.tags.labels.index("V")] += _FORCE * (2 * at_predicate - 1)
        return logits


class Pairs:
    """Every predicate of a batch beside every word of its row."""

    def __init__(self, row: Tensor, slot: Tensor, predicate: Tensor, num_words: Tensor, width: int) -> None:
        places = torch.arange(width, device=row.device)
        self.row = row  # (N,)
        self.slot = slot  # (N,) which of its row's predicates
        self.predicate = predicate  # (N,) its word
        self.num_words = num_words  # (N,) words of its row
        self.is_word = places < num_words[:, None]  # (N, W)
        self.offset = places - predicate[:, None]  # (N, W)

    @classmethod
    def of(cls, batch: Batch, width: int, number: int) -> Pairs:
        """The pairs of a batch of `number` predicates whose rows have at most `width` words."""
        predicates = batch["predicates"]  # (B, P), -1 where there is none
        place, num_slots = true_places(predicates >= 0, number), predicates.shape[1]
        row, slot = place // num_slots, place % num_slots
        return cls(row, slot, predicates[row, slot], num_words(batch)[row], width)

    def targets(self, tags: Tensor) -> Tensor:  # (B, up to P * W) -> (N, W)
        """The right tags, from the tags of all a row's predicates, one after another."""
        places = self.slot[:, None] * self.num_words[:, None] + torch.arange(self.offset.shape[1], device=tags.device)
        found = tags[self.row].gather(1, places.clamp(max=tags.shape[1] - 1))
        return found.masked_fill(~self.is_word, _IGNORED)


def num_words(batch: Batch) -> Tensor:  # (B)
    """Words of each row."""
    return batch["word"].amax(dim=1) + 1


def num_predicates(batch: Batch) -> Tensor:  # (B)
    """Predicates of each row that fit into it."""
    return (batch["predicates"] >= 0).sum(dim=1)


def predicate_distance_bucket(offset: Tensor) -> Tensor:
    """The bucket of each word's signed distance to the predicate.

    >>> predicate_distance_bucket(torch.tensor([-90, -1, 0, 24, 25])).tolist()
    [0, 23, 24, 48, 48]
    """
    return offset.clamp(-_MAX_DISTANCE, _MAX_DISTANCE) + _MAX_DISTANCE
