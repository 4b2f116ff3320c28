"""The base of all configs, and how plain data becomes one with a one-line error."""

from __future__ import annotations

from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from atinuke_bench.errors import ConfigError, nearest

Model = TypeVar("Model", bound=BaseModel)


class Frozen(BaseModel):
    """Base of all configs: immutable, no unknown fields, no silent coercion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False, protected_namespaces=())


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
    first = error.errors(include_url=False)[0]
    path = ".".join(map(str, (where, *first["loc"])))
    if first["type"] == "extra_forbidden":
        owner = _owner(model, first["loc"])
        near = nearest(str(first["loc"][-1]), owner.model_fields) if owner else None
        return f"{path}: unknown field" + (f"; nearest: {near!r}" if near else "")
    message = first["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" + ("" if first["type"] == "value_error" else f"; found {first['input']!r}")


def _owner(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    for part in location[:-1]:
        model = field_model(model, str(part)) if str(part) in model.model_fields else None
        if model is None:
            return None
    return model


def parse_override(text: str) -> tuple[str, Any]:
    """`path=value` with the value read as YAML.

    >>> parse_override("core.causal=false")
    ('core.causal', False)
    """
    path, separator, value = text.partition("=")
    if not separator or not path.strip():
        raise ConfigError(f"an override is written path.to.field=value; found {text!r}")
    try:
        # YAML 1.1 reads 1e-3 as text; a float is what the user means.
        return path.strip(), _number(yaml.safe_load(value))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.strip()}: not a YAML value; found {value!r}") from error


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def field_model(model: type[BaseModel] | None, field: str) -> type[BaseModel] | None:
    """The model of a field that is a group of fields, None of any other."""
    annotation = model.model_fields[field].annotation if model is not None else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
