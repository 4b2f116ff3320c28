"""Run folders as tables: one row a run, and what could not be read as a list of gaps.

Nothing here raises for a damaged run: the report is made of what is there, and names what is not.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import yaml

from atinuke_bench.errors import AtinukeBenchError, RunFolderError
from atinuke_bench.files import read_json
from atinuke_bench.run_folder import RunFolder, find_runs

from .predictions import PredictionCache

#: What a row of `Frame.runs` holds beside the figures of its cost, which stand under `cost.<name>`.
COLUMNS = (
    "folder",
    "task",
    "family",
    "core",
    "label",
    "variant",
    "seed",
    "identity",
    "split",
    "metric",
    "higher_is_better",
    "score",
    "column",
    "protocol",
    "is_cut",
    "source",
    "selection",
    "pretraining",
    "num_epochs",
    "selection_score",
    "seconds",
    "loss",
    "is_remote",
    "config",
)
#: Fields of a config that never tell two variants of a core apart.
_NOT_A_VARIANT = (
    "seed",
    "source.data_dir",
    "core.preset",
    # Runs of several seeds may each start from a run of their own seed; the protocol says what that had learned.
    "init_from.run",
    "init_from.identity",
    "init_from.checkpoint",
    "init_from.tokenizer",
)
# The safe loader in C reads configs ten times as fast, where PyYAML was built with it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Gap:
    """Something that the report lacks, and why."""

    where: str
    reason: str


@dataclass(frozen=True)
class Frame:
    """What some places hold: `runs` (COLUMNS), `slices` (run, slice, label, metric, value) and `gaps`.

    A `column` names what may be compared: runs of one column have one protocol and one split. `protocols` has the
    protocol of each column, `configs` the flat config of the runs whose `config` is its place, seeds left out.
    """

    runs: pd.DataFrame
    slices: pd.DataFrame
    gaps: tuple[Gap, ...]
    protocols: Mapping[str, Mapping[str, Any]]
    configs: tuple[Mapping[str, Any], ...] = ()
    histories: Mapping[int, list[dict[str, Any]]] = field(default_factory=dict, repr=False, compare=False)
    _cache: PredictionCache = field(default_factory=PredictionCache, repr=False, compare=False)

    def predictions(self, run: int) -> pa.Table:
        """The scored predictions of a run's headline split: id, prediction, gold, score; RunFolderError."""
        row = self.runs.loc[run]
        return self._cache.read(RunFolder(Path(row["folder"])).predictions, row["split"])

    def history(self, run: int) -> list[dict[str, Any]]:
        """The epochs of a run; none where they cannot be read."""
        if run in self.histories:
            return self.histories[run]
        try:
            return RunFolder(Path(self.runs.loc[run, "folder"])).read_history()
        except (OSError, ValueError):
            return []

    def config(self, run: int) -> Mapping[str, Any]:
        """The flat config of a run; empty where it could not be read."""
        place = self.runs.loc[run, "config"]
        return self.configs[place] if 0 <= place < len(self.configs) else {}


class Collector:
    """Gathers results from wherever they are into one frame. A run that several places hold counts once."""

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self._rows: list[dict[str, Any]] = []
        self._slices: list[tuple[Any, ...]] = []
        self._protocols: dict[str, Mapping[str, Any]] = {}
        self._configs: list[str] = []
        self._histories: dict[int, list[dict[str, Any]]] = {}
        self._seen: set[tuple[str, str]] = set()

    @property
    def num_runs(self) -> int:
        return len(self._rows)

    def add(
        self,
        where: str,
        result: Mapping[str, Any],
        config: Callable[[], str],
        history: list[dict[str, Any]] | None = None,
    ) -> None:
        """Take in a result; one that is none becomes a gap. `config` gives the YAML text of its config."""
        try:
            row = _row(where, result)
            slices = _slice_rows(len(self._rows), result["slices"].get(row["split"], {}))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.gaps.append(Gap(where, f"damaged result: {_first_line(error)}"))
            return
        key = (row["task"], row["identity"])
        if key in self._seen:
            return
        self._seen.add(key)
        if history is not None:
            self._histories[len(self._rows)] = history
        self._protocols.setdefault(row["column"], result["protocol"])
        self._slices += slices
        self._rows.append(row)
        self._configs.append(_without_seed(config()))

    def frame(self) -> Frame:
        """All that was taken in."""
        places, texts = pd.factorize(pd.Series(self._configs, dtype=object))
        configs = tuple(_flat(_parsed(text)) for text in texts)
        runs = pd.DataFrame(self._rows, columns=None if self._rows else list(COLUMNS))
        if self._rows:
            runs["config"] = places
            runs["variant"] = _told_apart(runs, configs)
        slices = pd.DataFrame(self._slices, columns=["run", "slice", "label", "metric", "value"])
        return Frame(runs, slices, tuple(self.gaps), self._protocols, configs, self._histories)


