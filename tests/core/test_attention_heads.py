"""Attention heads from outside: what they attend to, what is left without them, and what they cost."""

from __future__ import annotations

import copy

import torch

from atinuke_bench.config import AtinukeConfig, BiLSTMConfig, PretrainedConfig, TransformerConfig
from atinuke_bench.core.attention import SelfAttention, visibility
from atinuke_bench.core.attention_heads import AttentionLayer, attention_probabilities, gated, pruned, watched
from atinuke_bench.core.build import build_core
from atinuke_bench.core.cost import attention_flops_per_token, count_parameters
from atinuke_bench.core.pretrained import PretrainedCore

IDS = torch.randint(5, 40, (3, 9), generator=torch.Generator().manual_seed(0))
MASK = torch.arange(9) < torch.tensor([9, 5, 1])[:, None]


def _cores(model_folder):
    torch.manual_seed(0)
    yield build_core(AtinukeConfig.from_preset("nano"), 40)
    yield build_core(AtinukeConfig.from_preset("nano", positions="rotary", causal=False), 40)
    yield build_core(TransformerConfig.from_preset("nano"), 40)
    for kind in ("bert", "roberta"):
        yield build_core(PretrainedCore.resolve(PretrainedConfig(model=str(model_folder(kind)))), 40)


def _watch(core, layers):
    """What was watched of each layer, the input of its projection, and the values of all heads."""
    seen, said, values = {}, {}, {}
    for number, layer in enumerate(layers):
        layer.output.register_forward_pre_hook(lambda _, args, number=number: said.update({number: args[0]}))
        layer.inputs[-1].register_forward_hook(lambda _, args, out, number=number: values.update({number: out}))
    with torch.inference_mode(), watched(layers, lambda number, *found: seen.update({number: found})):
        core(IDS, MASK)
    return seen, said, values


def test_what_is_watched_is_what_values_are_weighed_by(model_folder):
    """Probabilities times values are the input of the projection, for every kind of mask and position."""
    for core in _cores(model_folder):
        layers = core.eval().attention_layers()
        seen, said, values = _watch(core, layers)
        assert sorted(seen) == list(range(len(layers))) == [0, 1]
        for number, layer in enumerate(layers):
            probabilities, visible = seen[number]
            own = values[number][..., -layer.output.in_features :].unflatten(-1, (layer.num_heads, -1)).transpose(1, 2)
            mixed = (probabilities @ own).transpose(1, 2).flatten(2)
            torch.testing.assert_close(mixed[MASK], said[number][MASK], atol=1e-5, rtol=1e-5)
            assert not probabilities.masked_select(~visible).any()
            if core.is_causal:
                assert not visible[..., 0, 1:].any()
            else:
                assert not visible[1, ..., 5:].any(), "padding is seen by nobody"


def test_floats_may_be_added_to_scores():
    queries, keys = torch.randn(2, 2, 3, 5, 4)
    added = torch.randn(2, 1, 5, 5).masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf)
    values = torch.randn(2, 3, 5, 4)
    expected = torch.nn.functional.scaled_dot_product_attention(queries[:, :3], keys, values, attn_mask=added)
    probabilities, seen = attention_probabilities(queries, keys, added)
    torch.testing.assert_close(probabilities @ values, expected)
    assert torch.equal(seen[0, 0], torch.ones(5, 5).tril().bool())


def test_pruning_is_zeroing_the_heads_columns(model_folder):
    for core in _cores(model_folder):
        core.eval()
        layers = core.attention_layers()
        kept = [[True] * layer.num_heads for layer in layers]
        with torch.no_grad():
            before = core(IDS, MASK)
            with pruned(layers, kept):
                assert torch.equal(core(IDS, MASK), before), "with all heads no bit changes"
            kept[1][0] = False
            with pruned(layers, kept):
                found = core(IDS, MASK)
            assert torch.equal(core(IDS, MASK), before), "nothing is left behind"
            by_hand = copy.deepcopy(core)
            by_hand.attention_layers()[1].output.weight[:, : layers[1].head_size] = 0.0
            torch.testing.assert_close(found[MASK], by_hand(IDS, MASK)[MASK])
            assert not torch.allclose(found[MASK], before[MASK])


def test_a_pruned_head_is_one_that_is_cut_out_of_the_module():
    """Weights and answers of a physically smaller module, and operations as the core's formula counts them."""
    size, num_heads, kept = 12, 3, [True, False, True]
    whole = SelfAttention(size, num_heads, dropout=0.0)
    layer = AttentionLayer(num_heads, whole.out, (whole.qkv,))
    columns = torch.tensor(kept).repeat_interleave(layer.head_size)
    smaller = SelfAttention(size, num_heads, dropout=0.0)
    smaller.num_heads = sum(kept)
    smaller.qkv = torch.nn.Linear(size, 3 * int(columns.sum()))
    smaller.out = torch.nn.Linear(int(columns.sum()), size)
    with torch.no_grad():
        smaller.qkv.weight.copy_(whole.qkv.weight[columns.repeat(3)])
        smaller.qkv.bias.copy_(whole.qkv.bias[columns.repeat(3)])
        smaller.out.weight.copy_(whole.out.weight[:, columns])
        smaller.out.bias.copy_(whole.out.bias)
        hidden, visible = torch.randn(3, 9, size), visibility(MASK, causal=False)
        with pruned([layer], [kept]):
            torch.testing.assert_close(whole(hidden, visible), smaller(hidden, visible))
    lost = count_parameters(whole).total - count_parameters(smaller).total
    assert layer.parameters_per_head == lost
    for length in (1, 7, 100):
        attention = attention_flops_per_token(1, size, 0, length)
        assert num_heads * layer.flops_per_head(length) == attention


def test_gates_of_rows_have_the_gradients_of_each_row():
    torch.manual_seed(0)
    core = build_core(AtinukeConfig.from_preset("nano"), 40).eval()
    layers, gates = core.attention_layers(), {}

    def gate(number, num_inputs):
        gates[number] = torch.ones(num_inputs, layers[number].num_heads, requires_grad=True)
        return gates[number]

    with gated(layers, gate):
        (core(IDS, MASK).square() * MASK[..., None]).sum().backward()
    together = {number: one.grad for number, one in gates.items()}
    with gated(layers, gate):
        core(IDS[1:2, :5], MASK[1:2, :5]).square().sum().backward()
    for number, one in gates.items():
        of_batch = together[number]
        assert of_batch is not None
        torch.testing.assert_close(of_batch[1:2], one.grad, atol=1e-4, rtol=1e-4)


def test_a_core_without_heads_names_none(model_folder):
    assert build_core(BiLSTMConfig.from_preset("nano"), 40).attention_layers() == ()
