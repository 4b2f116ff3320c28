"""Tables of positions against their formulas, and the limit of learned ones."""

from __future__ import annotations

import math

import pytest
import torch

from atinuke_bench.core.positions import LearnedPositions, rotate, rotations, sinusoids, unit_sinusoids
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


@pytest.mark.parametrize("positions", ["layerwise", "sinusoidal", "rotary", "none"])
def test_other_positions_have_no_limit(make, positions):
    core = make.core("atinuke", positions=positions, max_positions=6)
    assert core(*make.batch([20])).isfinite().all()
