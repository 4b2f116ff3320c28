"""What a run ran on: versions, commit, processor, memory. Read once for a manifest; printed by `doctor`."""

from __future__ import annotations

import getpass
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from difflib import SequenceMatcher
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distributions, version
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from atinuke_bench.errors import nearest

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

#: The package that this is part of.
OURS = "atinuke_bench"
#: The groups of entry points by which plug-ins make tasks and cores known.
GROUPS = (f"{OURS}.tasks", f"{OURS}.cores")
#: How like one of ours another group is where it is meant to be it.
_ALIKE = 0.85
#: In a checkout these lie beside the package that they are installed in.
_BESIDE = ("tasks", "sweeps", "reports")
#: Characters of a diff that a manifest keeps.
_MOST_DIFF = 100_000


def package_versions() -> dict[str, str | None]:
    """Installed versions of the packages that a result may depend on; None where one is not installed.

    torch's version includes its build (`2.13.0+cpu`), which the installed metadata may leave out.
    """
    import torch

    return {**{name: _version(name) for name in PACKAGES}, "torch": str(torch.__version__)}


def misplaced_plugins() -> list[str]:
    """A line for each entry point of a plug-in in a group that is nearly one of ours, which nothing reads.

    Only the metadata of installed packages is read.
    """
    lines = []
    for point in (one for package in distributions() for one in package.entry_points):
        near = nearest(point.group.lower().replace("-", "_"), GROUPS)
        is_meant = point.group.startswith("atinuke") or SequenceMatcher(None, point.group, near or "").ratio() > _ALIKE
        if near is not None and point.group not in GROUPS and is_meant:
            owner = "a plug-in" if point.dist is None else f"{point.dist.name} {point.dist.version}"
            rule = f"nothing reads the group {point.group!r} of its entry point"
            lines.append(f"{point.name!r} of {owner}: {rule}; nearest: {near!r}")
    return sorted(set(lines))


def git_state(module: str = OURS) -> dict[str, str | None]:
    """Commit and uncommitted diff of the checkout that a module's code is tracked in; all None where there is none.

    A repository that merely encloses an installation, as that of a paper encloses a virtual environment, is not asked:
    its changes say nothing of the code, and are its owner's. Of a checkout's changes only those of the module's own
    package are told. `$ATINUKE_GIT_DIFF=off` leaves them out.
    """
    root = module.partition(".")[0]
    spec = importlib.util.find_spec(root)
    nothing: dict[str, str | None] = {"commit": None, "diff": None}
    if spec is None or spec.origin is None:
        return nothing
    file = Path(spec.origin).resolve()
    is_package = spec.submodule_search_locations is not None
    folder = file.parent.parent if is_package else file.parent
    if _git(folder, "ls-files", "--error-unmatch", "--", str(file)) is None:
        return nothing
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None or os.environ.get("ATINUKE_GIT_DIFF") == "off":
        return {"commit": commit, "diff": None}
    own = [root, *_BESIDE] if root == OURS else [root if is_package else file.name]
    diff = _git(folder, "diff", "HEAD", "--", *own) or ""
    if len(diff) > _MOST_DIFF:
        diff = f"{diff[:_MOST_DIFF]}\n({len(diff)} characters, cut here; sha256 {sha256(diff.encode()).hexdigest()})"
    return {"commit": commit, "diff": diff}


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


def unused_gpu() -> str | None:
    """What to do where the machine has a GPU that this installation of torch cannot use; None where nothing is lost."""
    if not _has_nvidia_driver():
        return None
    import torch

    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None and torch.version.hip is None:
        why = f"torch {torch.__version__} is built for processors alone: install its build for CUDA"
    else:
        why = "torch finds none: see whether `nvidia-smi` works here, and what CUDA_VISIBLE_DEVICES says"
    return f"this machine has an NVIDIA GPU that is not used; {why}"


def _has_nvidia_driver() -> bool:
    return Path("/proc/driver/nvidia/version").exists()


def fit_surroundings() -> None:
    """Let commands work where the system gives them less than usual, as containers and batch systems do.

    What the terminal's encoding lacks is shown as `?`. A user without a home gets one among the temporary files, since
    libraries would make a folder called `~`; a user without a name is called by number.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(Path(tempfile.gettempdir()) / f"atinuke-bench-{os.getuid()}")
    try:
        getpass.getuser()
    except (OSError, KeyError):  # KeyError before Python 3.13
        os.environ["USER"] = f"user-{os.getuid()}"


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
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="backslashreplace").strip() if done.returncode == 0 else None


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
