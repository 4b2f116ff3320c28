"""A search space over the fields of a run's config, written in YAML.

    description: what it is for
    parameters:
      core.num_layers: {int: [1, 8]}
      core.num_heads: {categorical: [1, 2, 4, 8]}
      core.hidden_size: {int: [0.5, 2], relative: true, log: true}    # times the preset's own value
      core.feedforward_size: {categorical: [2, 4], times: core.hidden_size}
      training.learning_rate: {float: [1e-4, 3e-3], log: true}
      core.attention_dropout: {float: [0, 0.3], when: {core.norm: pre, core.name: [atinuke, transformer]}}

`when` holds a parameter back unless every named field has the value, or one of the values, given; what is held back
keeps the value it has without a search.

**Heads divide the hidden size by construction**: the hidden size that a sampler asks for becomes the nearest size of
its own range that the trial's heads divide; where the hidden size is fixed, the heads become the nearest number of
theirs that divides it. No trial is ever thrown away for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from itertools import islice, product
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from atinuke_bench.config import is_finite_number, read_named_yaml
from atinuke_bench.errors import ConfigError, nearest
from atinuke_bench.sweeps.domains import (
    KINDS,
    Domain,
    domain_record,
    ends_of,
    holds,
    nearest_that_fits,
    parse_domain,
    values_of,
)

HEADS, HIDDEN, POSITIONS = "core.num_heads", "core.hidden_size", "core.positions"
#: What fitting reads, besides the parameters' own needs.
_FITTED_BY = {HIDDEN: (HEADS, POSITIONS), HEADS: (POSITIONS,)}
#: Branches of a space that are tried when it is read.
_MOST_BRANCHES = 4096
_OPTIONS = ("log", "step", "times", "when", "relative")
#: Key under which a space that is written down keeps the values its parameters read; no field's path is without a dot.
_BASE = "base"

#: Gives a value of a domain: an Optuna trial, or the values that one was given before.
Suggest = Callable[[str, Domain], Any]


@dataclass(frozen=True)
class Parameter:
    """One dimension of a space: a config field and what it may be."""

    path: str
    domain: Domain
    #: Field that the value is multiplied with.
    times: str | None = None
    #: Field -> values, all of which must hold.
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    #: The least number that every value must be a multiple of.
    multiple_of: int = 1

    def record(self) -> dict[str, Any]:
        record = domain_record(self.domain)
        if self.times is not None:
            record["times"] = self.times
        if self.when:
            record["when"] = {path: list(values) for path, values in self.when}
        if self.multiple_of > 1:
            record["multiple_of"] = self.multiple_of
        return record

    def needs(self) -> list[str]:
        """Fields whose value must be known before this one's."""
        return [path for path, _ in self.when] + ([self.times] if self.times is not None else [])


@dataclass(frozen=True)
class Draw:
    """A trial's values: in the terms of the space, and as overrides of the run's config."""

    params: dict[str, Any]
    overrides: dict[str, Any]


