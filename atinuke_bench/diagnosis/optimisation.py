"""Rules about the steps: the learning rate, its warm-up, gradients and spikes. Each is a function of the record."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from atinuke_bench.step_record import UPDATE_RATIO

from .finding import Finding, Severity, step_name
from .record import Numbers, RunRecord

#: Groups of a core whose matrices a training must move, and so by which the rate is judged.
CORE_GROUPS = ("attention", "feedforward", "recurrent")
#: A step should change weights by about a thousandth (Karpathy 2022, "makemore" part 3; CS231n, ratio of updates).
#: Thirty times that is too much: healthy runs of `benchmarks/diagnosis.py` stay below 0.015, and with a rate thirty
#: times too high they reach 0.06 to 0.18.
RATIO_TOO_HIGH = 0.03
#: Weights that all steps together moved by less than this share of their size are much as they were drawn (healthy
#: runs: 0.3 and more; with a thirtieth of their rate: 0.05 and less). Where single steps are as large as the rule says,
#: there were too few of them.
PATH_TOO_SHORT, RATIO_IS_USUAL = 0.12, 1.5e-3
#: A norm this many times the one gradients are clipped to says that the backward pass grows from layer to layer
#: (Pascanu et al. 2013); healthy ones are up to 40 times, in losses that add up words or spans.
EXPLODING = 300.0
#: The median loss of some steps that is this many times that of the steps around, and above the first ones', is a spike
#: (Chowdhery et al. 2022, section 5.1, tell of about 20 in a training, which it came back from).
SPIKE, SPIKE_LEAST, SPIKE_STEPS, SPIKE_WINDOW, MANY_SPIKES = 2.0, 1.0, 5, 51, 2
#: Share of the steps after the warm-up.
ALWAYS_CLIPPED = 0.95
#: Warm-up of fewer steps than this many is none: Adam's second moments know too little before
#: (Ma and Yarats 2021: 2 / (1 - beta2), 2,000 steps, would be safe; shorter ones are common and mostly harmless).
FEW_WARM_UP_STEPS = 3
#: What says that the missing warm-up did harm: the loss soon after the start above that of the first step by this
#: factor, or a first step that changed weights by this share, many times what later ones do.
EARLY_RISE, EARLY_RATIO = 1.5, 0.015


def diverging(run: RunRecord) -> Iterator[Finding]:
    """The loss became no number, or ends far above where it began."""
    rate = run.training.learning_rate
    tries = (f"training.learning_rate={rate / 3:.2g}", "training.warmup_fraction=0.2", "training.gradient_clip=0.5")
    if run.has_diverged:
        assert run.failure is not None
        yield Finding("diverging", Severity.SERIOUS, f"it ended: {run.failure.message}", {}, tries)
    if not run.steps:
        return
    loss = run.steps["loss"]
    if not np.isfinite(loss).all():
        step = run.steps["step"][np.flatnonzero(~np.isfinite(loss))[0]]
        yield Finding("diverging", Severity.SERIOUS, "the loss is no number", {"step": step}, tries, step_name(step))
        return
    few = max(1, len(loss) // 10)
    first, last = np.median(loss[:few]), np.median(loss[-few:])
    if len(loss) >= 2 * few and last > EARLY_RISE * first:
        evidence = {"first loss": float(first), "last loss": float(last)}
        text = f"the loss ends at {last:.3g}, above the {first:.3g} that it began with"
        yield Finding("diverging", Severity.SERIOUS, text, evidence, tries)


def rate_too_high(run: RunRecord) -> Iterator[Finding]:
    """Steps change weights by far more than a thousandth: each undoes what the one before did."""
    largest, since = 0.0, 0.0
    for steps, ratios in core_ratios(run).values():
        # Adam's first steps are of one size, whatever the gradient: they tell of the warm-up.
        later = steps > FEW_WARM_UP_STEPS
        if later.any() and ratios[later].max() > largest:
            largest, since = float(ratios[later].max()), float(steps[later][np.argmax(ratios[later] > RATIO_TOO_HIGH)])
    if largest <= RATIO_TOO_HIGH:
        return
    rate = run.training.learning_rate
    text = f"a step changed the core's weights by {100 * largest:.2g} %; about 0.1 % is usual"
    tries = (f"training.learning_rate={rate * 5e-3 / largest:.1g}", "diagnose --lr-scan finds a range")
    yield Finding("rate-too-high", Severity.SERIOUS, text, {"largest update ratio": largest}, tries, step_name(since))


def rate_too_low(run: RunRecord) -> Iterator[Finding]:
    """All steps together hardly moved the core's weights. One that starts from learned weights need not move far."""
    ratio = peak_ratio(run)
    if not ratio or run.starts_trained or not run.is_finished:
        return
    num_steps, path = float(run.steps["step"][-1]), path_length(run)
    if path >= PATH_TOO_SHORT:
        return
    text = (
        f"a step changes the core's weights by {100 * ratio:.2g} % at the peak of the rate, and all {num_steps:.0f} "
        f"steps together by at most {100 * path:.2g} %"
    )
    more = f"training.max_epochs={int(np.ceil(run.training.max_epochs * 3 * PATH_TOO_SHORT / path))}"
    evidence = {"update ratio": ratio, "path": path}
    if ratio >= RATIO_IS_USUAL:
        yield Finding("too-few-steps", Severity.WARNING, text, evidence, (more, "smaller training.batch_tokens"))
        return
    better = run.training.learning_rate * min(30.0, 3 * PATH_TOO_SHORT / path)
    tries = (f"training.learning_rate={better:.1g}", more, "diagnose --lr-scan finds a range")
    yield Finding("rate-too-low", Severity.SERIOUS, text, evidence, tries)


