"""Every test that was made between the best core of a column and the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from atinuke_bench.formatting import number, p_value

from ..statistics.comparison import Family
from ..statistics.pairing import resampled_note
from ..statistics.verdict import margin_note
from .table import Table


def comparison_table(families: Sequence[tuple[str, Family]]) -> Table:
    """Every test that was made, with its figures under their own names, of the families of the tables with a title."""
    comparisons = [one for _, family in families for one in family.comparisons]
    reference, margin = families[0][1].reference, families[0][1].margin
    data = pd.DataFrame([one.record() for one in comparisons])
    shown = pd.DataFrame(
        [
            {
                "task": record["task"],
                "A": record["a"],
                "B": record["b"],
                "verdict": f"A is {one.finding}" if one.is_told_apart else one.finding,
                "absolute difference": f"{number(record['absolute difference'], sign=True)} "
                f"[{number(record['low'])}, {number(record['high'])}]",
                **_margin_figures(record),
                "p corrected": p_value(record["p corrected"]),
                "detectable": number(record["minimum detectable difference"]),
                "P(A > B)": number(record["probability of improvement"]),
                "relative change": number(record["relative change %"], sign=True, unit=" %"),
                "relative error reduction": number(record["relative error reduction %"], sign=True, unit=" %"),
                "note": record["note"],
            }
            for record, one in zip(data.to_dict("records"), comparisons, strict=True)
        ]
    )
    if not shown["note"].any():
        shown = shown.drop(columns="note")
    sides = f"B is {reference}" if reference else "A has the best mean of the trained cores of its column"
    drawn = resampled_note((one.column.task, one.a.drawn) for one in comparisons)
    notes = (
        f"{sides}. Paired over what is resampled, with the variance between seeds added. Verdicts are from the "
        "corrected p; the intervals are not corrected.",
        *filter(None, [drawn, margin_note(margin)]),
        *(f"{title}: {family.note}." for title, family in families if family.comparisons),
        "Detectable: the difference that a test at 5 % finds with 80 % probability. P(A > B): the chance that a run of "
        "A scores better than a run of B.",
    )
    return Table(
        "comparisons",
        f"Every core against {reference}" if reference else "The highest mean of each task against every other core",
        shown,
        data,
        notes,
        section="comparisons",
    )


def _margin_figures(record: Mapping[Any, Any]) -> dict[str, str]:
    if "margin" not in record:
        return {}
    return {
        "90 % interval": f"[{number(record['low 90'])}, {number(record['high 90'])}]",
        "p equal, corrected": p_value(record["p equal corrected"]),
    }
