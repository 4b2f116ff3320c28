"""Damaged files of every kind: a seeded sample of what `benchmarks/fuzz.py` carries out at length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
#: Readers of data and YAML; those of stores need trained runs, and are fuzzed by hand.
SAMPLE = ("score:*", "suite.yaml", "space.yaml", "declared:*", "overrides")


def test_a_sample_of_damaged_files_is_refused_in_short_lines(tmp_path):
    command = [sys.executable, BENCHMARKS / "fuzz.py", "--folder", tmp_path, "--count", "3", "--only", *SAMPLE]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr[-500:]
    assert " 0 findings" in found.stdout


def test_the_fuzzer_finds_what_is_wrong(tmp_path):
    """A reader that fails, one that hangs and one that answers twice: each is a finding of its own kind."""
    code = (
        "import sys; from pathlib import Path; from fuzzing.cases import judge; from fuzzing.targets import Target\n"
        "def fails(root): raise KeyError('x')\n"
        "def takes(root): bytearray(10**13)\n"
        "def talks(root):\n"
        "    from atinuke_bench.errors import DataError\n"
        "    raise DataError('no ' + 'x' * 10)\n"
        "print([judge(Target('t', 'f', call), Path('.')) for call in (fails, takes, talks)])\n"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    assert "KeyError" in found.stdout
    assert "memory" in found.stdout
    assert found.stdout.rstrip().endswith("None]")


@pytest.mark.parametrize("name", ["bits", "aliases", "deep", "value-odd", "key-twice"])
def test_a_change_is_a_function_of_its_seed(name):
    code = (
        "import random; from fuzzing.mutations import CHANGES\n"
        f'print([CHANGES[{name!r}](b\'{{"a": [1, 2], "b": "x"}}\', random.Random(3)) for _ in range(2)][:2])\n'
    )
    first, second = (
        subprocess.run([sys.executable, "-c", code], cwd=BENCHMARKS, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first == second
