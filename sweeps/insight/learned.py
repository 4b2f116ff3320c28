"""What the complete trials of a study say of each parameter: how much it matters, what it does, and what is good.

Everything is read from one surface (`surface.py`) and from those of `RESAMPLES` bootstrap samples of the trials. The
rules, whose error rates `benchmarks/insight_planted.py` measures:

share    what an effect (of a parameter, or of a pair beyond its two) has of the variance of scores over the space's own
         distribution; what no effect has is `unexplained`: noise, and what three parameters do together. The interval
         is that of the bootstrap's percentiles, 95 %. A surface has no negative shares, so that no interval reaches
         below 0: an effect is *shown* where the whole interval is at or above `LEAST_SHARE`.
effect   the mean score over the rest of the space where the parameter has a value, and where it applies at all. Bands
         are 95 % percentiles of effects that are drawn, one of each bootstrap sample, from what that leaves open:
         resampled means alone would be sure of values that no trial was near.
good     values that are not shown worse than the value with the best effect: less than 97.5 % of the drawn effects put
         them below it. No preference is shown where these are all values, or the parameter is not shown to matter.

Amounts of effects are sought anew in each sample, in a few steps from those of all trials; of over `_FULL` trials they
are those of a part of them, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atinuke_bench.sweeps.spaces import Space

from .advice import advice
from .axes import Axes, Axis, Floats, axes_of
from .surface import Surface, fit

#: A surface of fewer trials says nothing.
LEAST_TRIALS = 8
RESAMPLES = 100
LEAST_SHARE = 0.01
_LOW, _HIGH = 2.5, 97.5
#: Trials from which the amounts of effects are found, and from which on samples keep them.
_FULL = 250
_MOST_TRIALS = 600
_STEPS = 8

Record = dict[str, Any]


@dataclass(frozen=True)
class Drawn:
    """One bootstrap sample's answer: shares of parameters and pairs; the level with each parameter's effect, [G]."""

    shares: Floats
    effects: list[Floats]


def learn(
    space: Space, trials: Sequence[tuple[Mapping[str, Any], float]], *, higher_is_better: bool, seed: int
) -> Record:
    """What values and scores of trials say, under the names that the head of the package describes."""
    if len(trials) < LEAST_TRIALS:
        return _nothing(f"{len(trials)} complete trials; it takes {LEAST_TRIALS}")
    if len(trials) > _MOST_TRIALS:
        trials = [trials[place] for place in np.linspace(0, len(trials) - 1, _MOST_TRIALS).astype(int)]
    scores = np.array([score for _, score in trials], dtype=float)
    spread = scores.std()
    if spread <= 1e-12 * max(1.0, abs(scores.mean())):
        return _nothing("all complete trials have the same score")
    axes = axes_of(space)
    places = axes.places([params for params, _ in trials])
    surface = _fitted(axes, places, (scores - scores.mean()) / spread)
    drawn = list(_resampled(surface, axes, np.random.default_rng(seed)))
    importance = _importance(surface, axes, np.array([one.shares for one in drawn]))
    curves = [_curves(surface.level, surface.effects(), axes), *(one.effects for one in drawn)]
    effects = {}
    for place, (axis, own) in enumerate(zip(axes.axes, zip(*curves, strict=True), strict=True)):
        mean, *others = scores.mean() + spread * np.array(own)
        effects[axis.path] = {
            **_effect(axis, mean, np.array(others), 1 if higher_is_better else -1, importance["shown"][axis.path]),
            "where": float(axes.together[place, place]),
        }
    return {
        "importance": importance,
        "importance_note": None,
        "effects": effects,
        "advice": advice(axes, importance, effects),
    }


def _nothing(reason: str) -> Record:
    return {"importance": None, "importance_note": reason, "effects": None, "advice": []}


def _fitted(axes: Axes, places: Floats, scores: Floats) -> Surface:
    if len(scores) <= _FULL:
        return fit(axes, places, scores)
    part = np.linspace(0, len(scores) - 1, _FULL).astype(int)
    found = fit(axes, places[part], scores[part])
    return found.of_all(places, scores)


def _resampled(surface: Surface, axes: Axes, rng: np.random.Generator) -> Any:
    """Answers of bootstrap samples over trials."""
    count = len(surface.scores)
    steps = _STEPS if count <= _FULL // 2 else _STEPS // 2 if count <= _FULL else 0
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        chosen = np.flatnonzero(times)
        one = surface.refitted(chosen, times[chosen].astype(float), steps)
        yield Drawn(_shares(one, axes), _curves(one.drawn_level(rng), one.drawn_effects(rng), axes))


def _curves(level: float, effects: list[Floats], axes: Axes) -> list[Floats]:
    """Mean scores in the values of each parameter, [G], over what of the space has the parameter."""
    return [
        level + effect + sum(float(weights @ effects[other]) for other, weights in given.items())
        for effect, given in zip(effects, axes.given, strict=True)
    ]


def _shares(surface: Surface, axes: Axes) -> Floats:
    """Shares of the scores' variance over the space, [d + pairs]."""
    weights = [axis.weights for axis in axes.axes]
    alone = [axes.together[i, i] * weights[i] @ effect**2 for i, effect in enumerate(surface.effects())]
    pairs = [
        axes.together[i, j] * weights[i] @ effect**2 @ weights[j] for (i, j), effect in surface.pair_effects().items()
    ]
    found = np.array([*alone, *pairs])
    return found / (found.sum() + surface.noise)


