"""Counting the arguments of many propositions at once.

Letters in shapes: S sentences, P propositions (one a predicate), N spans, E counted arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.tasks.srl.pieces import Span, compare_arguments, join_pieces

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
#: Outcomes, and the order of the three counts everywhere.
CORRECT, EXCESS, MISSED = range(3)


class Predicate(Protocol):
    """What the scorer needs of a predicate: its word, its lemma and the spans of its column in bracket order."""

    @property
    def index(self) -> int: ...
    @property
    def lemma(self) -> str: ...
    @property
    def arguments(self) -> Sequence[Span]: ...


class Table(Protocol):
    """The propositions of a file as arrays; propositions are in the order of sentences and words, spans in theirs."""

    num_sentences: int
    sentence: Integers  # [P] number of the proposition's sentence
    index: Integers  # [P] position of the predicate's word
    lemmas: list[str]  # [P]
    proposition: Integers  # [N] rising
    start: Integers  # [N]
    end: Integers  # [N] inside the span
    role: Integers  # [N] place in role_names
    role_names: list[str]


@dataclass(frozen=True, slots=True)
class PredicateTable:
    """A `Table` of predicates in memory."""

    num_sentences: int
    sentence: Integers
    index: Integers
    lemmas: list[str]
    proposition: Integers
    start: Integers
    end: Integers
    role: Integers
    role_names: list[str]


@dataclass(frozen=True, slots=True)
class Events:
    """Every counted argument: its gold proposition, its role, whether correct, and its distance from the predicate.

    `unlabelled` [3] counts correct, excess and missed arguments when roles are ignored.
    """

    proposition: Integers  # [E]
    role: Integers  # [E] place in role_names
    outcome: Integers  # [E]
    distance: Integers  # [E] words between predicate and argument
    unlabelled: Integers  # [3]
    role_names: list[str]


def build_table(sentences: Iterable[Sequence[Predicate]]) -> PredicateTable:
    """The table of sentences given as their predicates."""
    numbered = list(enumerate(sentences))
    rows = [(number, predicate) for number, predicates in numbered for predicate in predicates]
    spans = [(row, *span) for row, (_, predicate) in enumerate(rows) for span in predicate.arguments]
    names: dict[str, int] = {}
    return PredicateTable(
        num_sentences=len(numbered),
        sentence=np.array([number for number, _ in rows], dtype=np.int64),
        index=np.array([predicate.index for _, predicate in rows], dtype=np.int64),
        lemmas=[predicate.lemma for _, predicate in rows],
        proposition=np.array([span[0] for span in spans], dtype=np.int64),
        start=np.array([span[1] for span in spans], dtype=np.int64),
        end=np.array([span[2] for span in spans], dtype=np.int64),
        role=np.array([names.setdefault(span[3], len(names)) for span in spans], dtype=np.int64),
        role_names=list(names),
    )


def match_propositions(gold: Table, predicted: Table) -> Integers:
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


def count_arguments(gold: Table, predicted: Table, target: Integers, excluded: frozenset[str]) -> Events:
    """Compares every gold proposition with the predicted one that `target` [P] (`match_propositions`) assigns to it.

    Roles in `excluded` are left out of `unlabelled`, as srl-eval.pl does.
    """
    names = {name: place for place, name in enumerate(dict.fromkeys([*gold.role_names, *predicted.role_names]))}
    ours = _Spans.of(gold, np.arange(len(gold.lemmas)), names)
    theirs = _Spans.of(predicted, target, names)
    special = np.zeros(len(gold.lemmas), dtype=bool)
    continued = np.array([name.startswith("C-") for name in names], dtype=bool)
    for spans in (ours, theirs):
        special[spans.proposition[continued[spans.role] | spans.overlap()]] = True
    left_out = np.array([name in excluded for name in names], dtype=bool)
    plain, unlabelled = _count_plain(
        ours.take(~special[ours.proposition]), theirs.take(~special[theirs.proposition]), gold.index, left_out
    )
    chosen = np.flatnonzero(special)
    rest, unlabelled_rest = _count_special(chosen, ours, theirs, gold.index, names, excluded)
    return Events(*np.concatenate([plain, rest], axis=1), unlabelled + unlabelled_rest, list(names))


@dataclass(frozen=True, slots=True)
class _Spans:
    """Spans of matched propositions, their roles in a shared vocabulary."""

    proposition: Integers
    start: Integers
    end: Integers
    role: Integers

    @classmethod
    def of(cls, table: Table, target: Integers, names: dict[str, int]) -> _Spans:
        shared = np.array([names[name] for name in table.role_names], dtype=np.int64)
        spans = cls(target[table.proposition], table.start, table.end, shared[table.role])
        return spans if np.all(target >= 0) else spans.take(spans.proposition >= 0)

    def take(self, chosen: Mask) -> _Spans:
        return _Spans(self.proposition[chosen], self.start[chosen], self.end[chosen], self.role[chosen])

    def overlap(self) -> Mask:
        """Spans that start inside the span before them in their proposition, or out of order."""
        found = np.zeros(len(self.start), dtype=bool)
        same = self.proposition[1:] == self.proposition[:-1]
        found[1:] = same & (self.start[1:] <= self.end[:-1])
        return found

    def by_proposition(self, chosen: Integers, role_names: list[str]) -> list[list[Span]]:
        """The spans of each chosen proposition."""
        spans: dict[int, list[Span]] = {row: [] for row in chosen.tolist()}
        wanted = self.take(np.isin(self.proposition, chosen))
        columns = (wanted.proposition, wanted.start, wanted.end, wanted.role)
        for row, start, end, role in zip(*(column.tolist() for column in columns), strict=True):
            spans[row].append((start, end, role_names[role]))
        return list(spans.values())


def _count_plain(gold: _Spans, predicted: _Spans, index: Integers, left_out: Mask) -> tuple[Integers, Integers]:
    """Events [4, E] and unlabelled counts [3] of propositions whose spans neither continue nor overlap."""
    width = 1 + max((int(spans.end.max()) for spans in (gold, predicted) if len(spans.end)), default=0)
    gold_keys, keys = ((spans.proposition * width + spans.start) * width + spans.end for spans in (gold, predicted))
    place = np.searchsorted(gold_keys, keys)
    found = np.zeros(len(keys), dtype=bool)
    inside = place < len(gold_keys)
    found[inside] = gold_keys[place[inside]] == keys[inside]
    partner = place[found]  # the gold span of each found one
    correct = found.copy()
    correct[found] = gold.role[partner] == predicted.role[found]
    missed, bare = np.ones(len(gold_keys), dtype=bool), np.ones(len(gold_keys), dtype=bool)
    missed[place[correct]] = False
    bare[partner] = False
    counted = ~left_out[predicted.role]
    unlabelled = np.array(
        [
            np.sum(counted[found] & ~left_out[gold.role[partner]]),
            np.sum(counted & ~found),
            np.sum(bare & ~left_out[gold.role]),
        ]
    )
    lost = gold.take(missed)
    events = []
    for spans, outcome in ((predicted, np.where(correct, CORRECT, EXCESS)), (lost, np.full(len(lost.end), MISSED))):
        at = index[spans.proposition]
        distance = np.maximum(np.maximum(spans.start - at - 1, at - spans.end - 1), 0)
        events.append(np.stack([spans.proposition, spans.role, outcome, distance]))
    return np.concatenate(events, axis=1), unlabelled


def _count_special(
    chosen: Integers, gold: _Spans, predicted: _Spans, index: Integers, names: dict[str, int], excluded: frozenset[str]
) -> tuple[Integers, Integers]:
    """Like `_count_plain` for the `chosen` propositions, one by one; adds roles to `names` that only joining shows."""
    role_names = list(names)
    events: list[tuple[int, int, int, int]] = []
    unlabelled = np.zeros(3, dtype=np.int64)
    propositions = zip(
        chosen.tolist(),
        index[chosen].tolist(),
        gold.by_proposition(chosen, role_names),
        predicted.by_proposition(chosen, role_names),
        strict=True,
    )
    for row, word, gold_spans, predicted_spans in propositions:
        ours = join_pieces(gold_spans)
        theirs = ours if predicted_spans == gold_spans else join_pieces(predicted_spans)
        compared = compare_arguments(ours, theirs)
        outcomes = ([argument for _, argument in compared.correct], compared.excess, compared.missed)
        for outcome, arguments in enumerate(outcomes):
            for argument in arguments:
                role = names.setdefault(argument.role, len(names))
                events.append((row, role, outcome, argument.distance(word)))
        spans_only = compared  # where all roles agree, so do all spans
        if compared.excess or compared.missed:
            spans_only = compare_arguments(ours, theirs, labelled=False)
        both = [(one.role in excluded) or (other.role in excluded) for one, other in spans_only.correct]
        unlabelled[CORRECT] += both.count(False)
        unlabelled[EXCESS] += sum(argument.role not in excluded for argument in spans_only.excess)
        unlabelled[MISSED] += sum(argument.role not in excluded for argument in spans_only.missed)
    return np.array(events, dtype=np.int64).reshape(-1, 4).T, unlabelled
