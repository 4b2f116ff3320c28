"""A space checked against the config it changes: which fields may be searched, and what each takes."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice, product
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import MultipleOf
from optuna.distributions import CategoricalDistribution, FloatDistribution
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from atinuke_bench import registry
from atinuke_bench.config import CoreConfig, RunConfig, core_config_class
from atinuke_bench.config.base import broken_rule, field_model
from atinuke_bench.config.runs import nearest_setting
from atinuke_bench.errors import ConfigError, nearest
from atinuke_bench.sweeps.domains import domain_record, ends_of
from atinuke_bench.sweeps.spaces import Parameter, Space, make_space
from atinuke_bench.training.task import Task, task_of

#: Combinations of choices that are tried before a study begins.
_MOST_COMBINATIONS = 256
#: A score is comparable between trials only where these are the same for all of them.
_FIXED = {
    "training.select_on": "what scores are measured on",
    "training.held_out_fraction": "what scores are measured on",
    "training.held_out_limit": "what scores are measured on",
    "training.train_limit": "what scores are measured on",
    "training.drop_overlap": "what scores are measured on",
    "task": "the task of the study",
    "seed": "the seed of the study's runs",
    "core.name": "the core under search; --cores compares several",
    "core.preset": "the dimensions that trials start from",
}


def resolve_space(record: Mapping[str, Any], run: RunConfig, where: str) -> Space:
    """A space checked against the core and task of `run`, whose values it changes; ConfigError."""
    if run.training.select_on != "held-out":
        raise ConfigError(
            "a study selects on the slice held out from train; training.select_on=dev would tune on the dev set"
        )
    task, base = task_of(run), values_without_search(run)
    roots = {"core": core_config_class(run.core.name), "options": task.options_class}
    for path, spec in record.items():
        if isinstance(spec, dict) and isinstance(spec.get("when"), dict):
            fixed = {name: values for name, values in spec["when"].items() if name in base and name not in record}
            _check_conditions(fixed, roots, f"{where}: {path}.when")
    space = make_space(record, base, where)
    parameters = []
    for parameter in space.parameters:
        _require_free(parameter.path, task, where)
        field = _searchable_field(parameter.path, roots, where)
        _check_values(parameter, field, f"{where}: {parameter.path}")
        unit = next((rule.multiple_of for rule in field.metadata if isinstance(rule, MultipleOf)), 1)
        parameters.append(replace(parameter, multiple_of=int(unit)))  # type: ignore[call-overload]
    return replace(space, parameters=tuple(parameters))


def values_without_search(run: RunConfig) -> dict[str, Any]:
    """Field -> value of a run's config and of its task's options."""
    values = run.model_dump(mode="json") | {"options": task_of(run).options(run).model_dump(mode="json")}
    return dict(flatten(values))


def require_one_measure(
    space: Space, base: RunConfig, make_run: Callable[[Mapping[str, Any]], RunConfig], where: str
) -> None:
    """Refuse a space whose trials would not all be judged as `base` is; ConfigError with the fields that change it.

    Every combination of choices is tried, up to a limit; no number decides what is measured.
    """
    known, wanted = dict(flatten(base.model_dump(mode="json"))), _measure(base)
    choices = {
        parameter.path: sorted(parameter.domain.choices, key=lambda value: value != known.get(parameter.path))
        for parameter in space.parameters
        if isinstance(parameter.domain, CategoricalDistribution)
    }
    for combination in islice(product(*choices.values()), _MOST_COMBINATIONS):
        chosen = dict(zip(choices, combination, strict=True))
        draw = space.draw(lambda path, domain, chosen=chosen: chosen.get(path, ends_of(domain)[0]))  # type: ignore[misc]
        found = _measure(make_run(draw.overrides))
        # What only one of them has goes with its metric.
        if names := [name for name in wanted if name in found and wanted[name] != found[name]]:
            changed = ", ".join(f"{path}={_plain(value)}" for path, value in chosen.items() if value != known.get(path))
            ours, theirs = (", ".join(f"{name} {measure[name]}" for name in names) for measure in (wanted, found))
            raise ConfigError(
                f"{where}: a study ranks its trials by one metric under one protocol; it is {ours}, and {theirs} with "
                f"{changed}; leave that field out of the space"
            )


def _measure(run: RunConfig) -> dict[str, Any]:
    """What a run's score is: scores of which this differs are not ranked together."""
    task = task_of(run)
    before = registry.load_core(run.core.name).pretraining(run.core, run.task).label
    return {"metric": task.metric.name, "pretraining": before, **task.protocol_of(run)}


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _require_free(path: str, task: Task, where: str) -> None:
    """Refuse a field that may not differ between trials; ConfigError."""
    why = dict(_FIXED)
    why |= dict.fromkeys(task.protocol_fields, f"part of what {task.metric.name} measures")
    for names, reason in (
        (task.protocol_options, "part of the protocol that scores are measured by"),
        (task.options_class.from_data, "read from the data"),
        (task.options_class.of_source, "where the data comes from"),
    ):
        why |= {f"options.{name}": reason for name in names}
    why |= {"source": "where the data comes from", "init_from": "the run that trials start from"}
    path = path.split(".")[0] if path.split(".")[0] in ("source", "init_from") else path
    if path in why:
        raise ConfigError(f"{where}: {path} is {why[path]}, the same in all trials")


