"""The rules of the house: who may import whom, which packages are declared, what loads without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "atinuke_bench"
#: Folder of each room; the product folders at the top level are packages of atinuke_bench too.
FOLDERS = {"tasks": ROOT / "tasks", "sweeps": ROOT / "sweeps", "reports": ROOT / "reports"}

#: What each room may import of the package. Modules directly in `atinuke_bench` stand under their own names.
_BASE = {
    "errors",
    "secrets",
    "files",
    "locks",
    "formatting",
    "registry",
    "config",
    "sealed",
    "run_folder",
    "evaluation_folder",
    "attention_file",
    "records",
    "study_records",
    "predictions",
    "examples",
    "step_record",
    "selection_record",
    "environment",
    "source_code",
}
_PARTS = {"core", "data", "metrics", "heads", "microworld"}
ALLOWED: dict[str, set[str]] = {
    "__init__": {"api"},
    "__main__": {"cli"},
    "secrets": set(),
    "wandb_settings": set(),
    "errors": {"formatting", "secrets"},
    "registry": {"errors"},
    "config": {"config", "errors", "files", "registry"},
    "files": {"errors"},
    "environment": {"errors"},
    "locks": set(),
    "sealed": {"files"},
    "run_folder": {"errors", "config", "files", "locks", "records", "sealed"},
    "evaluation_folder": {"errors", "config", "files", "records", "run_folder", "sealed"},
    "attention_file": {"errors", "files", "records", "run_folder", "sealed"},
    "records": {"errors"},
    "study_records": {"records"},
    "parquet": {"errors", "files"},
    "predictions": {"files", "parquet"},
    "examples": {"files", "parquet", "run_folder"},
    "step_record": {"files", "parquet"},
    "selection_record": {"files", "parquet"},
    "source_code": {"errors", "files", "registry", "run_folder"},
    "core": {"core"} | _BASE,
    "data": {"data"} | _BASE,
    "microworld": {"microworld", "data"} | _BASE,
    "metrics": {"metrics"} | _BASE,
    "diagnosis": {"diagnosis"} | _BASE,
    "heads": {"heads", "core"} | _BASE,
    "training": {"training"} | _PARTS | _BASE,
    "sentences": {"sentences", "training"} | _PARTS | _BASE,
    "tasks": {"tasks", "sentences", "training"} | _PARTS | _BASE,
    "runs": {"runs", "wandb_settings", "training", "tasks"} | _PARTS | _BASE,
    "testing": {"training"} | _PARTS | _BASE,
    "sweeps": {"sweeps", "runs", "training"} | _PARTS | _BASE,
    "reports": {"reports", "wandb_settings", "metrics", "formatting", "diagnosis"} | _BASE,
    "formatting": set(),
    "console": {"formatting"},
    "study_tables": {"console", "formatting", "study_records"},
    "api": {"api", "core", "runs", "sweeps", "reports", "training"} | _BASE,
    "cli": {
        "cli",
        "diagnosis",
        "runs",
        "sweeps",
        "reports",
        "training",
        "console",
        "study_tables",
        "formatting",
        "__init__",
    }
    | _PARTS
    | _BASE,
}


def _sources() -> list[tuple[str, Path]]:
    """Room and path of every module of the package."""
    found = []
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).parts
        found.append((parts[0] if len(parts) > 1 else path.stem, path))
    for room, folder in FOLDERS.items():
        found += [(room, path) for path in sorted(folder.rglob("*.py"))]
    return found


def _imports(path: Path) -> set[str]:
    """Every module that a file imports, absolutely named."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = [*_package_of(path)[: len(_package_of(path)) - node.level + 1]] if node.level else []
            module = ".".join([*origin, *filter(None, [node.module])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def _package_of(path: Path) -> tuple[str, ...]:
    parts = path.parent.relative_to(ROOT).parts
    return parts if parts[0] == PACKAGE else (PACKAGE, *parts)


def _room_of(module: str) -> str | None:
    if module.split(".")[0] != PACKAGE:
        return None
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else "__init__"
    is_room = (ROOT / PACKAGE / name).is_dir() or (ROOT / PACKAGE / f"{name}.py").exists() or name in FOLDERS
    return name if is_room else "__init__"


@pytest.mark.parametrize(("room", "path"), _sources(), ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_imports_only_what_its_room_may(room, path):
    for module in _imports(path):
        target = _room_of(module)
        assert target is None or target in ALLOWED[room], f"{path}: {room} may not import {module}"


@pytest.mark.parametrize(("room", "path"), _sources(), ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_never_mixes_the_two_lightning_packages(room, path):
    assert not {name for name in _imports(path) if name.split(".")[0] in ("lightning", "lightning_fabric")}


def test_a_generic_name_is_never_imported_bare():
    for _, path in _sources():
        assert not {name for name in _imports(path) if name.split(".")[0] in FOLDERS}, path


def test_declared_packages_are_those_in_the_tree():
    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / PACKAGE).rglob("__init__.py")
        if "__pycache__" not in path.parts
    }
    for room, folder in FOLDERS.items():
        there |= {
            ".".join((PACKAGE, room, *path.parent.relative_to(folder).parts)) for path in folder.rglob("__init__.py")
        }
    assert declared == there


def test_runs_and_reports_name_no_task():
    for room, path in _sources():
        if room in ("runs", "reports"):
            assert not {name for name in _imports(path) if name.startswith(f"{PACKAGE}.tasks")}, path


def test_no_import_cycle():
    modules = {_module_of(room, path): path for room, path in _sources()}
    graph = {}
    for module, path in modules.items():
        named = _imports(path)
        # `from package import name` names a module of it, or something that the module before the last dot defines.
        graph[module] = {name if name in modules else name.rpartition(".")[0] for name in named} & modules.keys()
        graph[module].discard(module)
    list(TopologicalSorter(graph).static_order())  # CycleError names the modules


def _everything() -> list[Path]:
    """All Python files of the project."""
    beside = (
        path for folder in ("tests", "benchmarks", "docs/_ext", "examples") for path in (ROOT / folder).rglob("*.py")
    )
    return sorted([*(path for _, path in _sources()), *beside])


@pytest.mark.parametrize("path", _everything(), ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_are_small(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400, "a file of over 400 lines has a second noun in it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{node.name} has over 60 lines"


#: Files that a family's folder may have, the same in each; every other file is a noun of that family alone.
SHAPE = {
    "__init__",
    "task",
    "data",
    "files",
    "rows",
    "model",
    "decode",
    "metric",
    "show",
    "floor",
    "slices",
    "inputs",
    "links",
    "submission",
}
#: Folders of tasks; one that holds declarations alone is no family.
FAMILIES = sorted(path.parent.name for path in FOLDERS["tasks"].glob("*/__init__.py"))


def test_every_family_has_one_shape():
    names = {family: {path.stem for path in (FOLDERS["tasks"] / family).glob("*.py")} for family in FAMILIES}
    for family, own in names.items():
        assert {"__init__", "task", "metric"} <= own, family
    nouns = Counter(name for own in names.values() for name in own - SHAPE)
    assert not [noun for noun, count in nouns.items() if count > 1], "a noun of two families belongs to the shape"
    assert not list(FOLDERS["tasks"].glob("[!_]*.py")), "a module beside the families' folders"


#: Families made of others: long-range is SQuAD with other data, SuperGLUE has a metric of multiple choice.
MADE_OF = {("long_range", "squad"), ("superglue", "choice")}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_imports_no_other(family):
    for path in (FOLDERS["tasks"] / family).glob("*.py"):
        for name in _imports(path):
            if not name.startswith(f"{PACKAGE}.tasks."):
                continue
            _, _, other, *rest = name.split(".")
            # A family may read another's official format.
            assert other == family or rest[:1] == ["files"] or (family, other) in MADE_OF, path


def test_a_tasks_metric_is_found_without_its_model():
    code = (
        "import sys; from atinuke_bench import registry; names = registry.task_names();"
        "found = {name: registry.metrics_of(name) for name in names};"
        "assert 'torch' not in sys.modules;"
        "assert all(registry.load_task(name).metric is found[name][0] for name in names)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "statement",
    [
        "sys.argv = ['atinuke-bench', '--help']; import atinuke_bench.cli as cli; cli.app(standalone_mode=False)",
        "import atinuke_bench.config, atinuke_bench.run_folder, atinuke_bench.registry, atinuke_bench.source_code",
        "import atinuke_bench.metrics.classification, atinuke_bench.tasks.squad.metric, "
        "atinuke_bench.tasks.coref.metric",
        "import atinuke_bench.reports.writing.render, atinuke_bench.reports.pairwise",
    ],
)
def test_loads_without_torch(statement):
    code = f"import sys; {statement}; assert 'torch' not in sys.modules and 'pytorch_lightning' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("statement", "kept_out"),
    [
        # What shows or compares finished runs answers at once: each of these takes a second or more to load.
        ("import atinuke_bench.reports.pairwise", {"torch", "scipy.stats", "datasets", "matplotlib", "optuna"}),
        ("import atinuke_bench.cli, atinuke_bench.console, atinuke_bench.run_folder", {"torch", "pandas", "scipy"}),
    ],
)
def test_what_shows_finished_runs_loads_nothing_slow(statement, kept_out):
    code = f"import sys; {statement}; assert not {kept_out!r} & sys.modules.keys(), {kept_out!r} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


#: Modules that stand for an extra: the registry says which package is missing where one of them is asked for.
BEHIND_AN_EXTRA = {"atinuke_bench.core.pretrained"}


def test_every_module_loads_without_the_extras():
    extras = ("ray", "optuna_dashboard", "psycopg", "pymysql")
    names = sorted({_module_of(room, path) for room, path in _sources() if path.stem != "__main__"} - BEHIND_AN_EXTRA)
    code = (
        f"import importlib, sys; sys.modules.update(dict.fromkeys({extras!r}))\n"
        f"for name in {names!r}: importlib.import_module(name)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _module_of(room: str, path: Path) -> str:
    folder = FOLDERS.get(room, ROOT / PACKAGE)
    parts = (PACKAGE, *([room] if room in FOLDERS else []), *path.relative_to(folder).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")
