"""Factors of a suite: settings whose values its runs have in every combination.

    factors:
      core.causal: [true, false]                                            # a setting and its values
      size: {small: {core.num_layers: 1}, large: {core.num_layers: 4}}      # a name, and levels of several settings

vary the one trained column of `cores` (`of: NAME` says which, where there are several). `preset` is a setting here, and
so is `core`.

    factors: {from: transformer, to: atinuke}

names two columns, and makes a factor of each setting in which they differ. What the kinds of core do not share is the
factor `core`, what presets set together the factor `preset`. Both columns stay as they are: they are the corners of
the factorial.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

from atinuke_bench.config.base import parse
from atinuke_bench.config.cores import CoreConfig, core_config_class, is_floor
from atinuke_bench.config.runs import require_setting
from atinuke_bench.config.suites import CoreVariant, SuiteConfig
from atinuke_bench.config.written import as_written, number_in_text
from atinuke_bench.errors import ConfigError, UnknownNameError, nearest

#: More columns than this are a mistake, or a study.
_MOST_COLUMNS = 256
#: Settings of a column that are none of a run's config.
_OF_COLUMN = ("core", "preset")
#: What a run is part of, and so no setting to vary.
_GRID = {"task": "tasks", "seed": "seeds", "core.name": "factors.core", "core.preset": "factors.preset"}
_ENDS = ("from", "to")
_UNSET = object()
Settings = dict[str, Any]


@dataclass(frozen=True)
class Factor:
    """What varies: levels by name, each with its settings; the first one is what others are compared with.

    `key` is what the suite calls it.
    """

    name: str
    key: str
    levels: Mapping[str, Settings]

    def paths(self) -> set[str]:
        """All settings that its levels set."""
        return {path for settings in self.levels.values() for path in settings}


def with_factors(suite: SuiteConfig, where: str) -> SuiteConfig:
    """The suite with a column for every combination of its factors' levels; ConfigError that begins with `where`."""
    for name, variant in suite.cores.items():
        if variant.levels:
            raise ConfigError(f"{where}.cores.{name}.levels: filled from `factors`; write the factors there")
    if not suite.factors:
        return suite
    where_factors = f"{where}.factors"
    if any(isinstance(suite.factors.get(end), str) for end in _ENDS):
        start, end = _ends(suite, where_factors)
        factors = _between(suite, start, end, where_factors)
    else:
        start = end = _varied(suite, where_factors)
        factors = [_factor(name, given, where_factors) for name, given in suite.factors.items() if name != "of"]
        if len(factors) < 2:
            raise ConfigError(
                f"{where_factors}: two factors or more; found {len(factors)}; for one write its values as columns of "
                "`cores`"
            )
        _require_sound(factors, suite, start, where)
    num_columns = 1
    for factor in factors:
        num_columns *= len(factor.levels)
    if num_columns > _MOST_COLUMNS:
        raise ConfigError(f"{where_factors}: at most {_MOST_COLUMNS} combinations; found {num_columns}")
    columns = dict(_columns(suite, factors, start, end))
    return _with_columns(suite, columns, (start, end), where)


def _with_columns(
    suite: SuiteConfig, columns: Mapping[str, CoreVariant], replaced: tuple[str, str], where: str
) -> SuiteConfig:
    """The suite with columns in place of those that they were made of."""
    cores: dict[str, Any] = {}
    for name, variant in suite.cores.items():
        if name in columns and name not in replaced:
            raise ConfigError(f"{where}.cores.{name}: the factors make a column of this name; choose another")
        if name == replaced[0]:
            cores |= {column: made.model_dump() for column, made in columns.items()}
        elif name != replaced[1]:
            cores[name] = variant.model_dump()
    return parse(SuiteConfig, {**suite.model_dump(), "cores": cores}, where)


