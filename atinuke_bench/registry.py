"""Names of tasks and cores, and where they live. Nothing is imported until a name is loaded.

Plug-ins add entry points in the groups `atinuke_bench.tasks` and `atinuke_bench.cores`; an entry point's value is
`module:attribute`, exactly like the built-in rows below.
"""

from __future__ import annotations

import importlib
import importlib.util
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from atinuke_bench.errors import ConfigError, MissingDependencyError, PluginError, UnknownNameError, first_line

#: The class of each core, and the class of its config, which loads without torch.
_CORES = {
    "atinuke": ("atinuke_bench.core.atinuke:AtinukeCore", "atinuke_bench.config.cores:AtinukeConfig"),
    "transformer": ("atinuke_bench.core.transformer:TransformerCore", "atinuke_bench.config.cores:TransformerConfig"),
    "bilstm": ("atinuke_bench.core.bilstm:BiLSTMCore", "atinuke_bench.config.cores:BiLSTMConfig"),
    "pretrained": ("atinuke_bench.core.pretrained:PretrainedCore", "atinuke_bench.config.cores:PretrainedConfig"),
    "majority": ("atinuke_bench.core.majority:MajorityCore", "atinuke_bench.config.cores:MajorityConfig"),
}
_BUILT_IN = {
    "tasks": {
        "squad-v1.1": "atinuke_bench.tasks.squad.task:SQUAD_V1",
        "squad-v2.0": "atinuke_bench.tasks.squad.task:SQUAD_V2",
        "snli": "atinuke_bench.tasks.snli.task:SNLI",
        "glue/cola": "atinuke_bench.tasks.glue.task:COLA",
        "glue/sst2": "atinuke_bench.tasks.glue.task:SST2",
        "glue/mrpc": "atinuke_bench.tasks.glue.task:MRPC",
        "glue/qqp": "atinuke_bench.tasks.glue.task:QQP",
        "glue/stsb": "atinuke_bench.tasks.glue.task:STSB",
        "glue/mnli": "atinuke_bench.tasks.glue.task:MNLI",
        "glue/qnli": "atinuke_bench.tasks.glue.task:QNLI",
        "glue/rte": "atinuke_bench.tasks.glue.task:RTE",
        "glue/wnli": "atinuke_bench.tasks.glue.task:WNLI",
        "glue/ax": "atinuke_bench.tasks.glue.task:AX",
        "srl": "atinuke_bench.tasks.srl.task:SRL",
        "coref": "atinuke_bench.tasks.coref.task:COREF",
        "long-range": "atinuke_bench.tasks.long_range.task:LONG_RANGE",
        "lm": "atinuke_bench.tasks.lm.task:LM",
    },
    "cores": {name: core for name, (core, _) in _CORES.items()},
}
#: What makes a task from a declaration of each kind. A task that a user's file declares is named `<kind>/<its name>`.
_KINDS = {
    "classification": "atinuke_bench.tasks.texts.task:from_declaration",
    "regression": "atinuke_bench.tasks.texts.task:from_declaration",
    "span": "atinuke_bench.tasks.squad.task:from_declaration",
    "coref": "atinuke_bench.tasks.coref.task:from_declaration",
    "srl": "atinuke_bench.tasks.srl.task:from_declaration",
    "lm": "atinuke_bench.tasks.lm.task:from_declaration",
    "multiple-choice": "atinuke_bench.tasks.choice.task:from_declaration",
    "tagging": "atinuke_bench.tasks.tagging.task:from_declaration",
}
#: The metrics that declarations of each kind name, the one that counts where none is named first; one of one label or
#: language is made for it, and is named `f1(label)`.
_METRICS = {
    "classification": {
        "accuracy": "atinuke_bench.tasks.texts.metric:ACCURACY",
        "macro_f1": "atinuke_bench.tasks.texts.metric:MACRO_F1",
        "matthews_correlation": "atinuke_bench.tasks.texts.metric:MATTHEWS",
        "f1": "atinuke_bench.tasks.texts.metric:f1_of",
        "accuracy_and_macro_f1": "atinuke_bench.tasks.superglue.metric:COMMITMENT_BANK",
        "f1_a_and_exact_match": "atinuke_bench.tasks.superglue.metric:MULTIRC",
        "winogender_accuracy": "atinuke_bench.tasks.superglue.metric:WINOGENDER",
    },
    "multiple-choice": {
        "accuracy": "atinuke_bench.tasks.choice.metric:ACCURACY",
        "f1_and_exact_match": "atinuke_bench.tasks.superglue.metric:RECORD",
    },
    "regression": {
        "spearman": "atinuke_bench.tasks.texts.metric:SPEARMAN",
        "pearson": "atinuke_bench.tasks.texts.metric:PEARSON",
    },
    "span": {
        "f1": "atinuke_bench.tasks.squad.metric:DECLARED",
        "mlqa_f1": "atinuke_bench.tasks.squad.languages:mlqa_f1",
    },
    "coref": {"conll_f1": "atinuke_bench.tasks.coref.metric:CONLL_F1"},
    "srl": {"f1": "atinuke_bench.tasks.srl.metric:F1"},
    "lm": {
        "bits_per_byte": "atinuke_bench.tasks.lm.metric:BITS_PER_BYTE",
        "masked_loss": "atinuke_bench.tasks.lm.metric:MASKED_LOSS",
    },
    "tagging": {
        "seqeval_f1": "atinuke_bench.tasks.tagging.metric:SEQEVAL_F1",
        "accuracy": "atinuke_bench.tasks.tagging.metric:ACCURACY",
    },
}
#: Functions that read the records of files which fields alone cannot describe.
_READERS = {
    "superglue/copa": "atinuke_bench.tasks.superglue.files:read_copa",
    "superglue/diagnostic": "atinuke_bench.tasks.superglue.files:read_diagnostic",
    "superglue/multirc": "atinuke_bench.tasks.superglue.files:read_multirc",
    "superglue/record": "atinuke_bench.tasks.superglue.files:read_record",
    "superglue/wic": "atinuke_bench.tasks.superglue.files:read_wic",
    "superglue/wsc": "atinuke_bench.tasks.superglue.files:read_wsc",
}
#: What adds to the tasks that a folder's files declare: their official sizes, and the file that a site takes.
_COMPLETED = {"superglue": "atinuke_bench.tasks.superglue.task:complete"}
#: What reads the built-in tasks that YAML files beside the families' code declare.
_DECLARATIONS = "atinuke_bench.config.declarations:built_in_declarations"

