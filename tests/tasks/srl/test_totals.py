"""SRL figures: hand-counted cases, srl-eval.pl's corner cases, arrays against pieces, and the official output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.data.bio import LabelledSpan
from atinuke_bench.data.conll.read import Predicate
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.tasks.srl.events import EXCLUDED_ROLES
from atinuke_bench.tasks.srl.pieces import compare_arguments, join_pieces
from atinuke_bench.tasks.srl.propositions import Propositions
from atinuke_bench.tasks.srl.props import read_aligned_props, read_props
from atinuke_bench.tasks.srl.props_table import read_props_tables
from atinuke_bench.tasks.srl.totals import Counts, Totals, f1_from_counts, totals_of

quick = settings(max_examples=80, deadline=None)


def count(sentences: Iterable[tuple[Sequence[Predicate], Sequence[Predicate]]]) -> Totals:
    """The totals over pairs (gold predicates, predicted predicates), one pair a sentence."""
    pairs = list(sentences)
    return totals_of(*(Propositions.of_sentences(pair[side] for pair in pairs) for side in (0, 1)))


def predicate(index: int, lemma: str, spans: Iterable[LabelledSpan]) -> Predicate:
    return Predicate(index, lemma, arguments=tuple(Argument(*span) for span in spans))


def count_one(gold: list[LabelledSpan], predicted: list[LabelledSpan], index: int = 0) -> Totals:
    """The totals of one proposition."""
    return count([([predicate(index, "be", gold)], [predicate(index, "be", predicted)])])


def test_counts_of_a_small_case() -> None:
    gold = [(0, 0, "V"), (1, 2, "A1"), (4, 4, "A2"), (5, 9, "AM-TMP")]
    predicted = [(0, 0, "V"), (1, 2, "A1"), (4, 4, "A1"), (5, 8, "AM-TMP")]
    totals = count_one(gold, predicted)
    assert totals.overall == Counts(correct=1, excess=2, missed=2)
    assert totals.roles == {"A1": Counts(1, 1, 0), "A2": Counts(0, 0, 1), "AM-TMP": Counts(0, 1, 1)}
    assert totals.excluded == {"V": Counts(1, 0, 0)}
    assert totals.unlabelled == Counts(2, 1, 1)
    assert totals.distances == {"0": Counts(1), "1-2": Counts(), "3-6": Counts(0, 2, 2), "7+": Counts()}
    assert totals.by_proposition.tolist() == [[1, 2, 2]]
    assert totals.num_perfect == 0


def test_rounded_figures_are_those_printed() -> None:
    rounded = count_one([(0, 0, "A0"), (1, 1, "A1"), (2, 2, "V")], [(0, 0, "A0"), (2, 2, "V"), (3, 3, "A1")]).rounded()
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
    assert count_one(gold, predicted).overall == expected


def test_a_continued_predicate_is_left_out_too() -> None:
    totals = count_one([(0, 0, "V"), (2, 2, "C-V"), (1, 1, "A1")], [(0, 0, "V"), (1, 1, "A1")])
    assert (totals.overall, totals.excluded) == (Counts(1, 0, 0), {"V": Counts(0, 1, 1)})
    assert (totals.unlabelled, totals.num_perfect) == (Counts(1, 0, 0), 1)


def test_predicates_are_matched_by_word_and_lemma() -> None:
    arguments = ((1, 1, "A1"),)
    gold = [predicate(0, "go", arguments), predicate(3, "be", arguments), predicate(5, "do", arguments)]
    predicted = [predicate(2, "go", arguments), predicate(3, "have", arguments), predicate(5, "do", arguments)]
    totals = count([(gold, predicted), ([], [])])
    assert totals.overall == Counts(correct=1, excess=0, missed=2)
    assert totals.num_perfect == 1
    assert totals.by_proposition.tolist() == [[0, 0, 1], [0, 0, 1], [1, 0, 0]]


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
def test_distance_is_in_words_between_predicate_and_argument(span: LabelledSpan, index: int, expected: str) -> None:
    totals = count_one([span], [span], index)
    assert [name for name, counts in totals.distances.items() if counts.correct] == [expected]


def test_distance_of_an_argument_in_pieces_is_that_of_its_nearest_piece() -> None:
    pieces = [(0, 0, "A1"), (5, 5, "C-A1")]
    assert count_one(pieces, pieces, index=7).distances["1-2"] == Counts(correct=1)


@pytest.mark.parametrize("sentences", [[], [([], [])], [([predicate(0, "be", ())], [])]])
def test_nothing_to_score_is_zero_without_a_warning(sentences: list) -> None:
    totals = count(sentences)
    assert totals.rounded() == {"Overall": Counts().rounded()}


def test_f1_of_resampled_counts_is_that_of_the_sums() -> None:
    counts = np.array([[3, 1, 2], [0, 0, 0], [1, 4, 0]])
    assert f1_from_counts(counts.sum(axis=0)) == pytest.approx(Counts(4, 5, 2).f1)
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 3, 0]])
    expected = [Counts(4, 5, 2).f1, Counts(7, 6, 4).f1, 0.0]
    np.testing.assert_allclose(f1_from_counts(weights @ counts), expected)


@st.composite
def propositions(draw: st.DrawFn) -> list[LabelledSpan]:
    """Spans that nest or stand side by side, continuations among them."""
    spans: list[LabelledSpan] = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, 7))
        end = draw(st.integers(start, 7))
        role = draw(st.sampled_from(["A0", "A1", "C-A1", "V", "C-V", "AM-LOC"]))
        if all(end < a or b < start or (a <= start and end <= b) or (start <= a and b <= end) for a, b, _ in spans):
            spans.append((start, end, role))
    return sorted(spans, key=lambda span: (span[0], -span[1]))


@quick
@given(st.lists(st.tuples(propositions(), propositions()), max_size=5))
def test_arrays_count_what_pieces_count(drawn: list[tuple[list[LabelledSpan], list[LabelledSpan]]]) -> None:
    pairs = [([predicate(1, "be", g)], [predicate(1, "be", p)]) for g, p in drawn]
    totals = count(pairs)
    for row, (gold, predicted) in enumerate(drawn):
        compared = compare_arguments(join_pieces(gold), join_pieces(predicted))
        lists = ([argument for _, argument in compared.correct], compared.excess, compared.missed)
        counted = [sum(argument.role not in EXCLUDED_ROLES for argument in arguments) for arguments in lists]
        assert totals.by_proposition[row].tolist() == counted
    assert totals.overall == Counts(*totals.by_proposition.sum(axis=0).tolist())
    assert sum(counts.correct for counts in totals.roles.values()) == totals.overall.correct
    assert sum(counts.missed for counts in totals.distances.values()) == totals.overall.missed


def is_ambiguous(spans: list[LabelledSpan]) -> bool:
    """Whether two arguments, or two pieces of one, lie at the same place: then the script finds faults in gold."""
    arguments = join_pieces(spans)
    groups = [arguments, *(argument.pieces for argument in arguments)]
    return any(len({(span.start, span.end) for span in group}) < len(group) for group in groups)


@quick
@given(propositions().filter(lambda spans: not is_ambiguous(spans)))
def test_gold_scores_100_against_itself_nested_or_continued(spans: list[LabelledSpan]) -> None:
    totals = count_one(spans, spans)
    assert (totals.overall.excess, totals.overall.missed, totals.num_perfect) == (0, 0, 1)
    assert {counts.f1 for counts in totals.roles.values()} <= {100.0}


def test_a_continuation_inside_its_own_head_never_matches() -> None:
    spans = [(0, 1, "A1"), (0, 0, "C-A1")]
    assert count_one(spans, spans).overall == Counts(0, 1, 1)


@pytest.mark.data
def test_official_output_is_reproduced(data_dir: Path) -> None:
    gold, predicted = data_dir / "srl/ewt/conll2005/dev.props", data_dir / "parity/srl/ewt-dev.response.props"
    expected = json.loads((data_dir / "parity/srl/ewt-dev.expected.json").read_text())
    totals = count((ours.predicates, theirs.predicates) for ours, theirs in read_aligned_props(gold, predicted))
    assert totals.rounded() == expected
    tables = read_props_tables(gold, predicted)
    assert tables is not None
    from_tables = totals_of(*tables)
    assert from_tables.rounded() == expected
    assert from_tables.distances == totals.distances
    assert from_tables.unlabelled == totals.unlabelled == Counts(7645, 908, 1809)  # the script's option -C
    np.testing.assert_array_equal(from_tables.by_proposition, totals.by_proposition)
    assert f1_from_counts(totals.by_proposition.sum(axis=0)) == pytest.approx(totals.overall.f1)


@pytest.mark.data
@pytest.mark.parametrize("split", ["dev", "test"])
def test_gold_scores_100_against_itself(data_dir: Path, split: str) -> None:
    sentences = [sentence.predicates for sentence in read_props(data_dir / f"srl/ewt/conll2005/{split}.props")]
    totals = count(zip(sentences, sentences, strict=True))
    assert {counts["f1"] for counts in totals.rounded().values()} == {100.0}
    assert totals.num_perfect == len(totals.by_proposition) > 4000
