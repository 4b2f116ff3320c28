"""Starting from another run: what travels, what is refused, and what makes the identity."""

from __future__ import annotations

import json
import shutil

import pytest

from atinuke_bench.config import AttentionConfig, InitConfig, Pretraining
from atinuke_bench.errors import AtinukeBenchError, CheckpointError, ConfigError, RunFolderError
from atinuke_bench.files import sha256_file
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.checkpoint import load_checkpoint
from atinuke_bench.training.initialise import initialise, open_origin
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

QUIET = Execution(show_progress=False)


def carry_out(run, place):
    prepared = prepare(run)
    folder = RunFolder(place)
    return prepared, folder, train_and_evaluate(prepared, folder, QUIET)


@pytest.fixture(scope="module")
def source(official, tmp_path_factory):
    """A finished run of another task, whose tokenizer no other task would train."""
    from atinuke_bench.config import SourceConfig, make_run_config

    run = make_run_config(
        "glue/cola",
        "atinuke",
        preset="nano",
        source=SourceConfig(data_dir=official),
        overrides={"training.max_epochs": 1, "training.batch_tokens": 256, "tokenizer.vocab_size": 190},
    )
    return carry_out(run, tmp_path_factory.mktemp("source") / "run")[1]


@pytest.fixture
def start(make_run, source):
    """A run of SNLI that leaves the tokenizer's settings to the run it starts from."""

    def make(**overrides):
        run = make_run(training__max_epochs=1, **{"init_from.run": str(source.path), **overrides})
        # `make_run` asks for a vocabulary of its own.
        asked = overrides.get("tokenizer.vocab_size")
        return run if asked else run.model_copy(update={"tokenizer": type(run.tokenizer)()})

    return make


def label(protocol):
    return Pretraining.read(protocol["pretraining"]).label


def weights(folder):
    return load_checkpoint(folder.best_checkpoint)["state_dict"]


def test_every_run_keeps_its_tokenizer_and_its_checksum(source):
    result = source.read_result()
    assert result["artefacts"]["tokenizer.json"] == sha256_file(source.tokenizer)
    assert json.loads(source.tokenizer.read_text())["model"]["type"] == "WordPiece"


def test_the_core_and_the_tokenizer_travel_and_the_rest_does_not(start, source, tmp_path):
    prepared, folder, result = carry_out(start(training__learning_rate=1e-12, training__weight_decay=0.0), tmp_path)
    before, after = weights(source), weights(folder)
    core = {name for name in after if name.startswith("core.")}
    assert len(core) > 10
    for name in core:  # the learning rate leaves them as they were loaded
        assert (before[name] - after[name]).abs().max() < 1e-6
    assert folder.tokenizer.read_text() == source.tokenizer.read_text()
    assert prepared.run.tokenizer.vocab_size == 190
    record = json.loads(folder.manifest.read_text())["initialisation"]
    assert set(record["loaded"]) == core
    assert set(record["new"]) == set(after) - core
    assert set(record["skipped"]) == set(before) - core
    assert record["run"] == source.read_result()["identity"]
    assert "glue/cola run" in folder.log.read_text()
    data = source.read_result()["protocol"]["data_fingerprint"][:8]
    assert label(result["protocol"]).startswith(f"glue/cola on {data}, settings ")


def test_what_came_before_is_told_too_and_a_seed_tells_nothing_apart(start, make_run, source, tmp_path):
    _, folder, result = carry_out(start(), tmp_path / "second")
    third = make_run("glue/sst2", **{"init_from.run": str(folder.path)})
    third = third.model_copy(update={"tokenizer": type(third.tokenizer)()})
    told = label(prepare(third).protocol())
    assert told.startswith("snli on ")
    assert told.endswith(f", after {label(result['protocol'])}")
    other = make_run("glue/cola", seed=1, training__max_epochs=1, tokenizer__vocab_size=190)
    _, elsewhere, _ = carry_out(other, tmp_path / "other-seed")
    same = prepare(start(**{"init_from.run": str(elsewhere.path)}))
    assert same.protocol() == prepare(start()).protocol()
    assert same.identity != prepare(start()).identity


def test_the_tokenizer_alone_makes_the_run_from_scratch_to_compare_with(start, source, tmp_path):
    alone = prepare(start(**{"init_from.weights": False}))
    assert alone.tokenizer.to_str() == prepare(start()).tokenizer.to_str()
    assert label(alone.protocol()).startswith("none; tokenizer of glue/cola on ")
    assert alone.run.init_from is not None
    assert alone.run.init_from.checkpoint is None
    folder = RunFolder(tmp_path / "run")
    other_seed = prepare(alone.run.model_copy(update={"seed": 1}))  # the source's own would draw the source's weights
    train_and_evaluate(other_seed, folder, QUIET)
    assert "initialisation" not in json.loads(folder.manifest.read_text())
    name = "core.embeddings.token.weight"
    assert (weights(folder)[name] - weights(source)[name]).abs().max() > 0.1


