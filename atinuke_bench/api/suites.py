"""`suite`: a grid of runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from atinuke_bench.errors import naming

from .keywords import names_keywords
from .results import Evaluations, evaluations_of_outcomes
from .shared import Place, data_folder, torch_threads, warn, warn_of_other_code
from .training import Run

if TYPE_CHECKING:
    from atinuke_bench.config import SourceConfig, StudyRank, SuiteConfig
    from atinuke_bench.runs.cells import CellState
    from atinuke_bench.runs.evaluation.opening import EvaluationData
    from atinuke_bench.runs.suite import SuiteOptions


@dataclass(frozen=True)
class Failed:
    """A run of a suite that failed: `task/variant/seed`, the class of failure, and its message.

    >>> from atinuke_bench import Failed
    >>> Failed("snli/atinuke/0", "out-of-memory", "no room").name
    'snli/atinuke/0'
    """

    name: str
    failure_class: str
    message: str
    folder: Path | None = None


@dataclass(frozen=True)
class SuiteRuns:
    """What became of a suite: its finished runs in the order of its grid, those that failed, and its test sets' scores.

    >>> from atinuke_bench import SuiteRuns
    >>> len(list(SuiteRuns("quick", Path("runs"), (), ())))
    0
    """

    name: str
    out: Path
    runs: tuple[Run, ...]
    failed: tuple[Failed, ...]
    #: Scores on the test sets that the suite names; None where it names none.
    evaluations: Evaluations | None = None

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)


@names_keywords
def suite(
    name_or_file: Place,
    *,
    source: str | None = None,
    data_dir: Place | None = None,
    out: Place = "runs",
    only: Iterable[str] = (),
    workers: int | None = None,
    executor: Literal["local", "ray"] = "local",
    devices_per_run: int = 1,
    device_batch_tokens: int | Literal["auto"] | None = None,
    checkpoint_minutes: float = 30.0,
    timeout: float | None = None,
    retry_failed: bool = False,
    rerun: bool = False,
    drop_overlap: bool = False,
    predict_unlabelled: bool = False,
    keep_texts: bool = True,
    storage: str | None = None,
    wandb: Literal["online", "offline", "disabled"] = "offline",
) -> SuiteRuns:
    """Carry out a grid of runs, each in its own process, and return what is finished and what failed.

    It is the command `suite`: what is finished in `out` is kept, what was interrupted goes on. `only` are patterns
    TASK/CORE/SEED, where * matches anything; `timeout` are the seconds that one run may take. A failed run does not end
    the others, and raises nothing: look at `.failed`. Columns that are trials of studies are looked up in `out`, or in
    the database `storage`.

    Worker processes import the calling script, so that a script must keep its calls under `if __name__ == "__main__":`.

    Raises ConfigError for a suite, pattern or data folder that is not right, before anything is trained, and warns of
    runs that were trained by other code.

    >>> from atinuke_bench import suite
    >>> suite("quik")
    Traceback (most recent call last):
    atinuke_bench.errors.UnknownNameError: no suite 'quik'; nearest: 'quick'; ...
    """
    from atinuke_bench.config.asked import require_wandb_mode, suite_source
    from atinuke_bench.runs.evaluation.opening import open_data
    from atinuke_bench.runs.suite import SuiteOptions
    from atinuke_bench.training.execution import Execution

    mode, store, data = require_wandb_mode(wandb), Path(out), data_folder(data_dir)
    config = _read(name_or_file, store, storage, drop_overlap=drop_overlap)
    with naming(str(name_or_file)):
        test_sets = [open_data(name, data, base=Path(name_or_file).parent) for name in config.evaluate]
    execution = Execution(
        devices=devices_per_run,
        show_progress=False,
        device_batch_tokens=device_batch_tokens,
        checkpoint_minutes=checkpoint_minutes,
        keeps_texts=keep_texts,
    )
    options = SuiteOptions(store, mode, execution, timeout, rerun, predict_unlabelled)
    how = _How(str(name_or_file), tuple(only), executor, workers, retry_failed)
    runs, failed = _carry_out(config, suite_source(config, source, data), how, options)
    evaluations = _evaluated(runs, test_sets) if test_sets else None
    return SuiteRuns(config.name, store, tuple(runs), tuple(map(_failed, failed)), evaluations)


def _read(name_or_file: Place, store: Path, storage: str | None, *, drop_overlap: bool) -> SuiteConfig:
    from atinuke_bench.runs.grid import read_suite

    shared = {"training.drop_overlap": True} if drop_overlap else {}
    return read_suite(str(name_or_file), shared, partial(_find_column, store, storage))


def _find_column(store: Path, storage: str | None, suite: str, column: str, asked: StudyRank) -> Mapping[str, Any]:
    """What a column has from a study; a warning where the study has gone on since the suite began."""
    from atinuke_bench.sweeps.columns import find_column

    return find_column(store, storage, warn, suite, column, asked)


@dataclass(frozen=True)
class _How:
    """Which cells are carried out, and where."""

    where: str
    only: tuple[str, ...]
    executor: str
    workers: int | None
    retry_failed: bool


def _carry_out(
    config: SuiteConfig, source: SourceConfig, how: _How, options: SuiteOptions
) -> tuple[list[Run], list[CellState]]:
    from atinuke_bench.run_folder import folder_of_result
    from atinuke_bench.runs.cells import chosen_states
    from atinuke_bench.runs.jobs.factory import make_executor
    from atinuke_bench.runs.suite import Suite
    from atinuke_bench.runs.suite_record import finished_results, open_record

    record = open_record(options.store, config.name)
    must_look = bool(how.only) or options.rerun or options.predicts_unlabelled
    results, failed = None if must_look else finished_results(record, config, source, options.store), []
    if results is None:
        looks = {
            "retry_failed": how.retry_failed,
            "rerun": options.rerun,
            "look_again": options.predicts_unlabelled,
        }
        states = chosen_states(config, source, record, how.where, list(how.only), **looks)
        carrier = make_executor(how.executor, how.workers, options.execution.devices)
        work = Suite(config.name, states, record, carrier, options)
        work.run()
        results, failed = work.results(), work.failed()
    runs = [Run(folder_of_result(options.store, result).path, result, variant) for variant, result in results]
    for one in runs:
        warn_of_other_code(one.folder, one.folder / "manifest.json", one.task, one.core)
    return runs, failed


def _failed(state: CellState) -> Failed:
    failure_class, message = state.failure or ("internal", "")
    return Failed(state.cell.path, str(failure_class), message, None if state.folder is None else state.folder.path)


def _evaluated(runs: list[Run], test_sets: list[EvaluationData]) -> Evaluations:
    """The scores of a suite's runs on every test set that they fit."""
    from atinuke_bench.run_folder import RunFolder
    from atinuke_bench.runs.evaluation.carry_out import evaluate_runs

    folders = [RunFolder(run.folder) for run in runs]
    with torch_threads(1):
        outcomes = [one for test_set in test_sets for one in evaluate_runs(folders, test_set)]
    return evaluations_of_outcomes(outcomes)