@dataclass(frozen=True)
class Space:
    """Parameters in an order in which each finds what it needs."""

    parameters: tuple[Parameter, ...]
    #: Field -> value without a search, of those fields that a parameter reads and a trial may leave as they are.
    base: Mapping[str, Any]

    def draw(self, suggest: Suggest) -> Draw:
        """Values for one trial, a function of what is suggested."""
        params: dict[str, Any] = {}
        overrides: dict[str, Any] = {}
        hidden_is_searched = any(parameter.path == HIDDEN for parameter in self.parameters)
        for parameter in self.parameters:
            path, now = parameter.path, {**self.base, **overrides}
            if all(now.get(other) in values for other, values in parameter.when):
                value = suggest(path, parameter.domain)
                params[path] = _fitted(parameter, value, now, to_hidden=path == HEADS and not hidden_is_searched)
                overrides[path] = params[path] if parameter.times is None else params[path] * now[parameter.times]
            elif path == HIDDEN and HEADS in params:
                # The hidden size stays as it is in this trial, so that it is the heads that must fit it.
                heads = next(other for other in self.parameters if other.path == HEADS)
                params[HEADS] = _fitted(heads, params[HEADS], now, to_hidden=True)
                overrides[HEADS] = params[HEADS] * (1 if heads.times is None else now[heads.times])
        return Draw(params, overrides)

    def record(self) -> dict[str, Any]:
        """The space as plain data, as `study.yaml` and the database keep it."""
        record = {parameter.path: parameter.record() for parameter in self.parameters}
        return {**record, _BASE: dict(self.base)} if self.base else record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Space:
        """The space that `record` wrote down; ConfigError where it was edited into none."""
        specs = {path: dict(spec) for path, spec in record.items() if path != _BASE}
        multiples = {path: spec.pop("multiple_of", 1) for path, spec in specs.items()}
        parameters = [
            replace(_parameter(path, spec, {}, f"space: {path}"), multiple_of=multiples[path])
            for path, spec in specs.items()
        ]
        return cls(tuple(_in_order(parameters, "space")), record.get(_BASE, {}))


def _fitted(parameter: Parameter, value: Any, now: Mapping[str, Any], *, to_hidden: bool) -> Any:
    """The value, or the nearest one of its domain that goes with the values so far."""
    factor, unit = 1 if parameter.times is None else now[parameter.times], parameter.multiple_of
    least = 2 if now.get(POSITIONS) == "rotary" else 1  # rotary positions turn pairs of components
    has_heads = parameter.path == HIDDEN and HEADS in now
    if has_heads:
        unit = max(unit, now[HEADS] * least)

    def fits(number: Any) -> bool:
        if to_hidden:
            return now[HIDDEN] % (number * factor * least) == 0
        return unit == 1 or number * factor % unit == 0

    if fits(value):
        return value
    found = nearest_that_fits(parameter.domain, value, fits)
    if found is None:
        heads = f" with {HEADS} {now[HEADS]}" if has_heads else ""
        raise ConfigError(
            f"space: {parameter.path}: heads must divide the hidden size, and none of "
            f"{domain_record(parameter.domain)} fits{heads}; widen the range or take fewer heads"
        )
    return found


