"""The command `evaluate`: finished runs on other labelled data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli import completion
from atinuke_bench.cli.shared import (
    DataDirOption,
    JsonOption,
    app,
    existing,
    print_code_note,
    print_json,
    print_parts,
    say,
)
from atinuke_bench.errors import ConfigError

if TYPE_CHECKING:
    from atinuke_bench.run_folder import RunFolder
    from atinuke_bench.runs.evaluation.carry_out import Outcome
    from atinuke_bench.runs.evaluation.opening import EvaluationData

#: Seconds between two lines of progress where there is no terminal.
_SECONDS = 30.0


@app.command(epilog="Example: atinuke-bench evaluate runs/snli --on hans --data-dir data")
def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold some.")],
    on: Annotated[
        str,
        typer.Option(
            "--on",
            metavar="FILE|NAME",
            help="YAML file that declares labelled data, a built-in set, or shuffled-words or shifted-positions:N, "
            "which are the runs' own data perturbed.",
            autocompletion=completion.files_of("test_sets"),
        ),
    ],
    given_map: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="LABEL=RUN_LABEL+…,…",
            help="Which labels of the runs mean each label of the data: yes=entailment,no=neutral+contradiction.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the evaluation; else that of the data.")] = None,
    data_dir: DataDirOption = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Evaluate again what is there; it is set aside.")] = False,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Score finished runs on other labelled data: challenge sets, your own test set, another domain.

    Every split but train is scored with each run's own weights, and kept in RUN/evaluations/NAME; the run's result does
    not change. What is there already is not repeated. `report` shows all evaluations, with tests and drops.

    `shuffled-words` and `shifted-positions:N` are the split that a run's own score is of: the words of each text in
    random order, or each text N places later.
    """
    import torch

    from atinuke_bench.run_folder import find_runs
    from atinuke_bench.runs.evaluation.opening import open_data

    torch.set_num_threads(threads)
    folders = find_runs(*existing(runs))
    if not folders:
        raise ConfigError(f"no run at or below {', '.join(map(str, runs))}")
    outcomes = carry_out(folders, open_data(on, data_dir, given_map, name), rerun=rerun)
    found = [(outcome.run, outcome.result) for outcome in outcomes if outcome.result is not None]
    if not found:
        raise next(outcome.error for outcome in outcomes if outcome.error is not None)
    if as_json:
        print_json([{"folder": str(run.path), **result} for run, result in found])
        return
    from atinuke_bench.console import evaluation_rows

    print_parts(evaluation_rows((result, run.read_result()) for run, result in found))


def carry_out(
    folders: list[RunFolder], test_set: EvaluationData, *, rerun: bool = False, names_all: bool = True
) -> list[Outcome]:
    """Evaluate runs, with progress and a line for each on standard error.

    Unless `names_all`, one line is for all runs that are left out for one reason.
    """
    from atinuke_bench.runs.evaluation.carry_out import evaluate_runs

    outcomes: list[Outcome] = []
    progress = _Progress(len(folders), test_set.name, names_all)
    for outcome in evaluate_runs(folders, test_set, rerun=rerun, told=progress.told):
        outcomes.append(outcome)
        progress.over(outcome)
    return outcomes


def open_test_sets(names: list[str], base: Path, data_dir: Path | None) -> list[EvaluationData]:
    """The test sets that a suite names, before anything is trained for them; ConfigError."""
    if not names:
        return []
    from atinuke_bench.runs.evaluation.opening import open_data

    return [open_data(name, data_dir, base=base) for name in names]


def evaluate_cells(
    store: Path, results: list[tuple[str, dict[str, Any]]], test_sets: list[EvaluationData]
) -> list[tuple[str, dict[str, Any]]]:
    """Score the finished runs of a suite on each test set that they fit; evaluations with the names of variants."""
    if not (results and test_sets):
        return []
    import torch

    from atinuke_bench.run_folder import folder_of_result

    torch.set_num_threads(1)
    folders = [folder_of_result(store, result) for _, result in results]
    found: list[tuple[str, dict[str, Any]]] = []
    for test_set in test_sets:
        outcomes = carry_out(folders, test_set, names_all=False)
        found += [
            (variant, outcome.result)
            for (variant, _), outcome in zip(results, outcomes, strict=True)
            if outcome.result is not None
        ]
    return found


class _Progress:
    """One line a run; while a run takes long, a line now and then."""

    def __init__(self, num_runs: int, name: str, names_all: bool) -> None:
        self.num_runs, self.name, self.names_all = num_runs, name, names_all
        self.reasons: set[str] = set()
        self.num_over = 0
        self.due = time.monotonic() + _SECONDS

    def told(self, run: RunFolder, split: str, num_done: int, num_rows: int) -> None:
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + _SECONDS
        say(f"[{self.num_over}/{self.num_runs}] {run.path}: {split}: {num_done:,} of {num_rows:,} rows", err=True)

    def over(self, outcome: Outcome) -> None:
        self.num_over += 1
        self.due = time.monotonic() + _SECONDS
        place, result = f"[{self.num_over}/{self.num_runs}] {outcome.run.path}", outcome.result
        if result is None:
            if self.names_all or outcome.note not in self.reasons:
                say(f"{place}: {self.name}: left out: {outcome.note}", err=True)
            self.reasons.add(outcome.note)
            return
        if outcome.note:
            say(f"{place}: {outcome.note}", err=True)
        done = "" if outcome.is_new else "; it was there"
        say(f"{place}: {self.name}: {_shown(result)}{done}", err=True)
        if self.names_all:  # a suite says so once of all its runs
            print_code_note(outcome.run.path, outcome.run.manifest, result["run"]["task"], result["run"]["core"])


def _shown(result: dict[str, Any]) -> str:
    from atinuke_bench.formatting import number

    metric = result["metric"]
    return ", ".join(f"{split} {number(figures[metric])} {metric}" for split, figures in result["scores"].items())
