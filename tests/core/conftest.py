"""What the tests of cores share: one thread, a seed, small cores and batches."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from atinuke_bench.config import core_config_class
from atinuke_bench.core.base import Core
from atinuke_bench.core.build import build_core

VOCAB_SIZE = 50


@pytest.fixture(autouse=True)
def _one_thread_and_seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def _make_core(name: str, **changes: Any) -> Core:
    """A nano core in evaluation mode; the same arguments give the same weights."""
    torch.manual_seed(1)
    return build_core(core_config_class(name).from_preset("nano", **changes), VOCAB_SIZE).eval()


def _make_batch(lengths: list[int], total: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids, attention mask and segment ids of texts of these lengths, padded on the right."""
    places = torch.arange(total or max(lengths))
    attention_mask = places < torch.tensor(lengths)[:, None]
    input_ids = torch.randint(1, VOCAB_SIZE, attention_mask.shape) * attention_mask
    segment_ids = (places >= 2).long().expand_as(input_ids) * attention_mask
    return input_ids, attention_mask, segment_ids


@pytest.fixture
def make() -> SimpleNamespace:
    """`make.core(name, **changes)` and `make.batch(lengths)`."""
    return SimpleNamespace(core=_make_core, batch=_make_batch)
