"""The language model around a core: O, the projection to the vocabulary, and its cross-entropy.

Letters: B rows, T tokens, D hidden size, V vocabulary, N scored tokens, C tokens of a chunk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from datasets import Dataset
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import RunConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.features import Encoded
from atinuke_bench.errors import ConfigError
from atinuke_bench.heads.places import true_places
from atinuke_bench.tasks.lm.decode import NOT_SCORED, sum_documents
from atinuke_bench.tasks.lm.rows import EVALUATION_SEED, Objective, corrupt, masked_places, next_token_places
from atinuke_bench.training.feed import sizes_of
from atinuke_bench.training.module import Batch, TaskModule
from atinuke_bench.training.task import Outputs, TaskModel, TaskOptions, options_of

#: Tokens whose logits are held at once: 8 MiB of them at a vocabulary of 8,000, which fits into a processor's cache.
CHUNK = 256


class LmOptions(TaskOptions):
    """What is read, and what is asked of the core."""

    of_source: ClassVar[tuple[str, ...]] = (
        "corpus", "documents", "hub_repo", "hub_config", "hub_column", "hub_splits",
    )  # fmt: skip

    #: `auto` is causal for a causal core and for the floor, masked for others.
    objective: Literal["auto", "causal", "masked"] = "auto"
    #: Whether the output projection is the token embedding.
    tied: bool = True
    #: Which local text: text files, or the text in the official files of other tasks.
    corpus: Literal["text", "squad", "litbank", "squad+litbank"] = "text"
    #: What a document is: a block between blank lines, a file, or (Hub) a row. `auto` is a block, on the Hub a row.
    documents: Literal["auto", "blank-line", "file", "row"] = "auto"
    #: The data set on the Hub; source.revision pins it.
    hub_repo: str = "Salesforce/wikitext"
    hub_config: str = "wikitext-2-raw-v1"
    hub_column: str = "text"
    #: Split here -> split on the Hub. Of dev and test, what is not named is cut off train.
    hub_splits: dict[str, str] = Field({"train": "train", "dev": "validation", "test": "test"})


@dataclass(frozen=True)
class LmModel(TaskModel):
    """Predictions are the sums of each document."""

    objective: Objective

    def build(self, core: Core, run: RunConfig) -> TaskModule:
        tied = options_of(run, LmOptions).tied
        return LanguageModel(core, run, core.vocab_size, objective=self.objective, tied=tied)

    def decode(self, outputs: Outputs, encoded: Encoded, examples: Dataset, run: RunConfig) -> dict[str, Any]:
        return sum_documents(outputs, encoded, examples, self.objective)


class LanguageModel(TaskModule):
    """O . Core, asked for the next token (causal) or for hidden ones (masked).

    Logits are computed only where a token is scored. A tied O is the token embedding with its own bias.
    """

    def __init__(self, core: Core, run: RunConfig, vocab_size: int, *, objective: Objective, tied: bool) -> None:
        super().__init__(core, run)
        self.objective = objective
        self.vocab_size = vocab_size
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.projection = None if tied else nn.Parameter(_projection(vocab_size, core.hidden_size))
        if tied and core.token_embedding.weight.shape[1] != core.hidden_size:
            raise ConfigError(
                f"a tied output projection needs token embeddings of the hidden size {core.hidden_size}; found "
                f"{core.token_embedding.weight.shape[1]}; nearest: --set options.tied=false"
            )

    @property
    def output_weight(self) -> Tensor:  # (V, D)
        """The matrix of O."""
        return self.core.token_embedding.weight if self.projection is None else self.projection

    def loss(self, batch: Batch) -> Tensor:
        hidden, targets, _ = self._scored(batch, self.run.seed, self.current_epoch, sizes_of(batch).get("num_scored"))
        return linear_cross_entropy(hidden, self.output_weight, self.bias, targets)

    def num_units(self, batch: Batch) -> Tensor:
        """Tokens that are scored in this epoch."""
        return self._places(batch, self.run.seed, self.current_epoch).sum()

    def row_sizes(self, batch: Batch) -> dict[str, Tensor]:
        return {"num_scored": self._places(batch, self.run.seed, self.current_epoch).sum(dim=1)}

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        """`nats` (B, T): each token's loss, or NOT_SCORED; `right` (B, T): 1 where it is the likeliest."""
        hidden, targets, places = self._scored(batch, EVALUATION_SEED, 0)
        nats = torch.full(places.shape, NOT_SCORED, device=hidden.device)
        right = torch.zeros(places.shape, device=hidden.device)
        losses, likeliest = [], []
        for start in range(0, len(targets), CHUNK):
            logits = F.linear(hidden[start : start + CHUNK], self.output_weight, self.bias).float()  # (C, V)
            losses.append(F.cross_entropy(logits, targets[start : start + CHUNK], reduction="none"))
            likeliest.append(logits.argmax(dim=1) == targets[start : start + CHUNK])
        if losses:
            nats[places], right[places] = torch.cat(losses), torch.cat(likeliest).float()
        return {"nats": nats, "right": right}

    def _scored(
        self, batch: Batch, seed: int, epoch: int, num_scored: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden vectors (N, D) that predict, the tokens (N) they should predict, and the places of these (B, T).

        Without the numbers of each row (B), which are on the host, they are read from the device.
        """
        ids, places = batch["input_ids"], self._places(batch, seed, epoch)
        scored = true_places(places, int((places if num_scored is None else num_scored).sum()))
        targets = ids.flatten()[scored]
        if self.objective == "causal":
            # Position t predicts token t + 1; a row's first token is never scored.
            return self.encode(batch).flatten(0, 1)[scored - 1], targets, places
        hidden_ids = corrupt(ids, places, batch["rows"], seed, epoch, self.vocab_size)
        return self.encode({**batch, "input_ids": hidden_ids}).flatten(0, 1)[scored], targets, places

    def _places(self, batch: Batch, seed: int, epoch: int) -> Tensor:  # (B, T) bool
        """The tokens that are scored."""
        ids, mask = batch["input_ids"], batch["attention_mask"]
        if self.objective == "causal":
            return next_token_places(ids, mask)
        return masked_places(ids, mask, batch["rows"], seed, epoch)


def _projection(vocab_size: int, size: int) -> Tensor:  # (V, D)
    """Logits of unit variance from hidden vectors of unit variance per component."""
    return nn.init.normal_(torch.empty(vocab_size, size), std=1 / math.sqrt(size))


def linear_cross_entropy(
    hidden: Tensor,  # (N, D)
    weight: Tensor,  # (V, D)
    bias: Tensor,  # (V)
    targets: Tensor,  # (N) int64
) -> Tensor:
    """The mean of `F.cross_entropy(F.linear(hidden, weight, bias), targets)`, with the logits of a chunk at a time.

    It is 0 for no tokens. The backward pass computes nothing anew: the gradients are made with the logits.
    """
    # Since 2.13 torch has `F.linear_cross_entropy`, 9 to 19 % faster in chunks of this size. But it gives NaN for no
    # token, its products ignore autocast, and its last bits differ: the task's result_version would have to rise.
    return _LinearCrossEntropy.apply(hidden, weight, bias, targets)


class _LinearCrossEntropy(torch.autograd.Function):
    """The gradient of a mean is known in the forward pass, except for the scale of the loss it enters."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        # Products run in the type that autocast would choose; sums and the softmax in float32.
        kind = torch.get_autocast_dtype(hidden.device.type) if torch.is_autocast_enabled(hidden.device.type) else None
        lower = (lambda value: value.to(kind)) if kind is not None else (lambda value: value)
        matrix = lower(weight)
        grads = [torch.zeros_like(tensor, dtype=torch.float32) for tensor in (hidden, weight, bias)]
        total = torch.zeros((), device=hidden.device)
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, len(targets), CHUNK):
                part, gold = lower(hidden[start : start + CHUNK]), targets[start : start + CHUNK]
                logits = (part @ matrix.T).float().add_(bias)  # (C, V)
                log_total = logits.logsumexp(dim=1)  # (C)
                total += (log_total - logits.gather(1, gold[:, None])[:, 0]).sum()
                error = logits.sub_(log_total[:, None]).exp_()
                error[torch.arange(len(gold), device=error.device), gold] -= 1.0
                grads[2] += error.sum(dim=0)
                error = error.to(part.dtype)
                grads[0][start : start + CHUNK] = error @ matrix
                grads[1] += error.T @ part
        number = max(1, len(targets))
        ctx.save_for_backward(*(grad.div_(number) for grad in grads))
        ctx.kinds = hidden.dtype, weight.dtype, bias.dtype
        return total / number

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        return *((scale * grad).to(kind) for grad, kind in zip(ctx.saved_tensors, ctx.kinds, strict=True)), None
