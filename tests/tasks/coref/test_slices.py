"""Slices of coreference scores: types of mentions, distances of links."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.tasks.coref.scorer import count_document
from atinuke_bench.tasks.coref.slices import DISTANCES, LinkCounts, TypeCounts, by_antecedent_distance, by_mention_type


def _clusters(cluster_of):
    clusters: dict[int, list[tuple[int, int]]] = {}
    for (start, width), number in cluster_of.items():
        clusters.setdefault(number, []).append((start, start + width))
    return list(clusters.values())


#: Starts and widths.
SPANS = st.tuples(st.integers(0, 4), st.integers(0, 1))
CLUSTERS = st.dictionaries(SPANS, st.integers(0, 4), max_size=9).map(_clusters)


def test_mention_types_are_counted_on_both_sides():
    key, response = [["a", "b"], ["c"]], [["a", "b", "x"], ["d"]]
    types = {"a": "name", "b": "pronoun", "c": "nominal", "d": "name", "x": "x"}
    counts = by_mention_type(key, response, types.__getitem__)
    assert list(counts) == ["name", "nominal", "pronoun", "x"]
    assert counts["name"].mentions == (1, 1, 1, 2)  # a found; d in the response alone
    assert counts["name"].bcub == pytest.approx((1, 1, 2 / 3, 2))
    assert counts["nominal"].mentions == (0, 1, 0, 0)


@settings(max_examples=40, deadline=None)
@given(CLUSTERS, CLUSTERS)
def test_mention_types_add_up_to_the_document(key, response):
    summed = TypeCounts()
    for counts in by_mention_type(key, response, lambda span: str(span[1] - span[0])).values():
        summed = summed.plus(counts)
    whole = count_document(key, response)
    assert summed.mentions == whole.mentions
    assert summed.bcub == pytest.approx(whole.bcub)


def test_links_by_antecedent_distance():
    key = [[(0, 0), (2, 2), (5, 6), (30, 30)], [(1, 1)]]
    counts = by_antecedent_distance(key, [[(0, 0), (5, 6)], [(2, 2), (30, 30)]], [0, 5, *range(10, 40, 2)])
    assert {name: tuple(link) for name, link in counts.items() if link.num_links} == {
        "0": (1, 0),
        "1": (1, 0),
        "8+": (1, 0),
    }
    found = by_antecedent_distance(key, key, [0, 5, *range(10, 40, 2)])
    assert [found[name].recall for name in DISTANCES] == [100, 100, None, None, 100]


def test_both_ends_of_a_found_link_are_in_one_response_cluster():
    assert by_antecedent_distance([[(0, 0), (1, 1)]], [], [0])["0"] == LinkCounts(1, 0)
    assert by_antecedent_distance([[(0, 0), (1, 1)]], [[(1, 1)], [(0, 0)]], [0])["0"] == LinkCounts(1, 0)


def test_a_mention_of_two_clusters_is_in_the_last():
    repeated, once = [[(0, 0), (1, 1)], [(1, 1), (2, 2), (2, 2)]], [[(0, 0)], [(1, 1), (2, 2)]]
    assert by_mention_type(repeated, once, str) == by_mention_type(once, once, str)
    assert by_antecedent_distance(once, repeated, [0])["0"] == LinkCounts(1, 1)
    assert by_antecedent_distance(repeated, once, [0])["0"] == LinkCounts(2, 1)
