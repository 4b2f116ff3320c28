"""Coreference metrics: the official scorer's figures, examples of the papers, and what must hold for any clusters."""

from __future__ import annotations

import json
import random
from dataclasses import astuple
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.data.conll.read import read_documents
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.coref.counts import overlap_of
from atinuke_bench.tasks.coref.scorer import (
    NAMES,
    Score,
    count_document,
    count_documents,
    printed_scores,
    scores,
    total,
)

#: No deadline: on a busy machine the clock tells nothing about the code.
quick = settings(max_examples=40, deadline=None)
CASES = ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6", "A-10", "A-12", "D-1", "E-1", "F-1", "G-1", "M-1", "M-3", "N-2"]


def letters(*clusters: str) -> list[list[str]]:
    """Clusters of one-letter mentions."""
    return [list(cluster) for cluster in clusters]


def score_of(metric: str, key: list, response: list) -> tuple[float, float, float]:
    """Recall, precision and F1, 0 to 1."""
    score = getattr(scores(count_document(key, response)), metric)
    return score.recall / 100, score.precision / 100, score.f1 / 100


def values(score: Score) -> list[float]:
    return [score.recall, score.precision, score.f1]


def read_clusters(path: Path) -> dict:
    return {(document.name, document.part): document.clusters for document in read_documents(path)}


def printed(key: dict, response: dict) -> dict:
    return printed_scores(total(count_documents(key, response).values())).as_dict()


# Parity with scorer.pl v8.01


@pytest.mark.data
def test_litbank_dev_equals_the_official_scorer_to_the_printed_digit(data_dir):
    parity = data_dir / "parity" / "coref"
    expected = json.loads((parity / "litbank-dev.expected.json").read_text())
    key = read_clusters(data_dir / "coref" / "litbank" / "dev.v4_gold_conll")
    result = printed(key, read_clusters(parity / "litbank-dev.response"))
    assert {name: result[name] for name in expected} == expected
    assert set(result) - set(expected) == {"lea"}


@pytest.mark.data
@pytest.mark.parametrize("case", CASES)
def test_sample_case_equals_the_official_scorer_to_the_printed_digit(data_dir, case):
    folder = data_dir / "parity" / "coref" / "cases"
    expected = json.loads((folder / "expected.json").read_text())[case]
    result = printed(read_clusters(folder / expected["key"]), read_clusters(folder / expected["response"]))
    assert {name: result[name] for name in expected["scores"]} == expected["scores"]


@pytest.mark.data
def test_all_official_sample_cases_are_tested(data_dir):
    expected = json.loads((data_dir / "parity" / "coref" / "cases" / "expected.json").read_text())
    assert list(expected) == CASES


@pytest.mark.data
def test_gold_against_itself_is_100(data_dir):
    key = read_clusters(data_dir / "coref" / "litbank" / "dev.v4_gold_conll")
    result = printed(key, key)
    assert all(result[name] == {"recall": 100.0, "precision": 100.0, "f1": 100.0} for name in NAMES)
    assert result["conll_f1"] == 100.0


