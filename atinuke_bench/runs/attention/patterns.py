"""What attention heads look at: attention to tokens that stand in some relation to the one that asks.

For each relation and each asking token (special tokens never ask) attention to the related keys is summed, and meaned
over the tokens of a unit that have any. Beside it is what as many keys get that are drawn at random: in place of a word
another word that the token sees, in place of the token itself any word, in place of a special token any token. So
neither a special token that takes most of a head's attention nor one that is always seen counts for or against a
relation. The test exchanges both, unit by unit: it is exact where, given the attention, any choice of related keys is
as likely as any other, and it takes no two tokens of a unit as independent.

Legend of shapes: N inputs of the core, H heads, T tokens, P relations, E examples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from atinuke_bench.core.attention_heads import watched
from atinuke_bench.data.tokenizer import SpecialTokens, special_tokens
from atinuke_bench.metrics.metric import Floats
from atinuke_bench.training.capabilities import Links
from atinuke_bench.training.module import Batch

from .batches import batches_of, ids_of, mask_of
from .opened import Opened, Part

#: Relations of every text; a task's links come after them.
RELATIONS = ("previous token", "next token", "itself", "same token elsewhere", "first token", "separators")


@dataclass(frozen=True)
class Patterns:
    """Sums over asking tokens of each unit U, for each head A and relation P, and how many tokens asked.

    `mass` is attention to related keys, `drawn` to as many drawn ones, and `chance` what is expected of these.
    `distance` (tokens) and `entropy` (nats) are means over all asking tokens, one a head.
    """

    relations: tuple[str, ...]
    mass: Floats  # [U, A, P]
    drawn: Floats  # [U, A, P]
    chance: Floats  # [U, A, P]
    num_asking: Floats  # [U, A, P]
    distance: Floats  # [A]
    entropy: Floats  # [A]


def patterns(opened: Opened, told: Callable[[int], None]) -> Patterns | None:
    """What each head looks at; None where the core computes attention in a way that cannot be watched.

    In float32, whatever the precision of the run.
    """
    part, module, links = opened.on, opened.predictor.module, opened.predictor.task.links
    tally = _Tally.of(opened, part, links)
    for batch in batches_of(module, part.encoded, opened.predictor.run.training.batch_tokens):
        watch = _Watch(tally, batch, opened.predictor.run.seed)
        handle = module.core.register_forward_pre_hook(watch.begin, with_kwargs=True)
        try:
            with torch.inference_mode(), watched(opened.layers, watch.see):
                module.outputs(batch)
        finally:
            handle.remove()
        told(len(batch["rows"]))
    return tally.result() if tally.has_seen else None


class _Tally:
    """Sums of all that was seen, by the unit that a row lies in."""

    def __init__(self, part: Part, links: Links | None, specials: SpecialTokens, starts: list[int], num: int) -> None:
        self.part, self.links, self.specials, self.starts = part, links, specials, starts
        self.relations = (*RELATIONS, *([links.name] if links is not None else []))
        numbers: dict[str, int] = {}
        place = [numbers.setdefault(unit, len(numbers)) for unit in part.units]
        self.unit_of_row = np.array(place, dtype=np.int64)[part.encoded.example_index]
        self.sums = np.zeros((4, len(numbers), num, len(self.relations)))
        self.totals = np.zeros((3, num))  # distance, entropy, asking tokens
        self.has_seen = False

    @classmethod
    def of(cls, opened: Opened, part: Part, links: Links | None) -> _Tally:
        starts = np.cumsum([0, *(layer.num_heads for layer in opened.layers)]).tolist()
        return cls(part, links, special_tokens(opened.predictor.tokenizer), starts, starts.pop())

    def add(self, layer: int, units: np.ndarray, sums: Tensor, totals: Tensor) -> None:  # [4, N, H, P], [3, H]
        self.has_seen = True
        own = slice(self.starts[layer], self.starts[layer] + sums.shape[2])
        values = sums.double().cpu().numpy()
        for part, found in zip(self.sums, values, strict=True):
            np.add.at(part[:, own], units, found)
        self.totals[:, own] += totals.double().cpu().numpy()

    def result(self) -> Patterns:
        distance, entropy, number = self.totals
        mass, drawn, chance, asking = self.sums
        return Patterns(
            self.relations, mass, drawn, chance, asking, distance / number.clip(min=1), entropy / number.clip(min=1)
        )


class _Watch:
    """Takes in one batch: what the core is called with says who asks, then each layer's attention comes by."""

    def __init__(self, tally: _Tally, batch: Batch, seed: int) -> None:
        self.tally, self.batch = tally, batch
        self.last: tuple[Tensor, Tensor, Tensor] | None = None
        self.generator = torch.Generator().manual_seed(seed * 1_000_003 + int(batch["rows"][0]))

    def begin(self, core: nn.Module, args: Any, kwargs: Any) -> None:
        """Which tokens ask, and which keys stand in which relation to them."""
        given, self.mask = ids_of(args, kwargs), mask_of(args, kwargs).bool()  # (N, T)
        ids = self.batch["input_ids"] if given is None else given
        specials = self.tally.specials
        is_special = (ids == specials.cls) | (ids == specials.sep)
        self.asking = self.mask & ~is_special
        rows = self.batch["rows"].cpu().numpy()
        self.units = self.tally.unit_of_row[rows if len(rows) == len(ids) else np.repeat(rows, len(ids))]
        # Who is drawn in place of a related key: another word, any word, or any token.
        self.words = self.asking[:, None, :].expand(-1, ids.shape[1], -1)  # (N, T, T)
        self.itself = torch.eye(ids.shape[1], dtype=torch.bool, device=ids.device)
        self.related, self.kinds = relations_of(ids, specials), [0, 0, 1, 0, 2, 2]
        if self.tally.links is not None:
            self.related.append(self._linked(self.tally.links, rows, ids))
            self.kinds.append(0)

    def _linked(self, links: Links, rows: np.ndarray, ids: Tensor) -> Tensor:  # (N, T, T) bool
        found = torch.zeros(len(ids), ids.shape[1], ids.shape[1], dtype=torch.bool)
        for place, row in enumerate(rows.tolist()):
            for link in links.find(self.tally.part.encoded, row):
                number = place + link.input if len(rows) == len(ids) else link.input
                tokens, keys = torch.from_numpy(link.tokens), torch.from_numpy(link.depend_on)
                found[number, tokens[:, None], keys] = True
        return found.to(ids.device)

    def see(self, layer: int, probabilities: Tensor, seen: Tensor) -> None:  # (N, H, T, T), what broadcasts to it
        # Heads of a layer see the same keys, and mostly so do those of all layers.
        visible = seen[:, 0] & self.mask[:, None, :]  # (N, T, T)
        if self.last is None or not torch.equal(visible, self.last[0]):
            self.last = visible, *self._weights(visible)
        _, weights, num_asking = self.last
        found = probabilities.flatten(2) @ weights.flatten(2).transpose(1, 2)  # (N, H, 3 * P)
        sums = found.unflatten(-1, (3, -1)).permute(2, 0, 1, 3)  # (3, N, H, P)
        asking = num_asking[None, :, None].expand_as(sums[:1])
        self.tally.add(layer, self.units, torch.cat([sums, asking]), self._totals(probabilities))

    def _weights(self, visible: Tensor) -> tuple[Tensor, Tensor]:  # (N, T, T) -> (N, 3 * P, T, T), (N, P)
        """By which attention is summed: related keys, drawn ones, and all candidates by their chance to be drawn."""
        noise = torch.rand(visible.shape, generator=self.generator).to(visible.device)
        kinds = [visible & kind for kind in (self.words & ~self.itself, self.words, self.mask[:, None, :])]
        ordered = [noise.masked_fill(~kind, 2.0).sort(dim=-1).values for kind in kinds]
        sides: list[list[Tensor]] = [[], [], []]
        numbers = []
        for related, kind in zip(self.related, self.kinds, strict=True):
            candidates, own = kinds[kind], related & kinds[kind]
            num_related, num_candidates = (
                own.sum(dim=-1, keepdim=True),
                candidates.sum(dim=-1, keepdim=True),
            )  # (N, T, 1)
            # Where all candidates are related, or none, nothing can be told.
            asks = self.asking[..., None] & (num_related > 0) & (num_related < num_candidates)
            last = ordered[kind].gather(-1, (num_related - 1).clamp(min=0))
            for side, keys in zip(sides, (own, candidates & (noise <= last)), strict=False):
                side.append((keys & asks).float())
            sides[2].append(candidates * asks * num_related / num_candidates.clamp(min=1))
            numbers.append(asks.sum(dim=(1, 2)).float())
        return torch.stack([one for side in sides for one in side], dim=1), torch.stack(numbers, dim=1)

    def _totals(self, probabilities: Tensor) -> Tensor:  # (3, H)
        places = torch.arange(probabilities.shape[-1], device=probabilities.device, dtype=torch.float32)
        apart = (places[:, None] - places).abs()  # (T, T)
        weight = self.asking.float()  # (N, T)
        distance = torch.einsum("nhij,ij,ni->h", probabilities, apart, weight)
        entropy = torch.einsum("nhi,ni->h", -torch.xlogy(probabilities, probabilities).sum(dim=-1), weight)
        return torch.stack([distance, entropy, weight.sum().expand_as(distance)])


def relations_of(ids: Tensor, specials: SpecialTokens) -> list[Tensor]:  # (N, T) -> each (N, T, T) bool
    """Which keys (last) stand in each of `RELATIONS` to each token."""
    places = torch.arange(ids.shape[1], device=ids.device)
    offset = (places[:, None] - places).expand(len(ids), -1, -1)
    is_cls, is_sep = ((ids == one)[:, None, :].expand(offset.shape) for one in (specials.cls, specials.sep))
    return [
        offset == 1,
        offset == -1,
        offset == 0,
        (ids[:, :, None] == ids[:, None, :]) & (offset != 0),
        is_cls,
        is_sep,
    ]
