"""Language modelling: its losses against a plain reference, its figures by hand, and both objectives end to end."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.tokenizer import CLS_ID
from atinuke_bench.errors import AtinukeBenchError, ConfigError
from atinuke_bench.files import sha256_file
from atinuke_bench.registry import load_task
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.lm.model import NOT_SCORED, linear_cross_entropy
from atinuke_bench.tasks.lm.rows import corrupt, masked_places
from atinuke_bench.testing import check_task
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

QUIET = Execution(show_progress=False)
WORDS = ("the", "a", "cat", "dog", "sees", "helps", "house", "tree", "runs", "red", "big", "Ada", "likes", "never")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def text_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text") / "lm"
    folder.mkdir()
    draw = np.random.default_rng(0)
    blocks = [_walk(draw, int(draw.integers(10, 50))) for _ in range(60)]
    (folder / "story.txt").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return folder.parent


def _walk(draw, length):
    """Words of which each allows two to follow: far more predictable than their frequencies."""
    place, words = int(draw.integers(len(WORDS))), []
    for _ in range(length):
        words.append(WORDS[place])
        place = (place + 1 + 4 * int(draw.integers(2))) % len(WORDS)
    return " ".join(words) + "."


@pytest.fixture
def make_lm(text_dir):
    def make(core="atinuke", seed=0, **overrides):
        small = {
            "training.max_epochs": 2,
            "training.max_length": 24,
            "training.batch_tokens": 256,
            "tokenizer.vocab_size": 120,
        }
        overrides = {name.replace("__", "."): value for name, value in overrides.items()}
        return make_run_config(
            "lm",
            core,
            preset="nano",
            source=SourceConfig(data_dir=text_dir),
            seed=seed,
            overrides={**small, **overrides},
        )

    return make


def built(run):
    prepared = prepare(run)
    torch.manual_seed(0)
    core = build_core(prepared.run.core, prepared.tokenizer.get_vocab_size())
    module = prepared.task.build_module(core, prepared.run).eval()
    encoded = prepared.encode("train", prepared.train_examples)
    return prepared, module, BatchDataset(encoded)[np.arange(12)]


def reference_logits(module, ids, batch):
    """The logits of every token, from the core's plain output."""
    hidden = module.core(ids, batch["attention_mask"], segment_ids=batch["segment_ids"])
    return hidden @ module.output_weight.T + module.bias


@pytest.mark.parametrize("tied", [True, False])
def test_the_causal_loss_is_that_of_the_plain_formula(make_lm, tied):
    _, module, batch = built(make_lm(options__tied=tied))
    module.bias.data.normal_()
    ids = batch["input_ids"]
    logits = reference_logits(module, ids, batch)
    losses = [
        -logits[row, place - 1].log_softmax(0)[ids[row, place]]
        for row in range(len(ids))
        for place in range(1, ids.shape[1])
        if batch["attention_mask"][row, place] and ids[row, place] != CLS_ID
    ]
    expected = torch.stack(losses).mean()
    assert module.loss(batch).item() == pytest.approx(expected.item(), abs=1e-5)
    nats = module.outputs(batch)["nats"]
    assert nats[nats != NOT_SCORED].mean().item() == pytest.approx(expected.item(), abs=1e-5)
    assert (nats != NOT_SCORED).sum() == len(losses)
    assert ("projection" in dict(module.named_parameters())) is not tied


@pytest.mark.parametrize("tied", [True, False])
def test_the_masked_loss_is_that_of_the_plain_formula(make_lm, tied):
    _, module, batch = built(make_lm(core__causal=False, options__tied=tied))
    ids, rows = batch["input_ids"], batch["rows"]
    masked = masked_places(ids, batch["attention_mask"], rows, 0, 0)
    logits = reference_logits(module, corrupt(ids, masked, rows, 0, 0, module.vocab_size), batch)
    expected = F.cross_entropy(logits[masked], ids[masked])
    assert module.loss(batch).item() == pytest.approx(expected.item(), abs=1e-5)
    assert 0 < masked.sum() < batch["attention_mask"].sum() / 4


