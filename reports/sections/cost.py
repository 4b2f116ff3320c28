"""What each core costs on each task."""

from __future__ import annotations

import pandas as pd

from atinuke_bench.formatting import number

from ..reading.frame import Frame
from .table import Table

#: Field of a frame's runs -> title, factor, digits.
COST = {
    "cost.parameters": ("parameters", 1.0, 0),
    "cost.embedding_parameters": ("of them embeddings", 1.0, 0),
    "cost.forward_flops_per_token": ("MFLOPs a token", 1e-6, 3),
    "cost.training_flops": ("training TFLOPs", 1e-12, 3),
    "cost.training_seconds": ("training seconds", 1.0, 1),
    "cost.tokens_per_second": ("tokens/s", 1.0, 0),
    "cost.peak_memory_bytes": ("peak memory MB", 1e-6, 0),
    "cost.latency_seconds": ("latency ms", 1e3, 2),
}
#: Which kernels a run's attention took.
KERNEL = "cost.attention_kernel"


def cost_table(frame: Frame) -> Table:
    """Means over runs of what each variant costs on each task."""
    names = [name for name in COST if name in frame.runs]
    kernels = _kernels(frame)
    keys = ["task", "column", "variant"]
    runs = frame.runs[[*keys, "seconds", *names]].copy()
    runs[names] = runs[names].apply(pd.to_numeric, errors="coerce")
    means = runs.groupby(keys, sort=False).mean().reset_index()
    columns = {}
    for name in names:
        title, factor, digits = COST[name]
        columns[title] = [number(value * factor, digits) for value in means[name]]
    notes = [
        "Means over runs. Times were taken on the machines that the runs' manifests name; compare them only within one "
        "machine. Seconds are of training steps alone."
    ]
    if kernels is not None:
        means = means.join(kernels, on=keys)
        columns["attention"] = means[KERNEL].fillna("–").tolist()
        notes.append("Cores took different kernels for attention: part of the difference in time is that of kernels.")
    shown = pd.DataFrame({"task": means["task"], "core": means["variant"], **columns})
    return Table("cost", "What each core costs", shown, means.drop(columns="column"), tuple(notes), section="cost")


def _kernels(frame: Frame) -> pd.Series | None:
    """The kernels that the attention of each variant took; None where all took the same."""
    if KERNEL not in frame.runs or frame.runs[KERNEL].nunique() < 2:
        return None
    known = frame.runs.dropna(subset=KERNEL)
    return known.groupby(["task", "column", "variant"], sort=False)[KERNEL].agg(
        lambda found: ", ".join(sorted({kernel for names in found for kernel in names.split(", ")}))
    )
