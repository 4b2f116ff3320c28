"""What words alone say of candidate mentions and of pairs of them, as features that every core gets.

Legend of shapes: W words of a document, D hidden size, K candidates, A antecedents of each.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import reduce
from operator import or_

import torch
from torch import Tensor, nn

from atinuke_bench.tasks.coref.lexicon import CLASS_ID, LAST_AGREEMENT, LAST_PRONOUN, NAME_CLASSES
from atinuke_bench.tasks.coref.rows import NUM_COUNT_BUCKETS
from atinuke_bench.tasks.coref.spans import Candidates, span_hashes

#: Distances 0 to 4 one by one, then 5-7, 8-15, 16-31, 32-63 and 64 or more (Lee et al. 2017).
NUM_DISTANCES = 10
#: Bits of a pair: same words, same head, same first word, the head of one is the first word of the other.
NUM_MATCHES = 16
_CATEGORIES = ("name", "male name", "female name", "definite", "demonstrative", "indefinite", "possessive", "other")
#: Categories of mentions: the classes of pronouns, then these, then nominals of natural gender.
NUM_CATEGORIES = LAST_PRONOUN + 1 + len(_CATEGORIES) + 2


@dataclass(frozen=True)
class EncodedDocument:
    """The columns of one document, without padding; every tensor is (W,) int64 but `hidden`."""

    hidden: Tensor  # (W, D)
    sentence: Tensor
    word_id: Tensor
    word_class: Tensor
    head_limit: Tensor
    count_bucket: Tensor
    speaker: Tensor
    genre: Tensor  # () int64

    def __len__(self) -> int:
        return len(self.sentence)


@dataclass(frozen=True)
class Traits:
    """What words alone say of the candidates, each (K,)."""

    text: Tensor
    head: Tensor
    first: Tensor  # 0 where the first word says nothing, so that it matches no head
    category: Tensor
    count: Tensor
    sentence: Tensor
    speaker: Tensor
    starts: Tensor
    ends: Tensor
    order: Tensor

    def take(self, index: Tensor) -> Traits:
        """The traits of some candidates, in the shape of `index`."""
        return Traits(*(getattr(self, field.name)[index] for field in fields(self)))


class PairFeatures(nn.Module):
    """The sum of the embeddings of what is known of a pair of mentions from words alone."""

    def __init__(self, size: int, *, lexical: bool, distance: bool, speaker: bool) -> None:
        super().__init__()
        tables: dict[str, int] = {"order": 3}
        if lexical:
            tables |= {"match": NUM_MATCHES * 3, "categories": NUM_CATEGORIES**2, "count": NUM_COUNT_BUCKETS}
        if distance:
            tables |= {"mentions_apart": NUM_DISTANCES, "sentences_apart": NUM_DISTANCES}
        if speaker:
            tables["speaker"] = 3
        embeddings = {name: nn.Embedding(number, size) for name, number in tables.items()}
        for table in embeddings.values():
            nn.init.normal_(table.weight, std=0.1)
        self.tables = nn.ModuleDict(embeddings)

    def forward(self, anaphor: Traits, antecedent: Traits) -> Tensor:  # (..., size)
        return sum(table(_FEATURES[name](anaphor, antecedent)) for name, table in self.tables.items())


def _match(anaphor: Traits, antecedent: Traits) -> Tensor:
    bits = (anaphor.text == antecedent.text).long()
    bits = bits + 2 * (anaphor.head == antecedent.head)
    bits = bits + 4 * ((anaphor.first == antecedent.first) & (anaphor.first != 0))
    crossed = (anaphor.first == antecedent.head) | (anaphor.head == antecedent.first)
    return bits + 8 * crossed


_FEATURES = {
    # 0 apart, 1 the antecedent ends inside the anaphor, 2 it holds the anaphor.
    "order": lambda anaphor, antecedent: (
        (antecedent.ends >= anaphor.starts).long() + (antecedent.ends >= anaphor.ends).long()
    ),
    "match": lambda anaphor, antecedent: _match(anaphor, antecedent) * 3 + _kind(anaphor.category),
    "categories": lambda anaphor, antecedent: anaphor.category * NUM_CATEGORIES + antecedent.category,
    "count": lambda anaphor, antecedent: antecedent.count.expand(_broadcast(anaphor, antecedent)),
    "mentions_apart": lambda anaphor, antecedent: antecedent_distance_bucket(anaphor.order - antecedent.order),
    "sentences_apart": lambda anaphor, antecedent: antecedent_distance_bucket(anaphor.sentence - antecedent.sentence),
    # 0 unknown, 1 another speaker, 2 the same.
    "speaker": lambda anaphor, antecedent: (
        (1 + (anaphor.speaker == antecedent.speaker).long()) * ((anaphor.speaker > 0) & (antecedent.speaker > 0))
    ),
}


def _kind(category: Tensor) -> Tensor:
    """0 pronoun, 1 name, 2 nominal."""
    first_nominal = LAST_PRONOUN + 1 + _CATEGORIES.index("definite")
    return (category > LAST_PRONOUN).long() + (category >= first_nominal).long()


def _broadcast(anaphor: Traits, antecedent: Traits) -> torch.Size:
    return torch.broadcast_shapes(anaphor.order.shape, antecedent.order.shape)


def as_column(traits: Traits) -> Traits:
    return Traits(*(getattr(traits, field.name)[:, None] for field in fields(traits)))


def antecedent_distance_bucket(distance: Tensor) -> Tensor:
    """How many mentions or sentences back an antecedent is, as a number from 0 to 9.

    >>> antecedent_distance_bucket(torch.tensor([-1, 0, 1, 4, 5, 7, 8, 63, 64, 900])).tolist()
    [0, 0, 1, 4, 5, 5, 6, 8, 9, 9]
    """
    # Made on the device: to send numbers there, a GPU is waited for.
    few, many = torch.arange(1, 5, device=distance.device), torch.arange(3, 7, device=distance.device)
    limits = torch.cat([few, few.new_full((1,), 5), 2**many])
    return torch.bucketize(distance, limits, right=True)


def read_traits(document: EncodedDocument, candidates: Candidates) -> Traits:
    """What words alone say of the candidates."""
    starts, ends = candidates.starts, candidates.ends
    heads = torch.minimum(document.head_limit[starts], ends)
    head_class, start_class = document.word_class[heads], document.word_class[starts]
    says_something = start_class >= CLASS_ID["number"]
    return Traits(
        text=span_hashes(document.word_id, starts, ends),
        head=document.word_id[heads],
        first=document.word_id[starts] * says_something,
        category=categories(start_class, head_class, starts == ends),
        count=document.count_bucket[heads],
        sentence=document.sentence[starts],
        speaker=document.speaker[starts],
        starts=starts,
        ends=ends,
        order=torch.arange(len(starts), device=starts.device),
    )


def categories(start_class: Tensor, head_class: Tensor, one_word: Tensor) -> Tensor:
    """Categories of mentions from the classes of their first words and heads.

    >>> start = torch.tensor([CLASS_ID[name] for name in ("relative", "definite", "male noun")])
    >>> head = torch.tensor([CLASS_ID[name] for name in ("relative", "other", "known name")])
    >>> (categories(start, head, torch.tensor([True, False, False])) - LAST_PRONOUN - 1).tolist()
    [-2, 3, 1]
    """
    base = LAST_PRONOUN + 1
    place = {name: base + number for number, name in enumerate(_CATEGORIES)}
    kind = torch.full_like(start_class, place["other"])
    for name in ("definite", "demonstrative", "indefinite"):
        kind.masked_fill_(start_class == CLASS_ID[name], place[name])
    kind.masked_fill_(start_class <= LAST_AGREEMENT, place["possessive"])
    male, female = CLASS_ID["male noun"], CLASS_ID["female noun"]
    kind.masked_fill_(head_class == male, base + len(_CATEGORIES))
    kind.masked_fill_(head_class == female, base + len(_CATEGORIES) + 1)
    is_name = reduce(or_, (head_class == number for number in NAME_CLASSES))
    kind.masked_fill_(is_name, place["name"])
    kind.masked_fill_(is_name & (start_class == male), place["male name"])
    kind.masked_fill_(is_name & (start_class == female), place["female name"])
    is_pronoun = one_word & (start_class <= LAST_PRONOUN)
    return torch.where(is_pronoun, start_class, kind)
