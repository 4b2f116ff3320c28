"""The JSON Schemas of the YAML files that users write, made of the models and tables that read these files.

    python -m site_tools.schemas        # in docs/_ext: writes atinuke_bench/schemas/*.schema.json anew

A schema says what an editor can know without the data: names of keys, types, ranges, and the built-in names that may
be meant. Where plug-ins or a user's own files may add to a list of names, any other text fits too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import atinuke_bench
from atinuke_bench import registry
from atinuke_bench.config import AttentionConfig
from atinuke_bench.config.declarations import Declaration
from atinuke_bench.config.recipes import Recipe
from atinuke_bench.config.suites import CoreVariant, SuiteConfig
from atinuke_bench.runs.evaluation.test_set import built_in_test_sets
from atinuke_bench.sweeps.domains import KINDS
from site_tools.comments import field_comments

FOLDER = Path(atinuke_bench.__file__).parent / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
#: Fields of the models that readers fill in, and that a file which sets them is refused for.
FILLED = {SuiteConfig: ("declarations",), CoreVariant: ("levels", "part_of")}


def _some_of(names: Iterable[str]) -> Schema:
    """Text of any kind, of which these are known."""
    return {"anyOf": [{"enum": list(names)}, {"type": "string"}]}


def _model_schema(model: type[BaseModel], title: str) -> Schema:
    """A model's schema with the comments of its fields as descriptions, and no titles that only repeat names."""
    schema = model.model_json_schema()
    own = {model.__name__: schema, **schema.get("$defs", {})}
    classes = {found.__name__: found for found in _models(model)}
    for name, part in own.items():
        found, properties = classes[name], part.get("properties", {})
        part.pop("title", None)
        for field in FILLED.get(found, ()):
            del properties[field]
        for field, one in properties.items():
            one.pop("title", None)
            if text := field_comments(found).get(field):
                one["description"] = text
    return {"$schema": DIALECT, "title": title, **schema}


def _models(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The model and all that its fields are made of."""
    found, waiting = set(), [model]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [part for field in one.model_fields.values() for part in _classes_in(field.annotation)]
    return found


def _classes_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _classes_in(part)]


def _name_known(schema: Schema) -> Schema:
    """A suite's schema, or a recipe's, with the names that there are and the short forms that files may have."""
    defs = schema["$defs"]
    suite = schema if "cores" in schema["properties"] else defs["SuiteConfig"]
    tasks = registry.task_names()
    groups = [f"{name}/*" for name in dict.fromkeys(task.partition("/")[0] for task in tasks if "/" in task)]
    suite["properties"]["tasks"]["items"] = _some_of([*tasks, *groups])
    suite["properties"]["evaluate"]["items"] = _some_of(built_in_test_sets())
    cores = suite["properties"]["cores"]
    description = cores.pop("description")
    names = {"type": "array", "items": _some_of(registry.core_names()), "minItems": 1, "uniqueItems": True}
    suite["properties"]["cores"] = {"description": f"{description} Or a list of cores as they come.",
                                    "anyOf": [cores, names]}  # fmt: skip
    variant = defs["CoreVariant"]["properties"]
    variant["core"] |= _some_of(registry.core_names())
    variant["preset"] |= _some_of(AttentionConfig.presets)
    for part in (variant["core"], variant["preset"]):
        part.pop("type")
    return schema


def suite_schema() -> Schema:
    return _name_known(_model_schema(SuiteConfig, "A suite of atinuke-bench: a grid of runs"))


def recipe_schema() -> Schema:
    """As `parse_recipe` reads it: named by its file, with fields that all rows share, and a grid."""
    schema = _name_known(_model_schema(Recipe, "A recipe of atinuke-bench: a published protocol"))
    properties, defs = schema["properties"], schema["$defs"]
    for filled in ("name", "settings"):
        del properties[filled]
    schema["required"].remove("name")
    row, suite = defs["PublishedRow"], defs["SuiteConfig"]
    del row["required"]
    suite["required"].remove("name")
    properties["record"] = {
        "type": "object",
        "properties": row["properties"],
        "additionalProperties": False,
        "description": "Fields that all rows share.",
    }
    properties["grid"] = {
        "type": "object",
        "additionalProperties": {"type": "array", "minItems": 2},
        "description": "Field of a run's config -> values: each core gets a column for every combination.",
    }
    return schema


def task_schema() -> Schema:
    schema = _model_schema(Declaration, "A task of atinuke-bench that a file declares")
    kinds = schema["properties"]["kind"]["enum"]
    names = dict.fromkeys(metric for kind in kinds for metric in registry.metric_names(kind))
    # A metric of one language is named with it, as in `mlqa_f1(de)`.
    of_one = {"type": "string", "pattern": r"^\w+\(.+\)$"}
    schema["properties"]["metric"]["anyOf"] = [{"enum": list(names)}, of_one, {"type": "null"}]
    return schema


def space_schema() -> Schema:
    """No model reads a space: `sweeps/spaces.py` does, whose keys these are."""
    numbers = {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": ["number", "string"]}}
    value = {"type": ["string", "number", "boolean", "null"]}
    kinds: dict[str, Schema] = {
        "int": {**numbers, "description": "[low, high], both included."},
        "float": {**numbers, "description": "[low, high]."},
        "categorical": {"type": "array", "minItems": 1, "items": value, "description": "The values to choose from."},
    }
    assert tuple(kinds) == KINDS, "a kind of domain that the schema does not know"
    options: dict[str, Schema] = {
        "log": {"type": "boolean", "default": False, "description": "Draw by logarithm."},
        "step": {"type": ["number", "string"], "description": "Distance between values, from low on; not for log."},
        "times": {"type": "string", "description": "Field that the drawn value is multiplied with."},
        "when": {
            "type": "object",
            "additionalProperties": {"anyOf": [value, {"type": "array", "items": value}]},
            "description": "Field -> value, or list of values: the parameter is only searched where all hold.",
        },
        "relative": {"type": "boolean", "default": False, "description": "Limits are multiples of the preset's value."},
    }
    parameter = {
        "type": "object",
        "properties": {**kinds, **options},
        "additionalProperties": False,
        "oneOf": [{"required": [kind]} for kind in kinds],
    }
    return {
        "$schema": DIALECT,
        "title": "A search space of atinuke-bench",
        "type": "object",
        "properties": {
            "description": {"type": "string", "description": "One line for readers."},
            "parameters": {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"$ref": "#/$defs/Parameter"},
                "description": "Field of a run's config, by dotted path -> what it may be.",
            },
        },
        "required": ["parameters"],
        "additionalProperties": False,
        "$defs": {"Parameter": parameter},
    }


SCHEMAS: dict[str, Callable[[], Schema]] = {
    "suite": suite_schema,
    "space": space_schema,
    "task": task_schema,
    "recipe": recipe_schema,
}


def as_text(schema: Schema) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, make in SCHEMAS.items():
        (FOLDER / f"{name}.schema.json").write_text(as_text(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
