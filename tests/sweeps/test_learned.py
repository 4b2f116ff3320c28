"""What complete trials say of parameters, where the truth is planted."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atinuke_bench.sweeps.insight.advice import notes
from atinuke_bench.sweeps.insight.axes import axes_of
from atinuke_bench.sweeps.insight.learned import learn
from atinuke_bench.sweeps.spaces import make_space

RATE, DEPTH, KIND, INNER, NULL = "training.rate", "core.depth", "core.kind", "core.inner", "core.null"
SPACE = {
    RATE: {"float": [1e-4, 1e-2], "log": True},
    DEPTH: {"int": [1, 8]},
    KIND: {"categorical": ["x", "y", None]},
    INNER: {"float": [0, 1], "when": {KIND: "x"}},
    NULL: {"float": [0, 1]},
}


def planted(seed, num=50, noise=0.5, score=None, sign=1):
    """What is learned of trials over the whole space with scores of a known function."""
    space, rng = make_space(SPACE, {}), np.random.default_rng(seed)

    def suggest(path, domain):
        if path == KIND:
            return domain.choices[rng.integers(3)]
        if path == DEPTH:
            return int(rng.integers(1, 9))
        return float(10 ** rng.uniform(-4, -2)) if path == RATE else float(rng.random())

    drawn = [space.draw(suggest).params for _ in range(num)]
    trials = [(params, sign * (score or peak)(params) + rng.normal(0, noise)) for params in drawn]
    return learn(space, trials, higher_is_better=sign > 0, seed=seed)


def peak(params):
    """Best at a rate of 1e-3, better with depth, worse for y, rising with what only x has; nothing of `NULL`."""
    off = math.log10(params[RATE]) + 3
    score = 70 - 12 * off**2 + params[DEPTH] - 3 * (params[KIND] == "y")
    return score + 4 * params.get(INNER, 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_parameters_are_ranked_and_what_does_nothing_is_not_shown(seed):
    found = planted(seed)
    importance = found["importance"]
    assert next(iter(importance["values"])) == RATE
    assert set(list(importance["values"])[:3]) == {RATE, DEPTH, KIND}
    assert importance["shown"] == {RATE: True, DEPTH: True, KIND: True, INNER: importance["shown"][INNER], NULL: False}
    assert not [pair for pair in importance["pairs"] if pair["shown"]]
    assert found["effects"][NULL]["good"] is None
    for path, share in importance["values"].items():
        low, high = importance["intervals"][path]
        assert 0 <= low <= share <= high <= 1
    shares = [*importance["values"].values(), *(pair["share"] for pair in importance["pairs"])]
    assert sum(shares) + importance["unexplained"] == pytest.approx(1)
    # The truth, over the space: rate 144 Var(u^2), depth 5.25, kind 9 * 2/9.
    true = {RATE: 144 * 4 / 45, DEPTH: 5.25, KIND: 2.0}
    total = sum(true.values()) + 16 / 12 / 3 + 0.25
    for path, variance in true.items():
        assert importance["values"][path] == pytest.approx(variance / total, abs=0.12)


def test_chance_alone_is_no_importance():
    found = planted(1, noise=1.0, score=lambda params: 60.0)
    assert not any(found["importance"]["shown"].values())
    assert not any(pair["shown"] for pair in found["importance"]["pairs"])
    assert all(effect["good"] is None and not any(effect["is_good"]) for effect in found["effects"].values())
    assert all(one["text"].endswith("no preference shown") for one in found["advice"])


@pytest.mark.parametrize("sign", [1, -1])
def test_good_values_hold_the_best_and_leave_out_what_is_worse(sign):
    """A loss is best where it is least."""
    effects = planted(0, sign=sign)["effects"]
    ((low, high),) = effects[RATE]["good"]
    assert 2e-4 < low < 1e-3 < high < 5e-3
    assert effects[RATE]["values"][0] == 1e-4
    assert sorted(effects[KIND]["good"], key=str) == [None, "x"]
    assert effects[DEPTH]["good"][-1][1] == 8
    for effect in effects.values():
        assert all(
            low <= mean <= high for low, mean, high in zip(effect["low"], effect["mean"], effect["high"], strict=True)
        )


def test_a_conditional_parameter_is_judged_where_it_has_a_value():
    found = planted(2, num=90)
    effect = found["effects"][INNER]
    assert effect["where"] == pytest.approx(1 / 3, abs=0.06)
    assert effect["mean"][-1] - effect["mean"][0] == pytest.approx(4, abs=1.2)
    # Where the choice is x: 70 - 12 / 3 + 4.5 and half of what it adds itself.
    assert effect["mean"][12] == pytest.approx(72.5, abs=1)
    (said,) = (one["text"] for one in found["advice"] if one["parameter"] == INNER)
    assert f"it applies in {100 * effect['where']:.0f} % of the space" in said


def test_a_pair_that_acts_together_is_shown_and_named():
    def score(params):
        return 60 + 3 * (math.log10(params[RATE]) + 3) * (params[DEPTH] - 4.5)

    found = planted(0, score=score)
    (pair,) = (pair for pair in found["importance"]["pairs"] if pair["shown"])
    assert {pair["x"], pair["y"]} == {RATE, DEPTH}
    assert pair["share"] > 0.7
    said = {one["parameter"]: one["text"] for one in found["advice"]}
    assert f"together with {DEPTH}: " in said[RATE]
    assert f"together with {RATE}: " in said[DEPTH]


def test_the_same_trials_say_the_same_twice():
    assert planted(3, num=20) == planted(3, num=20)


def test_many_trials_are_learned_from_too(monkeypatch):
    monkeypatch.setattr("atinuke_bench.sweeps.insight.learned._FULL", 40)
    monkeypatch.setattr("atinuke_bench.sweeps.insight.learned._MOST_TRIALS", 60)
    importance = planted(0, num=80)["importance"]
    assert importance["trials"] == 60
    assert next(iter(importance["values"])) == RATE
    assert not importance["shown"][NULL]


@pytest.mark.parametrize(
    ("scores", "reason"),
    [([1.0] * 7, "7 complete trials; it takes 8"), ([3.0] * 9, "all complete trials have the same score")],
)
def test_too_little_says_nothing_with_a_reason(scores, reason):
    space = make_space({NULL: {"float": [0, 1]}}, {})
    trials = [({NULL: place / 10}, score) for place, score in enumerate(scores)]
    found = learn(space, trials, higher_is_better=True, seed=0)
    assert found == {"importance": None, "importance_note": reason, "effects": None, "advice": []}


def test_axes_have_the_values_that_runs_have():
    """Heads are fitted to a hidden size without a search, and a step leaves values out."""
    space = make_space(
        {
            "core.num_heads": {"int": [1, 6]},
            "core.dropout": {"float": [0, 0.3], "step": 0.1},
            "core.layers": {"int": [1, 4], "log": True},
        },
        {"core.hidden_size": 8, "core.positions": "none"},
    )
    heads, dropout, layers = axes_of(space).axes
    assert heads.values == (1, 2, 4)
    assert heads.weights.sum() == pytest.approx(1)
    assert dropout.values == pytest.approx((0, 0.1, 0.2, 0.3))
    assert layers.weights == pytest.approx(np.log([3, 5 / 3, 7 / 5, 9 / 7]) / np.log(9))
    assert layers.places == pytest.approx(np.log([1, 2, 3, 4]) / np.log(4))


def test_what_is_left_out_is_said():
    states = ["complete"] * 8 + ["pruned"] * 3 + ["failed"]
    said = notes([{"state": state} for state in states], None, None)
    assert said[0].startswith("3 of 12 trials were stopped early and are left out")
    assert said[1:] == ["1 trials failed and are left out."]
