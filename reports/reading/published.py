"""The published record: figures and claims of other systems, each with its source."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
import pandas as pd


def read_published() -> pd.DataFrame:
    """`published.csv`: one row a published figure; a claim has no value."""
    return _read("published.csv", dtype={"value": np.float64}, keep_default_na=False, na_values={"value": [""]})


def read_seed_variances() -> pd.DataFrame:
    """`seed_variances.csv`: mean and standard deviation over seeds of a published system on a task's metric."""
    return _read("seed_variances.csv")


def _read(name: str, **options: Any) -> pd.DataFrame:
    path = resources.files("atinuke_bench.reports.reading") / name
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file, **options)
