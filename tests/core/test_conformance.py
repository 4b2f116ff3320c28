"""What holds for every built-in core that can be built, whatever it is made of."""

from __future__ import annotations

import copy

import pytest
import torch

from atinuke_bench import registry
from atinuke_bench.config import core_config_class, is_floor
from atinuke_bench.core.build import build_core
from atinuke_bench.errors import ConfigError

TRAINED = [name for name in registry.core_names() if not is_floor(name) and name != "pretrained"]
VARIANTS = [
    *((name, {}) for name in TRAINED),
    ("atinuke", {"causal": False}),
    ("atinuke", {"norm": "post"}),
    *(("atinuke", {"positions": kind}) for kind in ("sinusoidal", "learned", "rotary", "alibi", "none")),
    ("transformer", {"causal": True}),
    ("transformer", {"norm": "pre", "positions": "rotary"}),
    ("transformer", {"positions": "alibi"}),
    ("transformer", {"attention_window": 3}),
    ("atinuke", {"attention_window": 3, "positions": "alibi"}),
    ("bilstm", {"num_layers": 2}),
]


@pytest.fixture(params=VARIANTS, ids=lambda variant: "-".join([variant[0], *map(str, variant[1].values())]))
def core(request, make):
    name, changes = request.param
    return make.core(name, **changes)


def test_declares_itself(core):
    assert registry.load_core(core.config.name) is type(core)
    assert type(core.config) is type(core).config_class
    assert type(core).result_version >= 1
    assert core.token_embedding.num_embeddings == core.vocab_size


def test_gives_one_finite_float_vector_per_token(core, make):
    hidden = core(*make.batch([7, 3]))
    assert hidden.shape == (2, 7, core.hidden_size)
    assert hidden.dtype == torch.float32
    assert hidden.isfinite().all()


def test_padding_changes_no_real_token(core, make):
    input_ids, attention_mask, segment_ids = make.batch([9, 4, 1, 9], total=12)
    together = core(input_ids, attention_mask, segment_ids)
    for row, length in enumerate(attention_mask.sum(1)):
        cut = slice(row, row + 1), slice(0, length)
        alone = core(input_ids[cut], attention_mask[cut], segment_ids[cut])
        torch.testing.assert_close(together[cut], alone, atol=2e-6, rtol=1e-5)


def test_ids_at_padding_are_not_read(core, make):
    input_ids, attention_mask, segment_ids = make.batch([6, 3])
    other = torch.where(attention_mask, input_ids, 7)
    real = attention_mask[..., None]
    torch.testing.assert_close(
        core(other, attention_mask, segment_ids) * real, core(input_ids, attention_mask, segment_ids) * real
    )


def test_a_row_of_padding_gives_finite_vectors_and_gradients(core, make):
    input_ids, attention_mask, segment_ids = make.batch([5, 0])
    hidden = core(input_ids, attention_mask, segment_ids)
    hidden[0].sum().backward()
    assert hidden.isfinite().all()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in core.parameters())


def test_padding_on_the_left_is_refused(core, make):
    input_ids, attention_mask, _ = make.batch([5, 3])
    with pytest.raises(AssertionError, match="on the right"):
        core(input_ids, attention_mask.flip(1))


def test_a_later_token_changes_earlier_vectors_unless_causal(core, make):
    input_ids, attention_mask, _ = make.batch([8, 8])
    changed_ids = input_ids.clone()
    changed_ids[:, 5] = changed_ids[:, 5] % (core.vocab_size - 1) + 1
    before, after = core(input_ids, attention_mask), core(changed_ids, attention_mask)
    assert torch.equal(before[:, :5], after[:, :5]) == core.is_causal
    assert not torch.isclose(before[:, 5:], after[:, 5:]).all(-1).any()


def test_segments_are_told_apart(core, make):
    input_ids, attention_mask, segment_ids = make.batch([6])
    assert not torch.allclose(core(input_ids, attention_mask, segment_ids), core(input_ids, attention_mask))


def test_embeddings_may_stand_in_for_tokens(core, make):
    input_ids, attention_mask, segment_ids = make.batch([6, 4])
    embedded = core.token_embedding(input_ids)
    from_embeddings = core(None, attention_mask, segment_ids, inputs_embeds=embedded)
    assert torch.equal(from_embeddings, core(input_ids, attention_mask, segment_ids))
    with pytest.raises(AssertionError, match="not both"):
        core(input_ids, attention_mask, inputs_embeds=embedded)


def test_every_parameter_is_trained(core, make):
    core(*make.batch([6, 4])).square().sum().backward()
    assert [name for name, weight in core.named_parameters() if weight.grad is None] == []


def test_dropout_acts_in_training_only(core, make):
    batch = make.batch([6, 4])
    assert torch.equal(core(*batch), core(*batch))
    core.train()
    assert not torch.equal(core(*batch), core(*batch))


def test_weights_are_a_function_of_the_seed(core):
    def weights(seed):
        torch.manual_seed(seed)
        return build_core(core.config, core.vocab_size).state_dict()

    first, again, other = weights(3), weights(3), weights(4)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["embeddings.token.weight"], other["embeddings.token.weight"])


def test_state_round_trips_and_copies(core, make):
    batch = make.batch([6, 4])
    fresh = build_core(core.config, core.vocab_size).eval()
    fresh.load_state_dict(core.state_dict())
    assert torch.equal(fresh(*batch), core(*batch))
    assert torch.equal(copy.deepcopy(core)(*batch), core(*batch))


def test_runs_under_bfloat16_autocast(core, make):
    batch = make.batch([6, 4])
    reference = core(*batch)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = core(*batch)
    hidden.float().square().mean().backward()
    real = batch[1]
    torch.testing.assert_close(hidden.float()[real], reference[real], atol=0.1, rtol=0.1)


def test_trains_after_inference_mode(core, make):
    batch = make.batch([6, 4])
    with torch.inference_mode():
        core(*batch)
    core.train()(*batch).sum().backward()


@pytest.mark.parametrize("name", TRAINED)
def test_every_preset_builds_without_memory(name):
    config_class = core_config_class(name)
    for preset in config_class.presets:
        with torch.device("meta"):
            core = build_core(config_class.from_preset(preset), 30_000)
        assert core.hidden_size == config_class.presets[preset]["hidden_size"]
        assert all(weight.is_meta for weight in core.state_dict().values())


def test_a_core_built_on_meta_runs_once_it_has_weights(core, make):
    with torch.device("meta"):
        empty = build_core(core.config, core.vocab_size)
    empty.to_empty(device="cpu").load_state_dict(core.state_dict())
    batch = make.batch([6, 4])
    assert torch.equal(empty.eval()(*batch), core(*batch))


def test_majority_cannot_be_built():
    with pytest.raises(ConfigError, match="trains nothing"):
        build_core(core_config_class("majority").from_preset("micro"), 100)