def _searchable_field(path: str, roots: Mapping[str, type[BaseModel]], where: str) -> FieldInfo:
    """The field at a dotted path; ConfigError when there is none."""
    model: type[BaseModel] | None = RunConfig
    core_class = roots["core"]
    assert issubclass(core_class, CoreConfig), "a core has a core's config"
    *parents, last = path.split(".")
    for depth, part in enumerate([*parents, last]):
        if model is None or part not in model.model_fields:
            known = [".".join([*parents[:depth], name]) for name in (model.model_fields if model else ())]
            near = nearest(path, known) if depth else nearest_setting(path, core_class)
            raise ConfigError(f"{where}: unknown field {path!r}" + (f"; nearest: {near!r}" if near else ""))
        field = model.model_fields[part]
        model = (roots.get(part) if depth == 0 else None) or field_model(model, part)
    if model is not None:
        raise ConfigError(f"{where}: {path!r} is a group of fields; search one of them")
    return field


def _check_values(parameter: Parameter, field: FieldInfo, where: str) -> None:
    """Refuse values that the field would refuse; ConfigError with the first of them.

    Of a value that is multiplied with another field's only the type can be judged.
    """
    domain = parameter.domain
    if isinstance(domain, FloatDistribution) and not _takes_fractions(field):
        raise ConfigError(f"{where}: the field takes no fractions; found {domain_record(domain)}")
    rules = () if parameter.times is not None else field.metadata
    annotation = _annotation(field, [rule for rule in rules if not isinstance(rule, MultipleOf)])
    for value in ends_of(domain):
        _check_value(value, annotation, where)


def _check_value(value: Any, annotation: Any, where: str) -> None:
    try:
        # Strict, so that neither the text "yes" nor the number 1 is read as true.
        TypeAdapter[Any](annotation).validate_python(value, strict=True)
    except ValidationError as error:
        rule = broken_rule(error.errors(include_url=False)[0])
        raise ConfigError(f"{where}: {rule}; found {value!r}") from None


def _check_conditions(conditions: Mapping[str, Any], roots: Mapping[str, type[BaseModel]], where: str) -> None:
    """Refuse a condition on a value that its field can never have, such as a name with a typo; ConfigError."""
    for path, values in conditions.items():
        field = _searchable_field(path, roots, where)
        for value in values if isinstance(values, list) else [values]:
            if path == "core.name":
                registry.require_core_name(value)
            else:
                _check_value(value, _annotation(field, field.metadata), f"{where}.{path}")


def _annotation(field: FieldInfo, rules: Collection[Any] = ()) -> Any:
    return Annotated[(field.annotation, *rules)] if rules else field.annotation


def _takes_fractions(field: FieldInfo) -> bool:
    annotation = field.annotation
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return float in (get_args(annotation) if is_union else (annotation,))


def flatten(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a record that has records in it, by dotted path."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
