"""Two cores seed by seed, by the tests that need no model of the seeds; to look at beside the comparison itself.

A p here says whether two trained models differ, not whether two cores do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from atinuke_bench.errors import RunFolderError
from atinuke_bench.metrics.metric import SumSample

from ..reading.frame import Frame
from .comparison import Comparison
from .paired import hierarchical_bootstrap, mcnemar, paired_bootstrap, paired_randomisation
from .samples import read_sample
from .spread import LEVEL

#: Metrics that are shares of right answers, which McNemar's test is for.
ACCURACIES = ("accuracy", "exact_match", "exact")
_NAN = float("nan")


def seed_records(frame: Frame, comparison: Comparison) -> list[dict[str, Any]]:
    """One record a seed that both sides have; p values that do not apply or cannot be computed are NaN.

    The last record, of seed `all`, has the 95 % interval of the hierarchical bootstrap over seeds and units.
    """
    cells = comparison.a, comparison.b
    places = [{int(frame.value(run, "seed")): place for place, run in enumerate(cell.runs)} for cell in cells]
    common = sorted(places[0].keys() & places[1].keys())
    found = [_of_seed(frame, comparison, seed, places[0][seed], places[1][seed]) for seed in common]
    if all(cell.scores.resampled is not None for cell in cells):
        drawn = hierarchical_bootstrap(comparison.a.scores, comparison.b.scores)
        low, high = np.nanquantile(drawn, [LEVEL / 2, 1 - LEVEL / 2])
        found.append(_record(comparison, "all", comparison.spread.value, low=float(low), high=float(high)))
    return found


def _of_seed(frame: Frame, comparison: Comparison, seed: int, place_a: int, place_b: int) -> dict[str, Any]:
    pairs = ((comparison.a, place_a), (comparison.b, place_b))
    difference = float(np.subtract(*(cell.scores.observed[place] for cell, place in pairs)))
    resampled = [cell.scores.resampled[:, place] for cell, place in pairs if cell.scores.resampled is not None]
    figures = {"p bootstrap": paired_bootstrap(*resampled)} if len(resampled) == 2 else {}
    runs = [cell.runs[place] for cell, place in pairs]
    try:
        stored = [read_sample(frame, run) for run in runs]
    except (RunFolderError, ValueError):
        return _record(comparison, seed, difference, **figures)
    drawn = comparison.a.drawn
    if drawn is None or any(own.ids != drawn.ids for own in stored):
        return _record(comparison, seed, difference, **figures)
    a, b = (own.by_unit(drawn.units) for own in stored)
    if a.units != b.units:
        return _record(comparison, seed, difference, **figures)
    # Statistics of classes have other columns where one side answers with a class that the other never does.
    if isinstance(a, SumSample) and isinstance(b, SumSample) and a.statistics.shape == b.statistics.shape:
        figures["p randomisation"] = paired_randomisation(a, b)
    # McNemar's test takes examples as independent.
    if a.units == drawn.ids and comparison.a.metric in ACCURACIES:
        answers = [np.asarray(frame.predictions(run)["score"], dtype=np.float64) for run in runs]
        if all(np.isin(right, (0.0, 1.0)).all() for right in answers):
            figures["p mcnemar"] = mcnemar(*answers)
    return _record(comparison, seed, difference, **figures)


def _record(comparison: Comparison, seed: int | str, difference: float, **figures: float) -> dict[str, Any]:
    names = ("p mcnemar", "p randomisation", "p bootstrap", "low", "high")
    return {
        "task": comparison.column.task,
        "a": comparison.a.variant,
        "b": comparison.b.variant,
        "seed": seed,
        "difference": difference,
        **{name: figures.get(name, _NAN) for name in names},
    }