def _columns(suite: SuiteConfig, factors: list[Factor], start: str, end: str) -> Iterator[tuple[str, CoreVariant]]:
    """Name and variant of each combination, the last factor's levels changing first."""
    base = suite.cores[start]
    bound = {path for factor in factors for path in factor.paths()}
    shared = {path: value for path, value in base.overrides.items() if path not in bound}
    for levels in product(*(factor.levels for factor in factors)):
        chosen = dict(zip((factor.name for factor in factors), levels, strict=True))
        settings: Settings = {}
        for factor in factors:
            settings |= factor.levels[chosen[factor.name]]
        own = {name: settings.pop(name, getattr(base, name)) for name in _OF_COLUMN}
        name = ", ".join(f"{factor}={level}" for factor, level in chosen.items())
        made = base.model_copy(update={**own, "overrides": {**shared, **settings}, "levels": chosen})
        if start != end:  # the corners are the columns that the user wrote
            corners = {0: start, -1: end}
            for place, corner in corners.items():
                if all(list(factor.levels)[place] == chosen[factor.name] for factor in factors):
                    name, made = corner, suite.cores[corner].model_copy(update={"levels": chosen})
        yield name, made


def _varied(suite: SuiteConfig, where: str) -> str:
    """The column that the factors vary."""
    trained = _trained(suite)
    name = suite.factors.get("of")
    if name is not None:
        return _column(name, trained, f"{where}.of")
    if len(trained) != 1:
        found = ", ".join(trained) or "none"
        raise ConfigError(f"{where}: they vary one trained core of `cores`, which `of: NAME` names; found {found}")
    return trained[0]


def _ends(suite: SuiteConfig, where: str) -> tuple[str, str]:
    others = [name for name in suite.factors if name not in _ENDS]
    missing = [name for name in _ENDS if name not in suite.factors]
    if others or missing:
        found = f"{others[0]!r} beside them" if others else f"no {missing[0]!r}"
        raise ConfigError(f"{where}: from and to are two columns of `cores`, and nothing else; found {found}")
    start, end = (_column(suite.factors[name], _trained(suite), f"{where}.{name}") for name in _ENDS)
    if start == end:
        raise ConfigError(f"{where}: from and to are two columns; found {start!r} twice")
    a, b = suite.cores[start], suite.cores[end]
    for field in ("init_from", "tasks"):
        if getattr(a, field) != getattr(b, field):
            raise ConfigError(f"{where}: {start!r} and {end!r} differ in {field}, which is no setting of a core")
    return start, end


def _trained(suite: SuiteConfig) -> list[str]:
    """The columns whose cores have settings; a floor has none."""
    return [name for name, variant in suite.cores.items() if not is_floor(variant.core)]


def _column(name: Any, known: list[str], where: str) -> str:
    if name not in known:
        near = nearest(str(name), known)
        hint = f"nearest: {near!r}" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"{where} names no trained core of `cores`; found {name!r}; {hint}")
    return str(name)


def _factor(name: str, given: Any, where: str) -> Factor:
    """A factor as it is written, its own rules checked."""
    where = f"{where}.{name}"
    if isinstance(given, list):
        levels = {_level(value): {name: value} for value in given}
        label = name.rpartition(".")[2]
    elif isinstance(given, Mapping) and all(isinstance(settings, Mapping) for settings in given.values()):
        levels, label = {str(level): dict(settings) for level, settings in given.items()}, name
    else:
        raise ConfigError(f"{where}: a list of values, or levels with the settings of each; found {given!r:.100}")
    if len(given) < 2:
        raise ConfigError(f"{where}: two levels or more; found {len(given)}")
    if isinstance(given, list) and len(levels) < len(given):
        raise ConfigError(f"{where}: has a level twice; found {', '.join(map(_level, given))}")
    for one, other in combinations(levels, 2):
        if _same(levels[one], levels[other]):
            raise ConfigError(f"{where}: levels {one!r} and {other!r} are the same")
    return Factor(label, name, levels)


def _require_sound(factors: list[Factor], suite: SuiteConfig, column: str, where: str) -> None:
    """Refuse factors that set one setting twice, one that is set elsewhere, or one that there is not."""
    names = [factor.name for factor in factors]
    for one, other in combinations(factors, 2):
        if both := sorted(one.paths() & other.paths()):
            raise ConfigError(f"{where}.factors: {one.name!r} and {other.name!r} both set {both[0]}")
        if one.name == other.name:
            raise ConfigError(f"{where}.factors: two factors are called {one.name!r}; found {', '.join(names)}")
    fixed = {f"{where}.overrides": suite.overrides, f"{where}.cores.{column}.overrides": suite.cores[column].overrides}
    fixed |= {f"{where}.task_overrides.{task}": own for task, own in suite.task_overrides.items()}
    kinds = {settings["core"] for factor in factors for settings in factor.levels.values() if "core" in settings}
    for factor in factors:
        for place, overrides in fixed.items():
            if both := sorted(factor.paths() & overrides.keys()):
                raise ConfigError(
                    f"{place}: sets {both[0]}, which factor {factor.name!r} varies; leave it to the factor"
                )
        for settings in factor.levels.values():
            own = {settings["core"]} if "core" in settings else kinds or {suite.cores[column].core}
            _require_settings(settings, own, f"{where}.factors.{factor.key}")


