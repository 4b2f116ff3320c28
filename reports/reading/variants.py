"""Which runs of a core are of one variant: those whose configs differ in the seed alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from atinuke_bench.config.written import yaml_data
from atinuke_bench.errors import ConfigError

from .frame import differing

#: Fields of a config that never distinguish two variants of a core.
_NOT_A_VARIANT = (
    "seed",
    "source.data_dir",
    "core.preset",
    # Runs of several seeds may each start from a run of the same seed; the protocol says what that had learned.
    "init_from.run",
    "init_from.identity",
    "init_from.checkpoint",
    "init_from.tokenizer",
)


def named_by_suites(runs: pd.DataFrame, called: Mapping[str, set[tuple[str, str]]]) -> pd.Series:
    """The name that a suite chose for each run and for its like with other seeds; the core's label elsewhere.

    Where suites disagree on the name of a run it has its label; where one name means other cores in other suites, the
    suite is part of it.
    """
    names = runs["variant"].copy()
    if not called:
        return names
    own = runs["folder"].map(lambda folder: called.get(str(Path(folder).resolve()), set()))
    #: name -> suite (None: a label) -> labels that it is used for
    meant: dict[str, dict[str | None, set[str]]] = {}
    groups = []
    for _, rows in runs.groupby(["column", "config"], sort=False).groups.items():
        pairs = set().union(*own[rows])
        found = {name for _, name in pairs}
        labels = set(runs.loc[rows, "label"])
        for suite, name in pairs if len(found) == 1 else ((None, label) for label in labels):
            meant.setdefault(name, {}).setdefault(suite, set()).update(labels)
        if len(found) == 1:
            groups.append((found.pop(), sorted({suite for suite, _ in pairs}), rows))
    for name, suites, rows in groups:
        is_one = len({frozenset(labels) for labels in meant[name].values()}) == 1
        names[rows] = name if is_one else f"{name} ({', '.join(suites)})"
    return names


def variant_names(runs: pd.DataFrame, configs: Sequence[Mapping[str, Any]]) -> pd.Series:
    """The name of each run's variant: the core's label, and what else differs between runs of a column."""
    names = runs["variant"].copy()
    for _, rows in runs.groupby(["column", "variant"], sort=False).groups.items():
        distinct = runs.loc[rows, "config"].unique()
        if len(distinct) < 2:
            continue
        fields = differing([configs[place] for place in distinct])
        if fields:
            suffixes = {place: _differences(configs[place], fields) for place in distinct}
            names[rows] += runs.loc[rows, "config"].map(suffixes)
    return names


def _differences(config: Mapping[str, Any], fields: Sequence[str]) -> str:
    shown = (f"{name.rpartition('.')[2]}={config.get(name)}" for name in fields)
    return f" {{{', '.join(shown)}}}"


def without_seed(text: str) -> str:
    """The YAML text of a config without the lines that never distinguish variants."""
    # Runs write their configs in one order of fields, so that equal texts are equal configs and few need parsing.
    kept = (line for line in text.splitlines() if not line.startswith(("seed:", "  data_dir:", "  preset:")))
    return "\n".join(kept)


def flat_config(text: str, where: str) -> dict[str, Any]:
    """The fields of a config that distinguish variants, by dotted path; ConfigError where it cannot be read."""
    record = yaml_data(text, where)
    if not isinstance(record, dict):
        raise ConfigError(f"{where}: a config is a mapping of fields")
    return _flat(record)


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return {name: value for name, value in flat.items() if name not in _NOT_A_VARIANT}
