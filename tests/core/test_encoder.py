"""Each switch of the attention cores changes what it should and nothing else."""

from __future__ import annotations

import pytest
import torch

POSITION_PARAMETERS = {
    "layerwise": {"layers.0.position_gain", "layers.1.position_gain"},
    "sinusoidal": set(),
    "learned": {"learned_positions.table.weight"},
    "rotary": set(),
    "alibi": set(),
    "none": set(),
}


def shapes(core):
    return {name: tuple(weight.shape) for name, weight in core.named_parameters()}


def output(core, batch):
    return core(*batch)


@pytest.mark.parametrize("positions", POSITION_PARAMETERS)
def test_a_kind_of_positions_brings_its_own_parameters_only(make, positions):
    found, without = shapes(make.core("atinuke", positions=positions)), shapes(make.core("atinuke", positions="none"))
    assert set(found) - set(without) == POSITION_PARAMETERS[positions]
    assert without.items() <= found.items()


def test_every_kind_of_positions_gives_other_outputs_from_the_same_weights(make):
    batch = make.batch([7, 5])
    outputs = []
    for positions in POSITION_PARAMETERS:
        core = make.core("atinuke", positions=positions)
        core.load_state_dict(make.core("atinuke", positions="none").state_dict(), strict=False)
        outputs.append(output(core, batch))
    for index, first in enumerate(outputs):
        assert not any(torch.allclose(first, second, atol=1e-3) for second in outputs[index + 1 :])


@pytest.mark.parametrize("positions", POSITION_PARAMETERS)
def test_order_of_tokens_matters_unless_there_are_no_positions(make, positions):
    core = make.core("atinuke", causal=False, positions=positions)
    input_ids, attention_mask, _ = make.batch([8])
    order = torch.randperm(8)
    permuted = core(input_ids[:, order], attention_mask)
    same = torch.allclose(permuted, core(input_ids, attention_mask)[:, order], atol=1e-5)
    assert same == (positions == "none")


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("positions", ["layerwise", "rotary", "alibi"])
def test_a_window_hides_what_is_farther_in_each_layer(make, positions, causal):
    """Two layers of two tokens each carry a token's word four places, and no farther."""
    core = make.core("atinuke", positions=positions, attention_window=2, causal=causal)
    input_ids, attention_mask, _ = make.batch([12])
    changed = input_ids.clone()
    changed[0, 6] = changed[0, 6] % (core.vocab_size - 1) + 1
    moved = (core(input_ids, attention_mask) - core(changed, attention_mask)).abs().amax(-1)[0] > 0
    assert moved.nonzero()[:, 0].tolist() == list(range(6 if causal else 2, 11))


def test_a_window_wider_than_the_text_changes_nothing(make):
    batch = make.batch([9, 4])
    for causal in (False, True):
        wide, plain = (make.core("atinuke", causal=causal, attention_window=window) for window in (9, None))
        torch.testing.assert_close(output(wide, batch)[batch[1]], output(plain, batch)[batch[1]])


def test_the_gains_of_layers_are_what_can_be_observed(make):
    core = make.core("atinuke")
    with torch.no_grad():
        core.layers[1].position_gain.fill_(0.25)
    assert {name: float(gain) for name, gain in core.observables().items()} == {
        "position_gain.0": 1.0,
        "position_gain.1": 0.25,
    }
    assert not any(gain.requires_grad for gain in core.observables().values())
    assert make.core("transformer").observables() == make.core("bilstm").observables() == {}


def test_each_layer_has_its_own_position_gain(make):
    core, batch = make.core("atinuke"), make.batch([7, 5])
    before = output(core, batch)
    for layer in core.layers:
        with torch.no_grad():
            layer.position_gain.zero_()
        after = output(core, batch)
        assert not torch.allclose(before, after, atol=1e-3)
        before = after
    bare = make.core("atinuke", positions="none")
    bare.load_state_dict(core.state_dict(), strict=False)
    assert torch.equal(before, output(bare, batch))


def test_layerwise_positions_in_the_first_layer_alone_are_sinusoidal_ones(make):
    layerwise, batch = make.core("atinuke"), make.batch([7, 5])
    with torch.no_grad():
        layerwise.layers[1].position_gain.zero_()
    once = make.core("atinuke", positions="sinusoidal")
    once.load_state_dict(layerwise.state_dict(), strict=False)
    torch.testing.assert_close(output(layerwise, batch), output(once, batch))


