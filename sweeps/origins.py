"""What a trial keeps of the study that it, or the point it begins at, was taken from (`sweep --from`)."""

from __future__ import annotations

from typing import Any

from optuna.trial import FrozenTrial

#: The trial of another study whose run this one has, and whose outcome it was told: nothing was trained for it.
KNOWN = "known_from"
#: The trial of another study whose values were tried here first.
POINT = "point_of"

#: Where a study's database notes that what others found is in it.
BEGUN = "warm_started"


def is_known(trial: FrozenTrial) -> bool:
    """Whether a trial's run was another study's: it is no part of a budget."""
    return KNOWN in trial.user_attrs


def origin_of(trial: FrozenTrial) -> dict[str, Any] | None:
    """Study, number and use of the trial that one was taken from; None for one that was drawn."""
    for name, use in ((KNOWN, "known"), (POINT, "point")):
        if name in trial.user_attrs:
            return {**trial.user_attrs[name], "as": use}
    return None
