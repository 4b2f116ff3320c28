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
its own range that the trial's heads divide, whatever the range; where the hidden size is fixed, the heads become the
nearest number of theirs that divides it. No trial is ever thrown away for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from atinuke_bench.config import read_named_yaml
from atinuke_bench.errors import ConfigError, nearest
from atinuke_bench.sweeps.domains import KINDS, Domain, FloatDomain, IntDomain, nearest_that_fits, parse_domain

HEADS, HIDDEN, POSITIONS = "core.num_heads", "core.hidden_size", "core.positions"
_OPTIONS = ("log", "step", "times", "when", "relative")


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
        record = self.domain.record()
        if self.times is not None:
            record["times"] = self.times
        if self.when:
            record["when"] = {path: list(values) for path, values in self.when}
        return record

    def with_multiple_of(self, unit: int) -> Parameter:
        return replace(self, multiple_of=unit)

    def needs(self) -> Iterator[str]:
        """Fields whose value must be known before this one's."""
        yield from (path for path, _ in self.when)
        if self.times is not None:
            yield self.times


@dataclass(frozen=True)
class Draw:
    """A trial's values: in the terms of the space, and as overrides of the run's config."""

    params: dict[str, Any]
    overrides: dict[str, Any]


class Suggests(Protocol):
    """Gives a value of a domain: an Optuna trial behind `study.suggester`, or a test's own choice."""

    def __call__(self, path: str, domain: Domain) -> Any: ...


@dataclass(frozen=True)
class Space:
    """Parameters in an order in which each finds what it needs, and the config they change."""

    parameters: tuple[Parameter, ...]
    #: Field -> value it has without a search.
    base: Mapping[str, Any]

    def draw(self, suggest: Suggests) -> Draw:
        """Values for one trial."""
        params: dict[str, Any] = {}
        overrides: dict[str, Any] = {}
        for parameter in self.parameters:
            now = {**self.base, **overrides}
            if all(now.get(path) in values for path, values in parameter.when):
                value = self._fitted(parameter, suggest(parameter.path, parameter.domain), now)
                params[parameter.path] = value
                overrides[parameter.path] = value if parameter.times is None else value * now[parameter.times]
            elif parameter.path == HIDDEN and HEADS in params:
                # The hidden size stays as it is in this trial, so that it is the heads that must fit it.
                heads = next(other for other in self.parameters if other.path == HEADS)
                fixed = replace(self, parameters=(heads,))
                params[HEADS] = fixed._fitted(heads, params[HEADS], now)
                overrides[HEADS] = params[HEADS] * (1 if heads.times is None else now[heads.times])
        return Draw(params, overrides)

    def record(self) -> dict[str, Any]:
        """The space as plain data, as `study.yaml` keeps it."""
        return {parameter.path: parameter.record() for parameter in self.parameters}

    def _fitted(self, parameter: Parameter, value: Any, now: Mapping[str, Any]) -> Any:
        factor = 1 if parameter.times is None else now[parameter.times]
        unit = parameter.multiple_of
        least = 2 if now.get(POSITIONS) == "rotary" else 1  # rotary positions turn pairs of components
        if parameter.path == HIDDEN and HEADS in now:
            unit = max(unit, now[HEADS] * least)
        elif parameter.path == HEADS and not any(other.path == HIDDEN for other in self.parameters):
            return self._require(parameter, value, lambda heads: now[HIDDEN] % (heads * factor * least) == 0, now)
        if unit == 1:
            return value
        return self._require(parameter, value, lambda size: size * factor % unit == 0, now)

    def _require(self, parameter: Parameter, value: Any, fits: Any, now: Mapping[str, Any]) -> Any:
        if fits(value):
            return value
        found = nearest_that_fits(parameter.domain, value, fits)
        if found is None:
            heads = f" with {HEADS} {now[HEADS]}" if parameter.path == HIDDEN and HEADS in now else ""
            raise ConfigError(
                f"space: {parameter.path}: heads must divide the hidden size, and none of {parameter.domain.record()} "
                f"fits{heads}; widen the range or take fewer heads"
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


def make_space(record: Mapping[str, Any], base: Mapping[str, Any], where: str = "space") -> Space:
    """A space from plain data. `base` gives the value of every field without a search; ConfigError.

    >>> space = make_space({"core.num_heads": {"categorical": [3, 4]}, "core.hidden_size": {"int": [60, 100]}}, {})
    >>> space.draw(lambda path, domain: 3 if path == "core.num_heads" else 100).overrides
    {'core.num_heads': 3, 'core.hidden_size': 99}
    """
    parameters = [_parameter(str(path), spec, base, f"{where}: {path}") for path, spec in record.items()]
    searched = {parameter.path for parameter in parameters}
    kept = []
    for parameter in parameters:
        for needed in parameter.needs():
            if needed not in searched and needed not in base:
                near = nearest(needed, [*searched, *base])
                hint = f"; nearest: {near!r}" if near else ""
                raise ConfigError(f"{where}: {parameter.path}: no field {needed!r}{hint}")
        # What cannot hold for this core or preset is no dimension of its space.
        if all(path in searched or base[path] in values for path, values in parameter.when):
            live = tuple((path, values) for path, values in parameter.when if path in searched)
            kept.append(replace(parameter, when=live))
    if not kept:
        raise ConfigError(f"{where}: no parameter applies to core {base.get('core.name')!r}")
    space = Space(tuple(_in_order(kept, where)), base)
    _check_fit(space)
    return space


def _parameter(path: str, spec: Any, base: Mapping[str, Any], where: str) -> Parameter:
    if not isinstance(spec, dict):
        raise ConfigError(f"{where}: a parameter is a mapping such as {{int: [1, 8]}}; found {spec!r}")
    kinds = [kind for kind in KINDS if kind in spec]
    if unknown := [key for key in spec if key not in (*KINDS, *_OPTIONS)]:
        near = nearest(str(unknown[0]), (*KINDS, *_OPTIONS))
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}" + (f"; nearest: {near!r}" if near else ""))
    if len(kinds) != 1:
        raise ConfigError(f"{where}: give one of {', '.join(KINDS)}; found {', '.join(kinds) or 'none'}")
    limits = spec[kinds[0]]
    if spec.get("relative"):
        limits = _relative(path, kinds[0], limits, base, where)
    domain = parse_domain(kinds[0], limits, step=spec.get("step"), log=spec.get("log", False), where=where)
    conditions = spec.get("when", {})
    if not isinstance(conditions, dict):
        raise ConfigError(f"{where}.when: field -> value, or list of values; found {conditions!r}")
    when = tuple(
        (str(field), tuple(values) if isinstance(values, list) else (values,)) for field, values in conditions.items()
    )
    return Parameter(path, domain, spec.get("times"), when)


