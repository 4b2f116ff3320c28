"""The pruning curve: the score with ever fewer attention heads, the least important ones taken first or in any order.

Importance is what the score of the selection slice loses without a head and, among equals, how much the loss grows
there, so that the curve's own examples have no say in what they are scored with.

Legend of shapes: A heads of all layers, G points of the curve, O random orders, B resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from atinuke_bench.core.cost import count_parameters
from atinuke_bench.metrics.metric import Floats, Sample
from atinuke_bench.training.cost import forward_flops

from .opened import Opened
from .scores import Scorer, ends, interval, resampled

#: Points of a curve at most, both ends included.
_MOST_POINTS = 17


def points_of(num_heads: int) -> list[int]:
    """How many heads are kept at each point, from all to none.

    >>> points_of(4), len(points_of(144))
    ([4, 3, 2, 1, 0], 17)
    """
    return np.unique(np.linspace(0, num_heads, min(num_heads + 1, _MOST_POINTS)).round().astype(int))[::-1].tolist()


def kept_in(order: Sequence[int], number: int) -> np.ndarray:  # (A,) bool
    """The first heads of an order, the most important one first."""
    kept = np.zeros(len(order), dtype=bool)
    kept[list(order[:number])] = True
    return kept


def num_passes(num_heads: int, num_orders: int) -> int:
    """Passes over the examples that a curve takes at most, beside the one with all heads."""
    return (len(points_of(num_heads)) - 2) * (1 + num_orders) + 1


def order_of(selecting: Scorer, loss_increases: Floats) -> list[int]:  # [A]
    """The heads by what the score of the selection slice loses without each, then by its loss; most important first.

    `selecting` scores that slice. Measured on three small runs of `srl`, of which heads were saturated: pruned by the
    gradient or by the loss alone they scored worse than in random orders, by this one better (0.9 to 4.2 points of F1).
    """
    whole = selecting.with_all().sample.value()
    masked = [selecting.without(place).sample.value() for place in range(len(loss_increases))]
    # Sums in another order may differ in their last bits, and are no reason to prefer one.
    drops = [round(selecting.sign * (whole - value), 9) for value in masked]
    return np.lexsort(np.array([loss_increases, drops]))[::-1].tolist()


def curve_record(scorer: Scorer, by_importance: Sequence[int], num_orders: int) -> dict[str, Any]:
    """The score at each point by importance and in random orders, and what is left of parameters and operations."""
    opened = scorer.opened
    run = opened.predictor.run
    generator = np.random.default_rng(run.seed)
    orders = [generator.permutation(len(by_importance)).tolist() for _ in range(num_orders)]
    points = points_of(len(by_importance))
    samples = [
        scorer.with_heads(kept_in(order, point)).sample for order in (by_importance, *orders) for point in points
    ]
    drawn = resampled(samples, run.seed)
    shape = (1 + num_orders, len(points))
    values = np.array([sample.value() for sample in samples]).reshape(shape)  # [1 + O, G]
    means = None if drawn is None else drawn.reshape(*shape, -1)  # [1 + O, G, B]
    records = []
    for place, point in enumerate(points):
        cost = cost_of(opened, kept_in(by_importance, point))
        both = [None, None] if means is None else [means[0, place], means[1:, place].mean(axis=0)]
        (low, high), (random_low, random_high) = (ends(interval(own, _num_units(samples))) for own in both)
        records.append(
            {"kept": point, "score": values[0, place], "low": low, "high": high,
             "random": float(values[1:, place].mean()), "random_low": random_low, "random_high": random_high, **cost}
        )  # fmt: skip
    return {
        "order": [list(opened.heads[place]) for place in by_importance],
        "num_orders": num_orders,
        "points": records,
        **_gain(scorer.sign, values, means, _num_units(samples)),
    }


def _num_units(samples: Sequence[Sample]) -> int:
    return len(samples[0].units)


def _gain(sign: int, values: Floats, means: Floats | None, num_units: int) -> dict[str, Any]:
    """How much better the order by importance is than random ones, in the mean over the points between all and none."""
    if values.shape[1] < 3:
        return {"gain": None, "gain_low": None, "gain_high": None}
    found = sign * float((values[0] - values[1:].mean(axis=0))[1:-1].mean())
    drawn = None if means is None else sign * (means[0] - means[1:].mean(axis=0))[1:-1].mean(axis=0)
    low, high = ends(interval(drawn, num_units))
    return {"gain": found, "gain_low": low, "gain_high": high}


def cost_of(opened: Opened, kept: np.ndarray) -> dict[str, Any]:  # (A,) bool
    """Parameters and operations of the core without the heads that are not kept, as if they were cut out.

    Operations are those of its forward pass for each token of the examples, as `training.cost` counts them.
    """
    module, rows = opened.predictor.module, opened.on.encoded
    parameters = count_parameters(module.core).total
    flops, limit = forward_flops(module, rows), opened.predictor.run.training.max_length
    lengths, counts = np.unique(rows.input_lengths, return_counts=True)
    texts = list(zip(lengths.tolist(), counts.tolist(), strict=True))
    for layer, flags in zip(opened.layers, opened.by_layer(kept), strict=True):
        gone = layer.num_heads - sum(flags)
        parameters -= gone * layer.parameters_per_head
        # A long document is read in segments.
        flops -= gone * sum(count * length * layer.flops_per_head(min(length, limit)) for length, count in texts)
    return {"parameters": parameters, "flops_per_token": flops / int(rows.input_lengths.sum())}
