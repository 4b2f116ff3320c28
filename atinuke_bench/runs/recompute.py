"""The scores of a finished run, computed again from its stored predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from atinuke_bench import registry
from atinuke_bench.config import Declaration
from atinuke_bench.errors import RunFolderError, first_line
from atinuke_bench.evaluation_folder import EvaluationFolder
from atinuke_bench.metrics.bootstrap import percentile_interval
from atinuke_bench.metrics.metric import Answers, Measured, Metric
from atinuke_bench.metrics.units import by_unit
from atinuke_bench.predictions import read_predictions
from atinuke_bench.run_folder import RunFolder

_TOLERANCE = 1e-6


class NotComparableError(Exception):
    """The scores cannot be computed here, for which the run is not to blame: the reason."""


def contradictions(folder: RunFolder | EvaluationFolder, result: dict[str, Any]) -> list[str]:
    """What the result of a run or of its evaluation on other data says that its predictions do not give.

    KeyError, TypeError or ValueError where it is no result; NotComparableError where nothing can be said, such as
    without the plug-in of the task.
    """
    what = f"{result['metric']} of {result['task']}"
    if result["score"] is not None:
        float(result["score"])
    splits = _read(folder, result, what)
    if isinstance(splits, str):
        return [splits]
    if not splits and not result["scores"] and result["score"] is None:
        return []
    try:
        metric: Metric = registry.load_metric(result["task"], result["metric"])
        measured = {split: (answers := metric.read(rows), metric.measure(answers)) for split, rows in splits.items()}
        computed = {split: _floats(own.figures) for split, (_, own) in measured.items()}
        computed_score = {split: figures[metric.name] for split, figures in computed.items()}
        # Of a task that a file declares only the folder knows what it is.
        declaration = _declaration(folder) if registry.is_declared(result["task"]) else None
        version = registry.load_task(result["task"], declaration).result_version
    # The plug-in may not be installed, and its metric may fail in any way.
    except Exception as error:
        raise NotComparableError(f"{what}: {first_line(error)}") from error
    found = list(_of_score(result, metric, computed_score)) + list(_of_splits(result, computed))
    if not found:
        found = list(_of_interval(result, metric, measured))
    versions = result.get("determinants", {}).get("result_versions", {})
    recorded = versions.get("test_set", (result.get("protocol") or {}).get("result_version"))
    if found and recorded not in (None, version):
        raise NotComparableError(f"{what}: measured by version {recorded} of the task; this is version {version}")
    return found


def _declaration(folder: RunFolder | EvaluationFolder) -> Declaration | None:
    return folder.read_declaration() if isinstance(folder, EvaluationFolder) else folder.read_config().declaration


def _read(
    folder: RunFolder | EvaluationFolder, result: dict[str, Any], what: str
) -> dict[str, dict[str, list[Any]]] | str:
    """The labelled predictions of each split, by column; the problem where predictions the run vouches not for fail."""
    try:
        rows = read_predictions(folder.predictions, optional=("unit",)).to_pandas()
    except RunFolderError as error:
        problem = str(error).removeprefix(f"{folder.path}/")
        if folder.predictions.name in result["artefacts"]:  # it is as the run wrote it, readable here or not
            raise NotComparableError(f"{what}: {problem}") from error
        return problem
    rows = rows[rows["gold"].notna()]
    return {
        str(split): {
            name: own[name].astype(object).where(own[name].notna(), None).tolist() for name in own if name != "split"
        }
        for split, own in rows.groupby("split", sort=False)
    }


def _floats(figures: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else float(value) for name, value in figures.items()}


def _of_score(result: dict[str, Any], metric: Metric, computed: dict[str, float | None]) -> Iterator[str]:
    if result["score"] is None:
        if result["split"] is not None and computed.get(result["split"]) is not None:
            yield f"the predictions give {metric.name} {_shown(computed[result['split']])}, and the result has none"
    elif not _agree(result["score"], computed.get(result["split"])):
        yield (
            f"the predictions do not give the recorded {metric.name} {result['score']:.4f}; "
            f"they give {_shown(computed.get(result['split']))}"
        )
    if result.get("higher_is_better", metric.higher_is_better) != metric.higher_is_better:
        yield f"result.json: of {metric.name}, {'higher' if metric.higher_is_better else 'lower'} is better"


def _of_splits(result: dict[str, Any], computed: dict[str, dict[str, float | None]]) -> Iterator[str]:
    recorded = result.get("scores", computed)
    for split in sorted(recorded.keys() ^ computed.keys()):
        yield f"{split}: {'scores without predictions' if split in recorded else 'predictions without scores'}"
    for split in sorted(recorded.keys() & computed.keys()):
        own, again = recorded[split], computed[split]
        for name in sorted(own.keys() & again.keys()):
            if not _agree(own[name], again[name]):
                yield f"{split}: the predictions give {name} {_shown(again[name])}, and not {_shown(own[name])}"
        # A metric may give more of fresh predictions than of stored ones, never less.
        for name in sorted(again.keys() - own.keys()):
            yield f"{split}: {name} is missing"


def _of_interval(
    result: dict[str, Any], metric: Metric, measured: dict[str, tuple[Answers, Measured]]
) -> Iterator[str]:
    """Results say what is resampled since it is units; before, intervals were drawn otherwise."""
    if result.get("resampled") is None or result["split"] not in measured:
        return
    answers, own = measured[result["split"]]
    units = None if answers.units is None or None in answers.units else answers.units
    sample = by_unit(metric, answers.ids, units, own.sample)
    if result["resampled"]["num_units"] != len(sample.units):
        yield f"result.json: {result['resampled']['num_units']} units; the predictions have {len(sample.units)}"
        return
    computed = percentile_interval(sample, seed=result["seed"])
    recorded = result["interval"]
    ends = zip(recorded, computed, strict=True) if recorded and computed else [(bool(recorded), bool(computed))]
    if not all(_agree(first, second) for first, second in ends):
        shown = "none" if computed is None else f"{computed[0]:.4f} to {computed[1]:.4f}"
        yield f"result.json: the interval of {metric.name} is not that of its predictions, {shown}"


def _agree(first: Any, second: Any) -> bool:
    if first is None or second is None:
        return first is second
    return abs(float(first) - float(second)) < _TOLERANCE or (first != first and second != second)


def _shown(value: Any) -> str:
    return "none" if value is None else f"{float(value):.4f}"
