"""What a user or a bug report needs to know of an installation."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from atinuke_bench import environment
from atinuke_bench.secrets import shown_url

_CONNECT_SECONDS = 1.0
#: Bytes; the features of the largest data sets take about a tenth.
_LITTLE_SPACE = 2_000_000_000


def examine() -> dict[str, Any]:
    """Versions, devices, threads, bfloat16, caches and reachable services, as one nested record."""
    import torch

    cache = environment.cache_folder()
    return {
        "versions": environment.package_versions(),
        "hardware": environment.hardware(),
        "threads": {
            "torch": torch.get_num_threads(),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
            "default per run": 1,
        },
        "bfloat16": _bfloat16(),
        "cache": {"folder": shown_url(str(cache)), "bytes": _size(cache), "free_bytes": _free(cache)},
        "data": {"ATINUKE_DATA": None if (data := os.environ.get("ATINUKE_DATA")) is None else shown_url(data)},
        "faster": _advice(),
        **({"plug-ins not listed": lines} if (lines := environment.misplaced_plugins()) else {}),
        "services": {
            "W&B": _reach(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")),
            "Hugging Face Hub": _reach(os.environ.get("HF_ENDPOINT", "https://huggingface.co")),
        },
    }


def _bfloat16() -> str:
    if environment.gpu_has_bfloat16():
        return "in hardware of the GPU; runs use it"
    if environment.processor_has_bfloat16():
        return "in hardware of the processor; runs use float32 unless training.precision=bfloat16"
    return "emulated; runs use float32"


def _advice() -> list[str]:
    """What would make runs faster on this machine, a line each."""
    import torch

    found = [line] if (line := environment.unused_gpu()) is not None else []
    num_cores = os.cpu_count() or 1
    if not torch.cuda.is_available():
        if not found:
            found.append("no GPU was found; `plan SUITE` says beforehand how long a suite takes here")
        if num_cores > 1:
            found.append(
                f"`run` takes one of {num_cores} cores unless --threads or --devices says more; suites take all"
            )
        if environment.processor_has_bfloat16():
            found.append(
                "--set training.precision=bfloat16 is faster from preset mini on, and slower for smaller cores"
            )
    if (free := _free(environment.cache_folder())) is not None and free < _LITTLE_SPACE:
        found.append("the cache's disk is nearly full: features that it cannot keep are made anew for every run")
    return found


def _reach(url: str) -> str:
    """Whether a connection to the service opens within a second; nothing is sent. Credentials are not shown."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return f"no address: {shown_url(url)}"
    place = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_SECONDS):
            return f"reachable at {place}"
    except OSError as error:
        return f"not reachable at {place} ({error.strerror or error})"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _free(folder: Path) -> int | None:
    existing = next((place for place in (folder, *folder.parents) if place.exists()), None)
    return shutil.disk_usage(existing).free if existing is not None else None
