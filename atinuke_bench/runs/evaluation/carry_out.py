"""Scores finished runs on a test set, one after the other; what is there and current is not repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from atinuke_bench import environment, registry
from atinuke_bench.config import Declaration, RunConfig
from atinuke_bench.data.tokenizer import unknown_percent
from atinuke_bench.errors import AtinukeBenchError, ConfigError, DataError, RunFolderError
from atinuke_bench.evaluation_folder import EvaluationFolder, evaluation_of
from atinuke_bench.files import finite, make_folder, sha256_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.evaluation.perturbed import OwnData
from atinuke_bench.runs.evaluation.test_set import Fitted, TestSet
from atinuke_bench.training.evaluate import Evaluation, evaluate
from atinuke_bench.training.guards import only_holder, sigterm_as_interrupt
from atinuke_bench.training.predict import Predictor, load_predictor
from atinuke_bench.training.records import predictions_table, scores_record
from atinuke_bench.training.task import Task, task_of

#: What an evaluation depends on, in words, by its key in the record.
_WORDS = {
    "data": "the data",
    "metric": "the metric",
    "slices": "the slices",
    "map": "the map of labels",
    "run": "the run",
    "weights": "the run's weights",
    "tokenizer": "the run's tokenizer",
    "calibration": "the run's calibration",
    "result_versions": "the version of task or core",
    "perturbed": "how the data is perturbed",
}


@dataclass(frozen=True)
class Outcome:
    """What became of one run: its evaluation, or why it has none."""

    run: RunFolder
    #: The evaluation's `result.json`; None where the run is left out.
    result: dict[str, Any] | None = None
    is_new: bool = False
    #: Why it is left out; or why what was there is evaluated again, and where that is now.
    note: str = ""
    error: AtinukeBenchError | None = None


#: Rows that are done, of how many, of a run's split.
Progress = Callable[[RunFolder, str, int, int], None]


def _quiet(run: RunFolder, split: str, num_done: int, num_rows: int) -> None:
    return None


def evaluate_runs(
    runs: Iterable[RunFolder], test_set: TestSet | OwnData, *, rerun: bool = False, told: Progress = _quiet
) -> Iterator[Outcome]:
    """Score each run on a test set; one that cannot be is an outcome with its error.

    RunFolderError where a folder cannot be written, which ends the work.
    """
    for folder in runs:
        try:
            plan = _plan(folder, test_set)
        except AtinukeBenchError as error:
            yield Outcome(folder, note=str(error), error=error)
            continue
        there = _look(plan)
        if there.result is not None and not rerun:
            yield Outcome(folder, there.result)
            continue
        try:
            outcome = _carry_out(plan, there, told)
        except ConfigError as error:  # the core cannot read the data in this way
            outcome = Outcome(folder, note=str(error), error=error)
        yield outcome


@dataclass(frozen=True)
class _Plan:
    """A run and the test set as it reads it. `determinants` are all that decides the evaluation."""

    folder: EvaluationFolder
    test_set: TestSet | OwnData
    declaration: Declaration | None
    fitted: Fitted
    run: RunConfig
    task: Task
    result: dict[str, Any]
    determinants: dict[str, Any]


def _plan(folder: RunFolder, test_set: TestSet | OwnData) -> _Plan:
    """ConfigError, DataError or RunFolderError where the run cannot be scored on the test set."""
    result = folder.read_result()
    run = folder.read_config()
    if run.core.is_floor:
        raise ConfigError("the floor answers from the train split, which a run does not keep; give runs of other cores")
    task = task_of(run)
    fitted, declaration = test_set.fit(task, run), test_set.declaration_for(run)
    if isinstance(test_set, OwnData) and fitted.loaded.fingerprint != result["protocol"]["data_fingerprint"]:
        raise DataError("the data is no longer what the run was trained and tested on", path=folder.path)
    determinants = {
        "data": fitted.loaded.fingerprint,
        "metric": fitted.task.metric.name,
        "slices": None if declaration is None else declaration.slices,
        "map": None if fitted.joined is None else dict(fitted.joined),
        "run": result["identity"],
        "weights": _digest_of(folder, folder.best_checkpoint, result),
        "tokenizer": _digest_of(folder, folder.tokenizer, result),
        "calibration": result["selection"] and result["selection"].get("calibration"),
        "result_versions": {
            "test_set": fitted.task.result_version,
            "task": task.result_version,
            "core": registry.load_core(run.core.name).result_version,
        },
        **test_set.determinants,
    }
    return _Plan(
        evaluation_of(folder, test_set.name), test_set, declaration, fitted, run, task, result, finite(determinants)
    )


def _digest_of(folder: RunFolder, path: Path, result: dict[str, Any]) -> str:
    checksum = result["artefacts"].get(str(path.relative_to(folder.path)))
    if checksum is None:
        raise RunFolderError(f"the run kept no {path.name}")
    return checksum


def _identity(plan: _Plan) -> str:
    return sha256_json(plan.determinants)[:10]


@dataclass(frozen=True)
class _There:
    """What is there already: a current evaluation, or why it is none."""

    result: dict[str, Any] | None = None
    reason: str = ""
    is_damaged: bool = False


def _look(plan: _Plan) -> _There:
    folder = plan.folder
    if not folder.result.exists():
        return _There()
    try:
        found = folder.read_result()
        problems = [f"{name} {problem}" for name, problem in folder.artefact_problems(found).items()]
    except RunFolderError as error:
        problems = [str(error)]
    if problems:
        return _There(None, f"damaged: {problems[0]}", is_damaged=True)
    if found["identity"] == _identity(plan):
        return _There(found)
    old = found["determinants"]
    changed = [words for key, words in _WORDS.items() if old.get(key) != plan.determinants.get(key)]
    return _There(None, f"evaluated again: {', '.join(changed)} changed")


def _carry_out(plan: _Plan, there: _There, told: Progress) -> Outcome:
    """Predict, score and write; what was there stays until the new predictions are made."""
    make_folder(plan.folder.path.parent)
    with only_holder(plan.folder.run), sigterm_as_interrupt():
        evaluations = _evaluations(plan, load_predictor(plan.folder.run), told)
        note = there.reason
        if plan.folder.result.exists():
            place = plan.folder.set_aside(damaged=there.is_damaged)
            note = f"{note or 'evaluated again'}; what was there is in {place}"
        seed = plan.result["seed"]
        record = {
            "name": plan.test_set.name,
            "task": plan.fitted.task.name,
            "identity": _identity(plan),
            "determinants": plan.determinants,
            "run": {
                **{name: plan.result[name] for name in ("task", "core", "core_label", "seed", "identity")},
                **{name: plan.determinants[name] for name in ("weights", "tokenizer", "calibration")},
            },
            "seed": seed,
            **scores_record(plan.fitted.task, evaluations, seed),
            "sizes": {split: len(evaluation.predictions) for split, evaluation in evaluations.items()},
            "data": {
                "files": plan.fitted.loaded.files,
                "revision": plan.fitted.loaded.revision,
                "notes": list(plan.fitted.loaded.notes),
            },
            "versions": environment.package_versions(),
        }
        plan.folder.write(plan.declaration, predictions_table(evaluations), record)
    return Outcome(plan.folder.run, plan.folder.read_result(), is_new=True, note=note)


def _evaluations(plan: _Plan, predictor: Predictor, told: Progress) -> dict[str, Evaluation]:
    """What the run's predictions of every split are worth, in the labels of the test set."""
    if plan.fitted.shift:
        predictor.module.core.shift_positions(plan.fitted.shift)
    found = {}
    for split, examples in plan.fitted.loaded.splits.items():
        hidden = plan.fitted.examples_for(plan.task, split)
        encoded = predictor.encode(hidden)
        count = _Counter(plan.folder.run, split, len(encoded), told)
        predicted = plan.fitted.in_its_labels(predictor.decode(hidden, encoded, count.add))
        evaluation = evaluate(plan.fitted.task, examples, predicted)
        found[split] = replace(evaluation, unknown_percent=unknown_percent(predictor.tokenizer, encoded))
    return found


@dataclass
class _Counter:
    """Rows that are done of a split, told as they are."""

    run: RunFolder
    split: str
    num_rows: int
    told: Progress
    num_done: int = 0

    def add(self, num_rows: int) -> None:
        self.num_done += num_rows
        self.told(self.run, self.split, self.num_done, self.num_rows)
