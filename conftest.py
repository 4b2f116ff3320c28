"""What the examples of the Python API run on: a folder with two cores, two seeds each, trained on generated data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

#: Sizes with which a run takes half a second.
TINY = {
    "training.max_epochs": 2,
    "source.microworld.train": 40,
    "source.microworld.dev": 12,
    "source.microworld.test": 12,
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store `runs`: `bilstm` and `transformer` on `glue/sst2`, seeds 0 and 1."""
    from atinuke_bench import run

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        if "ATINUKE_CACHE" not in os.environ:  # no test reads or fills the user's
            patch.setenv("ATINUKE_CACHE", str(tmp_path_factory.mktemp("cache")))
        for core in ("bilstm", "transformer"):
            for seed in (0, 1):
                run("glue/sst2", core, preset="nano", seed=seed, source="microworld", overrides=TINY,
                    out=folder / "runs", wandb="disabled")  # fmt: skip
    return folder


@pytest.fixture(autouse=True)
def _examples_of_the_api(
    request: pytest.FixtureRequest, doctest_namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The examples in docstrings of the API run beside that store."""
    if request.node.name.startswith("atinuke_bench.api."):
        monkeypatch.chdir(request.getfixturevalue("trained"))
        doctest_namespace["TINY"] = TINY
