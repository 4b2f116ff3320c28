"""How much each attention head matters: by its gradient, by what is lost without it, and in which slices.

Legend of shapes: A heads of all layers, B resamples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from atinuke_bench.metrics.holm import holm
from atinuke_bench.metrics.metric import Floats, Sample, SumSample, mean_sample
from atinuke_bench.metrics.randomisation import sign_p_values, swap_p_values
from atinuke_bench.metrics.units import FEWEST_UNITS, by_unit
from atinuke_bench.training.task import Slices

from .gradients import importance_samples
from .opened import Opened
from .patterns import Patterns
from .scores import Scored, Scorer, ends, interval, resampled

#: Labels of a slice that are looked at: those with most examples.
_MOST_LABELS = 20


def head_records(scorer: Scorer, gradient_values: Floats) -> list[dict[str, Any]]:
    """Both importances of each head, with intervals over units; p of masking is Holm's over all heads."""
    opened, seed = scorer.opened, scorer.opened.predictor.run.seed
    by_gradient = importance_samples(opened.on, gradient_values)
    drawn = resampled(by_gradient, seed)
    drops = drop_records(scorer, [scorer.with_all().sample, *_masked_samples(scorer)])
    found = []
    for place, (layer, head) in enumerate(opened.heads):
        low, high = ends(interval(None if drawn is None else drawn[place], len(by_gradient[place].units)))
        gradient = {"gradient": by_gradient[place].value(), "gradient_low": low, "gradient_high": high}
        found.append({"layer": layer, "head": head, **gradient, **drops[place]})
    return found


def _masked_samples(scorer: Scorer) -> list[Sample]:
    return [scorer.without(place).sample for place in range(len(scorer.opened.heads))]


def drop_records(scorer: Scorer, samples: list[Sample]) -> list[dict[str, Any]]:
    """What each sample after the first one loses against it: its interval, and p by exchange, Holm's over all."""
    seed, (whole, *others) = scorer.opened.predictor.run.seed, samples
    num_units, drawn = len(whole.units), resampled(samples, seed)
    p = np.full(len(others), np.nan)
    if num_units >= FEWEST_UNITS and isinstance(whole, SumSample):
        p = swap_p_values(whole, [one for one in others if isinstance(one, SumSample)], seed=seed)
    if drawn is not None:  # of ranks, units cannot change sides, and of F1 over classes only where all have the same
        p = np.array([_bootstrap_p(drawn[0] - own) if np.isnan(q) else q for own, q in zip(drawn[1:], p, strict=True)])
    corrected = holm(p)
    found = []
    for place, one in enumerate(others):
        lost = None if drawn is None else scorer.sign * (drawn[0] - drawn[place + 1])
        low, high = ends(interval(lost, num_units))
        found.append(
            {"drop": scorer.sign * (whole.value() - one.value()), "low": low, "high": high,
             "p": float(p[place]), "p_corrected": float(corrected[place])}
        )  # fmt: skip
    return found


def _bootstrap_p(differences: Floats) -> float:  # [B]
    """Two-sided p of no difference, for figures whose units cannot change sides (Efron and Tibshirani 1993)."""
    known = differences[np.isfinite(differences)]
    if len(known) * 2 < len(differences):
        return float("nan")
    return min(1.0, 2 * (min(int((known <= 0).sum()), int((known >= 0).sum())) + 1) / (len(known) + 1))


def pattern_records(opened: Opened, found: Patterns) -> list[dict[str, Any]]:
    """What each head looks at in each relation; p is Holm's over the heads of a relation."""
    seed = opened.predictor.run.seed
    excess = np.divide(found.mass - found.drawn, found.num_asking, out=np.full_like(found.mass, np.nan),
                       where=found.num_asking > 0)  # fmt: skip
    records = []
    for place, relation in enumerate(found.relations):
        own = excess[:, :, place]  # [U, A]
        asked = np.isfinite(own).any(axis=1)
        p = np.full(own.shape[1], np.nan)
        if asked.sum() >= FEWEST_UNITS:
            p = sign_p_values(own[asked], seed=seed)
        corrected = holm(p)
        asking = found.num_asking[:, :, place].sum(axis=0)
        for number, (layer, head) in enumerate(opened.heads):
            if not asking[number]:
                continue
            mass, chance = (part[:, number, place].sum() / asking[number] for part in (found.mass, found.chance))
            records.append(
                {"layer": layer, "head": head, "relation": relation, "mass": mass, "chance": chance,
                 "num": int(asking[number]), "p": float(p[number]), "p_corrected": float(corrected[number])}
            )  # fmt: skip
    return records


