"""A table of the report: the plain figures, and one text a cell for readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Table:
    """A titled table. `shown` holds texts for readers, `data` the plain figures for CSV and Parquet."""

    name: str
    title: str
    shown: pd.DataFrame
    data: pd.DataFrame
    notes: tuple[str, ...] = ()
    #: Whether the scores may not be compared with published ones.
    is_flagged: bool = False
    #: Section of the page that shows it, and whether it is folded up there.
    section: str = "scores"
    is_folded: bool = False
    #: Rows that say something; what follows them is folded up on the page, under the title. None: all say something.
    num_first: int | None = None
    rest_title: str = "More rows"
    #: Where `shown` has the best mean of a column, by row and name of the column: how many of its first letters it is.
    best: Mapping[tuple[int, str], int] = field(default_factory=dict)
