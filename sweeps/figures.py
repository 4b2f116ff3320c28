"""A study's insight as figures, PNG and SVG each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atinuke_bench.files import make_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]

_COLOURS = {"complete": "#0072b2", "pruned": "#e69f00", "best": "#009e73"}


def write_figures(record: Record, folder: Path) -> list[Path]:
    """Draw what there is data for; the files written."""
    if all(entry["score"] is None for entry in record["history"]):
        return []
    make_folder(folder)
    drawn: dict[str, Callable[[Record], Figure | None]] = {
        "history": _history,
        "budget": _budget,
        "importance": _importance,
        "slices": _slices,
        "contours": _contours,
        "pareto": _pareto,
    }
    written = []
    for name, draw in drawn.items():
        figure = draw(record)
        if figure is None:
            continue
        for kind in ("png", "svg"):
            path = folder / f"{name}.{kind}"
            figure.savefig(path, dpi=150, metadata={"Date": None} if kind == "svg" else None)
            written.append(path)
    return written


def _figure(columns: int = 1, rows: int = 1, *, width: float = 6.0, height: float = 4.0) -> tuple[Figure, Any]:
    # Without pyplot, which keeps figures alive and picks a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _score_label(record: Record) -> str:
    return f"selection {record['metric']}"


def _history(record: Record) -> Figure:
    """Every trial's score, and the best so far, by number of trials ended."""
    figure, axes = _figure()
    ax = axes[0, 0]
    states = {trial["number"]: trial["state"] for trial in record["trials"]}
    for state in ("complete", "pruned"):
        points = [
            (entry["trials"], entry["score"])
            for entry in record["history"]
            if states[entry["number"]] == state and entry["score"] is not None
        ]
        if points:
            ax.scatter(*zip(*points, strict=True), s=16, color=_COLOURS[state], label=state)
    _steps(ax, record, "trials")
    ax.set(xlabel="trials", ylabel=_score_label(record), title=record["study"])
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False)
    return figure


def _budget(record: Record) -> Figure:
    """Best so far against training operations."""
    figure, axes = _figure()
    ax = axes[0, 0]
    _steps(ax, record, "flops")
    ax.set(xlabel="training FLOPs of all trials", ylabel=f"best {_score_label(record)}", title=record["study"])
    return figure


def _steps(ax: Any, record: Record, against: str) -> None:
    points = [(entry[against], entry["best"]) for entry in record["history"] if entry["best"] is not None]
    if points:
        ax.step(*zip(*points, strict=True), where="post", color=_COLOURS["best"], label="best so far")


def _importance(record: Record) -> Figure | None:
    if record["importance"] is None:
        return None
    shares = sorted(record["importance"]["values"].items(), key=lambda item: item[1])
    figure, axes = _figure(height=1.2 + 0.35 * len(shares))
    axes[0, 0].barh([path for path, _ in shares], [share for _, share in shares], color=_COLOURS["complete"])
    axes[0, 0].set(xlabel="share of the score's variance (fANOVA)", title=record["study"])
    return figure


def _slices(record: Record) -> Figure | None:
    """Score against each parameter."""
    slices = {path: points for path, points in record["slices"].items() if points}
    if not slices:
        return None
    columns = min(3, len(slices))
    rows = -(-len(slices) // columns)
    figure, axes = _figure(columns, rows, width=4.0 * columns, height=3.2 * rows)
    for ax in axes.flat[len(slices) :]:
        ax.remove()
    for ax, (path, points) in zip(axes.flat, slices.items(), strict=False):
        spec = record["parameters"][path]
        values = [value for value, _ in points]
        if spec["kind"] == "categorical":
            order = {repr(choice): place for place, choice in enumerate(spec["choices"])}
            ax.set_xticks(range(len(order)), [str(choice) for choice in spec["choices"]])
            values = [order[repr(value)] for value in values]
        elif spec["log"]:
            ax.set_xscale("log")
        ax.scatter(values, [score for _, score in points], s=14, color=_COLOURS["complete"])
        ax.set(xlabel=path + (f" (times {spec['times']})" if "times" in spec else ""), ylabel=_score_label(record))
    return figure


def _contours(record: Record) -> Figure | None:
    """Score over pairs of parameters. Trials on one line span no area, and are left out."""
    contours = [contour for contour in record["contours"] if _spans_an_area(contour["points"])]
    if not contours:
        return None
    figure, axes = _figure(len(contours), width=5.0 * len(contours))
    for ax, contour in zip(axes.flat, contours, strict=True):
        xs, ys, scores = (list(column) for column in zip(*contour["points"], strict=True))
        for name, axis in ((contour["x"], "x"), (contour["y"], "y")):
            if record["parameters"][name]["log"]:
                getattr(ax, f"set_{axis}scale")("log")
        filled = ax.tricontourf(xs, ys, scores, levels=12, cmap="viridis")
        ax.scatter(xs, ys, s=8, color="black")
        ax.set(xlabel=contour["x"], ylabel=contour["y"])
        figure.colorbar(filled, ax=ax, label=_score_label(record))
    return figure


def _spans_an_area(points: list[list[float]]) -> bool:
    import numpy as np

    places = np.unique(np.array([point[:2] for point in points], dtype=float).reshape(-1, 2), axis=0)
    if len(places) < 4:
        return False
    scaled = (places - places.mean(axis=0)) / np.maximum(places.std(axis=0), 1e-12)
    return bool(np.linalg.matrix_rank(scaled, tol=1e-6) == 2)


def _pareto(record: Record) -> Figure | None:
    """Score against cost, with the front."""
    has_cost = len(record["objectives"]) > 1
    points = [
        (trial["objectives"][1] if has_cost else trial["parameters"], trial["score"])
        for trial in record["trials"]
        if trial["state"] == "complete"
    ]
    if not points:
        return None
    figure, axes = _figure()
    ax = axes[0, 0]
    ax.scatter(*zip(*points, strict=True), s=16, color=_COLOURS["complete"], label="complete trials")
    front = [(entry["cost"], entry["score"]) for entry in record["pareto"]]
    ax.step(*zip(*front, strict=True), where="post", color=_COLOURS["best"], label="Pareto front")
    ax.set_xscale("log")
    cost = {"flops": "forward FLOPs per token"}.get(record["objectives"][-1]["name"], "parameters")
    ax.set(xlabel=cost, ylabel=_score_label(record), title=record["study"])
    ax.legend(frameon=False)
    return figure
