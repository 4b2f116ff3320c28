"""Figures of what hyper-parameters do to the score of a study: how much each matters, and where it is good."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from atinuke_bench.formatting import number

from ..drawing.names import short
from ..drawing.style import INK, Plot, finished, new_figure, slug, tip
from ..reading.studies import Study
from .study_figures import domain, scale, setting

_BLUE, _GREEN, _PURPLE = "#0072b2", "#009e73", "#cc79a7"
#: Pairs that are drawn, those with the largest shares of the shown ones.
_MOST_PAIRS = 5


def importance(study: Study) -> Plot | None:
    """The share of each hyper-parameter in the score's variance with its interval, and of the pairs that are shown."""
    found = study.insight.get("importance")
    if not found:
        return None
    intervals, shown = found.get("intervals") or {}, found.get("shown") or {}
    bars = [
        (path, short(path, 34), share, intervals.get(path), _BLUE, shown.get(path, True))
        for path, share in found["values"].items()
    ]
    pairs = [pair for pair in found.get("pairs") or [] if pair["shown"]][:_MOST_PAIRS]
    bars += [
        (f"{pair['x']} with {pair['y']}", " × ".join(_last(pair[side]) for side in ("x", "y")), pair["share"],
         pair["interval"], _PURPLE, True)
        for pair in pairs
    ]  # fmt: skip
    bars.sort(key=lambda bar: bar[2])
    figure, (axes,) = new_figure(1, 1.0 + 0.3 * len(bars))
    for place, (name, _, share, interval, colour, is_shown) in enumerate(bars):
        (bar,) = axes.barh(place, 100 * share, color=colour, alpha=1.0 if is_shown else 0.35)
        known = f" [{number(100 * interval[0], 1)}, {number(100 * interval[1], 1)}]" if interval else ""
        tip(bar, f"{name}: {number(100 * share, 1)} %{known}{'' if is_shown else ', not shown to matter'}")
        if interval:
            axes.hlines(place, 100 * interval[0], 100 * interval[1], color=INK, lw=1.4)
    axes.set_yticks(range(len(bars)), [short(label, 34) for _, label, *_ in bars])
    axes.set_xlim(left=0)
    axes.set_xlabel("share of the score's variance, % (fANOVA)")
    title = f"{study.title}: importance of hyper-parameters"
    if intervals:
        title += " (lines: 95 % intervals; pale: not shown to matter" + ("; ×: pairs" if pairs else "") + ")"
    return finished(figure, f"study-importance-{slug(study.name)}", title, "studies")


def slices(study: Study, most: int | None = None) -> Plot | None:
    """Score against each hyper-parameter, the most important first: trials, the mean over the others, what is good."""
    found = {path: points for path, points in study.insight["slices"].items() if points}
    if not found:
        return None
    shares = (study.insight.get("importance") or {}).get("values", {})
    ordered = sorted(found, key=lambda path: (-shares.get(path, 0.0), path))[:most]
    effects = study.insight.get("effects") or {}
    columns = min(3, len(ordered))
    rows = math.ceil(len(ordered) / columns)
    figure, panels = new_figure(columns, 2.2 * rows, rows)
    for axes in panels[len(ordered) :]:
        axes.set_visible(False)
    for axes, path in zip(panels, ordered, strict=False):
        _slice(axes, study, path, found[path], effects.get(path))
    panels[0].set_ylabel(study.insight["metric"])
    some = f"the {len(ordered)} most important of {len(found)} hyper-parameters; " if len(ordered) < len(found) else ""
    title = f"{study.title}: selection score by hyper-parameter ({some}points: complete trials"
    if effects:
        title += "; line: mean over the rest of the space, with its 95 % band; green: good values, where any are shown"
    return finished(figure, f"study-slices-{slug(study.name)}", f"{title})", "studies")


def _slice(
    axes: Axes, study: Study, path: str, points: Sequence[Sequence[Any]], effect: Mapping[str, Any] | None
) -> None:
    values, scores = zip(*points, strict=True)
    own = domain(study, path)
    is_range = all(map(_is_number, values)) and own.get("kind") != "categorical"
    labels = [] if is_range else list(dict.fromkeys(map(setting, own.get("choices", values))))

    def place(value: Any) -> float:
        return float(value) if is_range else float(labels.index(setting(value)))

    (marks,) = axes.plot([place(value) for value in values], scores, "o", color=_BLUE, ms=4, alpha=0.4)
    tip(marks, *(f"{path}={setting(x)}: {number(y)}" for x, y in zip(values, scores, strict=True)))
    if is_range:
        scale(axes, "x", is_log=own.get("log", False))
    else:
        axes.set_xticks(range(len(labels)), [short(label, 12) for label in labels])
        axes.set_xlim(-0.5, len(labels) - 0.5)
    known = effect and all(_is_number(value) if is_range else setting(value) in labels for value in effect["values"])
    if effect and known:
        _draw_effect(axes, path, effect, [place(value) for value in effect["values"]], is_range=is_range)
    times = f" × {own['times'].split('.')[-1]}" if "times" in own else ""
    axes.set_xlabel(short(path + times, 26))


def _draw_effect(axes: Axes, path: str, effect: Mapping[str, Any], places: Sequence[float], *, is_range: bool) -> None:
    """The mean with its band, and the good values on the ground."""
    x = np.array(places)
    mean, low, high = (np.array(effect[key]) for key in ("mean", "low", "high"))
    good = np.array(effect["is_good"], dtype=bool)
    texts = [
        f"{path}={setting(value)}: mean {number(m)} [{number(a)}, {number(b)}]{', good' if ok else ''}"
        for value, m, a, b, ok in zip(effect["values"], mean, low, high, good, strict=True)
    ]
    if is_range:
        axes.fill_between(x, low, high, color=INK, alpha=0.15, lw=0)
        axes.plot(x, mean, color=INK, lw=1.4)
        (marks,) = axes.plot(x, mean, "o", color=INK, ms=2)
    else:
        axes.vlines(x, low, high, color=INK, lw=1.4)
        (marks,) = axes.plot(x, mean, "_", color=INK, ms=10)
    tip(marks, *texts)
    ground = axes.get_xaxis_transform()
    for first, last in _stretches(good):
        reach = (x[first], x[last]) if is_range else (x[first] - 0.3, x[last] + 0.3)
        axes.plot(reach, (0.015, 0.015), color=_GREEN, lw=4, solid_capstyle="projecting", transform=ground)
        if reach[0] == reach[1]:  # a line without length is not drawn
            axes.plot(reach[:1], (0.015,), "s", color=_GREEN, ms=5, transform=ground)


def _stretches(good: np.ndarray) -> list[tuple[int, int]]:
    """First and last place of each run of values that are good.

    >>> _stretches(np.array([False, True, True, False, True]))
    [(1, 2), (4, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _last(path: str) -> str:
    return path.split(".")[-1]
