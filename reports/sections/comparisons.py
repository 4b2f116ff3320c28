"""Every test that was made between the best core of a column and the others."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from atinuke_bench.formatting import number, p_value

from ..statistics.comparison import Comparison
from .table import Table


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Every test that was made, with its figures under their own names."""
    data = pd.DataFrame([one.record() for one in comparisons])
    shown = pd.DataFrame(
        [
            {
                "task": record["task"],
                "A": record["a"],
                "B": record["b"],
                "absolute difference": f"{number(record['absolute difference'], sign=True)} "
                f"[{number(record['low'])}, {number(record['high'])}]",
                "relative change": number(record["relative change %"], sign=True, unit=" %"),
                "relative error reduction": number(record["relative error reduction %"], sign=True, unit=" %"),
                "p corrected": p_value(record["p corrected"]),
                "detectable": number(record["minimum detectable difference"]),
                "P(A > B)": number(record["probability of improvement"]),
                "verdict": f"A is {record['verdict']}" if one.is_told_apart else record["verdict"],
                "note": record["note"],
            }
            for record, one in zip(data.to_dict("records"), comparisons, strict=True)
        ]
    )
    notes = (
        "A has the highest mean of its column. Paired over examples, with the variance between seeds added; p is "
        "corrected by Holm's method for all pairs of all tables; the intervals are not corrected.",
        "Detectable: the difference that a test at 5 % finds with 80 % probability. P(A > B): the chance that a run of "
        "A scores better than a run of B.",
    )
    return Table(
        "comparisons",
        "The highest mean of each task against every other core",
        shown,
        data,
        notes,
        section="comparisons",
    )
