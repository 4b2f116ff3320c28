"""What was learned, in sentences: one a parameter, and what a reader must know of the trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from atinuke_bench.config.written import as_written

from .axes import Axes

Record = Mapping[str, Any]


def advice(axes: Axes, importance: Record, effects: Mapping[str, Record]) -> list[dict[str, str]]:
    """One sentence a parameter, the most important first."""
    domains = {axis.path: axis for axis in axes.axes}
    found = []
    for path, share in importance["values"].items():
        effect = effects[path]
        parts = [f"{_share(share, importance['intervals'][path])} of the variance"]
        if not importance["shown"][path]:
            parts[0] += ", not shown to matter"
        if effect["where"] < 1:
            parts[0] += f" (it applies in {_percent(effect['where'])} % of the space)"
        parts += [
            f"together with {pair['y'] if pair['x'] == path else pair['x']}: {_share(pair['share'], pair['interval'])}"
            for pair in importance["pairs"]
            if pair["shown"] and path in (pair["x"], pair["y"])
        ]
        parts.append(_good(effect, is_range=not domains[path].is_categorical))
        found.append({"parameter": path, "text": "; ".join(parts)})
    return found


def choice_text(choice: Record) -> str:
    """What a study says of the trial that it chose.

    >>> chosen = {"number": 7, "mean": 61.5, "num_seeds": 3, "chance": 0.6, "shortfall": 0.25, "finalists": [1, 7]}
    >>> print(choice_text(chosen).replace(": ", ":\\n").replace("; ", ";\\n"))
    Trial 7 is chosen, with a mean of 61.50 over 3 seeds:
    the best of 2 finalists with a chance of 60 %;
    to be expected is that it is 0.25 below the best of them.
    """
    seeds = "one seed" if choice["num_seeds"] == 1 else f"{choice['num_seeds']} seeds"
    text = f"Trial {choice['number']} is chosen, with a mean of {choice['mean']:.2f} over {seeds}"
    if choice["chance"] is None:
        return f"{text}; how likely it is the best is not known without further seeds."
    text += f": the best of {len(choice['finalists'])} finalists with a chance of {_percent(choice['chance'])} %"
    return f"{text}; to be expected is that it is {choice['shortfall']:.2f} below the best of them."


def notes(trials: Sequence[Record], importance: Record | None, choice: Record | None) -> list[str]:
    """What the sentences leave out, of a study's trials and of what was made of them."""
    states = Counter(trial["state"] for trial in trials)
    found = [] if choice is None else [choice_text(choice)]
    if states["pruned"]:
        found.append(
            f"{states['pruned']} of {len(trials)} trials were stopped early and are left out, so that values which "
            "were stopped often look better than they are; with pruner none all count."
        )
    if states["failed"]:
        found.append(f"{states['failed']} trials failed and are left out.")
    if importance is not None:
        found.append(
            f"{_percent(importance['unexplained'])} % of the variance of scores is noise, or what three parameters do "
            "together."
        )
    return found


def _good(effect: Record, *, is_range: bool) -> str:
    if not effect["preference"]:
        return "no preference shown"
    if not is_range:
        return f"good: {', '.join(map(_value, effect['good']))}"
    ranges = [_value(low) if low == high else f"{_value(low)} to {_value(high)}" for low, high in effect["good"]]
    is_at_end = effect["best"] in (effect["values"][0], effect["values"][-1])
    return f"good: {', or '.join(ranges)}" + (", best at the end of its range" if is_at_end else "")


def _value(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else as_written(value)


def _share(share: float, interval: Sequence[float]) -> str:
    low, high = map(_percent, interval)
    return f"{_percent(share)} % [{low}, {high}]"


def _percent(share: float) -> str:
    """
    >>> _percent(0.6), _percent(0.004), _percent(0.0001)
    ('60', '0.4', '0')
    """
    percent = 100 * share
    return f"{percent:.0f}" if percent >= 0.95 or percent < 0.05 else f"{percent:.1f}"
