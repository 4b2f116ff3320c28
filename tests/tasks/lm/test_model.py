"""Losses against a plain reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.data.tokenizer import CLS_ID
from atinuke_bench.tasks.lm.decode import NOT_SCORED
from atinuke_bench.tasks.lm.model import linear_cross_entropy
from atinuke_bench.tasks.lm.rows import corrupt, masked_places
from atinuke_bench.training.prepare import prepare


def built(run):
    prepared = prepare(run)
    torch.manual_seed(0)
    core = build_core(prepared.run.core, prepared.tokenizer.get_vocab_size())
    module = prepared.task.model.build(core, prepared.run).eval()
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
    hidden, weight, bias = tensors
    loss = linear_cross_entropy(hidden, weight, bias, targets)
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
    hidden, weight, bias = tensors
    exact = linear_cross_entropy(hidden, weight, bias, targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        near = linear_cross_entropy(hidden, weight, bias, targets)
    assert near.item() == pytest.approx(exact.item(), abs=0.02)
    assert near.item() != exact.item()
    assert all(grad.dtype == torch.float32 for grad in torch.autograd.grad(near, tensors))
