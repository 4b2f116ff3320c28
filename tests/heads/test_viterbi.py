"""Constrained decoding: exact against brute force and against a dense Viterbi, masks, and impossible tags."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from atinuke_bench.data.bio import BioTags
from atinuke_bench.heads.viterbi import decode_viterbi, tag_marginals

torch.set_num_threads(1)


def tags_of(num_labels: int) -> BioTags:
    return BioTags(tuple(f"L{number:03d}" for number in range(num_labels)))


def full(scores: Tensor) -> Tensor:
    return torch.ones(scores.shape[:2], dtype=torch.bool)


def random_scores(*shape: int, seed: int = 0) -> Tensor:
    # Of a coarse grid, so that sums are exact in any order and ties occur.
    return torch.randint(-8, 9, shape, generator=torch.Generator().manual_seed(seed)).float() / 4


def may_follow(after: int, before: int = 0) -> bool:
    """Whether a tag may stand behind another one, or at the start, as behind O: `I-X` needs `B-X` or `I-X`."""
    return after == 0 or after % 2 == 1 or before in (after - 1, after)


def is_allowed(path: list[int]) -> bool:
    return all(may_follow(after, before) for before, after in itertools.pairwise([0, *path]))


def total(scores: Tensor, path: list[int]) -> float:
    return float(scores[torch.arange(len(path)), torch.tensor(path)].sum())


def dense_best(scores: Tensor, tags: BioTags) -> float:
    """The best sum of one sequence [L, T] by the textbook algorithm over all pairs of tags."""
    numbers = range(tags.num_tags)
    blocked = np.array([[0.0 if may_follow(after, before) else -np.inf for after in numbers] for before in numbers])
    sums = scores[0].numpy() + blocked[0]
    for row in scores[1:].numpy():
        sums = (sums[:, None] + blocked).max(axis=0) + row
    return float(sums.max())


@pytest.mark.parametrize("num_labels", [0, 1, 2])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_no_allowed_path_is_better_than_the_decoded_one(num_labels: int, length: int) -> None:
    tags = tags_of(num_labels)
    scores = random_scores(8, length, tags.num_tags, seed=10 * num_labels + length)
    paths = [list(path) for path in itertools.product(range(tags.num_tags), repeat=length)]
    paths = [path for path in paths if is_allowed(path)]
    for row, decoded in zip(scores, decode_viterbi(scores, full(scores)).tolist(), strict=True):
        assert decoded in paths
        assert total(row, decoded) == max(total(row, path) for path in paths)


@pytest.mark.parametrize(("length", "num_labels"), [(3, 7), (17, 3), (40, 50)])
def test_sums_equal_those_of_dense_viterbi(length: int, num_labels: int) -> None:
    tags = tags_of(num_labels)
    scores = random_scores(6, length, tags.num_tags, seed=length)
    for row, decoded in zip(scores, decode_viterbi(scores, full(scores)).tolist(), strict=True):
        assert is_allowed(decoded)
        assert total(row, decoded) == dense_best(row, tags)


@pytest.mark.parametrize(("length", "num_labels"), [(1, 2), (2, 1), (4, 2), (3, 0)])
def test_marginals_are_the_shares_of_all_allowed_paths(length: int, num_labels: int) -> None:
    tags = tags_of(num_labels)
    scores = torch.randn(3, length + 2, tags.num_tags, generator=torch.Generator().manual_seed(length))
    mask = torch.arange(length + 2).expand(3, -1) < length
    paths = [list(path) for path in itertools.product(range(tags.num_tags), repeat=length) if is_allowed(list(path))]
    found = tag_marginals(scores, mask)
    for row, marginals in zip(scores, found, strict=True):
        shares = torch.tensor([total(row, path) for path in paths]).softmax(dim=0)
        expected = torch.zeros(length, tags.num_tags)
        for path, share in zip(paths, shares, strict=True):
            expected[torch.arange(length), torch.tensor(path)] += share
        torch.testing.assert_close(marginals[:length], expected)
    assert torch.equal(found[~mask][:, 0], torch.ones(6))


def test_padding_is_outside_and_changes_nothing() -> None:
    tags = tags_of(4)
    scores = random_scores(5, 9, tags.num_tags) + torch.rand(
        5, 9, tags.num_tags, generator=torch.Generator().manual_seed(1)
    )
    lengths = torch.tensor([9, 1, 4, 7, 0])
    mask = torch.arange(9) < lengths[:, None]
    scores[~mask] = 1e4  # what stands in padding must not matter, however large
    decoded = decode_viterbi(scores, mask)
    assert decoded[~mask].eq(0).all()
    for row, length in enumerate(lengths.tolist()):
        alone = scores[row : row + 1, :length]
        assert torch.equal(decode_viterbi(alone, full(alone))[0], decoded[row, :length])


def test_an_inside_tag_never_begins_a_sequence_or_follows_another_label() -> None:
    tags = tags_of(2)  # O, B-0, I-0, B-1, I-1
    scores = torch.zeros(1, 3, tags.num_tags)
    scores[0, 0, 2] = 9.0  # I-0 at the start
    scores[0, 1, 4] = 5.0  # I-1 next
    scores[0, 2, 4] = 5.0
    assert decode_viterbi(scores, full(scores)).tolist() == [[3, 4, 4]]


def test_tags_can_be_forbidden_by_minus_infinity() -> None:
    tags = tags_of(3)
    scores = random_scores(4, 6, tags.num_tags)
    scores[:, :, 0] = -torch.inf
    scores[:, 2, :] = -torch.inf
    scores[:, 2, 5] = 0.0  # only B of the last label at the third word
    decoded = decode_viterbi(scores, full(scores))
    assert decoded[:, 2].eq(5).all()
    assert decoded.ne(0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions_decode_and_input_is_left_alone(dtype: torch.dtype) -> None:
    scores = random_scores(2, 5, 7).to(dtype)
    before = scores.clone()
    expected = decode_viterbi(scores.float(), full(scores))
    assert torch.equal(decode_viterbi(scores, full(scores)), expected)
    assert torch.equal(scores, before)


def test_empty_batches_and_lengths() -> None:
    assert decode_viterbi(torch.zeros(3, 0, 5), torch.ones(3, 0, dtype=torch.bool)).shape == (3, 0)
    assert decode_viterbi(torch.zeros(0, 4, 5), torch.ones(0, 4, dtype=torch.bool)).shape == (0, 4)


def test_an_even_number_of_tags_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="4 tags; BIO has one for O and two for each label"):
        decode_viterbi(torch.zeros(1, 2, 4), torch.ones(1, 2, dtype=torch.bool))


def test_scores_that_carry_gradients_decode() -> None:
    scores = random_scores(2, 4, 5).requires_grad_()
    assert not decode_viterbi(scores, full(scores)).requires_grad