#: Cores that this process was given as classes, which no entry point names; jobs take them along to their processes.
GIVEN_CORES: dict[str, str] = {}


def register_core(core: Any) -> str:
    """The name of a core's class, by which this process knows it from now on.

    ConfigError for a class that another process could not import, or whose name another core has.
    """
    name, place = core.config_class.model_fields["name"].default, f"{core.__module__}:{core.__qualname__}"
    if core.__module__ == "__main__" or "." in core.__qualname__:
        rule = "a core is a class at the top of a module, so that its code is recorded and other processes find it"
        raise ConfigError(f"{rule}; found {place}")
    if (known := _table("cores").get(name, place)) != place:
        raise ConfigError(f"a core's name is free; {name!r}, that of {place}, is the name of {known}")
    GIVEN_CORES[name] = place
    return str(name)


@cache
def _entry_points(kind: str) -> list[EntryPoint]:
    return sorted(entry_points(group=f"atinuke_bench.{kind}"), key=lambda point: (point.name, _package(point)))


@cache
def built_in_declarations() -> Mapping[str, Any]:
    """The built-in tasks that YAML files declare, by name (`atinuke_bench.config.Declaration`)."""
    return dict(_resolve(_DECLARATIONS)())


def _built_in(kind: str) -> dict[str, str]:
    if kind != "tasks":
        return _BUILT_IN[kind]
    return _BUILT_IN[kind] | {name: _KINDS[one.kind] for name, one in built_in_declarations().items()}


def _table(kind: str) -> dict[str, str]:
    plugins = {point.name: point.value for point in reversed(_entry_points(kind))}
    return {**(GIVEN_CORES if kind == "cores" else {}), **plugins, **_built_in(kind)}


def unused_plugins() -> list[str]:
    """A line for each task and core of a plug-in that is not used, since its name is taken."""
    lines = []
    # Without plug-ins, as at most starts, no declaration need be read.
    for kind in filter(_entry_points, _BUILT_IN):
        taken: dict[str, tuple[str, str]] = {name: (place, "atinuke-bench") for name, place in _built_in(kind).items()}
        for point in _entry_points(kind):
            place, owner = taken.setdefault(point.name, (point.value, _package(point)))
            if place != point.value:
                lines.append(
                    f"{kind[:-1]} {point.name!r} of {_package(point)} is not used: {owner} has one of that name; "
                    "a plug-in takes a name that is free"
                )
    return lines


def task_names() -> list[str]:
    """Names of all tasks, built in and plugged in."""
    return list(_table("tasks"))


