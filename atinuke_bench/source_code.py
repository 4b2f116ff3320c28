"""Which code a result came from: digests of the modules that its task, its core and training are made of.

They are no part of a run's identity, since most changes of code change no result; the manifest keeps them, and who
finds a finished run is told what has changed since. Modules are found and read, not imported. What counts of a module
is what it does: comments, docstrings and layout do not. Import statements are followed into this package and into the
plug-in's own distribution or source folder; data files and modules imported by a computed name are not watched.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path

from atinuke_bench import registry
from atinuke_bench.errors import RunFolderError, UnknownNameError
from atinuke_bench.files import read_json, sha256_json

_OURS = "atinuke_bench"
#: What every run goes through, whatever its task and core.
_TRAINING = f"{_OURS}.training.train"
#: Modules of this package that decide what readers see, and no figure.
_FOR_READERS = ("show", "display", "example_texts")
#: So many modules a message names.
_MOST_NAMED = 3


@dataclass(frozen=True)
class SourceCode:
    """Digests of modules by name: of what each does, and of its text, which can be compared without parsing it."""

    modules: dict[str, str]
    texts: dict[str, str]


def code_of_run(task: str, core: str) -> SourceCode:
    """The code that determines a run's result."""
    modules = _code_of(_roots(task, core), _packages("tasks", task) | _packages("cores", core))
    return SourceCode(modules, {name: _digest(_source(name)) for name in modules})


@cache
def digest_of_task(task: str) -> str:
    """One digest of all code that makes a task's rows."""
    return sha256_json(_code_of(registry.modules_of_task(task), _packages("tasks", task)))[:16]


def digest_of_module(name: str) -> str:
    """The digest of one module, without what it imports."""
    return _read(name)[0]


def changed_modules(before: SourceCode | None, task: str, core: str) -> list[str]:
    """The modules that are no longer what a run was trained with, those of plug-ins first.

    None where that cannot be told: nothing was recorded, or the plug-in is not installed.
    """
    if before is None:
        return []
    try:
        added = [name for name in _roots(task, core) if name not in before.modules and _source(name) is not None]
    except UnknownNameError:
        return []
    changed = [name for name, digest in before.modules.items() if not _is_same(name, digest, before.texts.get(name))]
    return sorted({*added, *changed}, key=lambda name: (name.partition(".")[0] == _OURS, name))


def code_note(file: Path, task: str, core: str) -> str | None:
    """What to say of a run whose code, as `file` records it, is not today's; None where it is the same."""
    changed = changed_modules(recorded_code(file), task, core)
    return f"finished earlier with other code ({names_of(changed)}); --rerun trains it again" if changed else None


def names_of(modules: list[str]) -> str:
    """The first few of some modules, for a message.

    >>> names_of(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(modules) - _MOST_NAMED} more" if len(modules) > _MOST_NAMED else ""
    return ", ".join(modules[:_MOST_NAMED]) + more


def recorded_code(file: Path) -> SourceCode | None:
    """The code that a run's manifest, or the card of an exported run, keeps; None where it keeps none."""
    try:
        record = read_json(file)["code"]
        # Earlier runs recorded the top of the package too, from which no figure comes.
        modules, texts = (
            {name: record[kind][name] for name in record[kind] if name != _OURS} for kind in ("modules", "texts")
        )
        return SourceCode(modules, texts)
    except (RunFolderError, KeyError, TypeError, ValueError):
        return None


def code_of_resumed(before: SourceCode | None, now: SourceCode) -> SourceCode | None:
    """The code of a run that goes on: of a module that has changed both digests, which no other run has.

    None where it is not known what the run began with.

    >>> code_of_resumed(SourceCode({"a": "1", "b": "1"}, {}), SourceCode({"a": "1", "b": "2"}, {})).modules
    {'a': '1', 'b': '1, then 2'}
    """
    if before is None:
        return None
    modules = {
        name: now.modules[name]
        if before.modules.get(name) == now.modules.get(name)
        else f"{before.modules.get(name)}, then {now.modules.get(name)}"
        for name in {**before.modules, **now.modules}
    }
    return SourceCode(modules, {name: text for name, text in now.texts.items() if modules[name] == now.modules[name]})


