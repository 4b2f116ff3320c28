"""A seeded sample of what `benchmarks/suite_kills.py` does to suites at length, and what its checks find."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

CHECKED = """
import shutil, sys
from pathlib import Path
from atinuke_bench.run_folder import find_runs
from chaos.stores import Store, differences

undisturbed = Store(Path(sys.argv[1]) / "undisturbed", "")
def found(change):
    store = Store(Path(sys.argv[1]) / "copy", "")
    shutil.copytree(undisturbed.root, store.root)
    change(find_runs(store.runs)[0])
    print(*[line.partition(": ")[2] or line.split()[-1] for line in differences(store, undisturbed)], sep="; ")
    shutil.rmtree(store.root)
others = find_runs(undisturbed.runs)[-1]
found(lambda run: None)
found(lambda run: shutil.copy(others.predictions, run.predictions))
found(lambda run: shutil.copy(others.best_checkpoint, run.best_checkpoint))
found(lambda run: run.failure.write_text("{}"))
found(lambda run: run.result.unlink())
found(lambda run: shutil.rmtree(run.path))
found(lambda run: (run.path / ".a.json.x.part").touch())
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes through /proc")
def test_a_suite_under_fire_ends_as_the_undisturbed_one(tmp_path):
    asked = ["--kills", "3", "--each", "3", "--damages", "2", "--out", tmp_path]
    done = subprocess.run([sys.executable, BENCHMARKS / "suite_kills.py", *asked], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-500:]
    assert done.stdout.count(" none\n") >= 3, "a store that was struck, and two with a damaged file"
    assert any(line.split() == ["in", "all", "3"] for line in done.stdout.splitlines())
    assert "whole: every store equals the undisturbed one" in done.stdout
    code = [sys.executable, "-c", CHECKED, tmp_path]
    found = subprocess.run(code, cwd=BENCHMARKS, capture_output=True, text=True, check=True).stdout.splitlines()
    assert found == [
        "",
        "other predictions",
        "other weights",
        "a failure is filed beside the result",
        "not finished",
        "lost",
        found[-1],
    ]
    assert found[-1].endswith(".a.json.x.part")
