"""A run that goes on is the run that was never interrupted, in the middle of an epoch too, and after damage."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from pathlib import Path

import pytest
import pytorch_lightning as pl

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.files import read_json, sha256_file, write_json
from atinuke_bench.run_folder import RunFolder, find_runs
from atinuke_bench.training import selection
from atinuke_bench.training.checkpoint import load_checkpoint, save_checkpoint
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.selection import EpochSelection
from atinuke_bench.training.train import train_and_evaluate

#: How many kinds of damage are tried; a larger number is for a machine with time.
NUM_DAMAGES = int(os.environ.get("ATINUKE_DAMAGES", "50"))
QUIET = Execution(show_progress=False, checkpoint_minutes=0)


class Killed(BaseException):
    """Stands for a kill: nothing in between may catch it."""


def carry_out(run, place):
    folder = RunFolder(place)
    return folder, train_and_evaluate(prepare(run), folder, QUIET)


def kill_before(number, patch):
    """Let training end before its step of this number."""
    original = TaskModule.training_step

    def training_step(self, batch, batch_index):
        if self.global_step == number:
            raise Killed
        return original(self, batch, batch_index)

    patch.setattr(TaskModule, "training_step", training_step)


@pytest.fixture
def last_states(monkeypatch):
    """The last state that each finished run had, clocks aside, by the name of its folder."""
    seen = {}
    finish = RunFolder.write_result

    def write_result(self, record):
        state = load_checkpoint(self.last_checkpoint)
        del state["callbacks"]["EpochSelection"]
        save_checkpoint(self.last_checkpoint, state)
        seen[self.path.name] = sha256_file(self.last_checkpoint)
        finish(self, record)

    monkeypatch.setattr(RunFolder, "write_result", write_result)
    return seen


@pytest.mark.parametrize("last_epoch", [0, 1, 2])
def test_a_run_killed_between_epochs_and_resumed_is_the_run_that_was_not(
    make_run, tmp_path, monkeypatch, last_states, last_epoch
):
    run = make_run(training__max_epochs=3, core__dropout=0.3)
    whole, expected = carry_out(run, tmp_path / "whole")

    def kill(self, trainer, module):
        if trainer.current_epoch == last_epoch:
            raise Killed
        return original(self, trainer, module)

    original = EpochSelection.on_train_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(EpochSelection, "on_train_epoch_end", kill)
        with pytest.raises(Killed):
            carry_out(run, tmp_path / "cut")
    cut = RunFolder(tmp_path / "cut")
    assert not cut.is_finished()
    assert cut.failure.exists()
    assert len(cut.read_history()) == last_epoch

    cut, result = carry_out(run, tmp_path / "cut")
    assert sha256_file(cut.predictions) == sha256_file(whole.predictions)
    assert sha256_file(cut.best_checkpoint) == sha256_file(whole.best_checkpoint)
    assert last_states["cut"] == last_states["whole"]
    for record, reference in zip(cut.read_history(), whole.read_history(), strict=True):
        assert {k: record[k] for k in ("epoch", "loss", "score", "step")} == {
            k: reference[k] for k in ("epoch", "loss", "score", "step")
        }
    assert result["scores"] == expected["scores"]
    assert not cut.failure.exists()


@pytest.mark.parametrize("core", ["atinuke", "bilstm"])
def test_a_run_killed_within_an_epoch_goes_on_from_there(make_run, tmp_path, monkeypatch, assert_equal, core):
    run = make_run(core=core, training__max_epochs=3, training__batch_tokens=48, core__dropout=0.3)
    whole, _ = carry_out(run, tmp_path / "whole")
    steps_an_epoch = whole.read_history()[0]["step"]
    assert steps_an_epoch > 10
    monkeypatch.setattr(selection, "_ASK_EVERY", 4)
    for number in (5, steps_an_epoch + 6, 2 * steps_an_epoch - 1, 2 * steps_an_epoch + 11):
        with monkeypatch.context() as patch:
            kill_before(number, patch)
            with pytest.raises(Killed):
                carry_out(run, tmp_path / "cut")
        assert (tmp_path / "cut/checkpoints/middle.safetensors").exists()
    original, trained = TaskModule.training_step, []

    def training_step(self, batch, batch_index):
        trained.append(batch_index)
        return original(self, batch, batch_index)

    monkeypatch.setattr(TaskModule, "training_step", training_step)
    cut, _ = carry_out(run, tmp_path / "cut")
    assert trained == list(range(8, steps_an_epoch)), "nothing before the last state is repeated"
    assert "resuming after step 8 of epoch 2" in cut.log.read_text()
    assert_equal(cut, whole)
    assert [path.name for path in cut.checkpoints.iterdir()] == ["best.safetensors"]


def test_a_resumed_run_tells_of_all_its_attempts(make_run, tmp_path, monkeypatch):
    run = make_run(training__max_epochs=3, training__batch_tokens=48)
    for number in (30, 31):
        with monkeypatch.context() as patch:
            kill_before(number, patch)
            with pytest.raises(Killed):
                carry_out(run, tmp_path / "run")
    manifest = read_json(tmp_path / "run" / "manifest.json")
    assert manifest["earlier_attempts"] == [], "two attempts with the same versions on one machine are told as one"
    versions = {**manifest["versions"], "torch": "1.0"}
    write_json(tmp_path / "run" / "manifest.json", {**manifest, "versions": versions})
    before = EpochSelection.resume

    def resume(self, point):
        before(self, point)
        self.clock.before += 1000

    monkeypatch.setattr(EpochSelection, "resume", resume)
    folder, result = carry_out(run, tmp_path / "run")
    (earlier,) = read_json(folder.manifest)["earlier_attempts"]
    assert earlier["versions"] == versions
    assert read_json(folder.manifest)["versions"] == manifest["versions"]
    assert 1000 < result["seconds"] < 2000


LINE = '{"epoch": 0, "step": 13, "loss": 1.0, "score": 99.9, "metrics": {}, "seconds": 1.0, "calibration": {}}'


def flip(path, chance):
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def cut_off(path, chance):
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def remove(path, chance):
    path.unlink()


def empty(path, chance):
    path.write_bytes(b"")


def other_kind(path, chance):
    path.write_bytes(chance.choice([b"[1, 2]\n", b"\xff\xfe\n", b"{}\n", b"null\n3\n", LINE.encode()]))


def exchanged(path, chance):
    """Another file of the run in its place, such as weights of an epoch that is not the best."""
    others = [other for other in [*path.parent.iterdir(), path.parent.parent / "history.jsonl"] if other.is_file()]
    path.write_bytes(chance.choice(others).read_bytes())


DAMAGE = [flip, flip, flip, flip, cut_off, remove, empty, other_kind, exchanged]
FILES = ["history.jsonl", "checkpoints/best.safetensors", "checkpoints/last.safetensors"]
FILES += ["checkpoints/middle.safetensors", "manifest.json", "config.yaml"]


@pytest.fixture(scope="module")
def unfinished(official, tmp_path_factory):
    """A run of three epochs, and the folder of one that was killed in the middle of the last."""
    place = tmp_path_factory.mktemp("unfinished")
    overrides = {
        "training.max_epochs": 3,
        "training.batch_tokens": 96,
        "tokenizer.vocab_size": 200,
        "core.dropout": 0.2,
    }
    source = SourceConfig(data_dir=official)
    run = prepare(make_run_config("snli", "atinuke", preset="nano", source=source, overrides=overrides))
    whole = RunFolder(place / "whole")
    train_and_evaluate(run, whole, QUIET)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "_ASK_EVERY", 2)
        kill_before(2 * whole.read_history()[0]["step"] + 3, patch)
        with pytest.raises(Killed):
            train_and_evaluate(run, RunFolder(place / "cut"), QUIET)
    assert {path.name for path in (place / "cut/checkpoints").iterdir()} == {Path(name).name for name in FILES[1:4]}
    return run, whole, place / "cut"


@pytest.mark.parametrize("number", range(NUM_DAMAGES))
def test_whatever_is_damaged_in_an_unfinished_run_it_ends_as_the_one_that_is_not(
    unfinished, tmp_path, assert_equal, number
):
    run, whole, cut = unfinished
    chance = random.Random(number)
    folder = RunFolder(Path(shutil.copytree(cut, tmp_path / "run")))
    for name in chance.sample(FILES, chance.choice([1, 1, 2])):
        DAMAGE[number % len(DAMAGE)](folder.path / name, chance)
    train_and_evaluate(run, folder, QUIET)
    assert_equal(folder, whole)


@pytest.fixture
def damaged(unfinished, tmp_path, assert_equal):
    """`damaged(name, content)`: the unfinished run, ended after this file was given this content (None: removed)."""
    run, whole, cut = unfinished

    def end(name, content):
        folder = RunFolder(Path(shutil.copytree(cut, tmp_path / "run")))
        before = (folder.path / name).read_bytes()
        if content is None:
            (folder.path / name).unlink()
        else:
            (folder.path / name).write_bytes(content(before))
        train_and_evaluate(run, folder, QUIET)
        assert_equal(folder, whole)
        return folder

    return end


def test_a_score_that_was_changed_in_the_history_decides_nothing(damaged):
    def change(content):
        record = json.loads(content.splitlines()[0]) | {"score": 99.9}
        return json.dumps(record).encode() + b"\n" + content.splitlines()[1] + b"\n"

    folder = damaged("history.jsonl", change)
    assert "history.jsonl: line 1 is not as it was written (its checksum differs); it is written anew" in (
        folder.log.read_text()
    )
    assert b"99.9" in (folder.path / ".damaged-1/history.jsonl").read_bytes()
    assert "resuming after step 2 of epoch 2" in folder.log.read_text()
    assert find_runs(folder.path.parent) == [folder]


def test_weights_of_another_epoch_are_not_those_of_the_best(damaged, unfinished):
    _, _, cut = unfinished
    best = load_checkpoint(cut / "checkpoints/best.safetensors")

    def change(content):
        save_checkpoint(cut.parent / "other.safetensors", {**best, "epoch": 1 - best["epoch"]})
        return (cut.parent / "other.safetensors").read_bytes()

    assert "not the weights of epoch" in damaged("checkpoints/best.safetensors", change).log.read_text()


@pytest.mark.parametrize("name", ["best", "last", "middle"])
def test_a_checkpoint_of_another_run_is_known_as_such(damaged, unfinished, name):
    """Of another seed, say: everything but the numbers is as it should be."""
    _, _, cut = unfinished
    place = f"checkpoints/{name}.safetensors"
    record = load_checkpoint(cut / place)

    def change(content):
        weights = {key: -tensor for key, tensor in record["state_dict"].items()}
        save_checkpoint(cut.parent / "other.safetensors", {**record, "run": "0123456789", "state_dict": weights})
        return (cut.parent / "other.safetensors").read_bytes()

    folder = damaged(place, change)
    assert list(folder.path.glob(f".damaged-*/{name}.safetensors"))
    assert f"{name}.safetensors: not " in folder.log.read_text()


def test_without_its_best_weights_a_run_goes_on_or_starts_anew(damaged):
    log = damaged("checkpoints/best.safetensors", None).log.read_text()
    assert "last.safetensors has them" in log or "training starts anew" in log


@pytest.mark.parametrize("last", ["next", "history", "last", "rename"])
def test_a_kill_between_any_two_files_of_an_epoch_is_recognised(unfinished, tmp_path, monkeypatch, assert_equal, last):
    """Each epoch's files are written in this order; after the one named the run is killed, in every epoch."""
    run, whole, _ = unfinished
    killed = []

    def dies_after(name, patch):
        def dying(original):
            def wrapped(self, *given, **named):
                done = original(self, *given, **named)
                path = str(given[0]) if given else ""
                if (name in ("next", "last") and path.endswith(f"{name}.safetensors")) or name in ("history", "rename"):
                    killed.append(name)
                    raise Killed
                return done

            return wrapped

        owner, attribute = {
            "next": (pl.Trainer, "save_checkpoint"),
            "last": (pl.Trainer, "save_checkpoint"),
            "history": (RunFolder, "write_history"),
            "rename": (Path, "replace"),
        }[name]
        patch.setattr(owner, attribute, dying(getattr(owner, attribute)))

    folder = RunFolder(tmp_path / "run")
    for _ in range(3):
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            dies_after(last, patch)
            train_and_evaluate(run, folder, QUIET)
    assert killed
    train_and_evaluate(run, folder, QUIET)
    assert_equal(folder, whole)
    assert not list(folder.path.glob(".damaged-*")), "a kill is no damage"