def core_ratios(run: RunRecord) -> dict[str, tuple[Numbers, Numbers]]:
    """The finite update-to-weight ratios of the core's matrices, by group, with the steps where they were measured."""
    found = run.measured(UPDATE_RATIO)
    return {
        name: (steps[np.isfinite(own)], own[np.isfinite(own)])
        for name, (steps, own) in found.items()
        if name in CORE_GROUPS and np.isfinite(own).any()
    }


def peak_ratio(run: RunRecord) -> float | None:
    """The median ratio of a group while the rate was high, of the group where it is largest; None without any."""
    if not run.steps:
        return None
    peak = run.steps["step"][run.peak()]
    known = [own[np.isin(steps, peak)] for steps, own in core_ratios(run).values()]
    return max((float(np.median(own)) for own in known if len(own)), default=None)


def path_length(run: RunRecord) -> float:
    """The sum of all steps' ratios, interpolated between those measured, of the group that moved most.

    An upper bound of how far weights went, as a share of their size, since steps go to and fro.
    """
    every = np.arange(1.0, run.steps["step"][-1] + 1)
    return max((float(np.interp(every, steps, own).sum()) for steps, own in core_ratios(run).values()), default=0.0)


def warm_up_too_short(run: RunRecord) -> Iterator[Finding]:
    """There was next to no warm-up, and the first steps did harm (Xiong et al. 2020: post-norm cores need one)."""
    if not run.steps or run.steps["step"][0] > 1:
        return
    rates, loss = run.steps["learning_rate"], run.steps["loss"]
    num_warm_up = int(np.argmax(rates >= 0.999 * np.nanmax(rates))) + 1
    if num_warm_up >= FEW_WARM_UP_STEPS or len(rates) < 10 * FEW_WARM_UP_STEPS:
        return
    early = loss[1 : max(6, len(loss) // 10)]
    rise = float(np.nanmax(early) / loss[0])
    first = max((ratios[0] for _, ratios in core_ratios(run).values()), default=0.0)
    if rise < EARLY_RISE and first < EARLY_RATIO:
        return
    text = f"the rate is at its peak after {num_warm_up} step{'s' * (num_warm_up > 1)}"
    planned = run.training.warmup_fraction * run.num_planned_steps
    if planned >= FEW_WARM_UP_STEPS:
        text += f", though training.warmup_fraction={run.training.warmup_fraction:g} asks for about {planned:.0f}"
    text += f"; the first one changed the core's weights by {100 * first:.2g} %"
    text += f", and the loss rose to {rise:.2g} times that of the first step" if rise >= EARLY_RISE else ""
    tries = ("training.warmup_fraction=0.1", "core.norm=pre")
    if planned >= FEW_WARM_UP_STEPS:
        tries = ("--rerun with a version whose schedule has the warm-up that is asked for", "core.norm=pre")
    evidence = {"warm-up steps": num_warm_up, "early rise of the loss": rise, "first update ratio": float(first)}
    yield Finding("warm-up-too-short", Severity.WARNING, text, evidence, tries, step_name(1))


def exploding_gradients(run: RunRecord) -> Iterator[Finding]:
    """Gradients are far larger than what they are clipped to, step after step."""
    if not run.steps:
        return
    norm, clip = run.steps["gradient_norm"], run.training.gradient_clip
    median = float(np.nanmedian(norm))
    if median <= EXPLODING * clip:
        return
    text = f"the median norm of a gradient is {median:.3g}, {median / clip:.0f} times what it is clipped to"
    tries = (
        "look at the core's initial weights and its residual connections",
        "core.norm=pre",
        "a smaller learning rate",
    )
    yield Finding("exploding-gradients", Severity.SERIOUS, text, {"median gradient norm": median}, tries)


def clipped_always(run: RunRecord) -> Iterator[Finding]:
    """Nearly every gradient is clipped, so that the clip and not the gradient sets the size of a step."""
    if not run.steps:
        return
    share = float(np.mean(run.steps["clipped"]))
    if share < ALWAYS_CLIPPED:
        return
    median = float(np.nanmedian(run.steps["gradient_norm"]))
    text = f"{100 * share:.0f} % of the gradients were clipped; their median norm is {median:.3g}"
    tries = (f"training.gradient_clip={2 * median:.2g}",)
    evidence = {"clipped share": share, "median gradient norm": median}
    yield Finding("clipped-always", Severity.NOTE, text, evidence, tries)


def spikes(run: RunRecord) -> Iterator[Finding]:
    """Times when the loss went back to where it began, for several steps and not for a single hard batch."""
    if not run.steps or len(run.steps["step"]) < 2 * SPIKE_WINDOW:
        return
    loss = run.steps["loss"]
    level = _median_around(loss, SPIKE_STEPS)
    first = float(np.median(loss[:SPIKE_STEPS]))
    is_high = (level > SPIKE * _median_around(loss, SPIKE_WINDOW)) & (level > SPIKE_LEAST * first)
    starts = np.flatnonzero(np.diff(is_high.astype(int), prepend=0) == 1)
    if not len(starts):
        return
    step = run.steps["step"][starts[0]]
    text = f"{len(starts)} time{'s' * (len(starts) > 1)} the loss rose to {SPIKE:.0f} times that of the steps around"
    tries = (f"training.learning_rate={run.training.learning_rate / 2:.2g}", "training.gradient_clip=0.5")
    severity = Severity.WARNING if len(starts) >= MANY_SPIKES else Severity.NOTE
    yield Finding("spikes", severity, text, {"spikes": len(starts)}, tries, step_name(step))


def _median_around(values: Numbers, width: int) -> Numbers:  # (S,) -> (S,)
    """The median of an odd number of values around each."""
    padded = np.pad(values, width // 2, mode="reflect")
    found: Numbers = np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    return found


RULES = (diverging, rate_too_high, rate_too_low, warm_up_too_short, exploding_gradients, spikes, clipped_always)