def _relative(path: str, kind: str, limits: Any, base: Mapping[str, Any], where: str) -> Any:
    """A range in multiples of the value the field has without a search."""
    value = base.get(path)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or kind == "categorical" or not isinstance(limits, list):
        raise ConfigError(f"{where}: relative is for a range of a field that has a number; found {value!r}")
    if not all(isinstance(limit, int | float) for limit in limits):
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
        needs = [*parameter.needs(), *({HIDDEN: (HEADS, POSITIONS), HEADS: (POSITIONS,)}.get(parameter.path, ()))]
        for needed in needs:
            if needed in searched:
                yield from visit(searched[needed], (*waiting, parameter.path))
        done.add(parameter.path)
        yield parameter

    for parameter in parameters:
        yield from visit(parameter, ())


def _check_fit(space: Space) -> None:
    """Every combination of heads and positions must leave a hidden size to take; ConfigError at once, not mid-way."""
    discrete = {
        parameter.path: parameter.domain.values()
        for parameter in space.parameters
        if parameter.path in (HEADS, POSITIONS) and not isinstance(parameter.domain, FloatDomain)
    }
    for combination in product(*discrete.values()):
        fixed = dict(zip(discrete, combination, strict=True))
        space.draw(lambda path, domain, fixed=fixed: fixed.get(path, _first(domain)))


def _first(domain: Domain) -> Any:
    return domain.low if isinstance(domain, IntDomain | FloatDomain) else domain.choices[0]