def _importance(surface: Surface, axes: Axes, resampled: Floats) -> Record:
    shares = _shares(surface, axes)
    low, high = np.percentile(resampled, [_LOW, _HIGH], axis=0)
    # The bootstrap's surfaces are of fewer different trials: what they miss of an effect is no reason to leave out what
    # was found.
    low, high = np.minimum(low, shares), np.maximum(high, shares)
    paths = [axis.path for axis in axes.axes]
    pairs = [
        {"x": paths[i], "y": paths[j], "share": float(shares[at]), "interval": [float(low[at]), float(high[at])],
         "shown": bool(low[at] >= LEAST_SHARE)}
        for at, (i, j) in enumerate(surface.pair_effects(), start=len(paths))
    ]  # fmt: skip
    order = sorted(range(len(paths)), key=lambda at: -shares[at])
    return {
        "method": "fanova",
        "values": {paths[at]: float(shares[at]) for at in order},
        "intervals": {paths[at]: [float(low[at]), float(high[at])] for at in order},
        "shown": {paths[at]: bool(low[at] >= LEAST_SHARE) for at in order},
        "pairs": sorted(pairs, key=lambda pair: -pair["share"]),
        "unexplained": float(1 - shares.sum()),
        "resamples": RESAMPLES,
        "trials": len(surface.scores),
    }


def _effect(axis: Axis, mean: Floats, curves: Floats, sign: int, can_prefer: bool) -> Record:
    """What one parameter does: the mean score in its values [G], and as it is drawn [resamples, G]."""
    low, high = np.percentile(curves, [_LOW, _HIGH], axis=0)
    best = int(np.argmax(sign * mean))
    is_worse = np.mean(sign * (curves - curves[:, [best]]) < 0, axis=0) >= _HIGH / 100
    prefers = can_prefer and bool(is_worse.any())
    return {
        "values": list(axis.values),
        "mean": mean.tolist(),
        "low": np.minimum(low, mean).tolist(),
        "high": np.maximum(high, mean).tolist(),
        "best": axis.values[best],
        "preference": prefers,
        "good": _good(axis, is_worse) if prefers else None,
        "is_good": [bool(prefers and not worse) for worse in is_worse],
    }


def _good(axis: Axis, is_worse: Any) -> list[Any]:
    """Choices that are good, or ranges of values [low, high]."""
    if axis.is_categorical:
        return [value for value, worse in zip(axis.values, is_worse, strict=True) if not worse]
    ranges: list[list[Any]] = []
    was_good = False
    for value, worse in zip(axis.values, is_worse, strict=True):
        if not worse:
            if was_good:
                ranges[-1][1] = value
            else:
                ranges.append([value, value])
        was_good = not worse
    return ranges
