"""A task's data as a core will see it: counts, balance, lengths, unknown tokens, repeats, and a few examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from datasets import Dataset
from tokenizers import Tokenizer

from atinuke_bench.data.features import Encoded
from atinuke_bench.data.hold_out import limit_rows
from atinuke_bench.data.tokenizer import unknown_percent
from atinuke_bench.training.overlap import example_keys
from atinuke_bench.training.prepare import PreparedRun

#: Examples of a split that are made into tokens: enough for its lengths to a percent.
_MOST_READ = 10_000
#: And where each must be read alone.
_MOST_ALONE = 500
#: So many tokens that no example is cut, which shows how long it is.
_UNCUT = 1_000_000
#: More different answers than this are no classes.
_MOST_CLASSES = 50


def examine(prepared: PreparedRun, num_shown: int = 3) -> dict[str, Any]:
    """What a run's data holds, split by split; the tokenizer is trained where it is not known.

    Lengths and unknown tokens are those of at most 10,000 examples of a split, drawn at random; lengths of documents of
    running text, those of 500.
    """
    task, run = prepared.task, prepared.run
    splits = {name: _examine_split(prepared, rows) for name, rows in prepared.loaded.splits.items()}
    train = task.data.labelled(prepared.loaded.splits[task.splits.train])
    return {
        "task": task.name,
        "metric": task.metric.name,
        "vocabulary": prepared.tokenizer.get_vocab_size(),
        "max_length": run.training.max_length,
        "splits": splits,
        "overlap": prepared.overlap.record(),
        "examples": _shown(prepared, train.select(range(min(num_shown, len(train))))),
        "notes": list(prepared.notes),
    }


def _examine_split(prepared: PreparedRun, examples: Dataset) -> dict[str, Any]:
    task, limit = prepared.task, prepared.run.training.max_length
    labelled = task.data.labelled(examples)
    keys = example_keys(examples, task.data.example_columns)
    some = examples.select(limit_rows(len(examples), _MOST_READ))
    uncut = _rows(prepared, some, _UNCUT)
    lengths = np.bincount(uncut.example_index, uncut.lengths, minlength=len(some))
    if len(uncut) < len(some):  # examples share a row, as documents of running text do
        few = limit_rows(len(some), _MOST_ALONE)
        lengths = np.array([_rows(prepared, some.select([row]), _UNCUT).lengths.sum() for row in few])
    return {
        "examples": len(examples),
        "labelled": len(labelled),
        "labels": balance(task.data.gold(labelled)) if len(labelled) else None,
        "repeats": len(keys) - len(np.unique(keys)),
        "tokens": {
            "median": int(np.median(lengths)),
            "95 %": int(np.percentile(lengths, 95)),
            "over max_length": float(100 * np.mean(lengths > limit)),
        },
        "unknown_percent": unknown_percent(prepared.tokenizer, uncut),
    }


def balance(gold: Sequence[Any]) -> dict[str, Any] | None:
    """How often each answer is right, or where numbers lie; None where right answers are neither.

    >>> balance(["yes", "no", "yes"]), balance([0.5, 2.5]), balance([["B", "O"], ["O"]])
    ({'yes': 2, 'no': 1}, {'least': 0.5, 'mean': 1.5, 'most': 2.5}, {'O': 2, 'B': 1})
    """
    parts = [part for answer in gold for part in (answer if isinstance(answer, list) else [answer])]
    if parts and all(isinstance(part, int | float) for part in parts):
        return {"least": float(min(parts)), "mean": float(np.mean(parts)), "most": float(max(parts))}
    counts = Counter(part for part in parts if isinstance(part, str))
    return dict(counts.most_common()) if counts and len(counts) <= _MOST_CLASSES else None


def _rows(prepared: PreparedRun, examples: Dataset, max_length: int) -> Encoded:
    training = prepared.run.training.model_copy(update={"max_length": max_length})
    run = prepared.run.model_copy(update={"training": training})
    return prepared.task.data.rows(examples, prepared.tokenizer, run)


def _shown(prepared: PreparedRun, examples: Dataset) -> list[dict[str, Any]]:
    """Each example's rows as tokens, and its right answer."""
    encoded = _rows(prepared, examples, prepared.run.training.max_length)
    ids, rows = encoded.ragged["input_ids"], dict[int, list[str]]()
    for row, example in enumerate(encoded.example_index.tolist()):
        rows.setdefault(example, []).append(_tokens(prepared.tokenizer, ids[row]))
    answers = prepared.task.data.gold(examples)
    return [
        {"id": name, "rows": rows.get(number, []), "answer": answers[number]}
        for number, name in enumerate(examples["id"][:])
    ]


def _tokens(tokenizer: Tokenizer, ids: Iterable[int]) -> str:
    return " ".join(str(tokenizer.id_to_token(int(one))) for one in ids)
