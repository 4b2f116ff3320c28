"""Which fields of a run's config a space may search, and what each takes."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import MultipleOf
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from atinuke_bench.config import RunConfig
from atinuke_bench.config.base import field_model
from atinuke_bench.errors import ConfigError, nearest
from atinuke_bench.sweeps.domains import Domain, FloatDomain

#: A score is comparable between trials only where these are the same for all of them.
_FIXED = {
    "training.select_on": "what scores are measured on",
    "training.held_out_fraction": "what scores are measured on",
    "training.held_out_limit": "what scores are measured on",
    "training.train_limit": "what scores are measured on",
    "task": "the task of the study",
    "seed": "the seed of the study's runs",
    "core.name": "the core under search; --cores compares several",
    "core.preset": "the dimensions that trials start from",
}


def flat_values(run: RunConfig, options: BaseModel) -> dict[str, Any]:
    """Dotted path and value of every field of a run's config, its task's options filled in."""
    record = run.model_dump(mode="json") | {"options": options.model_dump(mode="json")}
    return dict(_flatten(record, ""))


def require_searchable(path: str, core_class: type[BaseModel], options_class: type[BaseModel], where: str) -> FieldInfo:
    """The field at a dotted path; ConfigError when there is none or when it may not differ between trials."""
    if path in _FIXED or path.split(".")[0] == "source":
        raise ConfigError(f"{where}: {path} is {_FIXED.get(path, 'where the data comes from')}, the same in all trials")
    roots = {"core": core_class, "options": options_class}
    model: type[BaseModel] | None = RunConfig
    *parents, last = path.split(".")
    for depth, part in enumerate([*parents, last]):
        if model is None or part not in model.model_fields:
            known = [".".join([*parents[:depth], name]) for name in (model.model_fields if model else ())]
            near = nearest(path, known)
            raise ConfigError(f"{where}: unknown field {path!r}" + (f"; nearest: {near!r}" if near else ""))
        field = model.model_fields[part]
        model = (roots.get(part) if depth == 0 else None) or field_model(model, part)
    if model is not None:
        raise ConfigError(f"{where}: {path!r} is a group of fields; search one of them")
    return field


def check_domain(domain: Domain, field: FieldInfo, where: str, *, times: bool) -> None:
    """Refuse values that the field would refuse; ConfigError with the first of them.

    Of a value that is multiplied with another field's only the type can be judged.
    """
    if isinstance(domain, FloatDomain) and not _takes_fractions(field):
        raise ConfigError(f"{where}: the field takes no fractions; found {domain.record()}")
    metadata = [] if times else [rule for rule in field.metadata if not isinstance(rule, MultipleOf)]
    annotation = Annotated[(field.annotation, *metadata)] if metadata else field.annotation  # type: ignore[valid-type]
    adapter = TypeAdapter(annotation)
    for value in domain.ends():
        try:
            # Strict, so that neither the text "yes" nor the number 1 stands for true.
            adapter.validate_python(value, strict=True)
        except ValidationError as error:
            rule = error.errors(include_url=False)[0]["msg"]
            raise ConfigError(f"{where}: {rule[0].lower()}{rule[1:]}; found {value!r}") from None


def multiple_of(field: FieldInfo) -> int:
    """The number that every value of the field must be a multiple of."""
    return next((int(rule.multiple_of) for rule in field.metadata if isinstance(rule, MultipleOf)), 1)


def _takes_fractions(field: FieldInfo) -> bool:
    annotation = field.annotation
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return float in (get_args(annotation) if is_union else (annotation,))


def _flatten(record: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
