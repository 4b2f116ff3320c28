"""Propositions as arrays: the predicates of a file or of a run, with the spans of their arguments.

Letters in shapes: P propositions (one a predicate), N spans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def match_propositions(gold: Propositions, predicted: Propositions) -> Integers:
    """For each predicted proposition [P] the gold one at the same word with the same lemma, or -1."""
    num_gold = len(gold.lemmas)
    if (
        gold.lemmas == predicted.lemmas
        and np.array_equal(gold.sentence, predicted.sentence)
        and np.array_equal(gold.index, predicted.index)
    ):
        return np.arange(num_gold)
    gold_places = zip(gold.sentence.tolist(), gold.index.tolist(), gold.lemmas, strict=True)
    rows = {place: row for row, place in enumerate(gold_places)}
    places = list(zip(predicted.sentence.tolist(), predicted.index.tolist(), predicted.lemmas, strict=True))
    # Of two predictions at one word the last counts, as in srl-eval.pl.
    return np.array([rows.pop(place, -1) for place in reversed(places)][::-1], dtype=np.int64)
