"""A table of the report: the plain figures, and one text a cell for readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

#: Beside what a reader should look into.
MARK = "⚠"


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
    #: Column of `shown` -> the address that each row's cell leads to.
    links: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Rows that say something; what follows them is folded up on the page, under the title. None: all say something.
    num_first: int | None = None
    rest_title: str = "More rows"
    #: Where `shown` has the best mean of a column, by row and name of the column: how many of its first letters it is.
    best: Mapping[tuple[int, str], int] = field(default_factory=dict)
    #: Cells of `shown` that a mark is beside, by row and name of the column, and what it says.
    hints: Mapping[tuple[int, str], str] = field(default_factory=dict)

    def marked(self, row: int, column: int, text: str) -> str:
        """The text of a cell with its mark, where it has one."""
        return f"{text} {MARK}" if (row, str(self.shown.columns[column])) in self.hints else text
