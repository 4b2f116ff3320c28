"""Fixtures for the Hub: a loopback server, and a Python that was started with `HF_ENDPOINT` pointing at it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# Answers each line {"source", "labels", "pair", "revision"} with what `load_hub` gave or the error it raised.
_WORKER = """
import json, sys
from atinuke_bench.data.sources import HubDataset, canonical_features, load_hub
from atinuke_bench.errors import DataError

for line in sys.stdin:
    ask = json.loads(line)
    try:
        features = canonical_features(ask["labels"] and tuple(ask["labels"]), pair=ask["pair"])
        loaded = load_hub(HubDataset(**ask["source"]), features, ask["revision"])
        answer = {
            "splits": {split: rows.to_dict() for split, rows in loaded.splits.items()},
            "features": str(next(iter(loaded.splits.values())).features == features),
            "revision": loaded.revision, "files": loaded.files, "fingerprint": loaded.fingerprint,
        }
    except DataError as error:
        answer = {"error": str(error)}
    answer["torch"] = "torch" in sys.modules
    print(json.dumps(answer), flush=True)
"""


def _hub_server_module() -> ModuleType:
    # Test folders are no packages, so a helper module is loaded by its path.
    spec = importlib.util.spec_from_file_location("hub_server", Path(__file__).parent / "hub_server.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["hub_server"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def hub() -> Iterator[Any]:
    """A running `hub_server.HubServer` without repositories."""
    with _hub_server_module().HubServer() as server:
        yield server


def hub_environment(endpoint: str, home: Path) -> dict[str, str]:
    """The environment of a process that knows no Hub but `endpoint` and no cache but `home`."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("HF_") and "proxy" not in name.lower()
    }
    quiet = {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    return {**kept, **quiet, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "TMPDIR": str(home)}


@pytest.fixture(scope="session")
def hub_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Callable[..., dict[str, Any]]]]:
    """`hub_worker(endpoint)` starts a Python on that endpoint; the function it gives runs `load_hub` there."""
    processes = []

    def start(endpoint: str) -> Callable[..., dict[str, Any]]:
        home = tmp_path_factory.mktemp("hub-home")
        process = subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            env=hub_environment(endpoint, home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        processes.append(process)

        def load(
            source: dict[str, Any], labels: Any, *, pair: bool = True, revision: str | None = None
        ) -> dict[str, Any]:
            request = {"source": source, "labels": labels, "pair": pair, "revision": revision}
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        load.home = home
        return load

    yield start
    for process in processes:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()
