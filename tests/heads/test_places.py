import pytest
import torch

from atinuke_bench.heads.places import _first_in_order, true_places


@pytest.mark.parametrize("share", [0.0, 0.15, 1.0])
def test_a_known_number_of_places_is_found_in_order_on_every_device(share):
    mask = torch.rand(7, 300, generator=torch.Generator().manual_seed(1)) < share
    number = int(mask.sum())
    expected = mask.flatten().nonzero()[:, 0]
    assert torch.equal(true_places(mask, number), expected)
    assert torch.equal(_first_in_order(mask.flatten(), number), expected)
