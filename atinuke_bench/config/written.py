"""What users write: YAML files given by name or by path, and numbers as YAML 1.1 reads them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from atinuke_bench.errors import ConfigError, UnknownNameError, one_line


def read_named_yaml(kind: str, name_or_file: str, built_in: Mapping[str, Path]) -> tuple[Any, str]:
    """The content of a built-in file by its name, or of the user's own by its path, and the path for messages.

    Raises UnknownNameError when it is neither, ConfigError when it is no readable YAML.
    """
    path = built_in.get(name_or_file, Path(name_or_file))
    if not path.is_file():
        raise UnknownNameError(kind, name_or_file, built_in, f"give one of {', '.join(built_in)}, or a YAML file")
    return read_yaml(path), str(path)


class _OnceLoader(yaml.SafeLoader):
    """Refuses a mapping that gives one key twice, of which YAML's own loader would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                continue
            key, line = self.construct_object(key_node), key_node.start_mark.line + 1
            if key in seen:
                raise ConfigError(f"line {line}: the key {key!r} is given twice, first in line {seen[key]}")
            seen[key] = line
        return super().construct_mapping(node, deep)


_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(path: Path) -> Any:
    """The plain data of a YAML file; ConfigError with file and line when it is no readable YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable YAML file ({one_line(error)})") from error
    return yaml_data(text, str(path))


def yaml_data(text: str, where: str) -> Any:
    """The plain data of a YAML text; ConfigError that begins with `where`.

    >>> yaml_data("{seed: 1, seed: 2}", "suite.yaml")
    Traceback (most recent call last):
    atinuke_bench.errors.ConfigError: suite.yaml: line 1: the key 'seed' is given twice, first in line 1
    """
    try:
        return yaml.load(text, _OnceLoader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise ConfigError(f"{where}: {place}not readable as YAML: {error.problem}") from error
    except RecursionError as error:
        raise ConfigError(f"{where}: not readable as YAML: nested too deeply") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    except (ValueError, yaml.YAMLError) as error:  # a number of thousands of digits, a date of month 13
        raise ConfigError(f"{where}: not readable as YAML: {one_line(error)}") from error


def as_written(value: Any) -> str:
    """A setting as YAML writes it, for readers.

    >>> as_written(False), as_written("pre"), as_written(0.1)
    ('false', 'pre', '0.1')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)


def number_in_text(value: Any) -> Any:
    """A float where a text is one, anything else as it is: YAML 1.1 reads 1e-3 as text, and the user means a float.

    >>> number_in_text("1e-3"), number_in_text("late"), number_in_text(3)
    (0.001, 'late', 3)
    """
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def is_finite_number(value: Any) -> bool:
    """Whether a value of YAML or JSON is a number that a float can hold. True and false are none.

    >>> is_finite_number(3), is_finite_number(True), is_finite_number(float("inf")), is_finite_number(10**400)
    (True, False, False, False)
    """
    # A comparison, since an integer beyond the floats cannot be made one.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
