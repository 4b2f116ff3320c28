"""`claim`: sentences are taken apart, judged by the runs, and never judged where they cannot be."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from atinuke_bench.errors import ConfigError
from atinuke_bench.reports.claim import Claim, judge
from atinuke_bench.reports.pairwise import compare_sides
from atinuke_bench.reports.statistics.claims import LOOKS, level_of_look, make_contrast, next_look, verdict
from atinuke_bench.reports.statistics.spread import LEVEL, contrast, sources


@pytest.fixture(name="store")
def _store(tmp_path, write_run):
    for seed in range(3):
        write_run(tmp_path, "atinuke", seed=seed, right=0.85)
        write_run(tmp_path, "bilstm", seed=seed, right=0.70)
        write_run(tmp_path, "transformer", seed=seed, right=0.84)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("atinuke > bilstm on snli", "supported"),
        ("bilstm > atinuke on snli", "refuted"),
        ("atinuke > transformer on snli", "undecided"),
        ("atinuke > bilstm by 5 points on snli", "supported"),
        ("atinuke > bilstm by 40 points on snli", "refuted"),
        ("atinuke > bilstm by 5 % relative on snli", "supported"),
        ("transformer >= atinuke within 8 points on snli", "supported"),
        ("bilstm >= atinuke within 1 point on snli", "refuted"),
        ("atinuke = transformer within 10 points on snli", "supported"),
        ("atinuke = bilstm within 2 points on snli", "refuted"),
        ("atinuke = transformer within 0.1 points on snli", "undecided"),
    ],
)
def test_a_claim_is_judged_by_the_runs(store, cli, text, said):
    judged = judge(Claim.parse(text), store)
    assert judged.verdict == said
    shown = cli("claim", text, "--runs", store)
    assert (shown.status, shown.out.split(":")[0]) == (0 if said == "supported" else 1, said)
    assert json.loads(cli("claim", text, "--runs", store, "--json").out)["verdict"] == said


def test_the_distance_is_that_of_the_sentence(store):
    (one,) = compare_sides("atinuke", "bilstm", store).comparisons
    relative = judge(Claim.parse("atinuke > bilstm by 7 % relative on snli"), store).records()[0]
    assert relative["distance"] == pytest.approx(one.a.mean - 1.07 * one.b.mean)
    points = judge(Claim.parse("atinuke > bilstm by 2 points on snli"), store).records()[0]
    assert points["distance"] == pytest.approx(one.a.mean - one.b.mean - 2)
    low, high = one.spread.interval() or (0.0, 0.0)
    assert (points["low"], points["high"]) == (pytest.approx(low - 2), pytest.approx(high - 2))


def test_better_is_lower_for_a_loss(store):
    (one,) = compare_sides("atinuke", "bilstm", store).comparisons
    from dataclasses import replace

    a, b = (replace(cell, higher_is_better=False) for cell in (one.a, one.b))
    worse = make_contrast(a, b, relative=0.07, offset=0.0)
    assert worse.spread.value == pytest.approx(0.93 * b.mean - a.mean)
    assert verdict([worse]) == "refuted"


def test_a_claim_on_several_tasks_holds_on_each(store, write_run):
    for seed in range(3):
        write_run(store, "atinuke", task="glue/rte", seed=seed, right=0.7)
        write_run(store, "bilstm", task="glue/rte", seed=seed, right=0.7)
    judged = judge(Claim.parse("atinuke > bilstm on snli, glue/rte"), store)
    assert [record["verdict"] for record in judged.records()] == ["supported", "undecided"]
    assert judged.verdict == "undecided"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("atinuke is better", r"a claim is A > B on TASK, such as"),
        ("atinuke > bilstm", r"a claim is A > B on TASK"),
        ("atinuke >> bilstm on snli", r"by >, >= or =; found '>>'; nearest: >"),
        ("atinuke > bilstm by 0.7 % on snli", r"found '0.7 %'; a bare % is unclear"),
        ("atinuke > bilstm within 1 point on snli", r"the amount of '>' follows 'by'; found 'within'"),
        ("atinuke > bilstm by a lot on snli", r"such as '1 point' or '0.7 % relative'; found 'a lot'"),
        ("atinuke = bilstm on snli", r"equal within an amount"),
        ("atinuke = bilstm within 0 points on snli", r"within an amount above 0"),
        ("atinuke > atinuke on snli", r"about two cores; found 'atinuke' twice"),
        ("atinuke > bilstm by 120 % relative on snli", r"below 100 %"),
        ("atinuke > bilstm on snly", r"compared on 'snly'; nearest: 'snli'"),
        ("atinuke > bilsm on snli", r"no core 'bilsm'; nearest: 'bilstm'"),
        ("atinuke > bilstm on snli,, coref", r"tasks are named with commas between them"),
    ],
)
def test_what_is_no_claim_or_has_no_runs_is_told_in_a_line(store, cli, text, problem):
    shown = cli("claim", text, "--runs", store)
    assert shown.status == 2
    assert re.search(problem, shown.err), shown.err
    assert shown.err.count("\n") == 1


def test_one_seed_and_differing_protocols_give_no_verdict(tmp_path, write_run):
    write_run(tmp_path, "atinuke", right=0.9)
    write_run(tmp_path, "bilstm", right=0.5)
    with pytest.raises(ConfigError, match="needs two or more seeds"):
        judge(Claim.parse("atinuke > bilstm on snli"), tmp_path)
    for seed in range(2):
        write_run(tmp_path, "transformer", seed=seed, pretraining="mlm")
    with pytest.raises(ConfigError, match="differ in pretraining"):
        judge(Claim.parse("atinuke > transformer on snli"), tmp_path)


def test_the_seeds_that_are_asked_for_would_decide(store):
    (one,) = compare_sides("atinuke", "transformer", store).comparisons
    parts = [(one.a.scores, 1.0), (one.b.scores, -1.0)]
    known, spread = sources(parts), contrast(parts)
    assert known is not None
    assert known.spread(spread.value) == spread
    number = known.seeds_needed(20.0)
    assert known.spread(20.0, number).p_value < LEVEL
    # With ever more seeds the error is that of the units, below which nothing can be told: without what of theirs the
    # seeds there are have not averaged out.
    explained = sum((seen - left) / own for left, seen, own in known.of_seeds)
    assert explained > 0
    assert known.spread(1.0, 10_000).error == pytest.approx(np.sqrt(known.of_units - explained), rel=1e-2)
    assert known.seeds_needed(1e-6) is None


def test_looks_spend_less_than_the_level():
    assert sum(level_of_look(number) for number in range(len(LOOKS))) < LEVEL
    assert [next_look(number, 12) for number in (0, 2, 3, 4, 8, 12)] == [3, 3, 5, 5, 12, None]
