"""What a run ran on: versions, commit, processor, memory. Read once for a manifest; printed by `doctor`."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "atinuke-bench",
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "datasets",
    "tokenizers",
    "transformers",
    "numpy",
    "scipy",
    "pandas",
    "optuna",
    "wandb",
)


def package_versions() -> dict[str, str | None]:
    """Installed versions of the packages that a result may depend on; None where one is not installed.

    torch's version includes its build (`2.13.0+cpu`), which the installed metadata may leave out.
    """
    import torch

    return {**{name: _version(name) for name in PACKAGES}, "torch": str(torch.__version__)}


def git_state(folder: Path | None = None) -> dict[str, str | None]:
    """Commit and uncommitted diff of the checkout the code runs from; all None outside a checkout."""
    folder = folder or Path(__file__).resolve().parent
    commit = _git(folder, "rev-parse", "HEAD")
    return {"commit": commit, "diff": _git(folder, "diff", "HEAD") if commit else None}


def hardware() -> dict[str, Any]:
    """Processor, cores, memory in bytes, and accelerators as torch sees them."""
    import torch

    return {
        "machine": platform.machine(),
        "processor": _processor_name(),
        "num_cores": os.cpu_count(),
        "memory_bytes": _memory_bytes(),
        "accelerators": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "mps": torch.backends.mps.is_available(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def gpu_has_bfloat16() -> bool:
    """True where there is a GPU that does bfloat16 matrix products in hardware."""
    import torch

    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def processor_has_bfloat16() -> bool:
    """True where the processor does bfloat16 matrix products in hardware; elsewhere torch emulates them, slowly."""
    flags = _processor_flags()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def cache_folder() -> Path:
    """Where tokenizers and encoded features are kept: `$ATINUKE_CACHE`, or a folder under the user's cache."""
    if place := os.environ.get("ATINUKE_CACHE"):
        return Path(place)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atinuke-bench"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _processor_name() -> str:
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _processor_flags() -> set[str]:
    for line in _cpuinfo():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
