"""What users write: YAML files given by name or by path, and numbers as YAML 1.1 reads them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml

from atinuke_bench.errors import ConfigError, UnknownNameError, one_line
from atinuke_bench.files import open_regular


def read_named_yaml(kind: str, name_or_file: str, built_in: Mapping[str, Path]) -> tuple[Any, str]:
    """The content of a built-in file by its name, or of the user's own by its path, and the path for messages.

    Raises UnknownNameError when it is neither, ConfigError when it is no readable YAML.
    """
    path = built_in.get(name_or_file, Path(name_or_file))
    if not path.is_file():
        raise UnknownNameError(kind, name_or_file, built_in, f"give one of {', '.join(built_in)}, or a YAML file")
    return read_yaml(path), str(path)


class _StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, in C where it is built, without what silently changes a meaning or explodes.

    Refused are a key given twice, of which YAML keeps the last; 010 and 1:30, which YAML 1.1 reads as 8 and 90; aliases
    that repeat each other's repetitions. A date stays the text that it is.
    """

    yaml_implicit_resolvers: ClassVar = {
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            _require_bounded(node, {}, 0)
        return node

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

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        text, line = node.value, node.start_mark.line + 1
        if len(text) > _MOST_DIGITS:
            raise ConfigError(f"line {line}: a number of {len(text)} digits")
        digits = text.lstrip("+-")
        if ":" in text or (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()):
            raise ConfigError(
                f"line {line}: YAML programs disagree on the number {text}; write it otherwise, or quote it"
            )
        is_whole = node.tag == "tag:yaml.org,2002:int"
        return self.construct_yaml_int(node) if is_whole else self.construct_yaml_float(node)

    def construct_text(self, node: yaml.ScalarNode) -> str:
        text = self.construct_yaml_str(node)
        # YAML can escape what no file's name and no encoding takes.
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ConfigError(f"line {node.start_mark.line + 1}: a text holds a NUL or half of a character")
        return text


for _tag in ("int", "float"):
    _StrictLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _StrictLoader.construct_number)
_StrictLoader.add_constructor("tag:yaml.org,2002:str", _StrictLoader.construct_text)
for _tag in ("binary", "omap", "pairs", "set", "timestamp"):  # no plain data
    _StrictLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _StrictLoader.construct_undefined)
_MERGE = "tag:yaml.org,2002:merge"
#: Characters of a file that people write, values that it may have with all aliases filled in, and lists in lists.
_MOST_CHARACTERS, _MOST_VALUES, _MOST_DEPTH, _MOST_DIGITS = 500_000, 100_000, 50, 100


def _require_bounded(node: yaml.Node, sizes: dict[int, int], depth: int) -> int:
    """The number of values in a node with its aliases filled in; ConfigError where that has no reasonable end."""
    line = node.start_mark.line + 1
    if depth > _MOST_DEPTH:
        raise ConfigError(f"line {line}: nested too deeply")
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in sizes:
        sizes[id(node)] = _MOST_VALUES + 1  # an alias inside of what it names
        pairs = node.value if isinstance(node, yaml.MappingNode) else [(part,) for part in node.value]
        sizes[id(node)] = 1 + sum(_require_bounded(part, sizes, depth + 1) for pair in pairs for part in pair)
    if sizes[id(node)] > _MOST_VALUES:
        raise ConfigError(f"line {line}: more than {_MOST_VALUES} values with the aliases filled in")
    return sizes[id(node)]


def read_yaml(path: Path) -> Any:
    """The plain data of a YAML file; ConfigError with file and line when it is no readable YAML."""
    try:
        with open_regular(path) as file:
            text = file.read(4 * _MOST_CHARACTERS).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable YAML file ({one_line(error)})") from error
    return yaml_data(text, str(path))


def yaml_data(text: str, where: str) -> Any:
    """The plain data of a YAML text; ConfigError that begins with `where`.

    >>> yaml_data("{seed: 1, seed: 2}", "suite.yaml")
    Traceback (most recent call last):
    atinuke_bench.errors.ConfigError: suite.yaml: line 1: the key 'seed' is given twice, first in line 1
    """
    if len(text) > _MOST_CHARACTERS:
        raise ConfigError(f"{where}: not readable as YAML: over {_MOST_CHARACTERS} characters")
    try:
        return yaml.load(text, _StrictLoader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise ConfigError(f"{where}: {place}not readable as YAML: {error.problem}") from error
    except RecursionError as error:
        raise ConfigError(f"{where}: not readable as YAML: nested too deeply") from error
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    # Control characters; and `!!bool maybe`, `!!int [1]`, of which the library says so in its own ways.
    except (ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError) as error:
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