def built_in_spaces() -> dict[str, Path]:
    """Name and file of every space that comes with the package."""
    folder = Path(str(resources.files("atinuke_bench.sweeps")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_space(name_or_file: str) -> dict[str, Any]:
    """The parameters of a built-in space by name, or of a YAML file, as plain data; ConfigError."""
    record, path = read_named_yaml("space", name_or_file, built_in_spaces())
    if not isinstance(record, dict) or not isinstance(record.get("parameters"), dict) or not record["parameters"]:
        raise ConfigError(f"{path}: a space is a mapping with `parameters`: field of the config -> what it may be")
    if unknown := record.keys() - {"description", "parameters"}:
        raise ConfigError(f"{path}: a space has `description` and `parameters`; found {min(map(str, unknown))!r}")
    return record["parameters"]


def suggested(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """What to suggest so that a trial's run has these values, of those parameters whose range holds them.

    `values` are fields of a run's config by dotted path.
    """
    found: dict[str, Any] = {}
    for parameter in space.parameters:
        if parameter.path not in values:
            continue
        value, domain = values[parameter.path], parameter.domain
        if parameter.times is not None:
            factor = values.get(parameter.times, space.base.get(parameter.times))
            if not factor or not isinstance(value, int | float):
                continue
            value = value / factor
        if holds(domain, value):
            if isinstance(domain, CategoricalDistribution):
                value = next(choice for choice in domain.choices if choice == value)
            found[parameter.path] = int(value) if isinstance(domain, IntDistribution) else value
    return found


def make_space(record: Mapping[str, Any], base: Mapping[str, Any], where: str = "space") -> Space:
    """A space from plain data. `base` gives the value of every field without a search; ConfigError.

    >>> space = make_space({"core.num_heads": {"categorical": [3, 4]}, "core.hidden_size": {"int": [60, 100]}}, {})
    >>> space.draw(lambda path, domain: 3 if path == "core.num_heads" else 100).overrides
    {'core.num_heads': 3, 'core.hidden_size': 99}
    """
    parameters = [_parameter(str(path), spec, base, f"{where}: {path}") for path, spec in record.items()]
    searched = {parameter.path: parameter for parameter in parameters}
    kept = []
    for parameter in parameters:
        for needed in parameter.needs():
            if needed not in searched and needed not in base:
                near = nearest(needed, [*searched, *base])
                hint = f"; nearest: {near!r}" if near else ""
                raise ConfigError(f"{where}: {parameter.path}: no field {needed!r}{hint}")
        for path, values in parameter.when:
            if path in searched and searched[path].times is None:
                _require_drawn(values, searched[path].domain, f"{where}: {parameter.path}.when.{path}")
        _require_factor(parameter, searched, base, where)
        _require_whole(parameter, where)
        # What cannot hold for this core or preset is no dimension of its space.
        if all(path in searched or base[path] in values for path, values in parameter.when):
            live = tuple((path, values) for path, values in parameter.when if path in searched)
            kept.append(replace(parameter, when=live))
    if not kept:
        raise ConfigError(f"{where}: no parameter applies to core {base.get('core.name')!r}")
    space = Space(tuple(_in_order(kept, where)), _base_that_is_read(kept, base))
    try:
        _check_fit(space)
    except ConfigError as error:
        raise ConfigError(f"{where}: {str(error).removeprefix('space: ')}") from None
    return space


def _require_drawn(values: tuple[Any, ...], domain: Domain, where: str) -> None:
    """Refuse a condition on a value that the other parameter is never given; ConfigError."""
    for value in values:
        if not holds(domain, value):
            near = (
                nearest(str(value), map(str, values_of(domain))) if not isinstance(domain, FloatDistribution) else None
            )
            hint = f"; nearest: {near!r}" if near else ""
            raise ConfigError(f"{where}: {value!r} is none of {domain_record(domain)}, so it can never hold{hint}")


def _base_that_is_read(parameters: list[Parameter], base: Mapping[str, Any]) -> dict[str, Any]:
    always_drawn = {parameter.path for parameter in parameters if not parameter.when}
    read = {path for parameter in parameters for path in parameter.needs()}
    if not {HEADS, HIDDEN}.isdisjoint(parameter.path for parameter in parameters):
        read |= {HEADS, HIDDEN, POSITIONS}
    return {path: value for path, value in base.items() if path in read - always_drawn}


def _parameter(path: str, spec: Any, base: Mapping[str, Any], where: str) -> Parameter:
    if not isinstance(spec, dict):
        raise ConfigError(f"{where}: a parameter is a mapping such as {{int: [1, 8]}}; found {spec!r}")
    kinds = [kind for kind in KINDS if kind in spec]
    if unknown := [key for key in spec if key not in (*KINDS, *_OPTIONS)]:
        near = nearest(str(unknown[0]), (*KINDS, *_OPTIONS))
        hint = f"nearest: {near!r}" if near else f"a parameter has {', '.join((*KINDS, *_OPTIONS))}"
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; {hint}")
    if len(kinds) != 1:
        raise ConfigError(f"{where}: give one of {', '.join(KINDS)}; found {', '.join(kinds) or 'none'}")
    limits = spec[kinds[0]]
    if not isinstance(spec.get("relative", False), bool):
        raise ConfigError(f"{where}.relative: true or false; found {spec['relative']!r}")
    if spec.get("relative"):
        limits = _relative(path, kinds[0], limits, base, where)
    domain = parse_domain(kinds[0], limits, step=spec.get("step"), log=spec.get("log", False), where=where)
    conditions = spec.get("when", {})
    if not isinstance(conditions, dict):
        raise ConfigError(f"{where}.when: field -> value, or list of values; found {conditions!r}")
    when = tuple(
        (str(field), tuple(values) if isinstance(values, list) else (values,)) for field, values in conditions.items()
    )
    times = spec.get("times")
    if times is not None and not isinstance(times, str):
        raise ConfigError(f"{where}.times: the name of a field, such as core.hidden_size; found {times!r}")
    return Parameter(path, domain, times, when)


def _require_factor(
    parameter: Parameter, searched: Mapping[str, Parameter], base: Mapping[str, Any], where: str
) -> None:
    """Refuse a field that no value can be multiplied with; ConfigError."""
    times = parameter.times
    if times is None:
        return
    values = ends_of(searched[times].domain) if times in searched else (base[times],)
    if wrong := [value for value in values if not is_finite_number(value)]:
        raise ConfigError(f"{where}: {parameter.path}.times: a field that has a number; {times} has {wrong[0]!r}")


def _require_whole(parameter: Parameter, where: str) -> None:
    """Refuse heads and hidden sizes that nothing can divide; ConfigError."""
    if parameter.path not in (HEADS, HIDDEN) or parameter.times is not None:
        return
    for value in ends_of(parameter.domain):
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"{where}: {parameter.path}: a whole number; found {value!r}")


def _relative(path: str, kind: str, limits: Any, base: Mapping[str, Any], where: str) -> Any:
    """A range in multiples of the value the field has without a search."""
    value = base.get(path)
    if not is_finite_number(value) or kind == "categorical" or not isinstance(limits, list):
        raise ConfigError(f"{where}: relative is for a range of a field that has a number; found {value!r}")
    if not all(map(is_finite_number, limits)):
        raise ConfigError(f"{where}: a range is [low, high]; found {limits!r}")
    return [max(1, round(limit * value)) if kind == "int" else limit * value for limit in limits]


def _in_order(parameters: list[Parameter], where: str) -> Iterator[Parameter]:
    """Parameters after those they need; the order of the file otherwise."""
    searched = {parameter.path: parameter for parameter in parameters}
    done: set[str] = set()

    def visit(parameter: Parameter, waiting: tuple[str, ...]) -> Iterator[Parameter]:
        if parameter.path in waiting:
            raise ConfigError(f"{where}: parameters that need each other: {' -> '.join((*waiting, parameter.path))}")
        if parameter.path in done:
            return
        for needed in (*parameter.needs(), *_FITTED_BY.get(parameter.path, ())):
            if needed in searched:
                yield from visit(searched[needed], (*waiting, parameter.path))
        done.add(parameter.path)
        yield parameter

    for parameter in parameters:
        yield from visit(parameter, ())


def _check_fit(space: Space) -> None:
    """Every branch of a space, with all its heads and positions, must leave a hidden size; ConfigError before it runs.

    A branch is a combination of what conditions tell apart: the values that they name, and one that they do not.
    """
    named: dict[str, list[Any]] = {}
    for parameter in space.parameters:
        for path, values in parameter.when:
            named.setdefault(path, []).extend(values)
    tried: dict[str, Sequence[Any]] = {}
    for parameter in space.parameters:
        path, domain = parameter.path, parameter.domain
        if path in (HEADS, POSITIONS) and not isinstance(domain, FloatDistribution):
            tried[path] = values_of(domain)
        elif path in named:
            others = [value for value in ends_of(domain) if value not in named[path]]
            tried[path] = [value for value in named[path] if holds(domain, value)] + others[:1]
    for combination in islice(product(*tried.values()), _MOST_BRANCHES):
        fixed = dict(zip(tried, combination, strict=True))
        space.draw(lambda path, domain, fixed=fixed: fixed.get(path, ends_of(domain)[0]))  # type: ignore[misc]
