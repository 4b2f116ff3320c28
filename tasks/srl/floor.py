"""The floor of semantic role labelling: the most frequent tag of a word at its distance to the predicate."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from datasets import Dataset

from atinuke_bench.config import RunConfig
from atinuke_bench.data.bio import BioTags, LabelledSpan
from atinuke_bench.tasks.srl.data import spans_of
from atinuke_bench.tasks.srl.model import SrlOptions
from atinuke_bench.training.task import options_of

#: Words farther from the predicate than this are all equally far.
MAX_DISTANCE = 10
#: A word form seen less often at a distance leaves the choice to the distance alone.
MIN_SIGHTINGS = 5

_Place = tuple[int, str] | tuple[int]  # signed distance and lowercased form, or the distance alone


def most_frequent_roles(train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, list[LabelledSpan]]:
    """What `PlaceRule` answers."""
    tags = BioTags(options_of(run, SrlOptions).roles)
    rule = PlaceRule.learn(tags, train["words"][:], train["predicate"][:], spans_of(train))
    rows = zip(examples["id"][:], examples["words"][:], examples["predicate"][:], strict=True)
    return {id_: rule.answer(words, predicate) for id_, words, predicate in rows}


@dataclass(frozen=True)
class PlaceRule:
    """A role (0 for none, else its number from 1) for each place that training words had.

    It reads words, the predicate's position and nothing else. Neighbouring words of one role are one span; of equally
    frequent roles the first in alphabetical order counts, and none before any.
    """

    tags: BioTags
    roles: dict[_Place, int]

    @classmethod
    def learn(
        cls,
        tags: BioTags,
        sentences: Iterable[Sequence[str]],
        predicates: Iterable[int],
        arguments: Iterable[Sequence[LabelledSpan]],
    ) -> PlaceRule:
        """The rule of training examples, each a sentence's words, its predicate's position and the argument spans.

        >>> sentence = ["Ada", "sleeps"]
        >>> rule = PlaceRule.learn(BioTags(("A0", "V")), [sentence], [1], [[(0, 0, "A0"), (1, 1, "V")]])
        >>> rule.answer(["Ben", "sleeps", "."], predicate=1)
        [(0, 0, 'A0'), (1, 1, 'V')]
        """
        counts: dict[_Place, Counter[int]] = defaultdict(Counter)
        for words, predicate, spans in zip(sentences, predicates, arguments, strict=True):
            roles = (tags.encode(spans, len(words))[0] + 1) // 2
            for place, role in zip(_places(words, predicate), roles.tolist(), strict=True):
                counts[place][role] += 1
                counts[place[:1]][role] += 1
        return cls(
            tags,
            {
                place: min(own, key=lambda role: (-own[role], role))
                for place, own in counts.items()
                if len(place) == 1 or own.total() >= MIN_SIGHTINGS
            },
        )

    def answer(self, words: Sequence[str], predicate: int) -> list[LabelledSpan]:
        """The spans of one predicate."""
        roles = [self.roles.get(place, self.roles.get(place[:1], 0)) for place in _places(words, predicate)]
        spans, start = [], 0
        for role, run in groupby(roles):
            end = start + len(list(run))
            if role:
                spans.append((start, end - 1, self.tags.labels[role - 1]))
            start = end
        return spans


def _places(words: Sequence[str], predicate: int) -> list[tuple[int, str]]:
    return [
        (min(max(index - predicate, -MAX_DISTANCE), MAX_DISTANCE), word.lower()) for index, word in enumerate(words)
    ]
