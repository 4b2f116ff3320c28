"""`evaluate`, `compare` and `report`: what is computed from finished runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .keywords import names_keywords
from .shared import Place, data_folder, folders_at, gaps_table, table, torch_threads, warn_of_other_code

if TYPE_CHECKING:
    import pandas as pd

    from atinuke_bench.runs.evaluation.carry_out import Outcome

_EVALUATED = {
    "folder": "text",
    "test_set": "text",
    "task": "text",
    "trained_on": "text",
    "core": "text",
    "label": "text",
    "seed": "int64",
    "identity": "text",
    "split": "text",
    "metric": "text",
    "value": "float64",
    "is_headline": "bool",
}


@dataclass(frozen=True)
class Evaluations:
    """Runs scored on other data, one row a run x split x metric, and the runs that were left out.

    `scores` has folder (of the run), test_set, task (the test set's), trained_on (the run's), core, label, seed,
    identity (the run's), split, metric, value and is_headline; `gaps` has where and reason.

    >>> from atinuke_bench import evaluate, run
    >>> found = run("glue/sst2", "bilstm", preset="nano", source="microworld", overrides=TINY, wandb="disabled")
    >>> evaluations = evaluate(found.folder, "shuffled-words")
    >>> evaluations.scores["test_set"].unique().tolist(), len(evaluations.gaps)
    (['shuffled-words'], 0)
    """

    scores: pd.DataFrame = field(repr=False)
    gaps: pd.DataFrame = field(repr=False)


@names_keywords
def evaluate(
    runs: Place | Iterable[Place],
    on: Place,
    *,
    data_dir: Place | None = None,
    label_map: str | None = None,
    name: str | None = None,
    rerun: bool = False,
    threads: int = 1,
) -> Evaluations:
    """Score finished runs on other labelled data, and keep it in RUN/evaluations/NAME as the command `evaluate` does.

    `runs` is a folder of runs, or several; `on` a YAML file that declares the data, a built-in test set,
    `shuffled-words` or `shifted-positions:N`; `label_map` says which labels of the runs mean each label of the data, as
    in "yes=entailment,no=neutral+contradiction". What is there already is not repeated unless `rerun`.

    Runs that cannot be scored are in `.gaps`; where that is all of them, the first one's error is raised. ConfigError
    where there is no run, or the data or the map is not right. Warns of runs that were trained by other code.

    >>> from atinuke_bench import evaluate, run
    >>> found = run("glue/sst2", "bilstm", preset="nano", source="microworld", overrides=TINY, wandb="disabled")
    >>> evaluate(found.folder, "shuffled-words").scores[["split", "metric"]].to_dict("records")
    [{'split': 'test', 'metric': 'accuracy'}]
    """
    from atinuke_bench.runs.evaluation.carry_out import evaluate_runs
    from atinuke_bench.runs.evaluation.opening import open_data

    folders = folders_at(runs)
    with torch_threads(threads):
        data = open_data(str(on), data_folder(data_dir), label_map, name)
        outcomes = list(evaluate_runs(folders, data, rerun=rerun))
    if all(one.result is None for one in outcomes):
        raise next(one.error for one in outcomes if one.error is not None)
    for one in outcomes:
        if one.result is not None:
            own = one.result["run"]
            warn_of_other_code(one.run.path, one.run.manifest, own["task"], own["core"])
    return evaluations_of_outcomes(outcomes)


def evaluations_of_outcomes(outcomes: Sequence[Outcome]) -> Evaluations:
    """The figures of those runs that were scored, and the reasons of the others."""
    gaps = [(str(one.run.path), one.note) for one in outcomes if one.result is None]
    scored = [(str(one.run.path), one.result) for one in outcomes if one.result is not None]
    return Evaluations(evaluated_scores(scored), gaps_table(gaps))


def evaluated_scores(results: Iterable[tuple[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """The frame `scores` of evaluations, from the folders of runs and what their evaluations came to."""
    return table([row for folder, result in results for row in _rows(folder, result)], _EVALUATED)


def _rows(folder: str, result: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
    own = result["run"]
    first = (folder, result["name"], result["task"], own["task"], own["core"], own["core_label"])
    for split, figures in result["scores"].items():
        for metric, value in figures.items():
            is_headline = (split, metric) == (result["split"], result["metric"])
            yield (*first, own["seed"], own["identity"], split, metric, value, is_headline)


@dataclass(frozen=True)
class Comparisons:
    """A against B: `verdicts` has one row a task, `by_seed` one row a task and seed, `gaps` what is not compared.

    `note` says what the verdicts are from. The columns of `verdicts` are those of `compare --json`.

    >>> from atinuke_bench import compare
    >>> compare("bilstm", "transformer").verdicts[["task", "a", "b"]].to_dict("records")
    [{'task': 'glue/sst2', 'a': 'bilstm-nano', 'b': 'transformer-nano'}]
    """

    verdicts: pd.DataFrame = field(repr=False)
    by_seed: pd.DataFrame = field(repr=False)
    gaps: pd.DataFrame = field(repr=False)
    note: str


@names_keywords
def compare(
    a: Place, b: Place, *, runs: Place = "runs", across: Sequence[str] = (), margin: float | None = None
) -> Comparisons:
    """Say whether A is better than B on each task they share: a paired test over what is resampled and seeds.

    A and B are cores (or labels) whose runs are in `runs`, or folders or patterns of run folders. `across` are fields
    of the protocol in which they may differ; with a `margin` in points, what is not told apart is equal within it or
    undecided. p is corrected over the tasks of the call.

    ConfigError where nothing can be compared or a side is several cores, UnknownNameError for an unknown core.

    >>> from atinuke_bench import compare
    >>> compare("bilstm", "transformer", margin=2).verdicts["verdict"].tolist()
    ['undecided']
    """
    import pandas as pd

    from atinuke_bench.reports.pairwise import compare_sides

    found = compare_sides(str(a), str(b), runs, list(across), margin)
    verdicts = pd.DataFrame([one.record() for one in found.comparisons])
    gaps = gaps_table((gap.where, gap.reason) for gap in found.gaps)
    return Comparisons(verdicts, pd.DataFrame(list(found.by_seed)), gaps, found.note)


@dataclass(frozen=True)
class Report:
    """A report as it was written: its page, its tables by name as plain figures, and what it lacks.

    >>> from atinuke_bench import report
    >>> written = report("runs", "report")
    >>> written.page.as_posix(), "cost" in written.tables
    ('report/report.html', True)
    """

    page: Path
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    #: What each table is about, by its name.
    titles: Mapping[str, str] = field(repr=False)
    gaps: pd.DataFrame = field(repr=False)


@names_keywords
def report(
    runs: Place | Iterable[Place],
    out: Place,
    *,
    reference: str | None = None,
    margin: float | None = None,
    published: Iterable[Place] = (),
) -> Report:
    """Write report.html, tables and figures of finished runs into `out`, and return the tables.

    `runs` is a folder of runs or a pattern, or several; every core is compared with `reference` where one is given;
    `published` are CSV files of published figures of your own.

    RunFolderError when there is no run, UnknownNameError for an unknown reference. What cannot be read is in `.gaps`.

    >>> from atinuke_bench import report
    >>> report("runs", "report").gaps.columns.tolist()
    ['where', 'reason']
    """
    from atinuke_bench.reports.writing.render import write_report

    places = [runs] if isinstance(runs, str | Path) else list(runs)
    written = write_report(places, Path(out), (), reference, margin, [Path(place) for place in published])
    tables = {one.name: one.data for one in written.tables}
    titles = {one.name: one.title for one in written.tables}
    gaps = gaps_table((gap.where, gap.reason) for gap in written.gaps)
    return Report(Path(out) / "report.html", tables, titles, gaps)
