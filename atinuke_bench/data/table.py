"""What every reader of an official file gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Label of an example whose class is not known: a hidden test label, or one on which annotators disagreed.
UNLABELLED = -1
#: How files write that a label is not given.
HIDDEN = frozenset(["", "-", "?", "-1", "-1.0", "nan", "none", "null", "hidden"])


def is_hidden(label: object) -> bool:
    """Whether a label, as a file has it, says that it is not given.

    >>> [is_hidden(label) for label in (None, "hidden", "-1", -1.0, math.nan, "0", 0)]
    [True, True, True, True, True, False, False]
    """
    if isinstance(label, str):
        return label.strip().lower() in HIDDEN
    return label is None or label == UNLABELLED or (isinstance(label, float) and math.isnan(label))


@dataclass(frozen=True)
class Table:
    """Examples of one file, column by column, all columns equally long.

    Canonical columns are `id` (unique text), `sentence1`, `sentence2` (pair tasks only) and `label`: an int from 0, -1
    when unknown; or, for scores, a float, NaN when unknown.
    """

    columns: dict[str, list[Any]]
    #: What a user should know about the reading, such as a count of skipped lines.
    notes: tuple[str, ...] = ()
    #: Files that were read beside the one that was asked for.
    also_read: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(values) for values in self.columns.values()}
        assert len(lengths) == 1, f"columns of different lengths: {lengths}"

    def __len__(self) -> int:
        """Number of examples.

        >>> len(Table({"id": ["dev-0", "dev-1"], "label": [1, -1]}))
        2
        """
        return len(self.columns["id"])
