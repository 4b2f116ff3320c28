"""SRL figures: hand-counted cases, srl-eval.pl's corner cases, arrays against pieces, and the official output."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.tasks.srl.metric import EXCLUDED_ROLES, Counts, SrlScores, f1_from_counts, score, score_tables
from atinuke_bench.tasks.srl.pieces import Span, compare_arguments, join_pieces
from atinuke_bench.tasks.srl.props import read_aligned_props, read_props
from atinuke_bench.tasks.srl.props_table import read_props_tables

DATA = os.environ.get("ATINUKE_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="ATINUKE_DATA is not set to the folder of official data")
quick = settings(max_examples=80, deadline=None)


class Predicate(NamedTuple):
    index: int
    lemma: str
    arguments: tuple[Span, ...]


def score_one(gold: list[Span], predicted: list[Span], index: int = 0) -> SrlScores:
    """The figures of one proposition."""
    return score([([Predicate(index, "be", tuple(gold))], [Predicate(index, "be", tuple(predicted))])])


def test_counts_of_a_small_case() -> None:
    gold = [(0, 0, "V"), (1, 2, "A1"), (4, 4, "A2"), (5, 9, "AM-TMP")]
    predicted = [(0, 0, "V"), (1, 2, "A1"), (4, 4, "A1"), (5, 8, "AM-TMP")]
    scores = score_one(gold, predicted)
    assert scores.overall == Counts(correct=1, excess=2, missed=2)
    assert scores.roles == {"A1": Counts(1, 1, 0), "A2": Counts(0, 0, 1), "AM-TMP": Counts(0, 1, 1)}
    assert scores.excluded == {"V": Counts(1, 0, 0)}
    assert scores.unlabelled == Counts(2, 1, 1)
    assert scores.distances == {"0": Counts(1), "1-2": Counts(), "3-6": Counts(0, 2, 2), "7+": Counts()}
    assert scores.proposition_counts.tolist() == scores.sentence_counts.tolist() == [[1, 2, 2]]
    assert (scores.num_perfect, scores.num_unanswered, scores.num_skipped) == (0, 0, 0)


def test_rounded_figures_are_those_printed() -> None:
    rounded = score_one([(0, 0, "A0"), (1, 1, "A1"), (2, 2, "V")], [(0, 0, "A0"), (2, 2, "V"), (3, 3, "A1")]).rounded()
    assert list(rounded) == ["Overall", "A0", "A1", "V"]
    assert rounded["A1"] == {"correct": 0, "excess": 1, "missed": 1, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    assert rounded["Overall"]["f1"] == 50.0


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        # Every piece must agree; the whole counts once, under the role without C-.
        ([(0, 0, "A1"), (2, 3, "C-A1")], [(0, 0, "A1"), (2, 3, "C-A1")], Counts(1, 0, 0)),
        ([(0, 0, "A1"), (2, 3, "C-A1")], [(0, 0, "A1")], Counts(0, 1, 1)),
        ([(0, 0, "A1"), (2, 3, "C-A1")], [(0, 1, "A1"), (2, 3, "C-A1")], Counts(0, 1, 1)),
        ([(0, 0, "A1"), (2, 3, "C-A1")], [(0, 3, "A1")], Counts(0, 1, 1)),
        # A continuation of nothing is an argument itself.
        ([(2, 3, "A1")], [(2, 3, "C-A1")], Counts(1, 0, 0)),
        ([(2, 3, "C-A1")], [(0, 0, "A0"), (2, 3, "A1")], Counts(1, 1, 0)),
        # C- continues the latest argument of its role.
        ([(0, 0, "A1"), (1, 1, "A1"), (3, 3, "C-A1")], [(0, 0, "A1"), (1, 1, "A1"), (3, 3, "C-A1")], Counts(2, 0, 0)),
        # An argument with a span inside it is not the same as the bare one.
        ([(0, 3, "A1"), (1, 1, "V")], [(0, 3, "A1")], Counts(0, 1, 1)),
        # ... and of the spans inside, only the places are compared.
        ([(0, 3, "A1"), (1, 1, "A2")], [(0, 3, "A1"), (1, 1, "A3")], Counts(1, 1, 1)),
        # Of two spans over the same words the inner one counts.
        ([(0, 1, "A0"), (0, 1, "A1")], [(0, 1, "A1")], Counts(1, 0, 0)),
        ([(0, 1, "A0"), (0, 1, "A1")], [(0, 1, "A0")], Counts(0, 1, 1)),
    ],
)
def test_corner_cases_are_counted_as_the_script_counts_them(gold: list, predicted: list, expected: Counts) -> None:
    assert score_one(gold, predicted).overall == expected


def test_a_continued_predicate_is_left_out_too() -> None:
    scores = score_one([(0, 0, "V"), (2, 2, "C-V"), (1, 1, "A1")], [(0, 0, "V"), (1, 1, "A1")])
    assert (scores.overall, scores.excluded) == (Counts(1, 0, 0), {"V": Counts(0, 1, 1)})
    assert (scores.unlabelled, scores.num_perfect) == (Counts(1, 0, 0), 1)


def test_predicates_are_matched_by_word_and_lemma() -> None:
    arguments = ((1, 1, "A1"),)
    gold = [Predicate(0, "go", arguments), Predicate(3, "be", arguments), Predicate(5, "do", arguments)]
    predicted = [Predicate(2, "go", arguments), Predicate(3, "have", arguments), Predicate(5, "do", arguments)]
    scores = score([(gold, predicted), ([], [])])
    assert scores.overall == Counts(correct=1, excess=0, missed=2)
    assert (scores.num_unanswered, scores.num_skipped, scores.num_perfect) == (2, 2, 1)
    assert scores.proposition_counts.tolist() == [[0, 0, 1], [0, 0, 1], [1, 0, 0]]
    assert scores.sentence_counts.tolist() == [[1, 0, 2], [0, 0, 0]]


@pytest.mark.parametrize(
    ("span", "index", "expected"),
    [
        ((4, 6, "A1"), 3, "0"),
        ((0, 2, "A1"), 3, "0"),
        ((0, 1, "A1"), 3, "1-2"),
        ((7, 7, "A1"), 3, "3-6"),
        ((0, 1, "A1"), 9, "7+"),
    ],
)
def test_distance_is_in_words_between_predicate_and_argument(span: Span, index: int, expected: str) -> None:
    scores = score_one([span], [span], index)
    assert [name for name, counts in scores.distances.items() if counts.correct] == [expected]


def test_distance_of_an_argument_in_pieces_is_that_of_its_nearest_piece() -> None:
    pieces = [(0, 0, "A1"), (5, 5, "C-A1")]
    assert score_one(pieces, pieces, index=7).distances["1-2"] == Counts(correct=1)


@pytest.mark.parametrize("sentences", [[], [([], [])], [([Predicate(0, "be", ())], [])]])
def test_nothing_to_score_is_zero_without_a_warning(sentences: list) -> None:
    scores = score(sentences)
    assert scores.rounded() == {"Overall": Counts().rounded()}
    assert scores.sentence_counts.shape == (len(sentences), 3)


def test_f1_of_resampled_counts_is_that_of_the_sums() -> None:
    counts = np.array([[3, 1, 2], [0, 0, 0], [1, 4, 0]])
    assert f1_from_counts(counts.sum(axis=0)) == pytest.approx(Counts(4, 5, 2).f1)
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 3, 0]])
    expected = [Counts(4, 5, 2).f1, Counts(7, 6, 4).f1, 0.0]
    np.testing.assert_allclose(f1_from_counts(weights @ counts), expected)


@st.composite
def propositions(draw: st.DrawFn) -> list[Span]:
    """Spans that nest or stand side by side, continuations among them."""
    spans: list[Span] = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, 7))
        end = draw(st.integers(start, 7))
        role = draw(st.sampled_from(["A0", "A1", "C-A1", "V", "C-V", "AM-LOC"]))
        if all(end < a or b < start or (a <= start and end <= b) or (start <= a and b <= end) for a, b, _ in spans):
            spans.append((start, end, role))
    return sorted(spans, key=lambda span: (span[0], -span[1]))


@quick
@given(st.lists(st.tuples(propositions(), propositions()), max_size=5))
def test_arrays_count_what_pieces_count(drawn: list[tuple[list[Span], list[Span]]]) -> None:
    pairs = [([Predicate(1, "be", tuple(g))], [Predicate(1, "be", tuple(p))]) for g, p in drawn]
    scores = score(pairs)
    for row, (gold, predicted) in enumerate(drawn):
        compared = compare_arguments(join_pieces(gold), join_pieces(predicted))
        lists = ([argument for _, argument in compared.correct], compared.excess, compared.missed)
        counted = [sum(argument.role not in EXCLUDED_ROLES for argument in arguments) for arguments in lists]
        assert scores.proposition_counts[row].tolist() == counted
    assert scores.overall == Counts(*scores.sentence_counts.sum(axis=0).tolist())
    assert sum(counts.correct for counts in scores.roles.values()) == scores.overall.correct
    assert sum(counts.missed for counts in scores.distances.values()) == scores.overall.missed


def is_ambiguous(spans: list[Span]) -> bool:
    """Whether two arguments, or two pieces of one, lie at the same place: then the script finds faults in gold."""
    arguments = join_pieces(spans)
    groups = [arguments, *(argument.pieces for argument in arguments)]
    return any(len({(span.start, span.end) for span in group}) < len(group) for group in groups)


@quick
@given(propositions().filter(lambda spans: not is_ambiguous(spans)))
def test_gold_scores_100_against_itself_nested_or_continued(spans: list[Span]) -> None:
    scores = score_one(spans, spans)
    assert (scores.overall.excess, scores.overall.missed, scores.num_perfect) == (0, 0, 1)
    assert {counts.f1 for counts in scores.roles.values()} <= {100.0}


def test_a_continuation_inside_its_own_head_never_matches() -> None:
    spans = [(0, 1, "A1"), (0, 0, "C-A1")]
    assert score_one(spans, spans).overall == Counts(0, 1, 1)


@needs_data
@pytest.mark.data
def test_official_output_is_reproduced() -> None:
    folder = Path(str(DATA))
    gold, predicted = folder / "srl/ewt/conll2005/dev.props", folder / "parity/srl/ewt-dev.response.props"
    expected = json.loads((folder / "parity/srl/ewt-dev.expected.json").read_text())
    scores = score((ours.predicates, theirs.predicates) for ours, theirs in read_aligned_props(gold, predicted))
    assert scores.rounded() == expected
    tables = read_props_tables(gold, predicted)
    assert tables is not None
    from_tables = score_tables(*tables)
    assert from_tables.rounded() == expected
    assert from_tables.distances == scores.distances
    assert from_tables.unlabelled == scores.unlabelled == Counts(7645, 908, 1809)  # the script's option -C
    np.testing.assert_array_equal(from_tables.sentence_counts, scores.sentence_counts)
    assert f1_from_counts(scores.sentence_counts.sum(axis=0)) == pytest.approx(scores.overall.f1)


@needs_data
@pytest.mark.data
@pytest.mark.parametrize("split", ["dev", "test"])
def test_gold_scores_100_against_itself(split: str) -> None:
    sentences = [sentence.predicates for sentence in read_props(Path(str(DATA)) / f"srl/ewt/conll2005/{split}.props")]
    scores = score(zip(sentences, sentences, strict=True))
    assert {counts["f1"] for counts in scores.rounded().values()} == {100.0}
    assert scores.num_perfect == len(scores.proposition_counts) > 4000
