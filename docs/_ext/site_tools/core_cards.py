"""A page for each core: what its class and config say, its presets with their cost, and its settings."""

from __future__ import annotations

import inspect
from typing import Any

from atinuke_bench import registry
from atinuke_bench.config import CoreConfig, core_config_class
from atinuke_bench.core.catalogue import describe_cores
from site_tools.comments import field_comments
from site_tools.markdown import code, table
from site_tools.schema_pages import type_text


def core_page(name: str) -> str:
    """The whole card of a core as Markdown."""
    config_class = core_config_class(name)
    core_class = registry.load_core(name)
    lines = [f"# Core {code(name)}", "", _words(inspect.getdoc(config_class)), ""]
    own = inspect.getdoc(core_class)
    if own and own != inspect.getdoc(config_class):
        lines += [_words(own), ""]
    if not config_class.is_floor:
        lines += [_properties(core_class, config_class), ""]
    lines += ["## Presets", "", *_presets(name, config_class)]
    lines += ["## Settings", "", *_settings(config_class)]
    return "\n".join(lines)


def _words(text: str | None) -> str:
    return (text or "").strip()


def _properties(core_class: Any, config_class: type[CoreConfig]) -> str:
    segments = "It reads" if getattr(core_class, "takes_segments", True) else "It does not read"
    tokenizer = (
        "It brings its own tokenizer."
        if config_class.has_tokenizer
        else "Its tokenizer is learned from the train split."
    )
    return f"{segments} segments, which tell two texts of an input apart. {tokenizer}"


def _presets(name: str, config_class: type[CoreConfig]) -> list[str]:
    described, broken = describe_cores()
    rows = [row for row in described if row["core"] == name]
    if not rows:
        return [line for line in broken if name in line] + [""]
    shown = [column for column in rows[0] if column not in ("core", "preset")]
    fields = list(dict.fromkeys(field for preset in config_class.presets.values() for field in preset))
    body = []
    for row in rows:
        sizes = config_class.presets.get(row["preset"], {})
        body.append((code(row["preset"]), *(sizes.get(field, "") for field in fields), *(row[one] for one in shown)))
    return table(("preset", *map(code, fields), *shown), body)


def _settings(config_class: type[CoreConfig]) -> list[str]:
    comments, schema = field_comments(config_class), config_class.model_json_schema()
    rows = []
    for name, field in config_class.model_fields.items():
        if name in ("name", "preset"):
            continue
        kind = type_text(schema["properties"][name])
        default = "the preset's" if field.is_required() else code(field.default)
        if field.is_required() and not any(name in preset for preset in config_class.presets.values()):
            default = "to be given"
        rows.append((code(f"core.{name}"), kind, default, comments.get(name, "")))
    return table(("setting", "value", "default", "means"), rows) or ["It has none.", ""]
