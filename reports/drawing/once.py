"""Figures that an earlier report drew from the same data with the same look are not drawn again."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import matplotlib as mpl

from ..kept import Kept, kept
from .style import Plot

P = ParamSpec("P")
Drawn = TypeVar("Drawn", Plot, Plot | None)


def drawn_once(draw: Callable[P, Drawn]) -> Callable[P, Drawn]:
    """A function of plain data that draws a figure, or none, called for data that no report had before."""

    @wraps(draw)
    def found(*args: P.args, **options: P.kwargs) -> Drawn:
        return kept_plot((draw.__module__, draw.__qualname__, args, options), lambda: draw(*args, **options))

    return found


def kept_plot(of: tuple[object, ...], make: Callable[[], Drawn]) -> Drawn:
    """The figure that `make` draws, or the one that was drawn of equal `of`."""

    def packed() -> Kept:
        plot = make()
        if plot is None:
            return None, ()
        return [plot.name, plot.title, plot.section], (plot.svg.encode(), plot.png, plot.pdf)

    # What a user's own matplotlibrc sets decides how figures look.
    settings = {name: repr(value) for name, value in mpl.rcParams.items()}
    record, blobs = kept("figure", (settings, *of), packed)
    if record is None:
        return None  # type: ignore[return-value]
    (name, title, section), (svg, png, pdf) = record, blobs
    return Plot(name, title, svg.decode(), png, pdf, section)
