"""The reference of YAML files, made of their JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from site_tools.markdown import code, table

#: What each file is, and the page that explains it.
INTRODUCTIONS = {
    "suite": "A grid of runs, for `suite`, `plan` and `atinuke_bench.suite` ([Suites](../../suites.md)).",
    "space": "What a study searches, for `sweep --space` ([Sweeps](../../sweeps.md)).",
    "task": "A task of your own data, for `run --task` and wherever else a task is named "
    "([Your own data](../../own-data.md)).",
    "recipe": "A published protocol, for `reproduce` ([Published protocols](../../protocols.md)).",
}
#: Names of the parts of a schema as a reader meets them.
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
}
_PLAIN = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


def schema_page(name: str, schema: Mapping[str, Any]) -> str:
    """The whole page of one file as Markdown."""
    lines = [
        f"# {name.capitalize()} files",
        "",
        INTRODUCTIONS[name],
        "",
        f"The JSON Schema is `atinuke_bench/schemas/{name}.schema.json` in the package "
        f"({{download}}`here <../../../atinuke_bench/schemas/{name}.schema.json>`); "
        f"`atinuke-bench schema {name}` prints it. [Editors](../../editors.md) complete and check a file by it.",
        "",
        *_keys("Keys", schema),
    ]
    for part, one in schema.get("$defs", {}).items():
        if one.get("properties"):
            lines += _keys(part, one)
    return "\n".join(lines)


def _keys(title: str, schema: Mapping[str, Any]) -> list[str]:
    head = [f"## {title}", ""]
    if title != "Keys" and schema.get("description"):
        head += [schema["description"].partition("\n\n")[0], ""]
    required = schema.get("required", ())
    rows = []
    for name, one in schema["properties"].items():
        default = "**needed**" if name in required else _default(one)
        rows.append((code(name), type_text(one), default, one.get("description", "")))
    return [*head, *table(("key", "value", "default", "means"), rows)]


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    return "" if default in (None, "", {}, []) else code(json.dumps(default))


def type_text(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words.

    >>> type_text({"anyOf": [{"type": "integer", "minimum": 2}, {"type": "null"}]})
    'whole number, at least 2'
    >>> type_text({"type": "array", "items": {"enum": ["a", "b"]}})
    'list of `a`, `b`'
    """
    if "$ref" in schema:
        return f"[{schema['$ref'].rpartition('/')[2]}](#{schema['$ref'].rpartition('/')[2].lower()})"
    if "anyOf" in schema:
        return _one_of(schema["anyOf"])
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    if "const" in schema:
        return code(schema["const"])
    if schema.get("type") == "array":
        return f"list of {type_text(schema.get('items', {}))}"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties")
        return f"mapping to {type_text(inner)}" if isinstance(inner, dict) and inner else "mapping"
    kinds = schema.get("type", ())
    if set(kinds) == {"string", "number", "boolean", "null"}:
        return "any value"
    words = " or ".join(_PLAIN[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)) or "any value"
    bounds = [text.format(f"{schema[key]:,}") for key, text in _BOUNDS.items() if key in schema]
    return ", ".join([words, *bounds])


def _one_of(options: list[Mapping[str, Any]]) -> str:
    """Several kinds of value; a long list of known names is shown where it is explained, and null is no value."""
    shown = [one for one in options if one.get("type") != "null"]
    if len(shown) == 2 and "enum" in shown[0] and shown[1].get("type") == "string" and len(shown[0]["enum"]) > 10:
        return f"text, such as {', '.join(code(value) for value in shown[0]['enum'][:4])}"
    return " or ".join(dict.fromkeys(map(type_text, shown)))
