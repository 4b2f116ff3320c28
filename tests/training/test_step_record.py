"""The record of steps: what it holds, how it is thinned, that a resumed run has the same one, and what damage does."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from atinuke_bench.core.build import build_core
from atinuke_bench.errors import DivergedError, RunFolderError
from atinuke_bench.files import sha256_file
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.verify import verify
from atinuke_bench.step_record import EVERY_STEP, is_measured_at, joined, read_steps, rows_of, write_steps
from atinuke_bench.training import selection
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.probes import probe
from atinuke_bench.training.steps import StepRecorder
from atinuke_bench.training.train import train_and_evaluate

QUIET = Execution(show_progress=False, checkpoint_minutes=0)


class Killed(BaseException):
    """Stands for a kill."""


def carry_out(run, place):
    folder = RunFolder(place)
    train_and_evaluate(prepare(run), folder, QUIET)
    return folder


@pytest.fixture
def run(make_run):
    return make_run(core="bilstm", training__max_epochs=2, training__batch_tokens=48, core__dropout=0.3)


def killed_at(number, patch):
    original = TaskModule.training_step

    def training_step(self, batch, batch_index):
        if self.global_step == number:
            raise Killed
        return original(self, batch, batch_index)

    patch.setattr(TaskModule, "training_step", training_step)


def test_a_resumed_run_has_the_record_of_the_undisturbed_one(run, tmp_path, monkeypatch):
    prepared = prepare(run)
    whole = carry_out(run, tmp_path / "whole")
    columns = read_steps(whole.steps)
    history = whole.read_history()
    assert columns["step"].tolist() == list(range(1, history[-1]["step"] + 1))
    for epoch, record in enumerate(history):
        own = columns["loss"][columns["epoch"] == epoch]
        assert own.mean() == pytest.approx(record["loss"], rel=1e-5)
        assert record["answers"]["num"] == len(prepared.selection_examples)
        assert 1 / 3 <= record["answers"]["commonest"] <= 1
    assert np.isfinite(columns["gradient_norm"]).all()
    clip = run.training.gradient_clip
    assert columns["clipped"].tolist() == (columns["gradient_norm"] > clip).astype(float).tolist()
    assert 0 < np.nanmax(columns["update_ratio/recurrent"]) < 1
    measured = columns["step"][~np.isnan(columns["update_ratio/head"])]
    assert measured.tolist() == [n for n in range(1, history[-1]["step"] + 1) if is_measured_at(n, history[-1]["step"])]
    result = whole.read_result()
    assert result["artefacts"]["steps.parquet"] == sha256_file(whole.steps)
    assert verify(whole).damaged == []
    labels = prepared.selection_examples["label"][:]
    # Three labels are as frequent as each other in train: the floor answers with any one of them.
    shares = {100 * labels.count(label) / len(labels) for label in set(labels)}
    assert any(history[0]["answers"]["floor"] == pytest.approx(share) for share in shares | {0.0})

    monkeypatch.setattr(selection, "_ASK_EVERY", 4)
    cut = RunFolder(tmp_path / "cut")
    for number in (6, history[0]["step"] + 7):
        with monkeypatch.context() as patch:
            killed_at(number, patch)
            with pytest.raises(Killed):
                train_and_evaluate(prepare(run), cut, QUIET)
        cut.steps.write_bytes(b"damaged")  # it is information: nothing is read from it
    train_and_evaluate(prepare(run), cut, QUIET)
    assert cut.steps.read_bytes() == whole.steps.read_bytes()
    assert list(cut.path.glob(".damaged-*/steps.parquet"))
    assert "steps.parquet: cannot be read as a record of steps" in cut.log.read_text()


def test_what_a_core_watches_of_itself_is_recorded(make_run, tmp_path, monkeypatch):
    from atinuke_bench.core.atinuke import AtinukeCore

    def observables(self):
        return {"gain.0": self.layers[0].attention_norm.weight.mean()}

    monkeypatch.setattr(AtinukeCore, "observables", observables)
    folder = carry_out(make_run(training__max_epochs=1, training__batch_tokens=96), tmp_path / "run")
    gains = read_steps(folder.steps)["core/gain.0"]
    known = gains[~np.isnan(gains)]
    assert 1 < len(known) < len(gains)
    assert len(set(known)) > 1


def test_a_run_that_diverges_leaves_its_last_steps(make_run, tmp_path, monkeypatch):
    original = TaskModule.training_step

    def training_step(self, batch, batch_index):
        loss = original(self, batch, batch_index)
        if self.global_step == 5:
            raise DivergedError("the loss is nan at step 5")
        return loss

    monkeypatch.setattr(TaskModule, "training_step", training_step)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(DivergedError):
        train_and_evaluate(prepare(make_run(training__batch_tokens=96)), folder, QUIET)
    assert read_steps(folder.steps)["step"].tolist() == [1, 2, 3, 4, 5]


def test_a_place_that_cannot_be_written_ends_no_run(make_run, tmp_path):
    folder = RunFolder(tmp_path / "run")
    (folder.path / "steps.parquet" / "full").mkdir(parents=True)
    train_and_evaluate(prepare(make_run(training__max_epochs=1)), folder, QUIET)
    assert folder.is_finished()
    assert "set aside" in folder.log.read_text() or list(folder.path.glob(".damaged-*"))


def some_steps(num, **changed):
    columns = {name: np.arange(1.0, num + 1) for name in EVERY_STEP}
    return {**columns, "epoch": np.zeros(num), **changed}


def test_rows_of_several_steps_have_the_mean_loss_and_the_largest_norm():
    steps = some_steps(7, **{"update_ratio/head": np.array([np.nan, 0.5, np.nan, 0.25, np.nan, np.nan, np.nan])})
    rows = rows_of(steps, 3)
    assert rows["step"].tolist() == [3, 6, 7]
    assert rows["loss"].tolist() == [2, 5, 7]
    assert rows["gradient_norm"].tolist() == [3, 6, 7]
    assert rows["update_ratio/head"].tolist()[:2] == [0.5, 0.25]
    assert math.isnan(rows["update_ratio/head"][2])
    # However the steps come in, the rows are the same.
    parts = joined({name: column[:3] for name, column in rows.items()}, {})
    assert {name: column.tolist() for name, column in parts.items() if name == "loss"} == {"loss": [2, 5, 7]}


@pytest.mark.parametrize("change", ["flip", "cut", "other", "column"])
def test_damage_is_seen(tmp_path, change):
    place = tmp_path / "steps.parquet"
    steps = some_steps(40, loss=np.array([np.nan, np.inf, *range(38)]), **{"core/gain": np.full(40, np.nan)})
    write_steps(place, steps)
    found = read_steps(place)
    assert {name: column.tolist() for name, column in found.items() if name not in ("loss", "core/gain")} == {
        name: column.tolist() for name, column in steps.items() if name not in ("loss", "core/gain")
    }
    assert np.array_equal(found["loss"], steps["loss"], equal_nan=True)
    content = bytearray(place.read_bytes())
    if change == "flip":
        content[len(content) // 3] ^= 4
    elif change == "cut":
        content = content[: len(content) // 2]
    elif change == "other":
        content = bytearray(json.dumps({}).encode())
    else:
        write_steps(place, {name: column for name, column in steps.items() if name != "loss"})
        content = bytearray(place.read_bytes())
    place.write_bytes(bytes(content))
    with pytest.raises(RunFolderError, match=r"steps\.parquet"):
        read_steps(place)


def batch_of(core, lengths):
    generator = torch.Generator().manual_seed(0)
    longest = max(lengths)
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    ids = torch.randint(5, core.vocab_size, mask.shape, generator=generator) * mask
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.parametrize("name", ["atinuke", "transformer", "bilstm"])
def test_probes_see_what_a_core_sees(make_run, name):
    torch.manual_seed(1)
    core = build_core(make_run(core=name).core, 50)
    core.train()
    state = torch.get_rng_state()
    found = {key: float(value) for key, value in probe(core, batch_of(core, [9, 4, 7])).items()}
    assert torch.equal(torch.get_rng_state(), state)
    assert all(part.training for part in core.modules())
    assert found["padding"] < 1e-5
    assert found["after"] > 1e-3
    assert (found["before"] < 1e-5) == core.is_causal == bool(found["is_causal"])


def test_probes_go_no_further_than_a_core_reads(make_run):
    run = make_run(core="transformer", core__max_positions=20, core__positions="learned", training__max_length=20)
    core = build_core(run.core, 50)
    assert run.core.max_length == 20
    assert float(probe(core, batch_of(core, [20, 18]))["padding"]) < 1e-5


def test_nothing_is_asked_of_the_device_while_steps_are_recorded(make_run):
    """torch's `meta` device holds no values: what would read one raises."""
    run = make_run(core="transformer")
    module: Any = SimpleNamespace(
        core=build_core(run.core, 50).to("meta"),
        step_loss=torch.zeros((), device="meta"),
        gradient_norm=torch.zeros((), device="meta"),
    )
    recorder = StepRecorder(RunFolder.__new__(RunFolder))
    recorder._num_steps, recorder._clip = 100, 1.0
    recorder._groups = {"attention": [p for p in module.core.parameters() if p.ndim > 1]}
    optimizer: Any = SimpleNamespace(param_groups=[{"lr": 0.1}])
    for step in range(20):
        recorder.on_before_optimizer_step(SimpleNamespace(global_step=step), module, optimizer)  # type: ignore[arg-type]
        if recorder._before is not None:
            recorder._measure(module, step + 1, recorder._before)
            recorder._before = None
    assert sorted(recorder._measured) == [1, 2, 4, 8, 16]
    assert all(value.device.type == "meta" for own in recorder._measured.values() for value in own.values())