@pytest.mark.parametrize("num", [0, 1, 255, 256, 700])
def test_cross_entropy_in_chunks_has_the_plain_value_and_gradients(num):
    generator = torch.Generator().manual_seed(1)
    shapes = ((num, 16), (50, 16), (50,))
    tensors = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    targets = torch.randint(0, 50, (num,), generator=generator)
    loss = linear_cross_entropy(*tensors, targets)
    plain = F.cross_entropy(F.linear(*tensors), targets) if num else torch.stack([t.sum() * 0 for t in tensors]).sum()
    assert loss.item() == pytest.approx(plain.item(), abs=1e-6)
    for found, expected in zip(
        torch.autograd.grad(3 * loss, tensors), torch.autograd.grad(3 * plain, tensors), strict=True
    ):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_cross_entropy_under_autocast_stays_near_and_gives_gradients_of_the_weights_type():
    generator = torch.Generator().manual_seed(1)
    tensors = [torch.randn(shape, generator=generator).requires_grad_() for shape in ((300, 16), (50, 16), (50,))]
    targets = torch.randint(0, 50, (300,), generator=generator)
    exact = linear_cross_entropy(*tensors, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        near = linear_cross_entropy(*tensors, targets)
    assert near.item() == pytest.approx(exact.item(), abs=0.02)
    assert near.item() != exact.item()
    assert all(grad.dtype == torch.float32 for grad in torch.autograd.grad(near, tensors))


@pytest.mark.parametrize("causal", [True, False])
def test_figures_follow_from_the_tokens(make_lm, tmp_path, causal):
    run = make_lm(core__causal=causal)
    folder = RunFolder(tmp_path / "run")
    result = train_and_evaluate(prepare(run), folder, QUIET)
    scores = result["scores"]["test"]
    rows = pd.read_parquet(folder.predictions)
    rows = rows[rows["split"] == "test"]
    sums = pd.DataFrame([json.loads(text) for text in rows["prediction"]]).sum()
    examples = prepare(run).loaded.splits["test"]
    num_bytes = sum(len(text.encode()) for text in examples["text"])
    if not causal:
        assert result["metric"] == "masked_loss"
        assert result["score"] == pytest.approx(sums["nats"] / sums["scored"])
        assert scores["masked_perplexity"] == pytest.approx(math.exp(result["score"]))
        return
    tokenizer = prepare(run).tokenizer
    num_tokens = sum(len(tokenizer.encode(text, add_special_tokens=False)) for text in examples["text"])
    assert sums["tokens"] == num_tokens
    assert sums["scored"] == num_tokens + len(examples)  # and the end of every document
    assert result["score"] == pytest.approx(sums["nats"] / math.log(2) / num_bytes)
    assert scores["perplexity"] == pytest.approx(math.exp(sums["nats"] / sums["scored"]))
    assert scores["num_bytes"] == num_bytes
    assert result["higher_is_better"] is False
    assert result["score"] < 2.0  # equally likely words of so small a vocabulary


def test_learning_helps_and_the_floor_is_the_unigram_model(make_lm, tmp_path):
    prepared = prepare(make_lm("majority"))
    floor = train_and_evaluate(prepared, RunFolder(tmp_path / "floor"), QUIET)
    assert floor["metric"] == "bits_per_byte"
    run = make_lm(training__max_epochs=5, training__learning_rate=1e-2)
    learned = train_and_evaluate(prepare(run), RunFolder(tmp_path / "core"), QUIET)
    assert learned["score"] < 0.8 * floor["score"]

    tokenizer = prepared.tokenizer
    counts = np.ones(tokenizer.get_vocab_size())
    for text in prepared.train_examples["text"]:
        for token in tokenizer.encode(text).ids:
            counts[token] += token != CLS_ID
    counts[CLS_ID] = 0
    examples = prepared.loaded.splits["test"]
    ids = [token for text in examples["text"] for token in tokenizer.encode(text).ids[1:]]
    bits = -np.log2(counts[ids] / counts.sum()).sum()
    expected = bits / sum(len(text.encode()) for text in examples["text"])
    assert floor["score"] == pytest.approx(expected, rel=0.01)


def test_the_masked_floor_answers_the_same_tokens_as_a_masked_core(make_lm, tmp_path):
    floor = train_and_evaluate(
        prepare(make_lm("majority", options__objective="masked")), RunFolder(tmp_path / "floor"), QUIET
    )
    core = train_and_evaluate(prepare(make_lm("bilstm")), RunFolder(tmp_path / "core"), QUIET)
    assert floor["metric"] == core["metric"] == "masked_loss"
    for split in ("dev", "test"):
        assert floor["scores"][split]["num_scored_tokens"] == core["scores"][split]["num_scored_tokens"]


def test_held_out_documents_are_not_trained_on(make_lm):
    prepared = prepare(make_lm())
    parts = [prepared.train_examples, prepared.selection_examples, *prepared.evaluation_splits.values()]
    texts = [text for part in parts for text in part["text"]]
    assert len(parts) == 4
    assert len(set(texts)) == len(texts) == 60


@pytest.mark.parametrize(
    ("core", "changes", "objective"),
    [
        ("atinuke", {}, "causal"),
        ("atinuke", {"core.causal": False}, "masked"),
        ("transformer", {}, "masked"),
        ("bilstm", {}, "masked"),
        ("majority", {}, "causal"),
        ("atinuke", {"options.objective": "masked"}, "masked"),
    ],
)
def test_the_objective_follows_the_core_and_stands_in_the_protocol(make_lm, core, changes, objective):
    prepared = prepare(make_lm(core, **changes))
    assert prepared.protocol()["objective"] == prepared.run.options["objective"] == objective
    assert prepared.protocol()["primary_metric"] == {"causal": "bits_per_byte", "masked": "masked_loss"}[objective]
    assert load_task("lm").primary_metric == "bits_per_byte"  # the registered task stays as it is


def test_a_core_that_sees_the_answer_is_refused(make_lm):
    with pytest.raises(ConfigError, match=r"options.objective: causal needs.*nearest: options.objective=masked"):
        prepare(make_lm("bilstm", options__objective="causal"))


def test_conformance(make_lm, tmp_path):
    check_task(make_lm("bilstm", training__max_epochs=1), tmp_path)


def test_masks_are_those_of_the_epoch_so_that_a_resumed_run_is_the_same(make_lm, tmp_path, monkeypatch):
    from atinuke_bench.training.selection import EpochSelection

    run = make_lm("transformer", training__max_epochs=2)
    whole = RunFolder(tmp_path / "whole")
    train_and_evaluate(prepare(run), whole, QUIET)
    original = EpochSelection.on_train_epoch_end

    def kill(self, trainer, module):
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt
        return original(self, trainer, module)

    cut = RunFolder(tmp_path / "cut")
    with monkeypatch.context() as patch:
        patch.setattr(EpochSelection, "on_train_epoch_end", kill)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train_and_evaluate(prepare(run), cut, QUIET)
    train_and_evaluate(prepare(run), cut, QUIET)
    assert sha256_file(cut.best_checkpoint) == sha256_file(whole.best_checkpoint)
    assert sha256_file(cut.predictions) == sha256_file(whole.predictions)
    losses = [record["loss"] for record in whole.read_history()]
    assert len(set(losses)) == len(losses)


def test_stories_of_the_microworld_can_be_read(make_lm):
    run = make_run_config(
        "lm",
        "atinuke",
        preset="nano",
        source=SourceConfig(kind="microworld"),
        overrides={f"source.microworld.{split}": size for split, size in (("train", 30), ("dev", 4), ("test", 5))},
    )
    prepared = prepare(run)
    assert {split: len(rows) for split, rows in prepared.loaded.splits.items()} == {"train": 30, "dev": 4, "test": 5}
    assert prepared.protocol()["source"] == "microworld"
    assert prepare(run).identity == prepared.identity


def test_a_core_with_a_tokenizer_of_its_own_is_refused(make_lm):
    from atinuke_bench.config import core_config_class

    run = make_lm()
    pretrained = core_config_class("pretrained")(model="some/model")
    with pytest.raises(ConfigError, match=r"task 'lm' trains cores that take its own tokenizer; .* brings one"):
        prepare(run.model_copy(update={"core": pretrained}))


# --- the Hub ----------------------------------------------------------------------------------------------------------

HUB_ROWS = {
    "train": [line for n in range(30) for line in ("", f" = Title {n} = ", f"the cat {n} sees", f"a dog {n} runs")],
    "validation": ["held out text", "", "more of it", None],
}


@pytest.fixture
def load(monkeypatch):
    """`load(**options)`: the texts of each split of a data set on the Hub, whose reading is tested with the sources."""

    def load_hub(source, features, revision):
        assert (source.repo, revision) == ("some/text", "v1")
        splits = {}
        for split, name in source.splits.items():
            table = source.reader(Dataset.from_dict({"body": HUB_ROWS[name]}), split, f"some/text, split {name}")
            splits[split] = Dataset.from_dict(table.columns, features=features)
        return Loaded(splits, {"small/train-0.parquet": "0" * 64}, revision="c" * 40)

    def call(**changes):
        task = load_task("lm")
        base = {"hub_repo": "some/text", "hub_column": "body", "hub_splits": {"train": "train", "dev": "validation"}}
        loaded = task.load(SourceConfig(kind="hub", revision="v1"), task.options_class(**{**base, **changes}))
        assert loaded.revision == "c" * 40
        return {split: rows["text"][:] for split, rows in loaded.splits.items()}

    monkeypatch.setattr("atinuke_bench.tasks.lm.task.load_hub", load_hub)
    return call


def test_rows_of_the_hub_are_documents_and_a_missing_split_is_cut(load):
    texts = load()
    assert texts["dev"] == ["held out text", "more of it"]
    assert {split: len(own) for split, own in texts.items()} == {"dev": 2, "test": 4, "train": 86}
    assert len({text for own in texts.values() for text in own}) == 92


def test_rows_of_the_hub_make_blocks_where_asked(load):
    texts = load(documents="blank-line")
    assert (len(texts["train"]), len(texts["test"])) == (29, 1)
    assert "= Title 0 = \nthe cat 0 sees\na dog 0 runs" in texts["train"] + texts["test"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hub_column": "text"}, "split train: text: no such column; found body"),
        ({"hub_splits": {"dev": "validation"}}, "options.hub_splits: it names train .* found dev"),
        ({"documents": "file"}, "on the Hub a document is a row or a blank-line block; nearest: row"),
    ],
)
def test_unusable_settings_of_the_hub_are_refused(load, changes, message):
    with pytest.raises(AtinukeBenchError, match=message):
        load(**changes)