@pytest.mark.parametrize("positions", ["layerwise", "sinusoidal", "learned"])
def test_position_gain_sets_the_initial_size(make, positions):
    batch = make.batch([7, 5])
    small, large = (make.core("atinuke", positions=positions, position_gain=gain) for gain in (0.5, 1.0))
    assert shapes(small) == shapes(large)
    assert not torch.allclose(output(small, batch), output(large, batch), atol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_heads": 4},
        {"causal": False},
        {"norm": "post", "positions": "none"},
    ],
)
def test_a_switch_of_computation_changes_outputs_but_no_parameter_of_a_layer(make, changes):
    base = make.core("atinuke", positions=changes.get("positions", "layerwise"))
    switched, batch = make.core("atinuke", **changes), make.batch([7, 5])
    # The norm after the last layer exists only where layers do not end in a norm of their own.
    final_norm = {"final_norm.weight", "final_norm.bias"} if "norm" in changes else set()
    assert set(shapes(base)) - set(shapes(switched)) == final_norm
    assert shapes(switched).items() <= shapes(base).items()
    switched.load_state_dict(base.state_dict(), strict=False)
    assert not torch.allclose(output(base, batch), output(switched, batch), atol=1e-3)


def test_depth_adds_layers_and_nothing_else(make):
    shallow, deep = shapes(make.core("atinuke", num_layers=1)), shapes(make.core("atinuke", num_layers=3))
    assert shallow.items() <= deep.items()
    assert {name.split(".")[1] for name in set(deep) - set(shallow)} == {"1", "2"}
    assert all(name.startswith("layers.") for name in set(deep) - set(shallow))


def test_no_layers_leave_the_normalised_embeddings(make):
    core, (input_ids, attention_mask, _) = make.core("atinuke", num_layers=0), make.batch([5])
    expected = torch.nn.functional.layer_norm(core.token_embedding(input_ids), (core.hidden_size,))
    torch.testing.assert_close(core(input_ids, attention_mask), expected)


@pytest.mark.parametrize("field", ["dropout", "attention_dropout"])
def test_dropout_changes_training_alone(make, field):
    off = {"dropout": 0.0, "attention_dropout": 0.0}
    without, with_dropout, batch = (
        make.core("atinuke", **off),
        make.core("atinuke", **off | {field: 0.5}),
        make.batch([7]),
    )
    assert shapes(without) == shapes(with_dropout)
    assert torch.equal(output(without, batch), output(with_dropout, batch))
    assert torch.equal(output(without.train(), batch), output(without.eval(), batch))
    assert not torch.equal(output(with_dropout.train(), batch), output(without, batch))


def test_norm_after_each_part_ends_in_normalised_vectors(make):
    hidden = output(make.core("transformer"), make.batch([7, 5]))
    torch.testing.assert_close(hidden.mean(-1), torch.zeros(2, 7), atol=1e-5, rtol=0)
    torch.testing.assert_close(hidden.var(-1, unbiased=False), torch.ones(2, 7), atol=1e-3, rtol=0)


def test_transformer_is_atinuke_switched_over_with_normalised_embeddings(make):
    transformer, batch = make.core("transformer"), make.batch([7, 5])
    atinuke = make.core("atinuke", positions="learned", causal=False, norm="post")
    assert set(shapes(transformer)) - set(shapes(atinuke)) == {"embedding_norm.weight", "embedding_norm.bias"}
    atinuke.load_state_dict(transformer.state_dict(), strict=False)
    atinuke.embedding_norm = transformer.embedding_norm
    assert torch.equal(output(atinuke, batch), output(transformer, batch))


@pytest.mark.parametrize("name", ["atinuke", "transformer"])
@pytest.mark.parametrize("num_layers", [2, 12])
def test_signals_start_at_unit_size_whatever_the_depth(make, name, num_layers):
    core, (input_ids, attention_mask, _) = (
        make.core(name, num_layers=num_layers, positions="none"),
        make.batch([30] * 8),
    )
    sizes = []
    for layer in core.layers:
        layer.register_forward_hook(lambda _, inputs, result: sizes.append(result.std().item()))
    core(input_ids, attention_mask)
    assert all(0.8 < size < 1.6 for size in sizes)
