"""The kernel of attention is seen, not derived."""

from __future__ import annotations

import pytest
import torch

from atinuke_bench.config import AtinukeConfig, BiLSTMConfig, TransformerConfig
from atinuke_bench.core.build import build_core
from atinuke_bench.core.kernels import attention_kernels

PADDED = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])


@pytest.mark.parametrize(
    ("config", "kernels"),
    [
        (AtinukeConfig.from_preset("nano"), {"flash"}),
        (TransformerConfig.from_preset("nano"), {"flash"}),  # on a processor a mask forces no other kernel
        (TransformerConfig.from_preset("nano", attention_dropout=0.1), {"math"}),
        (BiLSTMConfig.from_preset("nano"), set()),
    ],
    ids=["causal", "masked", "dropout", "no attention"],
)
def test_what_a_core_takes_on_a_processor(config, kernels):
    core = build_core(config, vocab_size=20).train()
    with attention_kernels() as found:
        core(torch.ones(2, 6, dtype=torch.int64), PADDED)
    assert found == kernels


def test_what_is_computed_is_the_same_under_a_watch():
    core = build_core(TransformerConfig.from_preset("nano"), vocab_size=20).eval()
    words = torch.arange(12).view(2, 6)
    with attention_kernels():
        watched = core(words, PADDED)
    assert torch.equal(watched, core(words, PADDED))


def test_both_kernels_of_a_mixed_model_are_named():
    queries = torch.zeros(1, 1, 2, 8)
    with attention_kernels() as found:
        torch.nn.functional.scaled_dot_product_attention(queries, queries, queries)
        torch.nn.functional.scaled_dot_product_attention(queries, queries, queries, dropout_p=0.5)
    assert found == {"flash", "math"}