def core_names() -> list[str]:
    """Names of all cores, built in and plugged in."""
    return list(_table("cores"))


def require_task_name(name: str) -> str:
    """`name` itself when a task has it; UnknownNameError with the nearest otherwise. Imports nothing.

    >>> require_task_name("snli")
    'snli'
    """
    return _require("tasks", name)


def require_core_name(name: str) -> str:
    """`name` itself when a core has it; UnknownNameError with the nearest otherwise. Imports nothing."""
    return _require("cores", name)


def load_task(name: str, declaration: Any = None) -> Any:
    """The task called `name` (`atinuke_bench.training.task.Task`), or the one that a declaration makes."""
    built_in = built_in_declarations().get(name) if declaration is None else None
    declaration = declaration or built_in
    if declaration is None:
        return _load("tasks", name)
    if declaration.kind not in _KINDS:
        raise UnknownNameError("kind", declaration.kind, _KINDS, f"it is one of {', '.join(_KINDS)}")
    task, complete = _resolve(_KINDS[declaration.kind])(declaration), _COMPLETED.get(name.partition("/")[0])
    return task if built_in is None or complete is None else _resolve(complete)(task)


def is_declared(task: str) -> bool:
    """Whether a task's name is one that a user's file gives it.

    >>> is_declared("classification/reviews"), is_declared("glue/cola")
    (True, False)
    """
    kind, slash, _ = task.partition("/")
    return bool(slash) and kind in _KINDS and task not in _table("tasks")


def _kind_of(task: str) -> str | None:
    """The kind of a task that a file declares, a user's or a built-in one; None for a task that is code."""
    if is_declared(task):
        return task.partition("/")[0]
    declaration = built_in_declarations().get(task)
    return None if declaration is None else str(declaration.kind)


@cache
def metrics_of(task: str) -> tuple[Any, ...]:
    """The metrics that a task may be judged by (`atinuke_bench.metrics.metric.Metric`), the declared one first.

    They are looked for in `METRICS` of the module `metric` beside the task's module, which loads without torch; a task
    without such a module is loaded itself. A task that a built-in file declares has the one that is named there.
    """
    declaration = built_in_declarations().get(task)
    if declaration is not None:
        return (declared_metric(declaration.kind, declaration.metric_name),)
    module = module_of("tasks", task)
    sibling = f"{module.rpartition('.')[0]}.metric"
    with plugin_errors("tasks", task):
        if "." in module and importlib.util.find_spec(sibling) is not None:
            declared: Mapping[str, tuple[Any, ...]] = getattr(importlib.import_module(sibling), "METRICS", {})
            if task in declared:
                return declared[task]
        return (load_task(task).metric,)


def load_metric(task: str, name: str) -> Any:
    """The metric called `name` of a task; UnknownNameError."""
    kind = _kind_of(task)
    if kind is not None:
        return declared_metric(kind, name)
    metrics = {metric.name: metric for metric in metrics_of(task)}
    if name not in metrics:
        raise UnknownNameError(f"metric of task {task!r}", name, metrics, f"it has {', '.join(metrics)}")
    return metrics[name]


def metric_names(kind: str) -> list[str]:
    """The metrics that declarations of a kind may name, the default first; none for a kind that is not known.

    >>> metric_names("regression")
    ['spearman', 'pearson']
    """
    return list(_METRICS.get(kind, ()))


@cache
def declared_metric(kind: str, name: str | None = None) -> Any:
    """The metric that declarations of a kind call `name`, such as `macro_f1` or `f1(spam)`; UnknownNameError.

    Without a name it is the kind's first.
    """
    known = _METRICS[kind]
    base, _, of = (name or next(iter(known))).partition("(")
    if base not in known:
        raise UnknownNameError(f"metric of kind {kind}", base, known, f"it has {', '.join(known)}")
    metric = _resolve(known[base])
    if callable(metric) != bool(of):
        hint = f"{base}(...) names of which" if callable(metric) else f"nearest: {base!r}"
        raise ConfigError(f"metric: {base} is {'of one label or language' if callable(metric) else 'of all'}; {hint}")
    return metric(of.removesuffix(")")) if of else metric


def load_reader(name: str) -> Any:
    """The function that declarations call `name`: from a file's path to its numbered records; UnknownNameError."""
    if name not in _READERS:
        raise UnknownNameError("reader", name, _READERS, f"it is one of {', '.join(_READERS)}")
    return _resolve(_READERS[name])


def load_core(name: str) -> Any:
    """The class of the core called `name` (a subclass of `atinuke_bench.core.base.Core`)."""
    return _load("cores", name)


