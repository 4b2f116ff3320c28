"""What layers make of their own positions while a core trains: the learned gains of `layerwise` positions.

They are there for runs that recorded what their core lets be observed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from atinuke_bench.errors import RunFolderError, first_line
from atinuke_bench.formatting import number, one_short_line
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.step_record import read_steps

from ..drawing.labels import shared_legend
from ..drawing.names import short
from ..drawing.once import drawn_once
from ..drawing.style import Plot, finished, looks, new_figure, slug, tip
from ..reading.frame import Frame, Gap
from ..statistics.cells import Cells
from .positions import ACROSS, MOST_PANELS, SECTION

#: The columns of a record of steps that hold the gains of layers.
_GAIN = re.compile(r"core/position_gain\.(\d+)")
#: Points of a line; more would only make the page large.
_MOST_STEPS = 200
#: Steps of a run, and the gain of each layer at them.
Gains = tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]


def gain_plots(frame: Frame, cells: Cells) -> Iterable[Plot]:
    """The gains of each column's layers, where its runs recorded them."""
    for column, own in cells.items():
        recorded: dict[str, list[Gains]] = {}
        for cell in own.values():
            for run in cell.runs:
                if (gains := _recorded(frame, run)) is not None:
                    recorded.setdefault(cell.variant, []).append(gains)
        if recorded:
            first = list(recorded)[:MOST_PANELS]
            yield _gains_figure(frame.name_of(column), {name: recorded[name] for name in first}, len(recorded))


def _recorded(frame: Frame, run: int) -> Gains | None:
    """The gains that a run recorded; None where it did not, and a gap where they cannot be read."""
    path = RunFolder(Path(frame.value(run, "folder"))).steps
    if frame.value(run, "is_remote") or not path.is_file():
        return None
    try:
        columns = read_steps(path)
    except RunFolderError as error:
        frame.damaged.setdefault(run, Gap(str(path), f"damaged steps: {one_short_line(first_line(error))}"))
        return None
    names = sorted(filter(_GAIN.fullmatch, columns), key=lambda name: int(name.rpartition(".")[2]))
    if not names:
        return None
    table = pd.DataFrame({name: columns[name] for name in ("step", *names)}).dropna()
    kept = table.iloc[np.unique(np.linspace(0, len(table) - 1, min(len(table), _MOST_STEPS)).astype(int))]
    return tuple(kept["step"].tolist()), tuple(tuple(kept[name].tolist()) for name in names)


@drawn_once
def _gains_figure(task: str, recorded: Mapping[str, Sequence[Gains]], num_variants: int) -> Plot:
    across = min(len(recorded), ACROSS)
    rows = -(-len(recorded) // across)
    figure, axes = new_figure(across, 2.9 * rows, rows)
    for empty in axes[len(recorded) :]:
        empty.set_visible(False)
    most = max(len(layers) for runs in recorded.values() for _, layers in runs)
    look = looks([f"layer {number + 1}" for number in range(most)])
    for own, (variant, runs) in zip(axes, recorded.items(), strict=False):
        for number_of_layer, (name, mine) in enumerate(look.items()):
            series = [
                pd.Series(layers[number_of_layer], steps) for steps, layers in runs if len(layers) > number_of_layer
            ]
            if not series:
                continue
            values = pd.concat(series, axis=1).sort_index()
            mean = values.mean(axis=1)
            own.fill_between(mean.index, values.min(axis=1), values.max(axis=1), color=mine.colour, alpha=0.15, lw=0)
            own.plot(mean.index, mean, color=mine.colour, ls=mine.line, lw=1.6, label=name)
            (end,) = own.plot([mean.index[-1]], [mean.iloc[-1]], color=mine.colour, ls="", marker=mine.marker, ms=5)
            tip(end, f"{variant}, {name}: {number(mean.iloc[0])} at first, {number(mean.iloc[-1])} in the end")
        own.set_xlabel("training step")
        own.set_ylabel("gain of the layer's positions")
        own.set_title(short(variant), loc="left")
        own.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    shared_legend(figure, axes[: len(recorded)])
    some = f"; {len(recorded)} of {num_variants} cores" if len(recorded) < num_variants else ""
    title = f"{task}: learned gains of layerwise positions over training (mean; band: all seeds{some})"
    return finished(figure, f"position-gains-{slug(task)}", title, SECTION)
