"""A suite and a sweep that srun or torchrun starts several times: each process serves them, and each run is alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from atinuke_bench.run_folder import find_runs
from atinuke_bench.training.launchers import rank_environment

pytestmark = pytest.mark.slow

SMALL = {
    "training.max_epochs": 1,
    "source.microworld.train": 24,
    "source.microworld.dev": 6,
    "source.microworld.test": 6,
}


def variables_of(launcher: str, rank: int) -> dict[str, str]:
    if launcher == "torchrun":
        return {**rank_environment(rank, 2, 1), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    return {
        "SLURM_JOB_ID": "7",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank),
        "SLURM_NODEID": "0",
    }


def serve(launcher: str, *arguments: object) -> list[dict[str, Any]]:
    """What each of two processes prints."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "atinuke_bench", *map(str, arguments), "--wandb", "disabled", "--json"],
            env={**os.environ, **variables_of(launcher, rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    return [json.loads(out) for out, _ in outputs]


def executions(store: Path) -> list[dict[str, Any]]:
    return [json.loads(folder.manifest.read_text(encoding="utf-8"))["execution"] for folder in find_runs(store)]


def test_processes_share_a_suite(tmp_path):
    suite = {
        "name": "shared",
        "tasks": ["snli"],
        "source": {"kind": "microworld"},
        "cores": {"bilstm": {"core": "bilstm", "preset": "nano"}},
        "seeds": [0, 1],
        "overrides": SMALL,
    }
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    shown = serve("srun", "suite", tmp_path / "suite.yaml", "--out", tmp_path / "runs", "--workers", "1")
    for record in shown:
        assert sorted(result["seed"] for result in record["results"]) == [0, 1]
    assert [execution["size"] for execution in executions(tmp_path / "runs")] == [1, 1]


def test_processes_serve_one_study(tmp_path):
    settings = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
    search = [
        "--core",
        "bilstm",
        "--preset",
        "nano",
        "--source",
        "microworld",
        "--trials",
        "2",
        "--seeds",
        "1",
        *settings,
    ]
    shown = serve(
        "torchrun", "sweep", "snli", *search, "--name", "shared", "--out", tmp_path / "runs", "--workers", "1"
    )
    assert [record["spent"]["trials"] for record in shown] == [2, 2]
    assert [trial["state"] for trial in shown[0]["trials"]] == ["complete", "complete"]
    assert {execution["size"] for execution in executions(tmp_path / "runs")} == {1}
