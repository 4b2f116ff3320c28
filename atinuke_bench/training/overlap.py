"""Examples that the train split shares with evaluated ones.

Two examples are the same where their texts are, whitespace and case aside: how a text is wrapped or begins says nothing
of what it says, and a tokenizer that lowercases would read both alike. Labels play no part.

Letters: N examples of a split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, List, Value
from numpy.typing import NDArray

Keys = NDArray[np.uint64]  # [N]


@dataclass(frozen=True)
class Overlap:
    """What the train split shares with each evaluated split."""

    #: Whether an evaluated split has it too, for each example of train.
    in_train: NDArray[np.bool_]
    #: Evaluated split -> how many of its examples train has, and how many it has.
    splits: Mapping[str, tuple[int, int]]
    #: Examples of train whose texts an earlier one has too.
    num_repeats: int = 0

    def record(self) -> dict[str, Any]:
        """The counts as a manifest keeps them."""
        counts = {name: {"shared": shared, "examples": size} for name, (shared, size) in self.splits.items()}
        repeats = {"repeats": self.num_repeats, "examples": len(self.in_train)}
        return {"train": int(self.in_train.sum()), "splits": counts, "within_train": repeats}

    def note(self) -> str | None:
        """What a run says of it; None where nothing is shared."""
        shared = {name: counts for name, counts in self.splits.items() if counts[0]}
        if not shared:
            return None
        listed = ", ".join(f"{num:,} of {size:,} of {name} ({num / size:.1%})" for name, (num, size) in shared.items())
        return f"overlap: of the examples that are evaluated, train has {listed}"


def find_overlap(train: Dataset, evaluated: Mapping[str, Dataset], columns: tuple[str, ...]) -> Overlap:
    """What train shares with evaluated splits, each example being known by some columns.

    About a second for 400,000 pairs.
    """
    known = example_keys(train, columns)
    in_train, splits = np.zeros(len(known), dtype=bool), {}
    for name, examples in evaluated.items():
        keys = example_keys(examples, columns)
        in_train |= np.isin(known, keys)
        splits[name] = (int(np.isin(keys, known).sum()), len(keys))
    return Overlap(in_train, splits, len(known) - len(np.unique(known)))


def example_keys(examples: Dataset, columns: tuple[str, ...]) -> Keys:
    """A number for each example, the same for the same texts; of all columns with text but `id` where none is named.

    Two of a million different examples have the same number once in 30 million such data sets.
    """
    if not len(examples):
        return np.empty(0, dtype=np.uint64)
    names = columns or text_columns(examples)
    folded = [_folded(examples[name][:]) for name in names]
    texts = np.array(["\x1f".join(parts) for parts in zip(*folded, strict=True)], dtype=object)
    keys: Keys = pd.util.hash_array(texts, categorize=False)
    return keys


def text_columns(examples: Dataset) -> tuple[str, ...]:
    """The columns that have text, but `id`."""
    return tuple(name for name, kind in examples.features.items() if name != "id" and _has_text(kind))


def _folded(values: list[Any]) -> list[str]:
    # A text that many examples share, such as that of many questions, is folded once.
    texts = [value if isinstance(value, str) else _joined(value) for value in values]
    known = {text: " ".join(text.casefold().split()) for text in set(texts)}
    return [known[text] for text in texts]


def _joined(value: Any) -> str:
    """Words, or lists of them, as one text."""
    return " ".join(map(_joined, value)) if isinstance(value, list) else str(value)


def _has_text(kind: Any) -> bool:
    while isinstance(kind, List):
        kind = kind.feature
    return isinstance(kind, Value) and kind.dtype in ("string", "large_string")
