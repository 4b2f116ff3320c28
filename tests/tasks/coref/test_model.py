"""The coreference module: gradients, features, batches, segments, the loss."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.data.conll.read import Document, Sentence
from atinuke_bench.data.conll.spans import Mention
from atinuke_bench.data.conll.write import write_documents
from atinuke_bench.tasks.coref.model import CorefOptions, marginal_loss
from atinuke_bench.tasks.coref.spans import select_candidates
from atinuke_bench.training.prepare import prepare


@pytest.fixture
def module_of(coref_run):
    """`module_of(folder, core, **overrides)`: an untrained module, its encoded train split, and the prepared run."""

    def build(folder, core="atinuke", **overrides):
        prepared = prepare(coref_run(folder, core, **overrides))
        encoded = prepared.encode("train", prepared.train_examples)
        torch.manual_seed(1)
        core_module = build_core(prepared.run.core, prepared.tokenizer.get_vocab_size())
        return prepared.task.model.build(core_module, prepared.run), encoded, prepared

    return build


def _arrays(module, batch):
    with torch.inference_mode():
        return module.eval()._as_arrays(batch)


@pytest.mark.parametrize("core", ["atinuke", "transformer", "bilstm"])
def test_the_gradient_reaches_every_parameter(folder, core, module_of):
    module, encoded, _ = module_of(folder, core)
    module.loss(BatchDataset(encoded)[np.arange(3)]).backward()
    without = [name for name, weight in module.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not without


@pytest.mark.parametrize("feature", ["lexical", "distance", "width", "speaker", "genre"])
def test_features_can_be_switched_off(folder, feature, module_of):
    module, encoded, _ = module_of(folder, **{f"options__{feature}": False})
    full, _, _ = module_of(folder)
    num_weights = sum(weight.numel() for weight in module.parameters())
    assert num_weights < sum(weight.numel() for weight in full.parameters())
    assert module.loss(BatchDataset(encoded)[np.arange(2)]).isfinite()


@pytest.mark.parametrize("core", ["atinuke", "bilstm"])
def test_a_batch_gives_each_document_what_it_gets_alone(tmp_path, core, make_document, module_of):
    """Documents of different length, with other padding and other segments beside them."""
    draw = random.Random(1)
    documents = [make_document(f"d{number}", 0, 2 + 3 * number, draw) for number in range(4)]
    for split in ("train", "dev", "test"):
        write_documents(tmp_path / f"{split}_gold_conll", documents)
    module, encoded, _ = module_of(tmp_path, core)
    module.eval()
    data = BatchDataset(encoded)
    together = module.outputs(data[np.arange(len(encoded))])
    for row in range(len(encoded)):
        alone = module.outputs(data[np.array([row])])
        num, width = alone["antecedent"].shape[1:]
        torch.testing.assert_close(together["starts"][row, :num].float(), alone["starts"][0].float())
        torch.testing.assert_close(
            together["mention_score"][row, :num], alone["mention_score"][0], atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            together["link_score"][row, :num, :width], alone["link_score"][0], atol=1e-3, rtol=1e-4
        )
        assert (together["starts"][row, num:] == -1).all()


def test_a_document_in_one_segment_is_the_core_on_its_whole_text(folder, module_of):
    module, encoded, _ = module_of(folder, training__max_length=200)
    module.eval()
    batch = BatchDataset(encoded)[np.array([0])]
    assert batch["segment_lengths"].shape == (1, 1)
    words = module.documents(batch)[0].hidden
    types = torch.zeros_like(batch["input_ids"])
    whole = module.core(batch["input_ids"], batch["attention_mask"], segment_ids=types)[0]
    word = 5
    pieces = (batch["piece_word"][0] == word).nonzero()[:, 0]
    torch.testing.assert_close(words[word], whole[pieces].mean(0))


def test_links_point_back_and_gold_mentions_are_candidates_in_training(folder, module_of):
    module, encoded, _ = module_of(folder, options__candidates_per_word=0.01, options__min_mention_score=-50)
    batch = BatchDataset(encoded)[np.array([0])]
    document = module.documents(batch)[0]
    found = module._document_outputs(document)
    assert len(found["starts"]) == 1  # of 48 words
    gold = batch["gold_start"][0] * module.options.max_width + batch["gold_end"][0] - batch["gold_start"][0]
    candidates = select_candidates(module.mentions(document), 1, -50.0, always=gold)
    assert list(zip(candidates.starts.tolist(), candidates.ends.tolist(), strict=True)) == sorted(
        zip(batch["gold_start"][0].tolist(), batch["gold_end"][0].tolist(), strict=True)
    )
    links, antecedents = module.antecedents(document, candidates)
    order = torch.arange(len(candidates))[:, None]
    assert ((antecedents < order) | (links < -1000)).all()


@pytest.mark.parametrize("least", [0.0, 1.0])
def test_a_fixed_number_of_candidates_learns_what_the_real_ones_do(folder, module_of, monkeypatch, least):
    module, encoded, _ = module_of(folder)
    batch = BatchDataset(encoded)[np.arange(3)]
    module.eval()
    scores = module.mentions(module.documents(batch)[0]).flatten()
    module.options = CorefOptions(
        candidates_per_word=1.0, min_mention_score=scores.quantile(least).item() + (least == 1.0)
    )
    select, found = module._select, []
    for is_fixed in (False, True):
        chosen: list[Any] = []

        def choose(*given, fixed=is_fixed, chosen=chosen, **options):
            chosen.append(select(*given, **{**options, "is_fixed": fixed}))
            return chosen[-1]

        monkeypatch.setattr(module, "_select", choose)
        module.zero_grad()
        loss = module.loss(batch)
        loss.backward()
        found.append((loss, torch.cat([weight.grad.flatten() for weight in module.parameters()]), chosen))
    (loss, gradient, exact), (fixed_loss, fixed_gradient, fixed) = found
    torch.testing.assert_close(fixed_loss, loss, rtol=1e-5, atol=0)
    assert (fixed_gradient - gradient).norm() <= 1e-5 * gradient.norm()
    for own, filled in zip(exact, fixed, strict=True):
        assert own.is_real is None
        assert torch.equal(filled.starts[filled.is_real], own.starts)
        assert filled.is_real[: len(own)].all(), "what fills up comes last"
        assert len(filled) >= len(own)
    assert (least == 1.0) == any(len(filled) > len(own) for own, filled in zip(exact, fixed, strict=True))


def test_documents_without_mentions_or_with_one_word(tmp_path, module_of):
    one = Document("one", 0, (Sentence(("Hello",)),))
    two = Document("two", 0, (Sentence(("Ada", "left", ".")),), (Mention(0, 0, 0),))
    for split in ("train", "dev", "test"):
        write_documents(tmp_path / f"{split}_gold_conll", [one, two])
    module, encoded, prepared = module_of(tmp_path, options__min_mention_score=-50)
    batch = BatchDataset(encoded)[np.arange(len(encoded))]
    module.loss(batch).backward()
    outputs = [_arrays(module, batch)]
    assert set(prepared.task.model.decode(outputs, encoded, prepared.train_examples, prepared.run)) == set(
        prepared.train_examples["id"]
    )
    module.options = CorefOptions(candidates_per_word=1.0, min_mention_score=50)  # no candidate at all
    assert module.outputs(batch)["starts"].shape[1] == 0


def test_predictions_do_not_depend_on_the_order_of_rows(folder, module_of):
    module, encoded, prepared = module_of(folder, options__min_mention_score=-50)
    data, task, examples = BatchDataset(encoded), prepared.task, prepared.train_examples
    whole = task.model.decode([_arrays(module, data[np.arange(len(encoded))])], encoded, examples, prepared.run)
    shuffled = [_arrays(module, data[np.array([row])]) for row in reversed(range(len(encoded)))]
    assert task.model.decode(shuffled, encoded, examples, prepared.run) == whole


def test_marginal_loss_sums_over_gold_antecedents():
    links = torch.tensor([[-1e4, -1e4], [0.0, -1e4], [1.0, 2.0], [3.0, 0.5]])
    antecedents = torch.tensor([[0, 0], [0, 0], [0, 1], [0, 2]])
    cluster = torch.tensor([7, 7, 7, -1])
    expected = [0.0, np.log(2), np.log(1 + np.e + np.e**2) - np.log(np.e + np.e**2), np.log(1 + np.e**3 + np.e**0.5)]
    assert marginal_loss(links, antecedents, cluster).item() == pytest.approx(np.mean(expected), rel=1e-4)
