"""Averages over tasks, and what may be said of them.

Letters: T tasks, S seeds, R resamples, G groups, n runs.

Two statements, which differ in what is random:

**On these tasks.** The list of tasks is fixed; seeds and units are drawn again within each task. An average is a
weighted sum over tasks of means, which are independent but for two things that the panel knows. Tasks that share units
(the articles of SQuAD 1.1 and 2.0) have covariances, which are taken at their bound: the share of common units times
both errors. Runs that start from earlier runs of the same seed share that seed's luck in all tasks, so that there the
average of each seed is the observation, and three are needed. Variances are those of `spread.py`, added up before any
is cut off at 0, and degrees of freedom follow Satterthwaite, so that two seeds on seven tasks are not two observations.

**On tasks like these.** The tasks are drawn too: families where there are several, since tasks of one family are no
independent evidence, else the tasks of the one family. Student's t over the means of these groups; the luck of seeds
and units is part of how far these differ, so that nothing is said where all groups share it.

`benchmarks/verdict_coverage.py` simulates both, and beside them what a hierarchical bootstrap says of the same
differences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from atinuke_bench.metrics.metric import Floats

from .panel import Panel
from .spread import Scores, Sources, Spread, sources
from .variances import Term, combined, pooled
from .verdict import Judged, corrected

#: Groups that a statement about other tasks needs: two have one degree of freedom, an interval 6 times their distance.
FEWEST_GROUPS = 3
#: Seeds that an average needs whose tasks share their luck: intervals from two held the truth in 90 % of simulations.
FEWEST_SHARED_SEEDS = 3
_NAN = float("nan")


@dataclass(frozen=True)
class Average:
    """The average of a variant: on these tasks, on tasks like these, and its interquartile mean."""

    variant: str
    here: Spread
    elsewhere: Spread
    middle: Spread


@dataclass(frozen=True, kw_only=True)
class AverageDifference(Judged):
    """The average of A less that of B on these tasks, as `spread`; `elsewhere` on tasks like these.

    `p_signed_rank` is Wilcoxon's over the groups.
    """

    a: str
    b: str
    elsewhere: Spread
    p_elsewhere_corrected: float = _NAN
    p_signed_rank: float = _NAN


def average_of(panel: Panel, variant: str) -> Average:
    """The averages of one variant. With a single seed an error covers the units alone."""
    means = panel.means(variant)
    here = on_these_tasks(panel, [(variant, 1.0)], require_seeds=False)
    return Average(variant, here, _elsewhere(panel, panel.shares @ means), interquartile_mean(panel, variant))


def on_these_tasks(panel: Panel, sides: Sequence[tuple[str, float]], *, require_seeds: bool = True) -> Spread:
    """The weighted sum over tasks of the means of some variants, each times its sign; error NaN where it is unknown.

    `require_seeds` refuses cores that have a single seed on a task.
    """
    scores = [[(own, sign) for own in panel.scores[variant]] for variant, sign in sides]
    value = float(sum(sign * panel.weights @ panel.means(variant) for variant, sign in sides))
    is_known = all(len(own.observed) > 1 for side in scores for own, _ in side) or not require_seeds
    terms = _terms(panel, sides, list(zip(*scores, strict=True))) if is_known else None
    return Spread(value, _NAN, _NAN) if terms is None else combined(value, terms, 0.0 if panel.shares_seeds else 2.0)


def _elsewhere(panel: Panel, values: Floats) -> Spread:
    found = on_tasks_like_these(values)
    return Spread(found.value, _NAN, _NAN) if panel.shares_seeds else found


def on_tasks_like_these(values: Floats) -> Spread:
    """The mean of one value a group, when groups are drawn; error NaN for fewer than three.

    >>> on_tasks_like_these(np.array([1.0, 2.0, 3.0]))
    Spread(value=2.0, error=0.5773502691896258, freedom=2.0)
    """
    value = float(values.mean())
    if len(values) < FEWEST_GROUPS:
        return Spread(value, _NAN, _NAN)
    return Spread(value, float(values.std(ddof=1)) / math.sqrt(len(values)), len(values) - 1.0)


def interquartile_mean(panel: Panel, variant: str) -> Spread:
    """The mean of the middle half of all runs on all tasks (Agarwal et al. 2021), on these tasks; NaN where the tasks
    have different numbers of runs.

    Its error is how far it varies when each task's mean is drawn as units are, and its seeds are drawn from a normal
    distribution with the variance that is theirs alone; its degrees of freedom are those of the mean of all runs.
    """
    runs = panel.runs(variant)
    if runs is None:
        return Spread(_NAN, _NAN, _NAN)
    value = float(interquartile(runs.ravel()))
    # Every run counts the same here, whichever family its task is of.
    mean = on_these_tasks(replace(panel, families=panel.tasks), [(variant, 1.0)])
    if not math.isfinite(mean.error):
        return Spread(value, _NAN, _NAN)
    drawn = interquartile(_drawn_runs(panel, variant, np.random.default_rng(0)))
    return Spread(value, float(drawn.std(ddof=1)), mean.freedom)


def _drawn_runs(panel: Panel, variant: str, generator: np.random.Generator) -> Floats:
    """Other runs of a variant on other test sets: [R, T * S]."""
    own = panel.scores[variant]
    num_seeds = len(own[0].observed)
    shape = min(len(scores.resampled) for scores in own if scores.resampled is not None), num_seeds
    # Seeds that tasks share are as lucky in all of them.
    shared = generator.normal(size=shape)
    columns = []
    for scores in own:
        assert scores.resampled is not None, "no predictions to resample"
        luck = shared if panel.shares_seeds else generator.normal(size=shape)
        found = sources([(scores, 1.0)])
        seeds = found.of_seeds if found is not None else ()
        variances = [seen if panel.shares_seeds else left for left, seen, _ in seeds]
        deviation = math.sqrt(max([0.0, *variances]))
        means = np.nan_to_num(scores.resampled[: shape[0]].mean(axis=1), nan=float(np.nanmean(scores.resampled)))
        columns.append(scores.observed.mean() + (means - means.mean())[:, None] + deviation * luck)
    return np.concatenate(columns, axis=1)


def interquartile(values: Floats) -> Floats:
    """The mean of the last axis without its lowest and its highest quarter, rounded down: [..., n] -> [...].

    >>> float(interquartile(np.array([0.0, 10.0, 20.0, 90.0])))
    15.0
    """
    ordered = np.sort(values, axis=-1)
    cut = ordered.shape[-1] // 4
    return ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1)


def performance_profile(runs: Floats, thresholds: Floats) -> Floats:
    """The share of runs [S, T] that score above each threshold (Agarwal et al. 2021).

    >>> performance_profile(np.array([[50.0, 70.0], [60.0, 80.0]]), np.array([55.0, 75.0])).tolist()
    [0.75, 0.25]
    """
    return (runs.ravel()[:, None] > thresholds).mean(axis=0)


def _terms(
    panel: Panel, sides: Sequence[tuple[str, float]], by_task: Sequence[Sequence[tuple[Scores, float]]]
) -> list[Term] | None:
    """The units of all tasks as one term, and the seeds of each side; None where one of them is unknown."""
    known = [own for parts in by_task if (own := sources(parts)) is not None]
    if len(known) < len(by_task):
        return None
    errors = panel.weights * np.sqrt([own.of_units for own in known])
    parts = errors * (panel.overlap @ errors)
    terms = [pooled(parts, parts, [own.unit_freedom for own in known])]
    if not panel.shares_seeds:
        return terms + _own_seeds(panel.weights, known)
    for variant, _ in sides:
        has_same = panel.seeds is None or len(set(panel.seeds[variant])) == 1
        if not has_same or len(panel.scores[variant][0].observed) < FEWEST_SHARED_SEEDS:
            return None
        terms.append(_shared_seeds(panel, variant))
    return terms


def _own_seeds(weights: Floats, known: Sequence[Sources]) -> list[Term]:
    """Seeds of each task by themselves, those of a side of all tasks together."""
    found = []
    for side in range(max(len(own.of_seeds) for own in known)):
        seeded = [(w**2, own.of_seeds[side]) for w, own in zip(weights, known, strict=True) if side < len(own.of_seeds)]
        left, seen = (np.array([share * own[place] / own[2] for share, own in seeded]) for place in (0, 1))
        found.append(pooled(left, seen, [own[2] - 1.0 for _, own in seeded]))
    return found


def _shared_seeds(panel: Panel, variant: str) -> Term:
    """The average of each seed over the tasks as one observation; what units explain of it is not taken off."""
    observed = np.tensordot(panel.weights, [scores.observed for scores in panel.scores[variant]], axes=1)
    variance = float(observed.var(ddof=1)) / len(observed)
    return Term(variance, variance, len(observed) - 1.0)


def differences(panel: Panel, reference: str | None = None, margin: float | None = None) -> list[AverageDifference]:
    """The best average against each other one, or each other one against a reference; Holm's p and verdicts.

    Which average is best is only known from the data, so that Holm's correction counts all pairs.
    """
    ranked = sorted(panel.scores, key=lambda variant: -float(panel.weights @ panel.means(variant)))
    if reference is None:
        pairs = [(ranked[0], variant) for variant in ranked[1:]]
    else:
        pairs = [(variant, reference) for variant in ranked if variant != reference]
    found = [_difference(panel, *pair) for pair in pairs]
    num_tests = num_tests_of(panel, reference)
    judged = corrected(found, num_tests, margin)
    elsewhere = corrected([Judged(spread=one.elsewhere, p_corrected=_NAN) for one in judged], num_tests)
    return [replace(one, p_elsewhere_corrected=other.p_corrected) for one, other in zip(judged, elsewhere, strict=True)]


def num_tests_of(panel: Panel, reference: str | None) -> int:
    """Over how many tests p is corrected."""
    return math.comb(len(panel.scores), 2) if reference is None else len(panel.scores) - 1


def _difference(panel: Panel, a: str, b: str) -> AverageDifference:
    spread = on_these_tasks(panel, [(a, 1.0), (b, -1.0)])
    own = AverageDifference(a=a, b=b, spread=spread, p_corrected=_NAN, elsewhere=Spread(spread.value, _NAN, _NAN))
    if not own.is_tested:
        return own
    groups = panel.shares @ (panel.means(a) - panel.means(b))
    p_value = _NAN if panel.shares_seeds else signed_rank(groups)
    return replace(own, elsewhere=_elsewhere(panel, groups), p_signed_rank=p_value)


def without_each(
    panel: Panel, found: Sequence[AverageDifference], num_tests: int, margin: float | None = None
) -> dict[str, list[Judged]]:
    """By task, the same differences on all other tasks, each with its verdict."""
    left: dict[str, list[Judged]] = {}
    for task in panel.tasks:
        fewer = panel.without(task)
        plain = [Judged(spread=on_these_tasks(fewer, [(one.a, 1.0), (one.b, -1.0)]), p_corrected=_NAN) for one in found]
        left[task] = corrected(plain, num_tests, margin)
    return left


def signed_rank(values: Floats) -> float:
    """Two-sided p of Wilcoxon's (1945) signed-rank test of paired differences; NaN for fewer than three.

    >>> signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    0.0625
    """
    if len(values) < FEWEST_GROUPS or not np.any(values):
        return _NAN
    from scipy.stats import wilcoxon  # takes a second to load

    return float(wilcoxon(values).pvalue)
