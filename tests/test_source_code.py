"""Which changes of code are noticed: plug-ins on disk, found by their entry points and never imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from atinuke_bench.run_folder import RunFolder
from atinuke_bench.source_code import changed_modules, code_note, code_of_resumed, code_of_run, digest_of_task

FILES = {
    "mine/__init__.py": "",
    "mine/core.py": """
from torch import nn
from .layers import double

class MyCore(nn.Module):
    '''A core.'''

    def forward(self, x):
        '''Twice.'''
        return double(x)
""",
    "mine/layers.py": "def double(x):\n    from mine.lazy import factor\n    return factor() * x\n",
    "mine/lazy.py": "def factor():\n    return 2\n",
    "mine/task.py": "from mine import rows\nMY_TASK = rows.make\n",
    "mine/rows.py": "import numpy\nfrom atinuke_bench.data.features import Encoded\n\ndef make(x):\n    return [x]\n",
    "mine/unused.py": "NUMBER = 1\n",
    # A plug-in may also be modules without a package.
    "solo.py": "import solo_parts\n\nclass Solo:\n    size = solo_parts.SIZE\n",
    "solo_parts.py": "SIZE = 3\n",
    "elsewhere.py": "SIZE = 4\n",
}
INSTALLED = {
    "mine-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n",
    "mine-1.0.dist-info/entry_points.txt": """
[atinuke_bench.tasks]
my-task = mine.task:MY_TASK
[atinuke_bench.cores]
my-core = mine.core:MyCore
""",
    "solo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: solo\nVersion: 1.0\n",
    "solo-1.0.dist-info/entry_points.txt": "[atinuke_bench.cores]\nsolo = solo:Solo\n",
    "solo-1.0.dist-info/top_level.txt": "solo\nsolo_parts\n",
}
READ = """
import json, sys
from atinuke_bench.source_code import code_of_run, digest_of_task
code = code_of_run("my-task", sys.argv[1])
assert not {"torch", "mine", "solo"} & sys.modules.keys()
print(json.dumps({"code": code, "rows": digest_of_task("my-task")}))
"""


@pytest.fixture
def read(tmp_path):
    """`read(core)`: code and rows as a fresh process finds them."""
    for name, text in {**FILES, **INSTALLED}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def call(core="my-core"):
        command = [sys.executable, "-c", READ, core]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)

    return call


def test_what_determines_a_result_is_the_plug_in_and_what_it_imports_from_its_package(read):
    names = read()["code"].keys()
    assert {"mine", "mine.core", "mine.layers", "mine.lazy", "mine.task", "mine.rows"} <= names
    assert {"atinuke_bench.training.train", "atinuke_bench.data.features"} <= names
    assert not {"mine.unused", "numpy", "torch", "elsewhere"} & names
    assert not any(name.startswith(("atinuke_bench.reports", "atinuke_bench.tasks")) for name in names)
    assert {"solo", "solo_parts"} <= read("solo")["code"].keys()


@pytest.mark.parametrize(
    ("file", "old", "new", "changes_rows"),
    [
        ("mine/core.py", "return double(x)", "return double(x) + 1", False),
        ("mine/layers.py", "* x", "+ x", False),
        ("mine/lazy.py", "return 2", "return 3", False),
        ("mine/rows.py", "return [x]", "return [x, x]", True),
        ("mine/task.py", "rows.make", "rows", True),
    ],
)
def test_a_changed_line_is_noticed_where_it_matters(read, tmp_path, file, old, new, changes_rows):
    before = read()
    (tmp_path / file).write_text(FILES[file].replace(old, new))
    after = read()
    assert changed_modules(before["code"], after["code"]) == [file.removesuffix(".py").replace("/", ".")]
    assert (before["rows"] != after["rows"]) == changes_rows


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'''Twice.'''", "'''Two times.'''"),
        ("        '''Twice.'''\n", ""),
        ("    '''A core.'''\n", "    # A core.\n"),
        ("return double(x)", "return double(\n            x,\n        )  # twice"),
    ],
)
def test_a_docstring_a_comment_and_layout_are_not(read, tmp_path, old, new):
    before = read()
    (tmp_path / "mine/core.py").write_text(FILES["mine/core.py"].replace(old, new))
    assert read() == before


def test_modules_beside_a_module_are_watched_and_strangers_are_not(read, tmp_path):
    before = read("solo")["code"]
    (tmp_path / "elsewhere.py").write_text("SIZE = 5\n")
    (tmp_path / "mine/unused.py").write_text("NUMBER = 2\n")
    assert read("solo")["code"] == before
    (tmp_path / "solo_parts.py").write_text("SIZE = 4\n")
    assert changed_modules(before, read("solo")["code"]) == ["solo_parts"]


def test_a_core_s_code_is_no_other_core_s_and_no_task_s():
    assert "atinuke_bench.core.bilstm" in code_of_run("snli", "bilstm")
    assert "atinuke_bench.core.bilstm" not in code_of_run("snli", "majority")
    assert "atinuke_bench.tasks.srl.model" not in code_of_run("snli", "bilstm")
    assert digest_of_task("snli") != digest_of_task("srl")


def test_a_finished_run_says_what_has_changed(tmp_path):
    folder = RunFolder(tmp_path)
    assert code_note(folder, "snli", "bilstm") is None  # no manifest, which `verify` finds
    code = code_of_run("snli", "bilstm")

    def note(**changes):
        folder.manifest.write_text(json.dumps({"code": {**code, **changes}}))
        return code_note(folder, "snli", "bilstm")

    assert note() is None
    assert "other code (mine.core); run and suite" in note(**{"mine.core": "0"})
    many = note(**{f"mine.part{number}": "0" for number in range(5)})
    assert "(mine.part0, mine.part1, mine.part2 and 2 more)" in many
    assert note(**code_of_resumed({**code, "mine.core": "0"}, code)) is not None
    folder.manifest.write_text("{}")
    assert "which its manifest does not name" in str(code_note(folder, "snli", "bilstm"))