def slice_records(scorer: Scorer) -> list[dict[str, Any]]:
    """What is lost without each head in each of the task's slices.

    Where the task says which slices an example lies in, it is the mean of the examples' own scores in percent, with its
    interval and p (Holm's over all heads and slices); else a figure that the task gives of a slice, untested.
    """
    task = scorer.opened.predictor.task
    has_scores = all(score is not None for score in scorer.with_all().measured.scores)
    if task.members is not None and has_scores:
        found = list(_tested_slices(scorer))
        corrected = holm([record["p"] for record in found])
        return [{**record, "p_corrected": float(p)} for record, p in zip(found, corrected, strict=True)]
    return [] if task.slices is None or task.members is not None else list(_told_slices(scorer))


def _tested_slices(scorer: Scorer) -> Iterator[dict[str, Any]]:
    opened, task = scorer.opened, scorer.opened.predictor.task
    assert task.members is not None, "asked before"
    members: dict[tuple[str, str], list[int]] = {}
    gold = scorer.with_all().answers.gold
    for place, own in enumerate(task.members(opened.on.examples, gold)):
        for name, labels in own.items():
            for label in labels:
                members.setdefault((name, label), []).append(place)
    for (name, label), places in _largest(members):
        samples = [_of_places(scorer, one, places) for one in _all_scored(scorer)]
        drops = drop_records(scorer, samples)
        for (layer, head), drop in zip(opened.heads, drops, strict=True):
            yield {"layer": layer, "head": head, "slice": name, "label": label, "num": len(places),
                   "score": samples[0].value(), **drop}  # fmt: skip


def _all_scored(scorer: Scorer) -> Iterator[Scored]:
    yield scorer.with_all()
    yield from (scorer.without(place) for place in range(len(scorer.opened.heads)))


def _largest(members: dict[tuple[str, str], list[int]]) -> Iterator[tuple[tuple[str, str], list[int]]]:
    """The labels of each slice with most examples."""
    for name in dict.fromkeys(name for name, _ in members):
        own = [(key, places) for key, places in members.items() if key[0] == name]
        yield from sorted(own, key=lambda one: -len(one[1]))[:_MOST_LABELS]


def _of_places(scorer: Scorer, scored: Scored, places: list[int]) -> Sample:
    """The mean of the own scores of some examples, drawn by unit."""
    task, examples = scorer.opened.predictor.task, scorer.opened.on.examples
    ids, units = scored.answers.ids, task.units(examples)
    own = [ids[place] for place in places]
    sample = mean_sample(own, [scored.measured.scores[place] for place in places])
    return by_unit(task.metric, own, None if units is None else [units[place] for place in places], sample)


def _told_slices(scorer: Scorer) -> Iterator[dict[str, Any]]:
    whole, *others = (_slices_of(scorer, scored) for scored in _all_scored(scorer))
    for (layer, head), masked in zip(scorer.opened.heads, others, strict=True):
        for name, labels in whole.items():
            for label, figures in list(labels.items())[:_MOST_LABELS]:
                names = [figure for figure in figures if figure != "num"]
                shown = next((figure for figure in names if figure.endswith("f1")), names[0])
                before, after = figures[shown], masked.get(name, {}).get(label, {}).get(shown)
                if before is not None and after is not None:
                    yield {"layer": layer, "head": head, "slice": name, "label": label, "num": int(figures["num"] or 0),
                           "score": before, "drop": before - after, "low": None, "high": None, "p": None,
                           "p_corrected": None}  # fmt: skip


def _slices_of(scorer: Scorer, scored: Scored) -> Slices:
    slicer = scorer.opened.predictor.task.slices
    assert slicer is not None, "asked before"
    return slicer(scorer.opened.on.examples, scored.answers, scored.measured)
