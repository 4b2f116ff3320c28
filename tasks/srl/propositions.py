"""Propositions as arrays: the predicates of a file or of a run, with the spans of their arguments.

Letters in shapes: P propositions (one a predicate), N spans.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.data.bio import LabelledSpan
from atinuke_bench.data.conll.read import Predicate

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Propositions:
    """Words and sentences are counted from 0; the spans of a proposition are in the order in which they open."""

    num_sentences: int  # those without predicates included
    sentence: Integers  # [P] number of the proposition's sentence
    index: Integers  # [P] position of the predicate's word
    lemmas: list[str]  # [P]
    proposition: Integers  # [N] rising
    start: Integers  # [N]
    end: Integers  # [N] inside the span
    role: Integers  # [N] place in role_names
    role_names: list[str]

    @classmethod
    def build(
        cls,
        num_sentences: int,
        sentence: Sequence[int],
        index: Sequence[int],
        lemmas: list[str],
        arguments: Iterable[Sequence[LabelledSpan]],
    ) -> Propositions:
        """Propositions given as their sentences, words, lemmas and argument spans."""
        names: dict[str, int] = {}
        spans = [
            (row, start, end, names.setdefault(role, len(names)))
            for row, own in enumerate(arguments)
            for start, end, role in own
        ]
        proposition, first, last, roles = np.array(spans, dtype=np.int64).reshape(-1, 4).T
        places = np.array(sentence, dtype=np.int64), np.array(index, dtype=np.int64)
        return cls(num_sentences, *places, lemmas, proposition, first, last, roles, list(names))

    @classmethod
    def of_sentences(cls, sentences: Iterable[Sequence[Predicate]]) -> Propositions:
        """The propositions of sentences given as their predicates."""
        numbered = list(enumerate(sentences))
        rows = [(number, predicate) for number, predicates in numbered for predicate in predicates]
        return cls.build(
            len(numbered),
            [number for number, _ in rows],
            [predicate.index for _, predicate in rows],
            [predicate.lemma for _, predicate in rows],
            (predicate.arguments for _, predicate in rows),
        )

    def places(self) -> list[tuple[int, int]]:
        """Sentence and word of each proposition."""
        return list(zip(self.sentence.tolist(), self.index.tolist(), strict=True))


def match_propositions(gold: Propositions, predicted: Propositions) -> Integers:
    """For each predicted proposition [P] the gold one at the same word with the same lemma, or -1."""
    num_gold = len(gold.lemmas)
    if (
        gold.lemmas == predicted.lemmas
        and np.array_equal(gold.sentence, predicted.sentence)
        and np.array_equal(gold.index, predicted.index)
    ):
        return np.arange(num_gold)
    rows = {place: row for row, place in enumerate(zip(gold.places(), gold.lemmas, strict=True))}
    places = list(zip(predicted.places(), predicted.lemmas, strict=True))
    # Of two predictions at one word the last counts, as in srl-eval.pl.
    return np.array([rows.pop(place, -1) for place in reversed(places)][::-1], dtype=np.int64)


def mismatches(gold: Propositions, predicted: Propositions) -> Iterator[str]:
    """A line for each kind of predicate that one side lacks, as srl-eval.pl warns; it counts them all the same.

    >>> gold, predicted = (Propositions.build(1, [0], [2], [lemma], [[]]) for lemma in ("see", "sees"))
    >>> list(mismatches(gold, predicted))
    ["1 of 1 gold predicates have another lemma in the predictions; all their arguments count as missed; \
first 'see', found 'sees' (sentence 1, word 3)"]
    """
    if np.all(match_propositions(gold, predicted) >= 0) and len(gold.lemmas) == len(predicted.lemmas):
        return
    ours, theirs = (dict(zip(side.places(), side.lemmas, strict=True)) for side in (gold, predicted))
    missed = "all their arguments count as missed; first"
    other = [place for place, lemma in ours.items() if theirs.get(place, lemma) != lemma]
    if other:
        found = f"{ours[other[0]]!r}, found {theirs[other[0]]!r} {_place(other[0])}"
        yield f"{len(other)} of {len(ours)} gold predicates have another lemma in the predictions; {missed} {found}"
    if absent := [place for place in ours if place not in theirs]:
        found = f"{ours[absent[0]]!r} {_place(absent[0])}"
        yield f"{len(absent)} of {len(ours)} gold predicates are not among the predictions; {missed} {found}"
    if skipped := [place for place in theirs if place not in ours]:
        found = f"{theirs[skipped[0]]!r} {_place(skipped[0])}"
        yield f"{len(skipped)} predicted predicates are not in the gold file and are skipped; first {found}"


def _place(place: tuple[int, int]) -> str:
    sentence, index = place
    return f"(sentence {sentence + 1}, word {index + 1})"
