"""Which code a result came from: a digest of every module that its task, its core and training are made of.

It is no part of a run's identity, since most changes of code change no result; the manifest keeps it, and who finds a
finished run is told what has changed since. Modules are found and read, not imported. What counts of a module is what
it does: comments, docstrings and layout do not.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec

from atinuke_bench import registry
from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import read_json, sha256_json
from atinuke_bench.run_folder import RunFolder

#: What every run goes through, whatever its task and core.
_TRAINING = "atinuke_bench.training.train"
#: So many modules a message names.
_MOST_NAMED = 3


def code_of_run(task: str, core: str) -> dict[str, str]:
    """The digest of every module that determines a run's result, by name."""
    modules = [registry.module_of("tasks", task), registry.module_of("cores", core), _TRAINING]
    return _code_of(modules, registry.packages_of("tasks", task) | registry.packages_of("cores", core))


@cache
def digest_of_task(task: str) -> str:
    """One digest of all code that makes a task's rows."""
    return sha256_json(_code_of([registry.module_of("tasks", task)], registry.packages_of("tasks", task)))[:16]


def digest_of_module(name: str) -> str:
    """The digest of one module, without what it imports."""
    found = _module(name)
    assert found is not None, "a module that is loaded has a source or a file"
    return found[0]


def code_note(folder: RunFolder, task: str, core: str) -> str | None:
    """What to say of a finished run that other code than today's has trained; None where it is the same."""
    if not folder.manifest.exists():
        return None  # for `verify` to say
    before = recorded_code(folder)
    changed = changed_modules(before, code_of_run(task, core))
    if not changed:
        return None
    more = f" and {len(changed) - _MOST_NAMED} more" if len(changed) > _MOST_NAMED else ""
    shown = f"({', '.join(changed[:_MOST_NAMED])}{more})" if before else "(which its manifest does not name)"
    return f"finished earlier with other code {shown}; run and suite train it again with --rerun"


def recorded_code(folder: RunFolder) -> dict[str, str]:
    """The digests that a run's manifest keeps; none where it has no such."""
    try:
        return dict(read_json(folder.manifest)["code"])
    except (RunFolderError, KeyError, TypeError, ValueError):
        return {}


def code_of_resumed(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """The digests of a run that goes on: where the code was another one, both, which is the code of no other run.

    >>> code_of_resumed({"a": "1", "b": "1"}, {"a": "1", "b": "2"})
    {'a': '1', 'b': '1, then 2'}
    """
    names = [*before, *(name for name in now if name not in before)]
    return {
        name: now[name] if before.get(name) == now.get(name) else f"{before.get(name)}, then {now.get(name)}"
        for name in names
    }


def changed_modules(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The modules that differ, those of plug-ins first.

    >>> changed_modules({"atinuke_bench.a": "1", "mine.b": "1"}, {"atinuke_bench.a": "2", "mine.b": "2", "mine.c": "1"})
    ['mine.b', 'mine.c', 'atinuke_bench.a']
    """
    changed = [name for name in {*before, *now} if before.get(name) != now.get(name)]
    return sorted(changed, key=lambda name: (name.startswith("atinuke_bench."), name))


def _code_of(modules: Iterable[str], packages: set[str]) -> dict[str, str]:
    """The digests of some modules and of all that they import, directly or not, from some packages."""
    waiting, code = list(modules), {}
    while waiting:
        name = waiting.pop()
        if name in code or name.partition(".")[0] not in packages or (found := _module(name)) is None:
            continue
        code[name], imported = found
        # A module comes with the packages that it lies in.
        waiting += [name.rpartition(".")[0], *imported]
    return code


@cache
def _module(name: str) -> tuple[str, tuple[str, ...]] | None:
    """A module's digest, and the names that it imports, some of which may be no modules; None where there is none."""
    spec = _find(name)
    if spec is None or spec.origin is None:
        return None
    get_source = getattr(spec.loader, "get_source", None)
    source = None if get_source is None else get_source(name)
    if source is None:  # it is compiled
        with open(spec.origin, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16], ()
    try:
        tree = ast.parse(source)
    except SyntaxError:  # of a module that nothing has imported so far
        return _short_digest(source), ()
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    imported = tuple(_imported(tree, package))
    return _short_digest(ast.unparse(_WithoutText().visit(tree))), imported


@cache
def _find(name: str) -> ModuleSpec | None:
    """Where a module lies. Unlike `importlib.util.find_spec` this imports no package on the way."""
    if not name:
        return None
    path = None
    if package := name.rpartition(".")[0]:
        parent = _find(package)
        if parent is None or parent.submodule_search_locations is None:
            return None
        path = list(parent.submodule_search_locations)
    found = (finder.find_spec(name, path) for finder in sys.meta_path)
    return next((spec for spec in found if spec is not None), None)


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


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
