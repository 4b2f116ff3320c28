"""Which changes of code are noticed: plug-ins on disk, found by their entry points and never imported."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import asdict

import pytest

from atinuke_bench.source_code import SourceCode, code_note, code_of_resumed, code_of_run, digest_of_task

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
    # Or lie in namespaces, which have no file.
    "lab/cores/wide.py": "from lab.parts.gate import size\n\nclass Wide:\n    size = size\n",
    "lab/parts/gate.py": "size = 1\n",
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
    "lab-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n",
    "lab-1.0.dist-info/entry_points.txt": "[atinuke_bench.cores]\nwide = lab.cores.wide:Wide\n",
}
READ = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from atinuke_bench.source_code import changed_modules, code_of_run, digest_of_task, recorded_code
name, before = sys.argv[1], recorded_code(Path(sys.argv[2]))
code = code_of_run("my-task", name)
told = {"code": asdict(code), "rows": digest_of_task("my-task"), "changed": changed_modules(before, "my-task", name)}
assert not {"torch", "mine", "solo", "lab"} & sys.modules.keys()
print(json.dumps(told))
"""


@pytest.fixture
def read(tmp_path):
    """`read(core)`: the code of a run as a fresh process finds it, and what has changed since the first call."""
    for name, text in {**FILES, **INSTALLED}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)

    def call(core="my-core", place=tmp_path):
        manifest = tmp_path / f"{core}.json"
        environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", READ, core, manifest]
        told = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
        if not manifest.exists():
            manifest.write_text(json.dumps({"code": told["code"]}))
        return told

    return call


def test_what_determines_a_result_is_the_plug_in_and_what_it_imports_from_its_package(read):
    names = read()["code"]["modules"].keys()
    assert {"mine", "mine.core", "mine.layers", "mine.lazy", "mine.task", "mine.rows"} <= names
    assert {"atinuke_bench.training.train", "atinuke_bench.data.features"} <= names
    assert not {"mine.unused", "numpy", "torch", "elsewhere"} & names
    assert not any(name.startswith(("atinuke_bench.reports", "atinuke_bench.tasks")) for name in names)
    assert {"solo", "solo_parts"} <= read("solo")["code"]["modules"].keys()
    assert {"lab.cores.wide", "lab.parts.gate"} <= read("wide")["code"]["modules"].keys()


def test_what_only_carries_errors_names_and_files_is_not_watched(read):
    names = read()["code"]["modules"].keys()
    assert not {"atinuke_bench.errors", "atinuke_bench.registry", "atinuke_bench.source_code"} & names


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
    assert after["changed"] == [file.removesuffix(".py").replace("/", ".")]
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
    after = read()
    assert after["code"]["modules"] == before["code"]["modules"]
    assert (after["rows"], after["changed"]) == (before["rows"], [])


def test_modules_beside_a_module_are_watched_and_strangers_are_not(read, tmp_path):
    before = read("solo")["code"]
    (tmp_path / "elsewhere.py").write_text("SIZE = 5\n")
    (tmp_path / "mine/unused.py").write_text("NUMBER = 2\n")
    assert read("solo")["code"] == before
    (tmp_path / "solo_parts.py").write_text("SIZE = 4\n")
    assert read("solo")["changed"] == ["solo_parts"]
    (tmp_path / "solo_parts.py").unlink()
    assert read("solo")["changed"] == ["solo_parts"]


def test_modules_of_namespaces_are_watched(read, tmp_path):
    read("wide")
    (tmp_path / "lab/parts/gate.py").write_text("size = 2\n")
    assert read("wide")["changed"] == ["lab.parts.gate"]


def test_a_core_that_is_declared_elsewhere_is_another(read, tmp_path):
    read()
    shutil.copy(tmp_path / "mine/core.py", tmp_path / "mine/core2.py")
    points = tmp_path / "mine-1.0.dist-info/entry_points.txt"
    points.write_text(points.read_text().replace("mine.core:", "mine.core2:"))
    assert read()["changed"] == ["mine.core2"]


def test_an_archive_gives_the_digests_of_the_folder_it_was_made_of(read, tmp_path):
    before = read()["code"]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in [*FILES, *INSTALLED]:
            archive.write(tmp_path / name, name)
    told = read(place=tmp_path / "all.zip")
    assert (told["code"], told["changed"]) == (before, [])


def test_compiled_modules_without_source_are_compared_whole(read, tmp_path):
    shutil.copytree(tmp_path / "mine", tmp_path / "built/mine")
    shutil.copytree(tmp_path / "mine-1.0.dist-info", tmp_path / "built/mine-1.0.dist-info")

    def compiled():
        compileall.compile_dir(tmp_path / "built", legacy=True, quiet=1, force=True)
        for source in (tmp_path / "built").rglob("*.py"):
            source.unlink()

    compiled()
    assert {"mine", "mine.core"} <= read(place=tmp_path / "built")["code"]["modules"].keys()
    (tmp_path / "built/mine/core.py").write_text(FILES["mine/core.py"].replace("double(x)", "-double(x)"))
    compiled()
    assert read(place=tmp_path / "built")["changed"] == ["mine.core"]


def test_a_core_s_code_is_no_other_core_s_and_no_task_s():
    assert "atinuke_bench.core.bilstm" in code_of_run("snli", "bilstm").modules
    assert "atinuke_bench.core.bilstm" not in code_of_run("snli", "majority").modules
    assert "atinuke_bench.tasks.srl.model" not in code_of_run("snli", "bilstm").modules
    assert digest_of_task("snli") != digest_of_task("srl")


@pytest.fixture
def note(tmp_path):
    """`note(**changes)`: what is said of a run whose recorded digests differ so from today's."""

    def call(task="snli", core="bilstm", **changes):
        code = asdict(code_of_run("snli", "bilstm"))
        for digests in code.values():
            digests.update(changes)
        (tmp_path / "manifest.json").write_text(json.dumps({"code": code}))
        return code_note(tmp_path / "manifest.json", task, core)

    return call


def test_a_finished_run_says_what_has_changed(note):
    assert note() is None
    assert "other code (mine.core); --rerun trains" in note(**{"mine.core": "0"})
    many = note(**{f"mine.part{number}": "0" for number in range(5)})
    assert "(mine.part0, mine.part1, mine.part2 and 2 more)" in many
    assert "(mine.core, atinuke_bench.training.train)" in note(
        **{"atinuke_bench.training.train": "0", "mine.core": "0"}
    )


def test_what_is_not_known_is_not_said(note, tmp_path):
    path = tmp_path / "manifest.json"
    assert code_note(path, "snli", "bilstm") is None  # no manifest, which `verify` finds
    assert note(core="of a plug-in that is not installed", **{"mine.core": "0"}) is None
    for earlier in ("{}", '{"code": null}', '{"code": {"mine.core": "0"}}', "damaged"):
        path.write_text(earlier)
        assert code_note(path, "snli", "bilstm") is None


def test_a_resumed_run_of_two_codes_is_that_of_no_other():
    now = code_of_run("snli", "bilstm")
    name = "atinuke_bench.core.bilstm"
    before = SourceCode({**now.modules, name: "0"}, {**now.texts, name: "0"})
    both = code_of_resumed(before, now)
    assert both is not None
    assert both.modules[name] == f"0, then {now.modules[name]}"
    assert name not in both.texts
    assert code_of_resumed(None, now) is None
    # Only the text has changed, such as a comment: it is the same code.
    assert code_of_resumed(SourceCode(now.modules, before.texts), now) == now
