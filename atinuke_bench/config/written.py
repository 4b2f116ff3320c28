"""What users write: YAML files given by name or by path, and numbers as YAML 1.1 reads them."""

from __future__ import annotations

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
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")), str(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: not a readable YAML file ({one_line(error)})") from error


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
