"""One thread for torch in all tests of training, and when two runs are the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from atinuke_bench.files import sha256_file
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.verify import verify


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def assert_equal() -> Callable[[RunFolder, RunFolder], None]:
    """`assert_equal(folder, whole)`: both runs have the same bits, and the first one is not damaged."""
    return _assert_equal


def _assert_equal(folder: RunFolder, whole: RunFolder) -> None:
    assert sha256_file(folder.predictions) == sha256_file(whole.predictions)
    assert sha256_file(folder.best_checkpoint) == sha256_file(whole.best_checkpoint)
    clocks = {"seconds", "tokens_per_second"}
    histories = [
        [{name: value for name, value in epoch.items() if name not in clocks} for epoch in one.read_history()]
        for one in (folder, whole)
    ]
    assert histories[0] == histories[1]
    assert verify(folder).damaged == []
