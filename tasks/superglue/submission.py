"""The file that SuperGLUE's site takes for each task, and SuperGLUE's average over its tasks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from atinuke_bench import registry
from atinuke_bench.training.capabilities import Average, Submission

Record = dict[str, Any]


@dataclass(frozen=True)
class Official:
    """A task's official file of predictions, and the numbers of examples of its splits."""

    file: str
    sizes: Mapping[str, int]
    #: A stored prediction as the file has it.
    label: Callable[[str], Any]


def _sizes(train: int, dev: int, test: int) -> dict[str, int]:
    return {"train": train, "dev": dev, "test": test}


_RTE = {"train": 2_490, "dev": 277}
#: Sizes count what is scored: answers of MultiRC, queries of ReCoRD.
OFFICIAL: dict[str, Official] = {
    "boolq": Official("BoolQ.jsonl", _sizes(9_427, 3_270, 3_245), str),
    "cb": Official("CB.jsonl", _sizes(250, 56, 250), str),
    "copa": Official("COPA.jsonl", _sizes(400, 100, 500), lambda stored: json.loads(stored)["choice"]),
    "multirc": Official("MultiRC.jsonl", _sizes(27_243, 4_848, 9_693), int),
    "record": Official("ReCoRD.jsonl", _sizes(100_730, 10_000, 10_000), lambda stored: json.loads(stored)["text"]),
    "rte": Official("RTE.jsonl", _sizes(2_490, 277, 3_000), str),
    "wic": Official("WiC.jsonl", _sizes(5_428, 638, 1_400), str),
    "wsc": Official("WSC.jsonl", _sizes(554, 104, 146), str.title),
    "ax-b": Official("AX-b.jsonl", {**_RTE, "test": 1_104}, str),
    "ax-g": Official("AX-g.jsonl", {**_RTE, "test": 356}, str),
}
#: The tasks of the average; the diagnostics have no part in it.
_AVERAGED = tuple(f"superglue/{key}" for key in OFFICIAL if not key.startswith("ax-"))


class SuperGlueSubmission(Submission):
    """The part of one task."""

    benchmark = "SuperGLUE"
    files = tuple(sorted(official.file for official in OFFICIAL.values()))

    def __init__(self, key: str) -> None:
        self.is_nested = key == "multirc"
        self.official = OFFICIAL[key]

    def write(self, folder: Path, split: str, predictions: Mapping[str, str]) -> Path | None:
        if split != "test":
            return None
        labels = {id_: self.official.label(stored) for id_, stored in predictions.items()}
        records = _paragraphs(labels) if self.is_nested else _examples(labels)
        path = folder / self.official.file
        lines = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
        path.write_text(lines, encoding="utf-8", newline="\n")
        return path

    def shortfall(self, split: str, ids: Iterable[str]) -> str | None:
        if split != "test":
            return None
        answered, official = {_places(id_)[-1] for id_ in ids}, set(range(self.official.sizes["test"]))
        found = []
        if absent := official - answered:
            found.append(f"{len(absent)} of {len(official)} examples have no answer, first idx {min(absent)}")
        if unknown := answered - official:
            found.append(f"{len(unknown)} answers belong to no example of it, first idx {min(unknown)}")
        return f"{self.official.file} must answer the official test set: {'; '.join(found)}" if found else None

    def averages(self, results: Iterable[Mapping[str, Any]]) -> dict[str, Average]:
        scores = {result["task"]: result["scores"].get("dev", {}) for result in results}
        return {"8 tasks": superglue_average(scores)}


def superglue_average(scores: Mapping[str, Mapping[str, float | None]]) -> Average:
    """The mean over the eight tasks, one with two figures counting by their mean; None unless all are there.

    >>> superglue_average({"superglue/boolq": {"accuracy": 70.0}}).missing[0]
    'superglue/cb accuracy_and_macro_f1'
    """
    wanted = {task: registry.metrics_of(task)[0].name for task in _AVERAGED}
    found = {task: scores.get(task, {}).get(name) for task, name in wanted.items()}
    known = [value for value in found.values() if value is not None and math.isfinite(value)]
    if len(known) < len(wanted):
        missing = (task for task, value in found.items() if value is None or not math.isfinite(value))
        return Average(None, tuple(f"{task} {wanted[task]}" for task in missing))
    return Average(float(np.mean(known)))


def _examples(labels: Mapping[str, Any]) -> Iterator[Record]:
    for id_ in sorted(labels, key=_places):
        yield {"idx": _places(id_)[-1], "label": labels[id_]}


def _paragraphs(labels: Mapping[str, Any]) -> Iterator[Record]:
    """MultiRC's answers under their question, and questions under their paragraph, each by its index."""
    nested: dict[int, dict[int, list[Record]]] = {}
    for id_ in sorted(labels, key=_places):
        paragraph, question, answer = _places(id_)
        nested.setdefault(paragraph, {}).setdefault(question, []).append({"idx": answer, "label": labels[id_]})
    for paragraph, questions in nested.items():
        found = [{"idx": question, "answers": answers} for question, answers in questions.items()]
        yield {"idx": paragraph, "passage": {"questions": found}}


def _places(id_: str) -> tuple[int, ...]:
    """The indices that an example's id is made of; the last is its own."""
    return tuple(int(place) for place in id_.split("-"))
