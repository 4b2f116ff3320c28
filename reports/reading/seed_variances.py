"""How much published scores differ between seeds, for plans of suites whose store knows nothing of it."""

from __future__ import annotations

from importlib import resources

import pandas as pd


def read_seed_variances() -> pd.DataFrame:
    """`seed_variances.csv`: mean and standard deviation over seeds of a published system on a task's metric.

    The published record has these where the source states a split; a variance is of use without one.
    """
    path = resources.files("atinuke_bench.reports.reading") / "seed_variances.csv"
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file)