def read_frame(places: Iterable[str | Path]) -> Frame:
    """All runs at or below some places (folders or glob patterns); RunFolderError when none of them holds a run."""
    collector = Collector()
    collect_folders(places, collector)
    return collector.frame()


def collect_folders(places: Iterable[str | Path], collector: Collector) -> None:
    """Take in the runs at or below some places; RunFolderError when none of them holds a run."""
    folders = find_runs(*expand(places))
    if not folders:
        raise RunFolderError(f"no run at or below {', '.join(map(str, places))}")
    for folder in folders:
        try:
            result = folder.read_result() if folder.result.exists() else None
        except AtinukeBenchError as error:
            collector.gaps.append(Gap(str(folder.path), f"damaged result: {_first_line(error)}"))
            continue
        if result is None:
            collector.gaps.append(Gap(str(folder.path), _why_unfinished(folder)))
        else:
            collector.add(str(folder.path), result, lambda folder=folder: _text_of(folder))


def differing(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields in which flat records differ.

    >>> differing([{"a": 1, "b": 2}, {"a": 1, "b": 3}])
    ['b']
    """
    names = dict.fromkeys(name for record in records for name in record)
    return [name for name in names if len({json.dumps(record.get(name), default=str) for record in records}) > 1]


def matching(place: str) -> list[str]:
    """`place` itself where it exists, else what it matches as a glob pattern."""
    return [place] if Path(place).exists() else sorted(glob.glob(place, recursive=True))


def expand(places: Iterable[str | Path]) -> list[str]:
    """Places with their patterns filled in; RunFolderError for one that is not there."""
    found = []
    for place in map(str, places):
        matches = matching(place)
        if not matches:
            raise RunFolderError(f"{place}: no such folder, and no folder matches it as a pattern")
        found += matches
    return found


def _row(folder: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a result; KeyError, TypeError or ValueError when it is not one."""
    protocol = result["protocol"]
    task = result["task"]
    key = json.dumps([protocol, result["split"], result["metric"]], sort_keys=True)
    score = result["score"]
    selected = result.get("selection") or {}
    return {
        "folder": folder,
        "task": task,
        "family": task.partition("/")[0],
        "core": result["core"],
        "label": result["core_label"],
        "variant": result["core_label"],
        "seed": int(result["seed"]),
        "identity": result["identity"],
        "split": result["split"],
        "metric": result["metric"],
        "higher_is_better": bool(result["higher_is_better"]),
        "score": float("nan") if score is None else float(score),
        "column": f"{task} {hashlib.sha256(key.encode()).hexdigest()[:8]}",
        "protocol": key,
        "is_cut": bool(protocol["is_cut"]),
        "source": protocol["source"],
        "selection": protocol["selection"],
        "pretraining": protocol["pretraining"],
        "num_epochs": selected.get("num_epochs"),
        "selection_score": float("nan") if selected.get("score") is None else float(selected["score"]),
        "seconds": float(result["seconds"]),
        "loss": _loss(result),
        "is_remote": folder.startswith("wandb:"),
        "config": -1,
        **{f"cost.{name}": value for name, value in result["cost"].items()},
    }


def _loss(result: Mapping[str, Any]) -> float:
    """The evaluation loss of the headline split, where a task reports one."""
    value = result["scores"].get(result["split"], {}).get("loss")
    return float("nan") if value is None else float(value)


def _slice_rows(run: int, slices: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (run, name, label, metric, float("nan") if value is None else value)
        for name, groups in slices.items()
        for label, figures in groups.items()
        for metric, value in figures.items()
    ]


def _why_unfinished(folder: RunFolder) -> str:
    if not folder.failure.exists():
        return "not finished"
    try:
        failure = read_json(folder.failure)
        return f"failed ({failure['class']}): {failure['message']}"
    except (RunFolderError, KeyError, TypeError):
        return "failed; its failure.json is damaged"


def _told_apart(runs: pd.DataFrame, configs: Sequence[Mapping[str, Any]]) -> pd.Series:
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


def _text_of(folder: RunFolder) -> str:
    try:
        return folder.config.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _without_seed(text: str) -> str:
    # Runs write their configs in one order of fields, so that equal texts are equal configs and few need parsing.
    kept = (line for line in text.splitlines() if not line.startswith(("seed:", "  data_dir:", "  preset:")))
    return "\n".join(kept)


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        record = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        return {}
    return record if isinstance(record, dict) else {}


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return {name: value for name, value in flat.items() if name not in _NOT_A_VARIANT}


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
