"""The base of all configs, and how plain data becomes one with a one-line error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from atinuke_bench.config.written import number_in_text, yaml_data
from atinuke_bench.errors import ConfigError, nearest

Model = TypeVar("Model", bound=BaseModel)


class Frozen(BaseModel):
    """Base of all configs: immutable, no unknown fields, no silent coercion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, record: Any) -> Any:
        if isinstance(record, Mapping):
            for name, value in record.items():
                if name in cls.model_fields:
                    _refuse_truth(value, cls.model_fields[name].annotation, str(name))
        return record


def _refuse_truth(value: Any, annotation: Any, field: str) -> None:
    """ValueError where true or false is given for a number, which pydantic would read as 1 or 0."""
    parts = [annotation, *get_args(annotation)]
    if isinstance(value, bool) and (int in parts or float in parts) and bool not in parts:
        raise ValueError(f"{field}: a number; found {str(value).lower()}")
    if isinstance(value, list) and get_origin(annotation) is list and get_args(annotation):
        for entry in value:
            _refuse_truth(entry, _bare(get_args(annotation)[0]), field)


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def parse(model: type[Model], record: Any, where: str) -> Model:
    """`model` validated from plain data; the first broken rule becomes a one-line ConfigError.

    >>> from atinuke_bench.config import TokenizerConfig
    >>> parse(TokenizerConfig, {"vocab_sise": 9000}, "tokenizer")
    Traceback (most recent call last):
    atinuke_bench.errors.ConfigError: tokenizer.vocab_sise: unknown field; nearest: 'vocab_size'
    """
    try:
        return model.model_validate(record)
    except ValidationError as error:
        raise ConfigError(_explain(model, error, where)) from None


def _explain(model: type[BaseModel], error: ValidationError, where: str) -> str:
    # A wrong name is most often why another one is missing.
    first = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    path = ".".join(map(str, (where, *first["loc"])))
    if first["type"] == "extra_forbidden":
        owner = _owner(model, first["loc"])
        return f"{path}: unknown field" + (fields_hint(str(first["loc"][-1]), owner) if owner else "")
    return f"{path}: {broken_rule(first)}" + ("" if first["type"] in _SAYS_ALL else f"; found {first['input']!r:.200}")


#: What a value must be, by pydantic's type of error; fields in braces come from the error's context.
_RULES = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string_type": "a text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "model": "a mapping of fields",
    "path": "a path",
    "none": "null",
    "finite": "a finite number",
    "literal": "one of {expected}",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "missing": "the field is missing",
}
#: Types of error whose message already says what was found, or where nothing was.
_SAYS_ALL = ("value_error", "missing")


def broken_rule(error: Mapping[str, Any]) -> str:
    """The rule that an error of pydantic is about, in words for users.

    >>> broken_rule({"type": "int_parsing", "msg": "Input should be a valid integer, unable to parse string"})
    'a whole number'
    """
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    # `int_type`, `int_parsing` and `int_from_float` break one rule; names with several words are whole rules.
    rule = _RULES.get(error["type"]) or _RULES.get(error["type"].partition("_")[0])
    return str(error["msg"]) if rule is None else rule.format(**error.get("ctx", {}))


def fields_hint(field: str, owner: type[BaseModel]) -> str:
    """What a message adds to an unknown field: the nearest one of the model, or all that it has."""
    near = nearest(field, owner.model_fields)
    if near:
        return f"; nearest: {near!r}"
    return f"; it has {', '.join(owner.model_fields)}" if owner.model_fields else "; it has none"


def _owner(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that a field at some location belongs to; a mapping or list of models takes one more part."""
    parts = iter(location[:-1])
    for part in parts:
        if str(part) not in model.model_fields:
            return None
        annotation = model.model_fields[str(part)].annotation
        if get_origin(annotation) in (dict, list):
            annotation = get_args(annotation)[-1]
            next(parts, None)
        found = _as_model(annotation)
        if found is None:
            return None
        model = found
    return model


def parse_override(text: str) -> tuple[str, Any]:
    """`path=value` with the value read as YAML.

    >>> parse_override("core.causal=false")
    ('core.causal', False)
    """
    path, separator, value = text.partition("=")
    if not separator or not path.strip():
        raise ConfigError(f"an override is written path.to.field=value; found {text!r}")
    return path.strip(), number_in_text(yaml_data(value, f"{path.strip()}={value}"))


def field_model(model: type[BaseModel] | None, field: str) -> type[BaseModel] | None:
    """The model of a field that is a group of fields, None of any other."""
    return _as_model(model.model_fields[field].annotation) if model is not None else None


def _as_model(annotation: Any) -> type[BaseModel] | None:
    """A model, also one that may be None."""
    choices = [choice for choice in get_args(annotation) or (annotation,) if choice is not type(None)]
    is_model = len(choices) == 1 and isinstance(choices[0], type) and issubclass(choices[0], BaseModel)
    return choices[0] if is_model else None
