"""Run folders as tables: one row a run, and what could not be read as a list of gaps.

Nothing here raises for a damaged run: the report is made of what is there, and names what is not.
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from atinuke_bench.errors import AtinukeBenchError, RunFolderError
from atinuke_bench.files import read_json
from atinuke_bench.run_folder import RunFolder, find_runs

#: What a row of `Frame.runs` holds beside the figures of its cost, which stand under `cost.<name>`.
COLUMNS = (
    "folder",
    "task",
    "family",
    "core",
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
    "seconds",
)
#: Fields of a config that never tell two variants of a core apart.
_NOT_A_VARIANT = ("seed", "source.data_dir", "core.preset")


@dataclass(frozen=True)
class Gap:
    """Something that the report lacks, and why."""

    where: str
    reason: str


@dataclass(frozen=True)
class Frame:
    """What some places hold: `runs` (COLUMNS), `slices` (run, slice, label, metric, value) and `gaps`.

    A `column` names what may be compared: runs of one column have one protocol and one split. `protocols` has the
    protocol of each column.
    """

    runs: pd.DataFrame
    slices: pd.DataFrame
    gaps: tuple[Gap, ...]
    protocols: Mapping[str, Mapping[str, Any]]

    def predictions(self, run: int) -> pd.DataFrame:
        """The scored predictions of a run's headline split: id, prediction, gold, score; RunFolderError."""
        row = self.runs.loc[run]
        path = RunFolder(Path(row["folder"])).predictions
        try:
            found = pd.read_parquet(path, columns=["split", "id", "prediction", "gold", "score"])
        except (OSError, ValueError, KeyError) as error:
            raise RunFolderError(f"{path}: cannot be read as predictions ({_first_line(error)})") from error
        return found[(found["split"] == row["split"]) & found["gold"].notna()].drop(columns="split")

    def history(self, run: int) -> list[dict[str, Any]]:
        """The epochs of a run; none where they cannot be read."""
        try:
            return RunFolder(Path(self.runs.loc[run, "folder"])).read_history()
        except (OSError, ValueError):
            return []


def read_frame(places: Iterable[str | Path]) -> Frame:
    """All runs at or below some places (folders or glob patterns); RunFolderError when none of them holds a run.

    A run that several places hold, in copies, counts once.
    """
    folders = find_runs(*_expand(places))
    if not folders:
        raise RunFolderError(f"no run at or below {', '.join(map(str, places))}")
    rows: list[dict[str, Any]] = []
    slices: list[tuple[Any, ...]] = []
    gaps: list[Gap] = []
    seen: dict[tuple[str, str], str] = {}
    protocols: dict[str, Mapping[str, Any]] = {}
    for folder in folders:
        try:
            result = folder.read_result() if folder.result.exists() else None
            row = None if result is None else _row(folder, result)
        except (AtinukeBenchError, KeyError, TypeError, ValueError, AttributeError) as error:
            gaps.append(Gap(str(folder.path), f"damaged result: {_first_line(error)}"))
            continue
        if row is None:
            gaps.append(Gap(str(folder.path), _why_unfinished(folder)))
        elif (key := (row["task"], row["identity"])) not in seen:
            seen[key] = str(folder.path)
            protocols.setdefault(row["column"], result["protocol"])
            slices += _slice_rows(len(rows), result["slices"].get(row["split"], {}))
            rows.append(row)
    runs = pd.DataFrame(rows, columns=None if rows else list(COLUMNS))
    if rows:
        runs["variant"] = _told_apart(runs)
    names = ["run", "slice", "label", "metric", "value"]
    return Frame(runs, pd.DataFrame(slices, columns=names), tuple(gaps), protocols)


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


def _expand(places: Iterable[str | Path]) -> list[str]:
    found = []
    for place in map(str, places):
        matches = matching(place)
        if not matches:
            raise RunFolderError(f"{place}: no such folder, and no folder matches it as a pattern")
        found += matches
    return found


def _row(folder: RunFolder, result: Mapping[str, Any]) -> dict[str, Any]:
    protocol = result["protocol"]
    task = result["task"]
    key = json.dumps([protocol, result["split"], result["metric"]], sort_keys=True)
    score = result["score"]
    return {
        "folder": str(folder.path),
        "task": task,
        "family": task.partition("/")[0],
        "core": result["core"],
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
        "num_epochs": (result.get("selection") or {}).get("num_epochs"),
        "seconds": float(result["seconds"]),
        **{f"cost.{name}": value for name, value in result["cost"].items()},
    }


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


def _told_apart(runs: pd.DataFrame) -> pd.Series:
    """The name of each run's variant: the core's label, and what else differs between runs of a column."""
    names = runs["variant"].copy()
    texts = [_text_without_seed(Path(folder) / "config.yaml") for folder in runs["folder"]]
    signatures = pd.Series(texts, index=runs.index)
    for _, rows in runs.groupby(["column", "variant"], sort=False).groups.items():
        distinct = signatures[rows].drop_duplicates()
        if len(distinct) < 2:
            continue
        configs = {text: _flat(_parsed(text)) for text in distinct}
        fields = differing(list(configs.values()))
        for text, config in configs.items():
            shown = ", ".join(f"{name.rpartition('.')[2]}={config.get(name)}" for name in fields)
            if shown:
                names[rows[signatures[rows] == text]] += f" {{{shown}}}"
    return names


def _text_without_seed(path: Path) -> str:
    # Runs write their configs in one order of fields, so that equal texts are equal configs and few need parsing.
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    kept = (line for line in text.splitlines() if not line.startswith(("seed:", "  data_dir:", "  preset:")))
    return "\n".join(kept)


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        record = yaml.safe_load(text)
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
