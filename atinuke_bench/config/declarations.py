"""A task as a YAML file declares it: where its examples lie, what their fields are, and what answers are worth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, field_validator, model_validator

from atinuke_bench import registry
from atinuke_bench.config.base import Frozen, parse
from atinuke_bench.config.training import TrainingConfig
from atinuke_bench.config.written import read_yaml
from atinuke_bench.errors import ConfigError, UnknownNameError, naming, nearest

Kind = Literal["classification", "regression", "tagging", "multiple-choice", "span", "coref", "srl", "lm"]
#: Names of splits that mean dev.
_DEV_NAMES = ("validation", "valid", "val", "devel", "development")
_ENDINGS = (".yaml", ".yml")
#: The kinds whose examples are rows of a table.
_TABLES = ("classification", "regression")


def _as_label(value: Any) -> Any:
    """A label as text; YAML reads a bare 1 as a number, and a bare no as false."""
    if isinstance(value, bool):
        raise ValueError(f"a label is a text; YAML reads a bare yes, no, on, off as {str(value).lower()}: quote it")
    return str(value) if isinstance(value, int) else value


def _as_patterns(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_map(value: Any) -> Any:
    """A map of labels; one label alone need not be a list."""
    if not isinstance(value, Mapping):
        return value
    return {_as_label(key): list(own) if isinstance(own, list | tuple) else [own] for key, own in value.items()}


#: As a file may write it; JSON Schemas are made of what validators take (`json_schema_input_type`).
Label = Annotated[str, BeforeValidator(_as_label, json_schema_input_type=str | int)]
Patterns = Annotated[
    list[str], BeforeValidator(_as_patterns, json_schema_input_type=str | list[str]), Field(min_length=1)
]
LabelMap = Annotated[
    dict[str, list[Label]],
    BeforeValidator(_as_map, json_schema_input_type=dict[str, str | int | list[str | int]]),
]


class Declaration(Frozen):
    """A task of a kind. Where `hub` names a data set, `splits` names its splits, otherwise files or folders."""

    name: str
    kind: Kind
    #: One line for readers.
    summary: str = ""
    #: Split -> files of it, as patterns below `folder`; or its name in the data set on the Hub.
    splits: dict[str, Patterns] = Field(min_length=1)
    #: Where the patterns begin: below the folder of the YAML file, or below `--data-dir` for a built-in task, whose
    #: folder may be that one itself.
    folder: Path = Path()
    hub: str | None = None
    #: Configuration of the data set on the Hub.
    config: str = "default"
    revision: str | None = None
    #: What the kind calls a field -> what the data calls it: a column, by its number from 0 where files have no header,
    #: or several columns.
    fields: dict[str, str | int | list[str | int]] = Field({})
    #: Field of the data -> the value that the rows of the task have there; rows of files without the field all count.
    where: dict[str, Label] = Field({})
    #: Whether csv and tsv files put quotation marks around fields that need them, as spreadsheets do.
    quotes: bool = True
    #: The ending that files are read by where their own says nothing, such as `tsv` for a `.txt`.
    format: str | None = None
    #: The key of a `.json` file under which its list of examples lies.
    within: str | None = None
    #: All labels, in order; those of the train split when not given.
    labels: list[Label] | None = Field(None, min_length=2)
    #: The figure that ranks; the kind's first when not given.
    metric: str | None = None
    #: The label that `metric: f1` is of.
    positive: Label | None = None
    #: Columns of the data by whose values scores are shown in parts.
    slices: list[str | int] = Field([])
    #: Where finished runs are scored on these data: a label here -> the labels of the run that mean it.
    map: LabelMap | None = Field(None, min_length=2)
    #: A built-in function that reads files which `fields` cannot describe.
    reader: str | None = None
    #: Settings of training and options of the kind that runs have unless the user sets others.
    training: dict[str, Any] = Field({})
    options: dict[str, Any] = Field({})
    #: Raised when a built-in declaration comes to mean something else.
    result_version: int = Field(1, ge=1)

    @field_validator("name")
    @classmethod
    def _is_a_folder_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise ValueError(f"a task's name has at most 64 letters, digits, '.', '_' and '-'; found {name[:80]!r}")
        return name

    @field_validator("splits", mode="before")
    @classmethod
    def _splits_by_our_names(cls, splits: Any) -> Any:
        if not isinstance(splits, Mapping):
            return splits
        named = {"dev" if name in _DEV_NAMES else name: files for name, files in splits.items()}
        if len(named) < len(splits):
            raise ValueError(f"one split is dev; found {', '.join(map(str, splits))}")
        for name in named:
            if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,39}", name)):
                raise ValueError(f"a split's name is a word such as train, dev, test or test_hard; found {name!r:.60}")
        return named

    @model_validator(mode="after")
    def _fits_together(self) -> Declaration:
        if self.labels is not None and len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels has a label twice; found {', '.join(self.labels)[:200]}")
        if self.positive is not None and self.metric != "f1":
            raise ValueError(f"positive is the label that metric f1 is of; found metric {self.metric}")
        if self.kind == "classification" and self.metric == "f1" and self.positive is None:
            raise ValueError("metric f1 is of one label, which `positive` names; nearest: macro_f1")
        if self.positive is not None and self.labels is not None and self.positive not in self.labels:
            raise ValueError(f"positive is one of the labels, {', '.join(self.labels)[:200]}; found {self.positive!r}")
        if self.slices and self.kind not in _TABLES:
            raise ValueError(f"slices are columns of tables, which kinds {', '.join(_TABLES)} have; found {self.kind}")
        if self.map is not None and self.kind != "classification":
            raise ValueError(f"map is of the labels of kind classification; found kind {self.kind}")
        if self.hub is None and self.revision is not None:
            raise ValueError("revision is a commit of the data set that `hub` names; found no hub")
        return self

    @property
    def task(self) -> str:
        """The name that runs and reports have the task by; that of a built-in one is whole."""
        return self.name if "/" in self.name else f"{self.kind}/{self.name}"

    @property
    def metric_name(self) -> str | None:
        """The name that the metric is found by."""
        return self.metric if self.positive is None else f"{self.metric}({self.positive})"

    def meaning(self) -> dict[str, Any]:
        """What of the declaration decides what examples and scores are; where files lie and how is trained does not."""
        parts = {"kind", "fields", "where", "quotes", "format", "within", "labels", "reader", "metric", "positive"}
        return self.model_dump(mode="json", include=parts, exclude_defaults=True)


def is_task_file(text: str) -> bool:
    """Whether what stands for a task is the path of a declaration.

    >>> is_task_file("reviews.yaml"), is_task_file("snli")
    (True, False)
    """
    return text.endswith(_ENDINGS)


def find_task(name_or_file: str, base: Path = Path()) -> tuple[str, Declaration | None]:
    """A task's name and, where a file declares it, its declaration; a relative path begins at `base`.

    Raises UnknownNameError for a name or file that is not there, ConfigError for a file that declares no task.
    """
    if not is_task_file(name_or_file):
        return _require_name(name_or_file, base), None
    path = base / name_or_file
    if not path.is_file():
        near = nearest(path.name, [one.name for one in path.parent.glob("*") if is_task_file(one.name)])
        hint = f"nearest: {near!r}" if near else "give a task's name, or a YAML file that declares one"
        raise ConfigError(f"{path}: no such file; {hint}")
    declaration = read_declaration(path)
    if declaration.task in registry.task_names():
        raise ConfigError(f"{path}: name: {declaration.task} is a built-in task; nearest: 'my-{declaration.name}'")
    return declaration.task, declaration


def _require_name(name: str, base: Path) -> str:
    """`name` itself when a task has it; UnknownNameError that knows of the files which may be meant."""
    if name in registry.task_names():
        return name
    if registry.is_declared(name):
        raise UnknownNameError("task", name, (), "a task of this name is given by the YAML file that declares it")
    if (base / name).is_file():
        raise UnknownNameError("task", name, (), f"this file is data; `task new {name}` writes a YAML file for it")
    files = [path.name for path in base.glob("*") if is_task_file(path.name)]
    hint = "atinuke-bench tasks lists all; a YAML file that declares one will do too"
    raise UnknownNameError("task", name, [*registry.task_names(), *files], hint)


def files_that_fit(folder: Path, pattern: str) -> list[Path]:
    """What a pattern fits below a folder, or anywhere where it is absolute, in order of name.

    ConfigError for one that cannot be looked for, such as a name that is too long for the system.
    """
    if not pattern.strip("./"):
        return [folder / pattern]  # which no glob takes
    root = Path(pattern).anchor
    try:
        return sorted(Path(root).glob(pattern.removeprefix(root)) if root else folder.glob(pattern))
    except OSError as error:
        raise ConfigError(f"{pattern!r:.80}: no file can be looked for by this ({error.strerror})") from error


def read_declaration(path: Path) -> Declaration:
    """The task that a YAML file declares, its folder beginning where the file lies; ConfigError that names the file.

    The kind knows its metrics and options, so that the task is loaded, and torch with it.
    """
    record = read_yaml(path)
    with naming(str(path)):
        if isinstance(record, dict) and "kind" in record and record["kind"] not in get_args(Kind):
            kinds = get_args(Kind)
            raise UnknownNameError("kind", str(record["kind"]), kinds, f"it is one of {', '.join(kinds)}")
        declaration = parse(Declaration, record, str(path))
        parse(TrainingConfig, declaration.training, f"{path}.training")
        task = registry.load_task(declaration.task, declaration)
        parse(task.options_class, declaration.options, f"{path}.options")
    return declaration.model_copy(update={"folder": path.parent.absolute() / declaration.folder})


def built_in_declarations() -> dict[str, Declaration]:
    """The built-in tasks that `tasks/<folder>/<file>.yaml` declare, by name, which is `<folder>/<name>`.

    A file with a list `each` declares a task for each word of it; `{each}` in the file's texts is that word.
    """
    found = {}
    for path in sorted(Path(str(resources.files("atinuke_bench.tasks"))).glob("*/*.yaml")):
        record = read_yaml(path)
        for word in record.pop("each", [""]):
            declaration = parse(Declaration, _filled(record, word), str(path))
            name = f"{path.parent.name}/{declaration.name}"
            found[name] = declaration.model_copy(update={"name": name})
    return found


def _filled(value: Any, word: str) -> Any:
    """A part of a file with a word in place of `{each}`."""
    if isinstance(value, dict):
        return {key: _filled(part, word) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, word) for part in value]
    return value.replace("{each}", word) if isinstance(value, str) else value