def test_the_identity_is_of_what_is_loaded_and_not_of_its_place(start, make_run, source, tmp_path):
    copy = tmp_path / "moved"
    shutil.copytree(source.path, copy)
    here, there = prepare(start()), prepare(start(**{"init_from.run": str(copy)}))
    assert here.identity == there.identity
    assert here.run.init_from is not None
    assert here.run.init_from.identity == source.read_result()["identity"]
    assert here.run.init_from.checkpoint == sha256_file(source.best_checkpoint)
    assert prepare(make_run()).run.determinants().get("init_from") is None
    assert here.identity != prepare(start(**{"init_from.weights": False})).identity


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"core": "bilstm"}, "core.name is 'atinuke' there and 'bilstm' here"),
        ({"core.hidden_size": 32, "core.num_layers": 1}, "core.hidden_size is 64 there and 32 here, core.num_layers"),
        ({"core.positions": "rotary"}, "core.positions is 'layerwise' there and 'rotary' here"),
        ({"tokenizer.vocab_size": 150}, "tokenizer.vocab_size is 190 there and 150 here"),
        (
            {"core.norm": "post", "tokenizer.vocab_size": 150},
            "core.norm is 'pre' there and 'post' here, tokenizer.vocab_size is 190 there and 150 here",
        ),
        ({"core.causal": False}, "core.causal is True there and False here; nearest: .*change_causal=true"),
    ],
)
def test_another_core_or_tokenizer_is_refused_by_the_fields_that_differ(start, changes, message):
    with pytest.raises(CheckpointError, match=message):
        prepare(start(**changes))


def test_what_no_weight_depends_on_may_differ_and_causality_where_asked(start):
    less = prepare(start(core__dropout=0.3)).run.core
    assert isinstance(less, AttentionConfig)
    assert less.dropout == 0.3
    changed = prepare(start(core__causal=False, **{"init_from.change_causal": True}))
    assert isinstance(changed.run.core, AttentionConfig)
    assert not changed.run.core.causal
    assert "causal changed" in label(changed.protocol())


def _truncate(folder):
    (folder / "checkpoints/best.safetensors").write_bytes(b"short")


def _edit_tokenizer(folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("[MASK]", "[MISC]"))


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (_truncate, CheckpointError, "best.safetensors: missing or damaged"),
        (_edit_tokenizer, CheckpointError, "tokenizer.json: missing or damaged"),
        (lambda folder: (folder / "result.json").unlink(), RunFolderError, "not a finished run"),
        (shutil.rmtree, RunFolderError, "not a finished run"),
    ],
)
def test_a_damaged_or_unfinished_run_is_refused(start, source, tmp_path, damage, error, message):
    copy = tmp_path / "copy"
    shutil.copytree(source.path, copy)
    damage(copy)
    with pytest.raises(error, match=message):
        prepare(start(**{"init_from.run": str(copy)}))


def test_a_run_of_before_tokenizers_were_kept_is_refused(start, source, tmp_path):
    copy = tmp_path / "old"
    shutil.copytree(source.path, copy)
    record = json.loads((copy / "result.json").read_text())
    del record["artefacts"]["tokenizer.json"]
    del record["sha256"]  # nor had they this one
    (copy / "result.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=r"it kept no tokenizer\.json"):
        prepare(start(**{"init_from.run": str(copy)}))


def test_a_config_that_started_from_other_weights_is_not_carried_out(start):
    run = prepare(start()).run
    assert run.init_from is not None
    stale = run.model_copy(update={"init_from": run.init_from.model_copy(update={"checkpoint": "0" * 64})})
    assert prepare(run).run == run
    with pytest.raises(CheckpointError, match=r"init_from\.checkpoint: .* this config started from 0000"):
        prepare(stale)


def test_the_floor_and_a_core_built_otherwise_are_refused(make_run, start, source):
    with pytest.raises(ConfigError, match="'majority' has no weights"):
        prepare(make_run(core="majority", **{"init_from.run": str(source.path)}))
    from atinuke_bench.core.build import build_core

    prepared = prepare(start())
    module = prepared.task.model.build(build_core(prepared.run.core, 77), prepared.run)
    with pytest.raises(CheckpointError, match=r"embeddings\.token\.weight is \(\d+, 64\) there and \(77, 64\) here"):
        initialise(module, open_origin(InitConfig(run=source.path)))


def test_a_run_that_was_cut_off_goes_on_from_its_own_state(start, tmp_path, monkeypatch):
    from atinuke_bench.training.selection import EpochSelection

    run = start().model_copy(update={"training": start().training.model_copy(update={"max_epochs": 2})})
    _, whole, _ = carry_out(run, tmp_path / "whole")
    original = EpochSelection.on_train_epoch_end

    def kill(self, trainer, module):
        if trainer.current_epoch == 1:
            raise RuntimeError("cut off")
        return original(self, trainer, module)

    with monkeypatch.context() as patch:
        patch.setattr(EpochSelection, "on_train_epoch_end", kill)
        with pytest.raises(RuntimeError, match="cut off"):
            carry_out(run, tmp_path / "cut")
    _, cut, _ = carry_out(run, tmp_path / "cut")
    assert sha256_file(cut.best_checkpoint) == sha256_file(whole.best_checkpoint)


def test_errors_are_those_a_user_can_mend():
    assert issubclass(CheckpointError, AtinukeBenchError)
