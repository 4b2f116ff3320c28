"""`load_runs`: what finished runs hold, as tidy pandas frames.

Every frame of `Runs` but `examples` and `gaps` begins with RUN_COLUMNS: frames of several stores concatenate, and
frames of one store merge on `folder`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shared import Place, gaps_table, table, text_type

if TYPE_CHECKING:
    import pandas as pd

    from atinuke_bench.reports.reading.frame import Frame
    from atinuke_bench.run_folder import RunFolder

#: What tells a run: its task; its core, and what its suite calls it (else the core's label); its seed; the column that
#: its score may be compared in (task, protocol, split and metric, the task with a digest); its identity; its folder.
RUN_COLUMNS = {
    "task": "text",
    "core": "text",
    "variant": "text",
    "seed": "int64",
    "column": "text",
    "identity": "text",
    "folder": "text",
}
_SCORES = {
    **RUN_COLUMNS,
    "split": "text",
    "metric": "text",
    "value": "float64",
    "is_headline": "bool",
    "higher_is_better": "bool",
}
_COSTS = (
    "parameters",
    "embedding_parameters",
    "forward_flops_per_token",
    "training_flops",
    "training_tokens",
    "training_seconds",
    "tokens_per_second",
    "peak_memory_bytes",
    "latency_seconds",
    "evaluation_seconds",
    "evaluation_tokens_per_second",
)
_EPOCHS = ("loss", "score", "learning_rate", "tokens", "seconds", "tokens_per_second", "training_flops")
_PREDICTIONS = ("split", "id", "gold", "prediction", "score", "unit")


@dataclass(frozen=True)
class Runs:
    """Finished runs as frames that are read when they are asked for.

    They are `scores`, `costs`, `history`, `evaluations`, `gaps`, `predictions()` and `examples()`.

    >>> from atinuke_bench import load_runs
    >>> runs = load_runs("runs")
    >>> runs
    Runs(4 runs of 1 task)
    >>> headline = runs.scores[runs.scores["is_headline"]]
    >>> headline.pivot(index="seed", columns="variant", values="value").shape
    (2, 2)
    """

    _frame: Frame = field(repr=False)

    def __repr__(self) -> str:
        tasks = self._frame.runs["task"].nunique()
        return f"Runs({len(self)} runs of {tasks} task{'s' * (tasks != 1)})"

    def __len__(self) -> int:
        return len(self._frame.runs)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row a run x split x metric: RUN_COLUMNS, split, metric, value, is_headline, higher_is_better.

        `is_headline` marks the score that the run counts by, of which each run has one row; its value is NaN where it
        could not be computed, and other figures that could not be have no row. Scores may be averaged, or set side by
        side, where their `column` is the same. `higher_is_better` is of the headline metric. Percentages are 0 to 100.

        >>> from atinuke_bench import load_runs
        >>> scores = load_runs("runs").scores
        >>> scores.loc[scores["is_headline"], ["task", "split", "metric"]].drop_duplicates().values.tolist()
        [['glue/sst2', 'test', 'accuracy']]
        """
        known = {(run, split, metric): value for run, split, metric, value in _rows_of(self._frame.scores)}
        for run in self._frame.runs.index:
            headline = (run, self._frame.value(run, "split"), self._frame.value(run, "metric"))
            if headline[1] is not None:
                known.setdefault(headline, float("nan"))
        rows = []
        for (run, split, metric), value in sorted(known.items(), key=lambda one: one[0][0]):
            is_headline = (split, metric) == (self._frame.value(run, "split"), self._frame.value(run, "metric"))
            better = self._frame.value(run, "higher_is_better")
            rows.append((*self._run(run), split, metric, value, is_headline, better))
        return table(rows, _SCORES)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """One row a run: RUN_COLUMNS, what it cost, `attention_kernel`, `seconds` of all, `num_epochs`.

        Figures are float64, NaN where they could not be measured: parameters, embedding_parameters,
        forward_flops_per_token, training_flops, training_tokens, training_seconds, tokens_per_second (of training),
        peak_memory_bytes, latency_seconds, evaluation_seconds, evaluation_tokens_per_second.

        >>> from atinuke_bench import load_runs
        >>> costs = load_runs("runs").costs
        >>> costs.groupby("core")["parameters"].nunique().to_dict()
        {'bilstm': 1, 'transformer': 1}
        """
        runs = self._frame.runs
        rows = []
        for run in runs.index:
            values = [self._value(run, f"cost.{name}") for name in (*_COSTS, "attention_kernel")]
            rows.append((*self._run(run), *values, self._value(run, "seconds"), self._value(run, "num_epochs")))
        figures = dict.fromkeys(_COSTS, "float64")
        others = {"attention_kernel": "text", "seconds": "float64", "num_epochs": "float64"}
        return table(rows, {**RUN_COLUMNS, **figures, **others})

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch: RUN_COLUMNS, epoch (from 0), step, and the figures of the epoch.

        loss is the mean of training, score the selection score; learning_rate is the last one, tokens, seconds and
        tokens_per_second are the epoch's own, training_flops those so far. Runs without a trained core have no epoch.

        >>> from atinuke_bench import load_runs
        >>> load_runs("runs").history.groupby("folder")["epoch"].max().tolist()
        [1, 1, 1, 1]
        """
        rows = []
        for run in self._frame.runs.index:
            for epoch in self._frame.history(run):
                figures = [epoch.get(name) for name in _EPOCHS]
                rows.append((*self._run(run), epoch["epoch"], epoch.get("step"), *figures))
        kinds = {"epoch": "int64", "step": "float64", **dict.fromkeys(_EPOCHS, "float64")}
        return table(rows, {**RUN_COLUMNS, **kinds})

    def predictions(
        self,
        task: str | None = None,
        *,
        core: str | None = None,
        variant: str | None = None,
        seed: int | None = None,
        split: str | None = None,
    ) -> pd.DataFrame:
        """One row an evaluated example: RUN_COLUMNS, data, split, id, gold, prediction, score, unit.

        gold and prediction are texts as runs store them; score is the example's own figure, NaN where it has no gold
        answer; unit is what is drawn when scores are resampled. `data` tells one data set of a task from another:
        merge with `examples` on task, data, split and id.

        UnknownNameError for a task, core or variant that no run here is of; RunFolderError for a damaged file.

        >>> from atinuke_bench import load_runs
        >>> answers = load_runs("runs").predictions("glue/sst2", core="bilstm", seed=0, split="test")
        >>> len(answers), answers["id"].is_unique
        (12, True)
        """
        import pandas as pd

        from atinuke_bench.predictions import COLUMNS, read_predictions

        found = []
        for run in self._chosen(task, core, variant, seed):
            rows = read_predictions(self._folder(run).predictions, COLUMNS, ("unit",)).to_pandas()
            rows = rows if split is None else rows[rows["split"] == split]
            found.append(rows.assign(**dict(zip(RUN_COLUMNS, self._run(run), strict=True)), data=self._data(run)))
        names = [*RUN_COLUMNS, "data", *_PREDICTIONS]
        joined = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=names)
        kinds = {name: text_type() for name in names if name != "score"} | {"seed": "int64", "score": "float64"}
        return joined.reindex(columns=names).astype(kinds)

    def examples(
        self,
        task: str | None = None,
        *,
        core: str | None = None,
        variant: str | None = None,
        seed: int | None = None,
        split: str | None = None,
    ) -> pd.DataFrame:
        """One row an example of the data that runs were evaluated on: task, data, split, id, and its texts.

        The texts are columns of their own, named as the task names them (`sentence1`, `question`); a column that an
        example lacks is NaN. Data whose texts the store did not keep has no row. RunFolderError for a damaged file.

        >>> from atinuke_bench import load_runs
        >>> runs = load_runs("runs")
        >>> both = runs.predictions(split="test").merge(runs.examples(split="test"), on=["task", "data", "split", "id"])
        >>> len(both), both["sentence1"].notna().all().item()
        (48, True)
        """
        import pandas as pd

        from atinuke_bench.examples import read_examples

        found: dict[tuple[str, str], pd.DataFrame] = {}
        for run in self._chosen(task, core, variant, seed):
            key = (str(self._frame.value(run, "task")), self._data(run))
            path = None if key in found else _examples_of(self._folder(run))
            if path is not None:
                rows = read_examples(path).to_pandas()
                rows = rows if split is None else rows[rows["split"] == split]
                own = pd.DataFrame({"task": key[0], "data": key[1], "split": rows["split"], "id": rows["id"]})
                texts = pd.DataFrame(list(map(json.loads, rows["example"])), index=rows.index)
                found[key] = own.join(texts[[name for name in texts if name not in own]])
        names = ["task", "data", "split", "id"]
        joined = pd.concat(found.values(), ignore_index=True) if found else pd.DataFrame(columns=names)
        return joined.astype(dict.fromkeys(names, text_type()))

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """What the runs score on other data, as `evaluate` kept it in their folders: the frame `Evaluations.scores`.

        >>> from atinuke_bench import load_runs
        >>> list(load_runs("runs").evaluations)[:3]
        ['folder', 'test_set', 'task']
        """
        from atinuke_bench.evaluation_folder import finished_evaluations

        from .results import evaluated_scores

        folders = map(self._folder, self._frame.runs.index)
        return evaluated_scores(
            (str(folder.path), result) for folder in folders for _, result in finished_evaluations(folder)
        )

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """What is not in the other frames, one row each: where and reason (damaged, unfinished, trained anew).

        >>> from atinuke_bench import load_runs
        >>> len(load_runs("runs").gaps)
        0
        """
        found = {gap.where: gap.reason for gap in self._frame.gaps}
        for run in self._frame.runs.index:
            self._frame.history(run)  # what it meets that is no record of an epoch
            history, problem = self._folder(run).history, self._folder(run).check_history()[1]
            if problem is not None:
                found[str(history)] = f"damaged history: {problem}"
        found |= {gap.where: gap.reason for gap in self._frame.damaged.values()}
        return gaps_table(found.items())

    def _run(self, run: int) -> tuple[Any, ...]:
        value = self._frame.value
        return (*(str(value(run, name)) if name == "column" else value(run, name) for name in RUN_COLUMNS),)

    def _value(self, run: int, name: str) -> Any:
        """A field that runs of other tasks or versions may lack."""
        return self._frame.value(run, name) if name in self._frame.runs else None

    def _folder(self, run: int) -> RunFolder:
        from atinuke_bench.run_folder import RunFolder

        return RunFolder(Path(self._frame.value(run, "folder")))

    def _data(self, run: int) -> str:
        """What tells the data of a run from other data of its task."""
        protocol = self._frame.protocols[self._frame.value(run, "column")]
        return str(protocol.get("data_fingerprint", ""))[:16]

    def _chosen(self, task: str | None, core: str | None, variant: str | None, seed: int | None) -> Iterator[int]:
        """The runs that are meant; UnknownNameError for a name that none has."""
        from atinuke_bench.errors import UnknownNameError

        asked = {"task": task, "core": core, "variant": variant}
        for name, value in asked.items():
            known = list(dict.fromkeys(self._frame.runs[name]))
            if value is not None and value not in known:
                raise UnknownNameError(f"{name} among these runs", value, known, f"they have {', '.join(known)}")
        asked_all: Mapping[str, Any] = {**asked, "seed": seed}
        for run in self._frame.runs.index:
            if all(value in (None, self._frame.value(run, name)) for name, value in asked_all.items()):
                yield run


def load_runs(*places: Place) -> Runs:
    """The finished runs at or below some places, which are folders or glob patterns.

    What a report leaves out is left out here: trials of studies, runs that an earlier version of the code trained and
    this one anew, runs that two places hold. What cannot be read is in `.gaps`; RunFolderError where a place is not
    there or no run is.

    >>> from atinuke_bench import load_runs
    >>> load_runs("runs/*/*/bilstm")
    Runs(2 runs of 1 task)
    >>> load_runs("rnus")
    Traceback (most recent call last):
    atinuke_bench.errors.RunFolderError: rnus: no such folder, and no folder matches it as a pattern
    """
    from atinuke_bench.errors import ConfigError
    from atinuke_bench.reports.reading.collect import read_frame

    if not places:
        raise ConfigError("load_runs takes the folder of a store, such as load_runs('runs'); found none")
    return Runs(read_frame(places))


def _rows_of(scores: pd.DataFrame) -> Iterable[tuple[int, str, str, float]]:
    return zip(scores["run"], scores["split"], scores["metric"], scores["value"], strict=True)


def _examples_of(folder: RunFolder) -> Path | None:
    """The file with the texts of a run's examples; None where the store did not keep them."""
    from atinuke_bench.errors import RunFolderError
    from atinuke_bench.examples import find_examples
    from atinuke_bench.files import read_object

    try:
        data = read_object(folder.manifest).get("data")
    except RunFolderError:  # its predictions can be used all the same; `verify` names the damage
        return None
    return find_examples(folder, data.get("examples") if isinstance(data, dict) else None)
