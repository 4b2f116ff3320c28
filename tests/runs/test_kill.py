"""A suite whose supervisor or workers are killed again and again, and started again, is the suite that was not.

`ATINUKE_KILLS` sets how many times (4 without it, one of each kind); a larger number is for a machine with time.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

NUM_KILLS = int(os.environ.get("ATINUKE_KILLS", "4"))
SUITE: dict[str, Any] = {
    "name": "trial",
    "tasks": ["glue/wnli", "glue/rte"],
    "cores": {
        "bilstm": {"core": "bilstm", "preset": "nano"},
        "atinuke": {"core": "atinuke", "preset": "nano"},
        "both ways": {"core": "atinuke", "preset": "nano", "overrides": {"core.causal": False}},
    },
    "seeds": [0, 1] if NUM_KILLS > 4 else [0],
    "overrides": {"training.max_epochs": 12, "training.patience": 12, "tokenizer.vocab_size": 200},
}


#: Runs of the suite.
NUM_RUNS = len(SUITE["tasks"]) * len(SUITE["cores"]) * len(SUITE["seeds"])


def command(tmp_path: Path, official: Path, store: str) -> list[str]:
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump(SUITE))
    place = ["--data-dir", str(official), "--out", str(tmp_path / store)]
    return [sys.executable, "-m", "atinuke_bench", "suite", str(path), *place, "--workers", "2", "--wandb", "disabled"]


def finish(arguments: list[str]) -> dict:
    done = subprocess.run([*arguments, "--json"], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def table(record: dict) -> list[tuple]:
    return sorted(
        (row["task"], row["variant"], row["seed"], row["score"], row["identity"]) for row in record["results"]
    )


def family(pid: int) -> list[int]:
    """Process ids of the children of the children of a process: what the fork server has forked."""
    parents = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(place.parent.name)] = int(fields[1])
    children = {child for child, parent in parents.items() if parent == pid}
    return [child for child, parent in parents.items() if parent in children]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers through /proc")
def test_a_suite_that_is_killed_at_random_moments_ends_as_one_that_was_not(tmp_path, official):
    chance = random.Random(0)
    reference = finish(command(tmp_path, official, "reference"))
    assert len(reference["results"]) == NUM_RUNS
    arguments, store = command(tmp_path, official, "store"), tmp_path / "store"
    kinds = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    for turn in range(NUM_KILLS):
        # A group of its own, as a shell gives it.
        process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, start_new_session=True)
        moment = time.monotonic() + 120
        while not (workers := family(process.pid)) and process.poll() is None and time.monotonic() < moment:
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 4))
        kind = kinds[turn % len(kinds)]
        workers = family(process.pid) or workers
        victim = chance.choice(workers) if workers and kind is signal.SIGKILL and chance.random() < 0.5 else process.pid
        with contextlib.suppress(ProcessLookupError):  # it may be done
            os.kill(victim, kind)
        _, errors = process.communicate(timeout=300)
        if kind in (signal.SIGTERM, signal.SIGINT) and process.returncode:
            # Before and after its runs a suite has nothing to end in order.
            assert process.returncode in (130, -kind), errors
        until = time.monotonic() + 40
        while any(map(is_alive, workers)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(is_alive, workers)), "a worker outlives its suite"
        for result in store.rglob("result.json"):
            json.loads(result.read_text())
    last = finish(arguments)
    assert table(last) == table(reference)
    assert len(list(store.rglob("result.json"))) == NUM_RUNS
    for path in (tmp_path / "reference").rglob("predictions.parquet"):
        assert path.read_bytes() == (store / path.relative_to(tmp_path / "reference")).read_bytes()
    checked = subprocess.run(
        [sys.executable, "-m", "atinuke_bench", "verify", str(store)], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout
    assert f"{NUM_RUNS} finished runs, 0 damaged; 0 not finished" in checked.stderr


def test_two_suites_on_one_folder_run_every_run_once(tmp_path, official):
    arguments = [*command(tmp_path, official, "store"), "--json"]
    pair = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=600) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], answers
    first, second = (table(json.loads(output)) for output, _ in answers)
    assert first == second
    assert len(list((tmp_path / "store").rglob("result.json"))) == NUM_RUNS
    for log in (tmp_path / "store").rglob("log.txt"):
        assert log.read_text().count("epoch 0:") == 1, f"{log} was trained twice"
