"""Tables of positions against their formulas, and the limit of learned ones."""

from __future__ import annotations

import math

import pytest
import torch

from atinuke_bench.core.positions import LearnedPositions, alibi_slopes, rotate, rotations, sinusoids, unit_sinusoids
from atinuke_bench.errors import ConfigError


@pytest.mark.parametrize("size", [6, 7])
def test_sinusoids_follow_the_formula(size):
    expected = [
        [(math.cos if column % 2 else math.sin)(place / 10_000 ** (2 * (column // 2) / size)) for column in range(size)]
        for place in range(40)
    ]
    torch.testing.assert_close(sinusoids(40, size), torch.tensor(expected), atol=1e-5, rtol=0)


def test_unit_sinusoids_have_the_size_of_unit_variance_embeddings():
    table = unit_sinusoids(50, 64)
    torch.testing.assert_close(table.square().mean(dim=1).sqrt(), torch.ones(50))


def test_a_longer_table_starts_with_the_shorter_one():
    assert torch.equal(sinusoids(9, 8)[:4], sinusoids(4, 8))
    assert torch.equal(rotations(9, 8)[:, :4], rotations(4, 8))


def test_rotation_keeps_lengths_and_depends_on_distance_alone():
    query, key = torch.randn(2, 8)
    turned_queries = rotate(query.expand(1, 1, 10, 8), rotations(10, 8))[0, 0]
    turned_keys = rotate(key.expand(1, 1, 10, 8), rotations(10, 8))[0, 0]
    torch.testing.assert_close(turned_queries.norm(dim=1), query.norm().expand(10))
    scores = turned_queries @ turned_keys.T
    torch.testing.assert_close(scores[1:, 1:], scores[:-1, :-1])
    assert not torch.isclose(scores[0, 0], scores[0, 3])


def test_rotation_keeps_the_type():
    assert rotate(torch.randn(1, 1, 3, 4, dtype=torch.bfloat16), rotations(3, 4)).dtype == torch.bfloat16


def test_learned_positions_have_the_size_asked_for():
    assert LearnedPositions(200, 64, gain=0.5)(200).std().item() == pytest.approx(0.5, rel=0.05)


def test_a_text_longer_than_the_learned_positions_is_a_config_error(make):
    core = make.core("transformer", max_positions=6)
    core(*make.batch([6, 2]))
    with pytest.raises(ConfigError, match=r"max_positions.* end at 6 tokens; found a text of 7"):
        core(*make.batch([7, 2]))


@pytest.mark.parametrize("positions", ["layerwise", "sinusoidal", "rotary", "alibi", "none"])
def test_other_positions_have_no_limit(make, positions):
    core = make.core("atinuke", positions=positions, max_positions=6)
    assert core(*make.batch([20])).isfinite().all()


@pytest.mark.parametrize("num_heads", [1, 2, 3, 8, 12])
def test_slopes_of_alibi_fall_with_the_head(num_heads):
    found = alibi_slopes(num_heads).tolist()
    below = 2 ** int(math.log2(num_heads))
    assert found[:below] == pytest.approx([2 ** (-8 * head / below) for head in range(1, below + 1)])
    assert len(set(found)) == num_heads
    assert all(0 < slope < 1 for slope in found)


@pytest.mark.parametrize("name", ["atinuke", "transformer"])
@pytest.mark.parametrize("positions", ["layerwise", "sinusoidal", "learned", "rotary", "alibi"])
def test_shifted_positions_are_those_of_a_text_placed_later(make, name, positions):
    """A token alone has no neighbour to be near to: absolute positions move its vector, relative ones do not."""
    core, batch = make.core(name, positions=positions, attention_window=4), make.batch([7, 3])
    before = core(*batch)
    core.shift_positions(20)
    after = core(*batch)
    core.shift_positions(0)
    assert torch.equal(core(*batch), before)
    same = torch.allclose(after[batch[1]], before[batch[1]], atol=1e-4)
    assert same == (positions in ("rotary", "alibi"))


def test_a_shift_places_a_text_where_it_would_be_in_a_longer_one(make):
    """With a window of one token and one layer, the last tokens of a text cannot see how it began."""
    core = make.core("atinuke", positions="learned", num_layers=1, attention_window=1, causal=False)
    input_ids, attention_mask, _ = make.batch([12])
    whole = core(input_ids, attention_mask)
    core.shift_positions(8)
    torch.testing.assert_close(core(input_ids[:, 8:], attention_mask[:, 8:])[:, 1:], whole[:, 9:])


def test_a_shift_past_the_learned_positions_is_a_config_error(make):
    core = make.core("transformer", max_positions=30)
    core.shift_positions(25)
    with pytest.raises(ConfigError, match="end at 30 tokens; found a text of 7 from position 25 on"):
        core(*make.batch([7]))


def test_cores_without_positions_have_none_to_shift(make):
    for core in (make.core("bilstm"), make.core("atinuke", positions="none")):
        with pytest.raises(ConfigError, match=r"has no positions|has none to shift"):
            core.shift_positions(8)
