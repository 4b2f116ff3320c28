"""The published record: figures and claims of other systems, each with its source."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd


def read_published() -> pd.DataFrame:
    """`published.csv`: one row a published figure; a claim has no value."""
    path = resources.files("atinuke_bench.reports.reading") / "published.csv"
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype={"value": np.float64}, keep_default_na=False, na_values={"value": [""]})