def _require_settings(settings: Settings, kinds: Iterable[str], where: str) -> None:
    for path in settings:
        if path in _GRID:
            raise ConfigError(f"{where}: {path!r} is no setting of a core; nearest: {_GRID[path]!r}")
        for kind in kinds if path not in _OF_COLUMN else ():
            try:
                require_setting(path, core_config_class(kind))
            except UnknownNameError:
                raise
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from None


def _between(suite: SuiteConfig, start: str, end: str, where: str) -> list[Factor]:
    """A factor for each setting in which two columns differ, `start`'s value first."""
    sides = [suite.cores[name] for name in (start, end)]
    classes = [core_config_class(side.core) for side in sides]
    common = classes[0].model_fields.keys() & classes[1].model_fields.keys()
    levels: dict[str, list[tuple[str, Settings]]] = {}
    if sides[0].core != sides[1].core:
        # What the other kind of core has no field for goes with the kind.
        own = [{path: value for path, value in side.overrides.items() if _lacks(path, common)} for side in sides]
        levels["core"] = [(side.core, {"core": side.core, **more}) for side, more in zip(sides, own, strict=True)]
    if sides[0].preset != sides[1].preset:
        levels["preset"] = [(side.preset, {"preset": side.preset}) for side in sides]
    fields = [f"core.{name}" for name in classes[0].model_fields if name in common]
    fields = [path for path in fields if path.removeprefix("core.") not in ("name", *classes[0].provenance)]
    others = [path for side in sides for path in side.overrides if not path.startswith("core.")]
    for path in dict.fromkeys([*fields, *others]):
        by_preset = "preset" not in levels
        values = [_value(path, side, one, suite, by_preset) for side, one in zip(sides, classes, strict=True)]
        if not _same(*values):
            levels[path.rpartition(".")[2]] = [
                ("default", {}) if value is _UNSET else (_level(value), {path: value}) for value in values
            ]
    if len(levels) < 2:
        found = f"{next(iter(levels))} alone" if levels else "nothing"
        raise ConfigError(
            f"{where}: {start!r} and {end!r} differ in {found}; a difference is shared out between two settings or "
            "more that both have"
        )
    factors = [Factor(name, name, dict(pair)) for name, pair in levels.items()]
    bound = {path for factor in factors for path in factor.paths()}
    for task, overrides in suite.task_overrides.items():
        if both := sorted(bound & overrides.keys()):
            raise ConfigError(
                f"{where.removesuffix('.factors')}.task_overrides.{task}: sets {both[0]}, in which {start!r} and "
                f"{end!r} differ; leave it to the factor"
            )
    return factors


def _lacks(path: str, common: Iterable[str]) -> bool:
    return path.startswith("core.") and path.removeprefix("core.") not in common


def _value(path: str, side: CoreVariant, kind: type[CoreConfig], suite: SuiteConfig, by_preset: bool) -> Any:
    """What a column has as a setting; _UNSET where its preset or a rule says it."""
    overrides = {**suite.overrides, **side.overrides}
    if path in overrides:
        return number_in_text(overrides[path])
    if not path.startswith("core."):
        return _UNSET
    field, dimensions = path.removeprefix("core."), kind.record(side.preset)
    if field in dimensions:
        return dimensions[field] if by_preset else _UNSET
    declared = kind.model_fields[field]
    return _UNSET if declared.is_required() else declared.get_default(call_default_factory=True)


def _level(value: Any) -> str:
    """A value as the name of its level."""
    return "none" if value is None else as_written(number_in_text(value))


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one; 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    one, other = number_in_text(one), number_in_text(other)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
