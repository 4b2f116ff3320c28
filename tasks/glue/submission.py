"""The file that GLUE's site takes, and GLUE's average over its tasks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from atinuke_bench.tasks.glue.files import LAYOUTS, GlueLayout, Label
from atinuke_bench.training.capabilities import Average, Submission

#: Metrics whose mean is a task's part of the average (Wang et al. 2019, section 3). The AX diagnostic has no part.
GLUE_METRICS: dict[str, tuple[str, ...]] = {
    "glue/cola": ("matthews_correlation",),
    "glue/sst2": ("accuracy",),
    "glue/mrpc": ("accuracy", "f1"),
    "glue/qqp": ("accuracy", "f1"),
    "glue/stsb": ("pearson", "spearman"),
    "glue/mnli": ("accuracy_matched", "accuracy_mismatched"),
    "glue/qnli": ("accuracy",),
    "glue/rte": ("accuracy",),
    "glue/wnli": ("accuracy",),
}


class GlueSubmission(Submission):
    """The part of one task: `parts` has, for each canonical split, the layout it is read with and its name there.

    `official_sizes` has the number of rows of each; the rows of a test set are numbered from 0.
    """

    benchmark = "GLUE"
    files = tuple(sorted({name for layout in LAYOUTS.values() for name in layout.submissions.values()}))

    def __init__(self, parts: Mapping[str, tuple[GlueLayout, str]], official_sizes: Mapping[str, int]) -> None:
        self.parts, self.official_sizes = parts, official_sizes

    def _file_name(self, split: str) -> str | None:
        layout, layout_split = self.parts[split]
        return layout.submissions.get(layout_split)

    def shortfall(self, split: str, ids: Iterable[str]) -> str | None:
        name = self._file_name(split)
        if name is None:
            return None
        answered = {_index(id_) for id_ in ids}
        official = {str(number) for number in range(self.official_sizes[split])}
        found = []
        if absent := official - answered:
            found.append(f"{len(absent)} of {len(official)} rows have no answer, first index {min(absent, key=int)}")
        if unknown := answered - official:
            first = min(unknown, key=lambda index: (len(index), index))
            found.append(f"{len(unknown)} answers belong to no row of it, first index {first}")
        return f"{name} must answer the official test set: {'; '.join(found)}" if found else None

    def write(self, folder: Path, split: str, predictions: Mapping[str, str]) -> Path | None:
        name = self._file_name(split)
        if name is None:
            return None
        layout, _ = self.parts[split]
        labels = layout.labels
        values = {id_: float(answer) if labels is None else labels.index(answer) for id_, answer in predictions.items()}
        write_glue_predictions(layout, folder / name, values)
        return folder / name

    def averages(self, results: Iterable[Mapping[str, Any]]) -> dict[str, Average]:
        scores: dict[str, dict[str, float | None]] = {}
        for result in results:
            if result["task"] == "glue/mnli":
                scores["glue/mnli"] = {
                    f"accuracy_{domain}": result["scores"].get(f"dev_{domain}", {}).get("accuracy")
                    for domain in ("matched", "mismatched")
                }
            else:
                scores[result["task"]] = result["scores"].get("dev", {})
        return {
            "with WNLI": glue_average(scores, with_wnli=True),
            "without WNLI": glue_average(scores, with_wnli=False),
        }


def glue_average(scores: Mapping[str, Mapping[str, float | None]], *, with_wnli: bool) -> Average:
    """The macro-average over tasks, a task with two metrics counting by their mean; None unless all are there.

    >>> glue_average({"glue/cola": {"matthews_correlation": 50.0}}, with_wnli=False).missing[:2]
    ('glue/sst2 accuracy', 'glue/mrpc accuracy')
    """
    wanted = {task: names for task, names in GLUE_METRICS.items() if with_wnli or task != "glue/wnli"}
    found = {task: [scores.get(task, {}).get(name) for name in names] for task, names in wanted.items()}
    missing = [
        f"{task} {name}"
        for task, names in wanted.items()
        for name, value in zip(names, found[task], strict=True)
        if value is None or not math.isfinite(value)
    ]
    if missing:
        return Average(None, tuple(missing))
    return Average(float(np.mean([np.mean(np.array(values, dtype=np.float64)) for values in found.values()])))


def write_glue_predictions(layout: GlueLayout, path: str | Path, predictions: Mapping[str, Label]) -> None:
    """Write an official prediction file: header `index`, `prediction`, one line per id, in the given order.

    Scores are cut to the scale from 0 to 5, as in the official baselines' submissions.
    """
    lines = ["index\tprediction"]
    for identifier, label in predictions.items():
        shown = f"{min(max(float(label), 0.0), 5.0)}" if layout.labels is None else layout.labels[int(label)]
        lines.append(f"{_index(identifier)}\t{shown}")
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _index(identifier: str) -> str:
    return identifier.rpartition("-")[2]
