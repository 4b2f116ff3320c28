"""One run, end to end, on small official files."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
import torch

from atinuke_bench import registry, run_folder
from atinuke_bench.core.build import build_core
from atinuke_bench.errors import ConfigError, DivergedError, PrunedError, RunFolderError
from atinuke_bench.files import read_json, sha256_file, write_json
from atinuke_bench.run_folder import RunFolder, find_runs
from atinuke_bench.runs.verify import reset, verify
from atinuke_bench.source_code import code_note
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

QUIET = Execution(show_progress=False)


def carry_out(run, place, **asked):
    folder = RunFolder(place)
    return folder, train_and_evaluate(prepare(run, **asked), folder, QUIET)


def predictions_of(folder):
    return pd.read_parquet(folder.predictions)


def test_a_run_leaves_a_complete_folder(make_run, tmp_path):
    folder, result = carry_out(make_run(), tmp_path / "run")
    for path in (folder.config, folder.manifest, folder.history, folder.predictions, folder.log, folder.result):
        assert path.exists(), path
    assert folder.is_finished()
    assert folder.read_config().task == "snli"
    assert [record["epoch"] for record in folder.read_history()] == [0, 1]
    assert all(sha256_file(folder.path / name) == digest for name, digest in result["artefacts"].items())
    assert "checkpoints/best.safetensors" in result["artefacts"]
    manifest = json.loads(folder.manifest.read_text())
    assert manifest["data"]["files"]
    assert manifest["versions"]["torch"] == torch.__version__
    assert result["protocol"]["is_cut"] is True
    assert result["cost"]["parameters"] > 0
    assert find_runs(tmp_path) == [folder]
    assert [path.name for path in folder.checkpoints.iterdir()] == ["best.safetensors"]


def test_every_labelled_example_is_predicted_once_and_the_score_follows(make_run, tmp_path):
    folder, result = carry_out(make_run(), tmp_path / "run")
    rows = predictions_of(folder)
    assert not rows.duplicated(["split", "id"]).any()
    test = rows[rows["split"] == "test"]
    assert len(test) == 10
    scored = test[test["gold"].notna()]
    assert len(scored) == 9  # the pair without a consensus is predicted, not scored
    assert result["score"] == pytest.approx(100 * (scored["prediction"] == scored["gold"]).mean())
    assert result["interval"][0] <= result["score"] <= result["interval"][1]


@pytest.mark.parametrize("core", ["atinuke", "transformer", "bilstm"])
def test_equal_seeds_give_equal_bits_and_other_seeds_do_not(make_run, tmp_path, core):
    first, _ = carry_out(make_run(core=core), tmp_path / "first")
    second, _ = carry_out(make_run(core=core), tmp_path / "second")
    other, _ = carry_out(make_run(core=core, seed=1), tmp_path / "other")
    assert sha256_file(first.best_checkpoint) == sha256_file(second.best_checkpoint)
    assert sha256_file(first.predictions) == sha256_file(second.predictions)
    assert sha256_file(first.best_checkpoint) != sha256_file(other.best_checkpoint)


class Killed(BaseException):
    """Stands for a kill: nothing in between may catch it."""


def test_a_run_that_goes_on_with_other_code_keeps_both_digests(make_run, tmp_path, monkeypatch):
    run = make_run(training__max_epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write_result", lambda self, record: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            carry_out(run, tmp_path / "cut")
    manifest = read_json(tmp_path / "cut" / "manifest.json")
    name = registry.module_of("cores", run.core.name)
    modules, texts = manifest["code"]["modules"], manifest["code"]["texts"]
    code = {"modules": {**modules, name: "before"}, "texts": {**texts, name: "before"}}
    write_json(tmp_path / "cut" / "manifest.json", manifest | {"code": code})
    folder, _ = carry_out(run, tmp_path / "cut")
    assert read_json(folder.manifest)["code"]["modules"] == {**modules, name: f"before, then {modules[name]}"}
    assert f"({name})" in str(code_note(folder.manifest, run.task, run.core.name))


def test_a_run_that_goes_on_from_before_code_was_recorded_says_nothing(make_run, tmp_path):
    run = make_run(training__max_epochs=2)
    folder, _ = carry_out(run, tmp_path / "run")
    folder.result.unlink()
    manifest = read_json(folder.manifest)
    del manifest["code"]
    write_json(folder.manifest, manifest)
    carry_out(run, tmp_path / "run")
    assert code_note(folder.manifest, run.task, run.core.name) is None


def test_features_are_encoded_anew_where_the_task_s_code_has_changed(make_run, monkeypatch):
    prepared = prepare(make_run())
    rows, built = type(prepared.task.data).rows, []

    def build(self, *given):
        built.append(given)
        return rows(self, *given)

    monkeypatch.setattr(type(prepared.task.data), "rows", build)
    for code in ("one", "one", "two"):
        monkeypatch.setattr("atinuke_bench.training.prepare.digest_of_task", lambda task, code=code: code)
        prepared.encode("train", prepared.train_examples)
    assert len(built) == 2


def test_a_kill_between_the_last_epoch_and_the_result_trains_nothing_again(make_run, tmp_path, monkeypatch):
    run = make_run()
    whole, _ = carry_out(run, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write_result", lambda self, record: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            carry_out(run, tmp_path / "cut")
    monkeypatch.setattr(TaskModule, "training_step", None)
    failures, write = [], run_folder.write_json

    def write_beside(path, record):
        failures.append(path.with_name("failure.json").exists())
        write(path, record)

    monkeypatch.setattr(run_folder, "write_json", write_beside)
    cut, _ = carry_out(run, tmp_path / "cut")
    assert sha256_file(cut.predictions) == sha256_file(whole.predictions)
    assert failures[-1:] == [False], "a kill would leave a failure beside the result for good"


def test_a_damaged_last_state_is_no_loss_of_the_run(make_run, tmp_path, monkeypatch):
    run = make_run()
    whole, _ = carry_out(run, tmp_path / "whole")
    folder, _ = carry_out(run, tmp_path / "run")
    folder.result.unlink()
    folder.last_checkpoint.write_bytes(b"junk")  # as a run that was stopped may have it
    monkeypatch.setattr(TaskModule, "training_step", None)
    folder, _ = carry_out(run, tmp_path / "run")
    assert sha256_file(folder.predictions) == sha256_file(whole.predictions)
    assert "last.safetensors: checkpoint is damaged" in folder.log.read_text()
    assert (folder.path / ".damaged-1/last.safetensors").read_bytes() == b"junk"


def test_a_finished_run_with_its_last_state_stays_finished(make_run, tmp_path):
    folder, result = carry_out(make_run(), tmp_path / "run")
    folder.last_checkpoint.write_bytes(b"of a version that kept it")
    assert carry_out(make_run(), tmp_path / "run")[1] == result
    assert verify(folder).damaged == []


def test_a_split_without_labels_is_predicted_when_asked_for_and_nothing_is_trained_again(
    make_run, tmp_path, monkeypatch
):
    run = make_run("glue/rte")
    folder, result = carry_out(run, tmp_path / "run")
    before = predictions_of(folder)
    assert set(before["split"]) == {"dev"}
    whole, expected = carry_out(run, tmp_path / "whole", predicts_unlabelled=True)
    assert set(predictions_of(whole)["split"]) == {"dev", "test"}
    assert (expected["identity"], expected["scores"]) == (result["identity"], result["scores"])

    monkeypatch.setattr(TaskModule, "training_step", None)
    folder, again = carry_out(run, tmp_path / "run", predicts_unlabelled=True)
    assert sha256_file(folder.predictions) == sha256_file(whole.predictions)
    assert again["scores"] == result["scores"]
    assert verify(folder).damaged == []
    assert carry_out(run, tmp_path / "run")[1] == again  # what is there is not taken away


def test_a_run_whose_other_files_are_damaged_is_only_evaluated_again(make_run, tmp_path, monkeypatch):
    folder, _ = carry_out(make_run(), tmp_path / "run")
    before = folder.predictions.read_bytes()
    folder.predictions.write_bytes(before[:-1])
    reset(verify(folder))
    monkeypatch.setattr(TaskModule, "training_step", None)
    carry_out(make_run(), tmp_path / "run")
    assert folder.predictions.read_bytes() == before


def test_a_finished_run_is_not_repeated(make_run, tmp_path, monkeypatch):
    folder, result = carry_out(make_run(), tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*.*") if path != folder.log}
    monkeypatch.setattr(TaskModule, "training_step", None)
    assert carry_out(make_run(), tmp_path / "run")[1] == result
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.parametrize("is_finished", [True, False])
def test_epochs_that_were_trained_before_are_asked_about_again(make_run, tmp_path, monkeypatch, is_finished):
    run = make_run(training__max_epochs=3)
    folder, result = carry_out(run, tmp_path / "run")
    if not is_finished:
        folder.result.unlink()
    monkeypatch.setattr(TaskModule, "training_step", None)
    asked: list[dict[str, Any]] = []

    def ask(answers):
        asked.clear()

        def answer(record):
            asked.append(record)
            return answers[record["epoch"]]

        return answer

    with pytest.raises(PrunedError, match="stopped after epoch 2 of 3"):
        train_and_evaluate(prepare(run), folder, QUIET, should_continue=ask([True, False, True]))
    assert asked == folder.read_history()[:2]
    assert folder.is_finished() == is_finished
    told = train_and_evaluate(prepare(run), folder, QUIET, should_continue=ask([True, True, False]))
    assert asked == folder.read_history()
    assert told["scores"] == result["scores"]


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(make_run, tmp_path, monkeypatch):
    from atinuke_bench.sentences.model import SentenceModule

    original = SentenceModule.loss
    monkeypatch.setattr(SentenceModule, "loss", lambda self, batch: original(self, batch) * float("nan"))
    with pytest.raises(DivergedError, match="the loss is nan at step 0"):
        carry_out(make_run(), tmp_path / "run")
    failure = json.loads((tmp_path / "run" / "failure.json").read_text())
    assert failure["class"] == "diverged"
    assert not RunFolder(tmp_path / "run").is_finished()


def test_training_stops_when_selection_no_longer_improves(make_run, tmp_path, monkeypatch):
    # A learning rate of next to nothing: every epoch has the same score, the first of equals is kept.
    run = make_run(training__max_epochs=9, training__patience=2, training__learning_rate=1e-12)
    folder, result = carry_out(run, tmp_path / "run")
    assert len(folder.read_history()) == 3
    assert result["selection"]["best_epoch"] == 0


def test_selecting_on_dev_is_tagged(make_run, tmp_path):
    _, result = carry_out(make_run(training__select_on="dev"), tmp_path / "run")
    assert result["protocol"]["selection"] == "dev"
    assert result["protocol"]["train_size"] == 42


def test_identity_is_of_what_determines_the_result(make_run, official, tmp_path):
    base = prepare(make_run()).identity
    assert prepare(make_run()).identity == base
    assert prepare(make_run(seed=1)).identity != base
    assert prepare(make_run(core__causal=False)).identity != base
    assert prepare(make_run(training__learning_rate=5e-4)).identity != base
    moved = tmp_path / "moved"
    moved.symlink_to(official)
    run = make_run()
    elsewhere = run.model_copy(update={"source": run.source.model_copy(update={"data_dir": moved})})
    assert prepare(elsewhere).identity == base


def test_the_floor_trains_nothing(make_run, tmp_path):
    folder, result = carry_out(make_run(core="majority"), tmp_path / "run")
    assert result["scores"]["test"]["accuracy"] == pytest.approx(100 / 3)
    assert not list(folder.checkpoints.iterdir())
    assert result["cost"] == {}


def test_a_folder_in_use_is_refused(make_run, tmp_path):
    from filelock import FileLock

    folder = RunFolder(tmp_path / "run")
    folder.create()
    with FileLock(folder.path / ".lock"), pytest.raises(RunFolderError, match="another process"):
        train_and_evaluate(prepare(make_run()), folder, QUIET)


def test_a_folder_that_cannot_be_written_is_refused_before_training(make_run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be created"):
        carry_out(make_run(), tmp_path / "file" / "run")


def test_a_finished_run_is_given_from_a_folder_that_cannot_be_written(make_run, tmp_path, monkeypatch):
    run = prepare(make_run("snli", "majority"))
    result = train_and_evaluate(run, RunFolder(tmp_path), QUIET)

    def refuse(folder):
        raise RunFolderError(f"{folder.path}: cannot be written (Read-only file system)")

    monkeypatch.setattr(RunFolder, "create", refuse)
    assert train_and_evaluate(run, RunFolder(tmp_path), QUIET) == result
    with pytest.raises(RunFolderError, match="Read-only"):
        train_and_evaluate(run, RunFolder(tmp_path), QUIET, rerun=True)


def test_unknown_option_of_a_task_is_named(make_run):
    with pytest.raises(ConfigError, match=r"options.poolin: unknown field; nearest: 'pooling'"):
        prepare(make_run(options__poolin="max"))


def test_local_data_needs_a_folder(make_run):
    run = make_run()
    run = run.model_copy(update={"source": run.source.model_copy(update={"data_dir": None})})
    with pytest.raises(ConfigError, match="local' needs the folder"):
        prepare(run)


def test_a_run_in_bfloat16_trains_clipped_and_repeats(make_run, tmp_path):
    run = make_run(training__precision="bfloat16", training__gradient_clip=1e-6)
    first, _ = carry_out(run, tmp_path / "first")
    second, _ = carry_out(run, tmp_path / "second")
    free, _ = carry_out(make_run(training__precision="bfloat16", training__gradient_clip=1e6), tmp_path / "free")
    assert json.loads(first.manifest.read_text())["precision"] == "bfloat16"
    assert sha256_file(first.best_checkpoint) == sha256_file(second.best_checkpoint)
    assert sha256_file(first.best_checkpoint) != sha256_file(free.best_checkpoint)


def test_the_norm_of_the_gradients_is_clipped(make_run):
    run = make_run()
    module = TaskModule(build_core(run.core, 9), run)
    module.head = torch.nn.Linear(3, 2)
    module.head.weight.grad = torch.full((2, 3), 5.0)
    module.head.bias.grad = torch.zeros(2)
    module.configure_gradient_clipping(None, 0.5)
    assert module.head.weight.grad.norm().item() == pytest.approx(0.5, rel=1e-4)
