"""What every core and every task must do, as functions that a plug-in's own tests can call.

`CONTRIBUTING.md` shows both in use.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from atinuke_bench import registry
from atinuke_bench.config import CoreConfig, RunConfig
from atinuke_bench.core.build import build_core
from atinuke_bench.errors import AtinukeBenchError, DataError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.capabilities import Average
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.predict import load_predictor
from atinuke_bench.training.prepare import PreparedRun, prepare
from atinuke_bench.training.task import Task
from atinuke_bench.training.train import train_and_evaluate

_VOCAB_SIZE = 40
_TOLERANCE: dict[str, Any] = {"atol": 1e-5, "rtol": 1e-4}


def check_core(config: CoreConfig) -> None:
    """Assert what the harness relies on: shapes, padding, causality, gradients, `inputs_embeds`, operation counts."""
    torch.manual_seed(0)
    core = build_core(config, _VOCAB_SIZE).eval()
    ids = torch.randint(5, _VOCAB_SIZE, (3, 9))
    mask = torch.arange(9) < torch.tensor([9, 5, 1])[:, None]
    ids = ids * mask
    hidden = core(ids, mask)
    assert hidden.shape == (3, 9, core.hidden_size), f"hidden is (batch, length, hidden_size); found {hidden.shape}"
    assert hidden[mask].isfinite().all(), "hidden vectors of real tokens are finite"

    alone = core(ids[1:2, :5], mask[1:2, :5])
    torch.testing.assert_close(hidden[1:2, :5], alone, **_TOLERANCE, msg="padding changes no real token")
    if core.is_causal:
        changed = ids.clone()
        changed[0, 8] = 6 if ids[0, 8] != 6 else 7
        assert torch.equal(core(changed, mask)[0, :8], hidden[0, :8]), "a causal core sees no later token"
    embedded = core(None, mask, inputs_embeds=core.token_embedding(ids))
    torch.testing.assert_close(embedded, hidden, **_TOLERANCE, msg="inputs_embeds replace the token embedding")

    core.train()
    core(ids, mask, segment_ids=torch.zeros_like(ids)).square().mean().backward()
    without = [name for name, weight in core.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not without, f"every parameter learns; no gradient reaches {without}"
    assert core.flops_per_token(16) > 0, "flops_per_token counts something"
    assert core.result_version >= 1, "result_version starts at 1"


def check_task(run: RunConfig, folder: Path, *, official: tuple[Path, Path] | None = None) -> None:
    """Assert that a task gives what the harness and the reports rely on, and that every capability it declares works.

    `run` is carried out twice in `folder`; it should take seconds. A task that declares `files` needs `official`: a
    gold file and a predictions file in its official formats.
    """
    prepared = prepare(run)
    task = prepared.task
    _check_declaration(task, run.task)
    _check_data(prepared)
    quiet = Execution(show_progress=False)
    first = train_and_evaluate(prepared, RunFolder(folder / "first"), quiet)
    second = train_and_evaluate(prepared, RunFolder(folder / "second"), quiet)
    assert first["scores"] == second["scores"], "equal runs have equal scores"
    predictions = [RunFolder(folder / name).predictions.read_bytes() for name in ("first", "second")]
    assert predictions[0] == predictions[1], "equal runs have equal predictions"
    rows = pd.read_parquet(RunFolder(folder / "first").predictions)
    _check_metric(task, first, rows)
    for examples in prepared.evaluation_splits.values():
        answered = task.floor(prepared.train_examples, examples, prepared.run)
        assert set(answered) == set(examples["id"][:]), "the floor answers every example"
        evaluate(task, examples, answered)
    if task.inputs is not None:
        _check_inputs(task, RunFolder(folder / "first"))
    if task.files is not None:
        _check_files(task, official, folder)
    if task.submission is not None:
        _check_submission(task, rows, folder / "submission")


def _check_declaration(task: Task, name: str) -> None:
    assert task.name == name, f"the task calls itself {task.name!r}"
    assert task.summary, "a task has a summary of one line"
    assert task.metric in registry.metrics_of(name), "the declared metric is among those that `METRICS` names"
    assert set(task.splits.headline) <= set(task.splits.evaluated), "a headline split is evaluated"
    assert task.group_column is None or task.group_column in task.features, "the group column is a feature"


def _check_data(prepared: PreparedRun) -> None:
    task = prepared.task
    for split, examples in prepared.loaded.splits.items():
        assert examples.features == task.features, f"split {split!r} has the canonical features"
        assert len(set(examples["id"][:])) == len(examples), f"ids of split {split!r} are unique"
        labelled = task.data.labelled(examples)
        assert len(task.data.gold(labelled)) == len(labelled), f"split {split!r}: one right answer an example"
    assert len(prepared.train_examples) > 0, "there is something to learn from"
    options = task.options(prepared.run)
    assert task.data.resolve_options(options, prepared.loaded) == options, "resolved options stay as they are"


def _check_metric(task: Task, result: dict[str, Any], rows: pd.DataFrame) -> None:
    """What a run says of itself follows from the predictions it stored."""
    name = task.metric.name
    for split, figures in result["scores"].items():
        assert name in figures, f"split {split!r} has the primary metric {name!r}"
        own = rows[(rows["split"] == split) & rows["gold"].notna()]
        measured = task.metric.measure(task.metric.read(own))
        score, again, drawn = figures[name], measured.figures[name], measured.sample.value()
        if score is None:
            assert again is None, f"{name} of the stored predictions is none, as it was"
            continue
        assert again is not None, f"{name} of the stored predictions is {score}, as it was"
        assert math.isclose(again, score, abs_tol=1e-6), f"{name} of the stored predictions is {score}; found {again}"
        assert math.isclose(drawn, score, abs_tol=1e-6), f"the sample of all units has {name} {score}; found {drawn}"
        lowest, highest = task.metric.bounds
        assert lowest <= score <= highest, f"{name} lies between {lowest} and {highest}; found {score}"
        units = task.metric.sample(task.metric.read(own)).units
        assert len(set(units)) == len(units), "unit names are unique, since runs are paired by them"
        for labels in result["slices"][split].values():
            assert all("num" in shown for shown in labels.values()), "a slice says how many it counts"


def _check_inputs(task: Task, folder: RunFolder) -> None:
    inputs = task.require("inputs")
    assert set(inputs.example) <= set(inputs.fields), "the example has only fields that are declared"
    predictor = load_predictor(folder)
    answers, again = (predictor.predict([inputs.example]) for _ in range(2))
    assert len(answers) == 1, "one answer a record"
    assert answers == again, "equal records have equal answers"
    json.dumps([answer.as_record() for answer in answers])
    _require_error(DataError, "a record without fields is refused", lambda: predictor.predict([{}]))


def _check_files(task: Task, official: tuple[Path, Path] | None, folder: Path) -> None:
    assert official is not None, "the task declares official files: give check_task a gold and a predictions file"
    gold, predictions = official
    files = task.require("files")
    figures = files.score(gold, predictions)
    assert figures, "official files have figures"
    json.dumps(figures)
    missing = folder / "no such file"
    for pair in ((missing, predictions), (gold, missing)):
        _require_error(AtinukeBenchError, "a missing file is one line", lambda pair=pair: files.score(*pair))


def _check_submission(task: Task, rows: pd.DataFrame, folder: Path) -> None:
    submission = task.require("submission")
    folder.mkdir()
    for split, own in rows.groupby("split"):
        path = submission.write(folder, str(split), dict(zip(own["id"], own["prediction"], strict=True)))
        if path is None:
            continue
        assert path.name in submission.files, f"{path.name} is a file of the submission"
        assert len(path.read_text(encoding="utf-8").splitlines()) >= len(own), "a submission answers every example"
    for average in submission.averages([]).values():
        assert isinstance(average, Average), "an average is an `Average`"
        assert average.score is None, "an average of nothing is missing"
        assert average.missing, "what an average lacks is named"


def _require_error(kind: type[Exception], rule: str, act: Any) -> None:
    try:
        act()
    except kind:
        return
    raise AssertionError(rule)
