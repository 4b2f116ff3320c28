"""A Python that was started with `HF_ENDPOINT` pointing at the loopback Hub, and runs `load_hub` there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="session")
def hub_worker(
    tmp_path_factory: pytest.TempPathFactory, hub_environment: Callable[[str, Any], dict[str, str]]
) -> Iterator[Callable[..., Callable[..., dict[str, Any]]]]:
    """`hub_worker(endpoint, **environment)` starts a Python there; the function it gives runs `load_hub` in it."""
    processes = []

    def start(endpoint: str, **environment: str) -> Callable[..., dict[str, Any]]:
        home = tmp_path_factory.mktemp("hub-home")
        process = subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            env=hub_environment(endpoint, home) | environment,
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
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        vars(load)["home"] = home
        return load

    yield start
    for process in processes:
        process.communicate(timeout=30)
