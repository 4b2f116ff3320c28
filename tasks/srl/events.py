"""What became of every argument: correct, in excess or missed, for all propositions at once.

Letters in shapes: P propositions (one a predicate), N spans, E counted arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.data.bio import LabelledSpan
from atinuke_bench.tasks.srl.pieces import compare_arguments, join_pieces
from atinuke_bench.tasks.srl.propositions import Integers, Propositions, match_propositions

Mask = NDArray[np.bool_]
#: Outcomes, and the order of the three counts everywhere.
CORRECT, EXCESS, MISSED = range(3)
#: What srl-eval.pl scores apart from everything else.
EXCLUDED_ROLES = frozenset({"V"})


@dataclass(frozen=True, slots=True)
class Events:
    """Every counted argument: its gold proposition, its role, whether correct, and its distance from the predicate.

    `unlabelled` [3] counts correct, excess and missed arguments when roles are ignored, EXCLUDED_ROLES left out.
    """

    proposition: Integers  # [E]
    role: Integers  # [E] place in role_names
    outcome: Integers  # [E]
    distance: Integers  # [E] words between predicate and argument
    unlabelled: Integers  # [3]
    role_names: list[str]


def count_arguments(gold: Propositions, predicted: Propositions) -> Events:
    """Compares every gold proposition with the predicted one at the same word with the same lemma."""
    target = match_propositions(gold, predicted)
    names = {name: place for place, name in enumerate(dict.fromkeys([*gold.role_names, *predicted.role_names]))}
    ours = _Spans.of(gold, np.arange(len(gold.lemmas)), names)
    theirs = _Spans.of(predicted, target, names)
    special = np.zeros(len(gold.lemmas), dtype=bool)
    continued = np.array([name.startswith("C-") for name in names], dtype=bool)
    for spans in (ours, theirs):
        special[spans.proposition[continued[spans.role] | spans.overlap()]] = True
    left_out = np.array([name in EXCLUDED_ROLES for name in names], dtype=bool)
    plain, unlabelled = _count_plain(
        ours.take(~special[ours.proposition]), theirs.take(~special[theirs.proposition]), gold.index, left_out
    )
    chosen = np.flatnonzero(special)
    rest, unlabelled_rest = _count_special(chosen, ours, theirs, gold.index, names)
    proposition, role, outcome, distance = np.concatenate([plain, rest], axis=1)
    return Events(proposition, role, outcome, distance, unlabelled + unlabelled_rest, list(names))


@dataclass(frozen=True, slots=True)
class _Spans:
    """Spans of matched propositions, their roles in a shared vocabulary."""

    proposition: Integers
    start: Integers
    end: Integers
    role: Integers

    @classmethod
    def of(cls, propositions: Propositions, target: Integers, names: dict[str, int]) -> _Spans:
        shared = np.array([names[name] for name in propositions.role_names], dtype=np.int64)
        spans = cls(target[propositions.proposition], propositions.start, propositions.end, shared[propositions.role])
        return spans if np.all(target >= 0) else spans.take(spans.proposition >= 0)

    def take(self, chosen: Mask) -> _Spans:
        return _Spans(self.proposition[chosen], self.start[chosen], self.end[chosen], self.role[chosen])

    def overlap(self) -> Mask:
        """Spans that start inside the span before them in their proposition, or out of order."""
        found = np.zeros(len(self.start), dtype=bool)
        same = self.proposition[1:] == self.proposition[:-1]
        found[1:] = same & (self.start[1:] <= self.end[:-1])
        return found

    def by_proposition(self, chosen: Integers, role_names: list[str]) -> list[list[LabelledSpan]]:
        """The spans of each chosen proposition."""
        spans: dict[int, list[LabelledSpan]] = {row: [] for row in chosen.tolist()}
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
    chosen: Integers, gold: _Spans, predicted: _Spans, index: Integers, names: dict[str, int]
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
        both = [(one.role in EXCLUDED_ROLES) or (other.role in EXCLUDED_ROLES) for one, other in spans_only.correct]
        unlabelled[CORRECT] += both.count(False)
        unlabelled[EXCESS] += sum(argument.role not in EXCLUDED_ROLES for argument in spans_only.excess)
        unlabelled[MISSED] += sum(argument.role not in EXCLUDED_ROLES for argument in spans_only.missed)
    return np.array(events, dtype=np.int64).reshape(-1, 4).T, unlabelled
