"""Which runs the name of a core means."""

from __future__ import annotations

import pandas as pd

from atinuke_bench.errors import UnknownNameError

from .frame import Frame


def named(frame: Frame, name: str) -> pd.Series:
    """The runs that a name means: in each column those of the variant, else of the label, else of the core."""
    runs = frame.runs
    chosen = pd.Series(False, runs.index)
    for field in ("variant", "label", "core"):
        is_settled = runs["column"].isin(runs.loc[chosen, "column"])
        chosen |= (runs[field] == name) & ~is_settled
    if not chosen.any():
        known = sorted({*runs["variant"], *runs["core"]})
        trials = f"; {frame.num_trials} runs are trials of studies" if frame.num_trials else ""
        gaps = f"; not read: {frame.gaps[0].where} ({frame.gaps[0].reason})" if frame.gaps else ""
        raise UnknownNameError("core", name, known, f"the finished runs have {', '.join(known)}{trials}{gaps}")
    return chosen
