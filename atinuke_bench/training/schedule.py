"""The learning rate over a training."""

from __future__ import annotations

#: Raised when the same settings come to mean other rates. 2: the warm-up has as many steps as its fraction asks for; in
#: version 1 it always had one, since the schedule was made before the number of steps was known.
SCHEDULE_VERSION = 2


def warmup_then_linear(step: int, num_warmup: int, num_steps: int) -> float:
    """Factor on the learning rate: up from zero over `num_warmup` steps, then down to zero at `num_steps`.

    >>> [warmup_then_linear(step, 2, 6) for step in (0, 1, 2, 4, 6)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    if step < num_warmup:
        return (step + 1) / num_warmup
    return max(0.0, (num_steps - step) / max(1, num_steps - num_warmup))
