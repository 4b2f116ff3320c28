"""Rules about what was learned: the floor, one answer to everything, learning by heart, and when it was stopped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .data import FEWEST_ANSWERS, ONE_ANSWER
from .finding import Finding, Severity, epoch_name
from .record import FEWEST_EPOCHS, RunRecord

#: Of an epoch's answers; a run that tells examples apart gives its commonest answer less often.
COLLAPSED = 0.98
#: A loss that has fallen to less than this share of the first epoch's is one of examples that are known by heart. A
#: fifth is not enough: losses that add up many parts, as that of coreference, begin high and fall so far in healthy
#: runs.
BY_HEART = 0.05
#: A loss that has fallen to less than this share, in a run whose last epoch is the best one, is one that still falls.
STILL_LEARNING = 0.7
#: Epochs, and share of all epochs, in which train is known by heart.
LEAST_BY_HEART, SHARE_BY_HEART = 4, 0.4
#: A rise or fall of the selection score, as a part of its spread, that is little.
LITTLE_GAIN = 0.25
#: A training loss below this share of an earlier one has fallen on.
STILL_FALLING = 0.8
#: Change of the loss over the last half of the epochs that counts as none.
PLATEAU = 0.01


def collapsed(run: RunRecord) -> Iterator[Finding]:
    """Nearly all answers are the same in the best epoch, though the right ones are not.

    Mosbach et al. 2021 call runs of a pretrained core that end at the majority's score failed, and find vanishing
    gradients; a longer warm-up, a smaller rate and more epochs helped.
    """
    best = run.best_epoch
    if best is None or len(run.answers) <= best:
        return
    own = run.answers[best]
    if run.is_young:
        return
    if own.num < FEWEST_ANSWERS or not own.commonest >= COLLAPSED or own.commonest_right >= ONE_ANSWER:
        return
    if not own.commonest > own.commonest_right + 0.05:
        return
    text = (
        f"{100 * own.commonest:.0f} % of its answers are the same; of the right ones {100 * own.commonest_right:.0f} %"
    )
    tries = (
        f"training.learning_rate={run.training.learning_rate / 2:.2g}",
        "training.warmup_fraction=0.2",
        f"training.max_epochs={2 * run.training.max_epochs}",
        "another seed: with the same settings some seeds collapse and others do not",
    )
    evidence = {
        "commonest answer": own.commonest,
        "commonest right answer": own.commonest_right,
        "entropy": own.entropy,
    }
    yield Finding("collapsed", Severity.SERIOUS, text, evidence, tries, epoch_name(best))


def never_left_the_floor(run: RunRecord) -> Iterator[Finding]:
    """No epoch scored above what is answered without a model, by more than chance."""
    floor, best, noise = run.last_answers.floor, run.best_epoch, run.noise()
    if best is None or run.is_young or not np.isfinite(floor) or run.last_answers.commonest_right >= ONE_ANSWER:
        return
    if run.gains[best] > floor + noise:
        return
    fell = run.losses[-1] / run.losses[0] if run.num_epochs > 1 else np.nan
    text = f"the best selection score is {run.scores[best]:.2f}; without a model it is {floor:.2f}"
    text += f", and {noise:.1f} more by chance" if noise else ""
    evidence = {"best score": run.scores[best], "floor": floor, "noise": noise, "loss, last to first": float(fell)}
    longer = f"training.max_epochs={3 * run.training.max_epochs}"
    if not noise and best == run.num_epochs - 1 and fell < STILL_LEARNING:
        yield Finding("below-the-floor", Severity.NOTE, f"{text}; it was still rising", evidence, (longer,))
        return
    if fell < BY_HEART:
        text += "; the training loss fell all the same: examples are learned by heart, and tell nothing of others"
    tries = (
        "read some examples with their labels: do the labels follow from the texts?",
        "training.max_length: is what decides cut off?",
        f"diagnose --lr-scan, and {longer}",
    )
    yield Finding("never-left-the-floor", Severity.SERIOUS, text, evidence, tries)


def overfitting(run: RunRecord) -> Iterator[Finding]:
    """The selection score fell while the training loss fell on, or train has been known by heart for long in vain.

    Prechelt 1998 stops where the error on held-out examples has risen. Scores of few examples rise and fall by chance,
    so that a fall must be large, and else what is judged is how long nothing was gained.
    """
    best = run.best_epoch
    if best is None or run.num_epochs < 2 * LEAST_BY_HEART or not np.isfinite(run.gains).all():
        return
    tries = (
        "more training data",
        "core.dropout=0.2",
        "training.weight_decay=0.1",
        f"training.max_epochs={best + 2}",
    )
    fallen = float(run.gains[best] - run.gains[-1])
    little = max(run.noise(), LITTLE_GAIN * float(np.ptp(run.gains)))
    if fallen > little and run.losses[-1] < STILL_FALLING * run.losses[best]:
        text = (
            f"the selection score is best in {epoch_name(best)} and {fallen:.3g} worse at the end, while the training "
        )
        text += f"loss fell from {run.losses[best]:.3g} to {run.losses[-1]:.3g}"
        evidence = {"fall of the score": fallen, "epochs since the best": run.num_epochs - 1 - best}
        yield Finding("overfitting", Severity.WARNING, text, evidence, tries, epoch_name(best + 1))
        return
    is_known = run.losses <= BY_HEART * run.losses[0]
    since = 0 if is_known.all() else run.num_epochs - int(np.argmin(is_known[::-1]))
    after = run.num_epochs - since
    if after < max(LEAST_BY_HEART, SHARE_BY_HEART * run.num_epochs):
        return
    gained = float(np.max(run.gains[since:]) - np.max(run.gains[: since + 1]))
    if gained > max(run.noise(), LITTLE_GAIN * float(np.ptp(run.gains[: since + 1]))):
        return
    fell = float(run.losses[-1] / run.losses[0])
    text = (
        f"from {epoch_name(since)} on the training loss is under {100 * BY_HEART:.0f} % of the first epoch's, at the "
        f"end {100 * fell:.2g} %; in these {after} epochs the best selection score rose by {max(0.0, gained):.2g}"
    )
    evidence = {"epochs by heart": after, "loss, last to first": fell, "gained since": gained}
    yield Finding("overfitting", Severity.WARNING, text, evidence, tries, epoch_name(since))


def plateau(run: RunRecord) -> Iterator[Finding]:
    """The training loss did not fall over the last half of the epochs, and is not that of examples known by heart."""
    if run.num_epochs < FEWEST_EPOCHS or run.losses[-1] < BY_HEART * run.losses[0]:
        return
    middle = run.num_epochs // 2
    before, after = run.losses[middle - 1], float(np.min(run.losses[middle:]))
    if not after > (1 - PLATEAU) * before:
        return
    text = f"the training loss is {run.losses[-1]:.3g} and has not fallen since {epoch_name(middle - 1)}"
    tries = (
        f"training.learning_rate={run.training.learning_rate * 3:.2g} or {run.training.learning_rate / 3:.2g}",
        "a larger preset",
    )
    evidence = {"loss in the middle": float(before), "loss at the end": float(run.losses[-1])}
    yield Finding("plateau", Severity.NOTE, text, evidence, tries, epoch_name(middle - 1))


def still_improving(run: RunRecord) -> Iterator[Finding]:
    """The last epoch was the best, and none was left."""
    best = run.best_epoch
    if best is None or not run.is_finished or best != run.num_epochs - 1 or run.num_epochs < run.training.max_epochs:
        return
    earlier = run.gains[:best]
    gain = run.gains[best] - np.nanmax(earlier) if np.isfinite(earlier).any() else np.nan
    text = f"the last of {run.num_epochs} epochs is the best one"
    tries = (f"training.max_epochs={2 * run.training.max_epochs}",)
    yield Finding("still-improving", Severity.NOTE, text, {"gain of the last epoch": float(gain)}, tries)


RULES = (collapsed, never_left_the_floor, overfitting, plateau, still_improving)
