"""Rules about the core itself: what does not learn, what gets no gradient, which side of a mask is seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from atinuke_bench.step_record import GRADIENT, PROBE, UPDATE_RATIO

from .finding import Finding, Severity, step_name
from .optimisation import CORE_GROUPS
from .record import RunRecord

#: Groups that may be without gradient in a healthy core: those of one vector, and segments that a task leaves alone.
WATCHED = (*CORE_GROUPS, "embeddings", "other")
#: A group's share of the gradient below which it counts as none; rounding alone leaves less.
NO_GRADIENT = 1e-6
#: Of the steps measured.
MOSTLY = 0.75
#: Changes of a vector as a share of its size: rounding in float32 makes up to 1e-4 in deep cores; what sees does more.
SEEN = 1e-2
UNSEEN = 1e-6


def frozen(run: RunRecord) -> Iterator[Finding]:
    """Groups of the core that no step changed."""
    ratios = {name: own for name, (_, own) in run.measured(UPDATE_RATIO).items() if name in WATCHED}
    still = [name for name, own in ratios.items() if len(own) > 1 and not own.any()]
    if not still:
        return
    is_all = len(still) == len(ratios)
    text = "no step changed the core" if is_all else f"no step changed the core's {' and '.join(still)}"
    tries = ("see whether the core's parameters require gradients", "unset training.core_learning_rate")
    evidence = {f"update ratio of {name}": 0.0 for name in still}
    # Who freezes a part of a core may mean it.
    yield Finding("frozen-core", Severity.SERIOUS if is_all else Severity.WARNING, text, evidence, tries)


def dead_group(run: RunRecord) -> Iterator[Finding]:
    """A group of matrices that gets no gradient, though it may learn: what it computes reaches no answer."""
    measured = run.measured(GRADIENT)
    if not measured:
        return
    total = np.sqrt(np.sum([own**2 for _, own in measured.values()], axis=0))
    ratios = run.measured(UPDATE_RATIO)
    for name in CORE_GROUPS:
        if name not in measured or not ratios.get(name, (0, np.zeros(1)))[1].any():
            continue  # frozen
        steps, own = measured[name]
        with np.errstate(divide="ignore", invalid="ignore"):
            is_dead = own <= NO_GRADIENT * total
        if is_dead.mean() < MOSTLY or not is_dead[-1]:
            continue
        since = steps[np.flatnonzero(is_dead)[0]]
        text = f"the core's {name} gets no gradient: its activations are dead, or nothing reads them"
        tries = ("look at the initial weights and biases there, and at the activation", "a smaller learning rate")
        evidence = {f"{name}'s share of the gradient": float(np.median(own / total))}
        yield Finding("dead-activations", Severity.SERIOUS, text, evidence, tries, step_name(since))


def masked_wrongly(run: RunRecord) -> Iterator[Finding]:
    """What the core was seen to do before its first step does not fit what it is."""
    tried = {name: float(own[0]) for name, (_, own) in run.measured(PROBE).items()}
    if not {"padding", "before", "after", "is_causal"} <= tried.keys():
        return
    texts = []
    if tried["padding"] > SEEN:
        texts.append("more padding changes the vectors of real tokens")
    if tried["is_causal"] and tried["before"] > SEEN:
        texts.append("the core is causal, and a token changes the vectors before it")
    sees_after, sees_before = tried["after"] > UNSEEN, tried["before"] > UNSEEN
    if not sees_after and sees_before:
        texts.append("no token sees an earlier one")
    if not texts:
        return
    tries = ("look at which side of the mask is True where attention is computed", "atinuke_bench.testing.check_core")
    yield Finding("mask-on-wrong-side", Severity.SERIOUS, "; ".join(texts), tried, tries, step_name(1))


RULES = (masked_wrongly, frozen, dead_group)