# Recorded from scorer.pl v8.01 (LEA from its authors' scorer), as (recall, precision, F1).
DEGENERATE: dict[str, tuple[list, list, dict[str, tuple[float, float, float]]]] = {
    "nothing at all": ([], [], {}),
    "no response": ([[1, 2]], [], {}),
    "no key": ([], [[1, 2]], {}),
    "one mention": ([[1]], [[1]], dict.fromkeys(("bcub", "ceafm", "ceafe", "lea", "mentions"), (100, 100, 100))),
    "one cluster": ([[1, 2]], [[1, 2]], dict.fromkeys(NAMES, (100, 100, 100))),
    "only singletons": (
        [[1], [2]],
        [[1], [2]],
        dict.fromkeys(("bcub", "ceafm", "ceafe", "blanc", "lea", "mentions"), (100, 100, 100)),
    ),
    "singletons joined": (
        [[1], [2], [3]],
        [[1, 2, 3]],
        {
            "bcub": (100, 33.33, 50),
            "ceafm": (33.33, 33.33, 33.33),
            "ceafe": (16.66, 50, 25),
            "mentions": (100, 100, 100),
        },
    ),
    "cluster split into singletons": (
        [[1, 2, 3]],
        [[1], [2], [3]],
        {
            "bcub": (33.33, 100, 50),
            "ceafm": (33.33, 33.33, 33.33),
            "ceafe": (50, 16.66, 25),
            "mentions": (100, 100, 100),
        },
    ),
    "nothing in common": ([[1, 2, 3]], [[4], [5, 6]], {}),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_documents_score_as_in_the_official_scorer(case):
    key, response, expected = DEGENERATE[case]
    result = printed_scores(count_document(key, response))
    for name in NAMES:
        assert getattr(result, name) == Score(*map(float, expected.get(name, (0, 0, 0)))), name


def test_printed_digits_are_cut_off_and_the_conll_mean_is_of_printed_digits():
    # bcub F1 is 0.56 by hand; the scorer's floating point ends below and prints 55.99.
    counts = count_document(letters("a", "bc", "def"), letters("a", "de"))
    result = printed_scores(counts)
    assert (result.muc.recall, result.mentions.f1, result.bcub.f1) == (33.33, 66.66, 55.99)
    assert result.conll_f1 == 59.33
    assert scores(counts).conll_f1 == pytest.approx((50 + 56 + 72) / 3)


# Examples of the papers


def test_muc_of_vilain_et_al_1995():
    assert score_of("muc", letters("ABCD"), letters("AB", "CD")) == pytest.approx((2 / 3, 1, 0.8))
    assert score_of("muc", letters("AB", "CD"), letters("ABCD")) == pytest.approx((1, 2 / 3, 0.8))
    assert score_of("muc", letters("ABC"), letters("AC"))[:2] == pytest.approx((1 / 2, 1))


LUO_KEY = letters("12345", "67", "89ABC")
# Luo 2005, table 1: MUC, B-cubed, CEAF over mentions and CEAF over entities, all F1.
LUO_RESPONSES = {
    "a": (letters("12345", "6789ABC"), 0.947, 0.865, 0.833, 0.733),
    "b": (letters("1234589ABC", "67"), 0.947, 0.737, 0.583, 0.667),
    "c": (letters("123456789ABC"), 0.900, 0.545, 0.417, 0.294),
    "d": (letters(*"123456789ABC"), 0.0, 0.400, 0.250, 0.178),
}


@pytest.mark.parametrize("response", LUO_RESPONSES)
def test_table_of_luo_2005(response):
    clusters, *expected = LUO_RESPONSES[response]
    result = [score_of(metric, LUO_KEY, clusters)[2] for metric in ("muc", "bcub", "ceafm", "ceafe")]
    assert result == pytest.approx(expected, abs=6e-4)


def test_b_cubed_of_bagga_and_baldwin_1998():
    assert score_of("bcub", LUO_KEY, LUO_RESPONSES["a"][0])[:2] == pytest.approx((1, 16 / 21))
    assert score_of("bcub", LUO_KEY, LUO_RESPONSES["b"][0])[:2] == pytest.approx((1, 7 / 12))


def test_lea_of_moosavi_and_strube_2016():
    key, response = letters("abc", "defg"), letters("ab", "cd", "fghi")
    # (3 * 1/3 + 4 * 1/6) / 7 and (2 * 1/1 + 2 * 0/1 + 4 * 1/6) / 8
    assert score_of("lea", key, response)[:2] == pytest.approx((5 / 21, 1 / 3))


def test_lea_counts_a_singleton_only_against_the_same_singleton():
    assert score_of("lea", letters("a", "bc"), letters("a", "bc")) == (1, 1, 1)
    assert score_of("lea", letters("a", "bc"), letters("abc"))[:2] == pytest.approx((2 / 3, 1 / 3))


def test_blanc_is_the_mean_of_both_kinds_of_pairs():
    # Coreferent: key ab, response bc. Distinct: key ac bc, response ab ac; ac in common.
    assert score_of("blanc", letters("ab", "c"), letters("a", "bc")) == pytest.approx((0.25, 0.25, 0.25))


def test_blanc_of_a_key_with_one_kind_of_pairs_is_of_that_kind():
    assert score_of("blanc", letters("abc"), letters("ab", "c")) == pytest.approx((1 / 3, 1, 1 / 2))


def test_blanc_sums_pairs_over_documents_before_the_mean():
    one = count_document(letters("abc"), letters("ab", "c"))  # coreferent pairs 1 of 3, no distinct pairs in the key
    two = count_document(letters("a", "b"), letters("a", "b"))  # distinct pairs 1 of 1
    # Coreferent: recall 1/3, precision 1/1. Distinct: recall 1/1, precision 1/3. Both F1 are 1/2.
    assert values(scores(total([one, two])).blanc) == pytest.approx([200 / 3, 200 / 3, 50])


def test_a_corpus_is_scored_by_sums_and_not_by_the_mean_of_its_documents():
    large, small = count_document(letters("abcde"), letters("abcde")), count_document(letters("ab"), [])
    assert scores(total([large, small])).muc.recall == pytest.approx(100 * 4 / 5)


# Documents


def test_missing_documents_have_no_mentions_and_others_are_ignored():
    counts = count_documents({"d1": letters("ab"), "d2": letters("abc")}, {"d1": letters("ab"), "d9": letters("xy")})
    assert list(counts) == ["d1", "d2"]
    assert values(scores(total(counts.values())).mentions) == pytest.approx([40, 100, 400 / 7])


def test_clusters_may_be_any_iterables():
    key = ((mention for mention in cluster) for cluster in ("ab", "c"))
    assert count_document(key, iter([{"a"}, frozenset("bc")])).mentions.recall_num == 3


def test_lea_is_rounded_and_the_others_are_cut_off():
    result = printed_scores(count_document(letters("abc"), letters("ab", "c")))
    assert (result.lea.recall, result.bcub.recall) == (33.33, 55.55)
    result = printed_scores(count_document(letters("abc", "d", "e"), letters("ab", "c", "d", "f")))
    assert values(result.lea) == [40.0, 60.0, 48.0]
    result = printed_scores(count_document(letters("ab", "cd", "ef"), letters("ab", "cd", "e")))
    assert (result.lea.recall, result.ceafm.recall) == (66.67, 83.33)


def test_clusters_that_open_at_one_word_are_added_in_the_order_of_their_cell():
    key = [[(0, 9), (12, 12), (14, 14)], [(0, 4), (20, 20)]]
    assert overlap_of(key, key).key_sizes == (3, 2)
    assert overlap_of(key[::-1], key).key_sizes == (2, 3)
    assert overlap_of([*key, [(0, 0)]], key).key_sizes == (1, 3, 2)


def test_files_without_a_common_document_are_refused():
    with pytest.raises(DataError, match="the first is 'bc/cctv_0001'; nearest in the key: 'bc/cctv_0000'"):
        count_documents({"bc/cctv_0000": []}, {"bc/cctv_0001": []})
    with pytest.raises(DataError, match="no documents"):
        count_documents({}, {})


# What holds for any clusters


@st.composite
def clusterings(draw, max_mentions: int = 9) -> list[list[tuple[int, int]]]:
    """Clusters of some of a document's spans."""
    cluster_of = draw(st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=max_mentions))
    clusters: dict[int, list[tuple[int, int]]] = {}
    for index, cluster in enumerate(cluster_of):
        if cluster is not None:
            clusters.setdefault(cluster, []).append((index // 2, index // 2 + index % 2))
    return list(clusters.values())


def shuffled(clusters: list[list], seed: int) -> list[list]:
    generator = random.Random(seed)
    clusters = [generator.sample(cluster, len(cluster)) for cluster in clusters]
    return generator.sample(clusters, len(clusters))


@quick
@given(clusterings(), clusterings(), st.integers(0, 99))
def test_the_order_of_clusters_and_mentions_is_nothing_but_the_last_bit(key, response, seed):
    counts = np.array(astuple(count_document(key, response)))
    assert np.array(astuple(count_document(shuffled(key, seed), shuffled(response, seed)))) == pytest.approx(counts)


@quick
@given(clusterings())
def test_gold_against_itself_is_100_or_has_nothing_to_score(key):
    counts = count_document(key, key)
    result = scores(counts)
    for name in ("bcub", "ceafm", "ceafe", "lea", "mentions"):
        assert getattr(result, name).f1 == (100 if key else 0)
    assert result.muc.f1 == (100 if any(len(cluster) > 1 for cluster in key) else 0)
    assert result.blanc.f1 == (100 if sum(map(len, key)) > 1 else 0)


@quick
@given(clusterings(), clusterings())
def test_scores_are_percentages_and_printed_digits_are_near_and_below(key, response):
    counts = count_document(key, response)
    result, cut = scores(counts), printed_scores(counts)
    for name in NAMES:
        for exact, short in zip(values(getattr(result, name)), values(getattr(cut, name)), strict=True):
            assert 0 <= short <= exact + (0.005 if name == "lea" else 0) + 1e-9 <= 100 + 0.005 + 1e-9
            assert exact - short < 0.01 + 1e-9


@quick
@given(clusterings(), clusterings())
def test_exchanging_key_and_response_exchanges_recall_and_precision(key, response):
    there, back = scores(count_document(key, response)), scores(count_document(response, key))
    for name in ("muc", "bcub", "ceafm", "ceafe", "lea", "mentions"):  # BLANC treats a key with one kind apart
        forth, reverse = getattr(there, name), getattr(back, name)
        assert (forth.recall, forth.precision) == pytest.approx((reverse.precision, reverse.recall))


def pairs_of(clusters: list[list]) -> tuple[set, set]:
    """Coreferent and distinct pairs, by listing them all."""
    coreferent = {pair for cluster in clusters for pair in combinations(sorted(cluster), 2)}
    distinct = {tuple(sorted(pair)) for one, other in combinations(clusters, 2) for pair in product(one, other)}
    return coreferent, distinct


@st.composite
def clusterings_with_repeats(draw) -> list[list[tuple[int, int]]]:
    """Clusters that may hold a span twice, or share it."""
    spans = st.tuples(st.integers(0, 3), st.integers(4, 5))
    return draw(st.lists(st.lists(spans, min_size=1, max_size=4), max_size=4))


@quick
@given(st.one_of(clusterings(), clusterings_with_repeats()), clusterings())
def test_blanc_counts_equal_a_listing_of_all_pairs(key, response):
    counts = count_document(key, response)
    for ours, key_pairs, response_pairs in zip(
        (counts.blanc_coreferent, counts.blanc_distinct), pairs_of(key), pairs_of(response), strict=True
    ):
        num_common = len(key_pairs & response_pairs)
        assert ours == (num_common, len(key_pairs), num_common, len(response_pairs))


@quick
@given(st.lists(st.tuples(clusterings(), clusterings()), min_size=1, max_size=4))
def test_the_total_does_not_depend_on_the_order_of_documents(documents):
    counts = [count_document(key, response) for key, response in documents]
    there, back = (np.array(astuple(total(order))) for order in (counts, counts[::-1]))
    assert there == pytest.approx(back)
