"""The module of semantic role labelling: a core, word vectors, a BIO tag for every word and predicate.

Letters: B rows, T tokens, W words of a row, D hidden size, P predicates of a row, N predicates of a batch, K tags.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.bio import BioTags
from atinuke_bench.heads.viterbi import decode_viterbi
from atinuke_bench.training.module import Batch, TaskModule

#: Words farther than this from the predicate share one bucket on each side.
MAX_DISTANCE = 24
NUM_BUCKETS = 2 * MAX_DISTANCE + 1
#: Target of a word that is padding.
_IGNORED = -100
#: Added to a score to force a tag, and taken away to forbid one: larger than any logit, small enough to sum in float32.
_FORCE = 1e4


class SrlModule(TaskModule):
    """Tags the words of a row for each of its predicates.

    With an `indicator` a row has one predicate, which enters before the core; without one the core reads the sentence
    alone and all its predicates are answered from the same vectors. Either way a word's tag is read from its vector,
    the predicate's vector and, with `distance`, the distance between them, in one hidden layer.
    """

    def __init__(
        self,
        core: Core,
        run: RunConfig,
        tags: BioTags,
        *,
        indicator: bool,
        distance: bool,
        pooling: Literal["first", "mean"],
    ) -> None:
        super().__init__(core, run)
        size = core.hidden_size
        self.tags = tags
        self.pooling = pooling
        input_size = core.token_embedding.embedding_dim
        self.indicator = nn.Embedding(2, input_size) if indicator else None
        self.input_distance = nn.Embedding(NUM_BUCKETS, input_size) if indicator and distance else None
        for table in (self.indicator, self.input_distance):
            if table is not None and core.is_pretrained:
                nn.init.zeros_(table.weight)
        self.word_part = nn.Linear(size, size)
        self.predicate_part = nn.Linear(size, size, bias=False)
        self.distance_part = nn.Embedding(NUM_BUCKETS, size) if distance else None
        self.dropout = nn.Dropout(getattr(run.core, "dropout", 0.0))
        self.output = nn.Linear(size, tags.num_tags)

    def encode(self, batch: Batch) -> Tensor:  # (B, T, D)
        if self.indicator is None:
            return super().encode(batch)
        embedded = self.core.token_embedding(batch["input_ids"])
        word, predicate = batch["word"], batch["predicates"]  # (B, T), (B, 1)
        embedded = embedded + self.indicator((word == predicate).long())
        if self.input_distance is not None:
            near = self.input_distance(distance_bucket(word - predicate))
            embedded = embedded + near * (word >= 0)[..., None]
        return self.core(None, batch["attention_mask"], inputs_embeds=embedded)

    def logits(self, batch: Batch) -> tuple[Tensor, Pairs]:  # (N, W, K)
        """Scores of every tag of every word for every predicate of the batch, in the order of `Pairs`."""
        words = pool_words(self.encode(batch), batch["word"], self.pooling)  # (B, W, D)
        words = self.dropout(words)
        pairs = Pairs.of(batch, words.shape[1])
        hidden = self.word_part(words)[pairs.row]  # (N, W, D)
        hidden = hidden + self.predicate_part(words[pairs.row, pairs.predicate])[:, None]
        if self.distance_part is not None:
            hidden = hidden + self.distance_part(distance_bucket(pairs.offset))
        return self.output(self.dropout(F.gelu(hidden))), pairs

    def loss(self, batch: Batch) -> Tensor:
        logits, pairs = self.logits(batch)
        return F.cross_entropy(
            logits.flatten(0, 1).float(), pairs.targets(batch["tags"]).flatten(), ignore_index=_IGNORED
        )

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
    def of(cls, batch: Batch, width: int) -> Pairs:
        """The pairs of a batch whose rows have at most `width` words."""
        predicates = batch["predicates"]  # (B, P), -1 where there is none
        row, slot = (predicates >= 0).nonzero(as_tuple=True)
        num_words = batch["word"].amax(dim=1) + 1
        return cls(row, slot, predicates[row, slot], num_words[row], width)

    def targets(self, tags: Tensor) -> Tensor:  # (B, up to P * W) -> (N, W)
        """The right tags out of those of all a row's predicates, one after another."""
        places = self.slot[:, None] * self.num_words[:, None] + torch.arange(self.offset.shape[1], device=tags.device)
        found = tags[self.row].gather(1, places.clamp(max=tags.shape[1] - 1))
        return found.masked_fill(~self.is_word, _IGNORED)


def distance_bucket(offset: Tensor) -> Tensor:
    """The bucket of each word's signed distance to the predicate.

    >>> distance_bucket(torch.tensor([-90, -1, 0, 24, 25])).tolist()
    [0, 23, 24, 48, 48]
    """
    return offset.clamp(-MAX_DISTANCE, MAX_DISTANCE) + MAX_DISTANCE