def load_core_config(name: str) -> Any:
    """The config class of the core called `name`; only a plug-in's is found by importing the core."""
    if name in _CORES:
        return _resolve(_CORES[name][1])
    with plugin_errors("cores", name):
        return load_core(name).config_class


@contextmanager
def plugin_errors(kind: str, name: str) -> Iterator[None]:
    """Turn what a plug-in's code raises into one line that names the plug-in: PluginError or MissingDependencyError.

    A package that is missing is told apart from a module that the plug-in, or this version of atinuke-bench, does not
    have. What built-in code raises stays as it is, but for a missing package.
    """
    point = _plugin_point(kind, name)
    try:
        yield
    except (PluginError, MissingDependencyError, UnknownNameError):
        raise
    except ModuleNotFoundError as error:
        missing, owner = str(error.name), str(error.name).partition(".")[0]
        if owner not in ("atinuke_bench", _owner(point)) and importlib.util.find_spec(owner) is None:
            raise MissingDependencyError(f"{kind[:-1]} {name!r} needs the package {owner!r}, not installed") from error
        if point is None:
            raise
        raise PluginError(_broken(kind, point, error, f"there is no module {missing!r}")) from error
    # A plug-in may fail in any way, and even end the process, when it is imported.
    except (Exception, SystemExit) as error:
        if point is None:
            raise
        raise PluginError(_broken(kind, point, error, first_line(error, with_class=True))) from error


def _broken(kind: str, point: EntryPoint, error: BaseException, why: str) -> str:
    ours = (str(Path(__file__).parent), str(importlib.__file__), "<frozen")
    own = [line for line in traceback.extract_tb(error.__traceback__) if not line.filename.startswith(ours)]
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{kind[:-1]} {point.name!r} of {_package(point)} ({point.value}) cannot be loaded: {why}{where}"


def _package(point: EntryPoint) -> str:
    return "a plug-in" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def _owner(point: EntryPoint | None) -> str:
    """The package that an entry point lies in."""
    return "" if point is None else point.value.partition(":")[0].partition(".")[0]


def module_of(kind: str, name: str) -> str:
    """The module that a task or core (`kind`: tasks, cores) is declared in; UnknownNameError. Imports nothing.

    >>> module_of("tasks", "snli")
    'atinuke_bench.tasks.snli.task'
    """
    if kind == "tasks" and is_declared(name):
        return _KINDS[name.partition("/")[0]].partition(":")[0]
    return _table(kind)[_require(kind, name)].partition(":")[0]


def modules_of_task(name: str) -> list[str]:
    """The modules that a task's code begins with: its own, and those that a built-in file names. Imports nothing."""
    declaration = built_in_declarations().get(name)
    places = [] if declaration is None else [_READERS.get(declaration.reader or ""), _metric_place(declaration)]
    return [module_of("tasks", name), *(place.partition(":")[0] for place in places if place is not None)]


def _metric_place(declaration: Any) -> str | None:
    return _METRICS[declaration.kind].get(declaration.metric or "")


def packages_of(kind: str, name: str) -> set[str]:
    """The top-level packages that the code of a task or core may lie in: this one, and a plug-in's. Imports nothing."""
    packages = {"atinuke_bench", module_of(kind, name).partition(".")[0]}
    point = _plugin_point(kind, name)
    if point is not None and point.dist is not None:
        files = (Path(file).parts[0].removesuffix(".py") for file in point.dist.files or () if file.suffix == ".py")
        packages |= {*files, *(point.dist.read_text("top_level.txt") or "").split()}
    return packages


def _plugin_point(kind: str, name: str) -> EntryPoint | None:
    """The entry point that is used for a name; None where it is built in."""
    return None if name in _built_in(kind) else next((one for one in _entry_points(kind) if one.name == name), None)


def _require(kind: str, name: str) -> str:
    if name not in _table(kind):
        found = [one.group for one in metadata.entry_points(name=name) if one.group.startswith("atinuke")]
        misplaced = f"the group of its entry point is 'atinuke_bench.{kind}'; found {''.join(found[:1])!r}"
        hint = misplaced if found else f"atinuke-bench {kind} lists all"
        raise UnknownNameError(kind[:-1], name, () if found else _table(kind), hint)
    return name


def _load(kind: str, name: str) -> Any:
    place = _table(kind)[_require(kind, name)]
    with plugin_errors(kind, name):
        return _resolve(place)


def _resolve(place: str) -> Any:
    module_name, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module_name), attribute)