def _roots(task: str, core: str) -> list[str]:
    return [*registry.modules_of_task(task), registry.module_of("cores", core), _TRAINING]


def _packages(kind: str, name: str) -> set[str]:
    """The top-level packages and modules that the code of a task or core may lie in.

    A plug-in that is used from its source folder, as an editable one is, lists no files; what lies beside it counts.
    """
    packages = registry.packages_of(kind, name)
    own = registry.module_of(kind, name).partition(".")[0]
    spec = _find(own)
    if own != _OURS and spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent if spec.submodule_search_locations is None else Path(spec.origin).parents[1]
        if folder.is_dir() and folder.name not in ("site-packages", "dist-packages"):
            packages |= {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"}
    return packages


def _code_of(modules: Iterable[str], packages: set[str]) -> dict[str, str]:
    """The digests of some modules and of all that they import, directly or not, from some packages."""
    waiting, code = list(modules), {}
    while waiting:
        name = waiting.pop()
        if name in code or name.partition(".")[0] not in packages or _source(name) is None or _only_carries(name):
            continue
        code[name], imported = _read(name)
        # A module comes with the packages that it lies in.
        waiting += [name.rpartition(".")[0], *imported]
    return code


def _only_carries(name: str) -> bool:
    """Whether no figure comes from a module: it shows answers, or is one of errors, names and files at the top.

    So does the top itself: what it offers to Python leads to every room, and no room is reached through it.
    """
    if name == _OURS:
        return True
    spec = _find(name)
    if name.partition(".")[0] == _OURS and name.rpartition(".")[2] in _FOR_READERS:
        return True
    return name.rpartition(".")[0] == _OURS and (spec is None or spec.submodule_search_locations is None)


def _is_same(name: str, digest: str, text: str | None) -> bool:
    source = _source(name)
    return source is not None and (_digest(source) == text or digest_of_module(name) == digest)


@cache
def _read(name: str) -> tuple[str, tuple[str, ...]]:
    """A module's digest, and the names that it imports, some of which may be no modules."""
    source, spec = _source(name), _find(name)
    try:
        tree = ast.parse(source if isinstance(source, str) else "")
    # A module that cannot be parsed is one that nothing has imported so far.
    except (SyntaxError, ValueError):
        return _digest(source), ()
    if not isinstance(source, str):  # it is compiled
        return _digest(source), ()
    is_package = spec is not None and spec.submodule_search_locations is not None
    imported = tuple(_imported(tree, name if is_package else name.rpartition(".")[0]))
    return _digest(ast.unparse(_WithoutText().visit(tree))), imported


@cache
def _source(name: str) -> str | bytes | None:
    """A module's text, or its bytes where it is compiled; None where there is no such module or it has no file."""
    spec = _find(name)
    get_data = getattr(spec and spec.loader, "get_data", None)
    if spec is None or spec.origin is None or get_data is None:
        return None
    try:
        data: bytes = get_data(spec.origin)
    except OSError:
        return None
    try:
        return importlib.util.decode_source(data) if spec.origin.endswith(".py") else data
    except (SyntaxError, UnicodeDecodeError):  # of a wrong encoding
        return data


@cache
def _find(name: str) -> ModuleSpec | None:
    """Where a module lies. Unlike `importlib.util.find_spec` this imports no package on the way."""
    if not name:
        return None
    path = None
    package, _, last = name.rpartition(".")
    if package:
        parent = _find(package)
        if parent is None or parent.submodule_search_locations is None:
            return None
        path = list(parent.submodule_search_locations)
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)
        except KeyError:  # a namespace inside of one that is not imported
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(Path(entry, last)) for entry in path or ()]
        if spec is not None:
            return spec
    return None


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Every name that a module imports, wherever in it, absolutely."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            origin = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*origin, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


class _WithoutText(ast.NodeTransformer):
    """Drops docstrings and other texts that are statements; they do nothing."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node


def _digest(source: str | bytes | None) -> str:
    data = source.encode(errors="surrogatepass") if isinstance(source, str) else source or b""
    return hashlib.sha256(data).hexdigest()[:16]
