"""The second axis of a suite: how many examples its cores learn from.

    train_limits: [0.03, 0.1, 0.3]

trains every core of the suite on these parts of its train data too (numbers from 2 on are counts of examples). A
smaller part is within every larger one. Reports call a core the same on every part.
"""

from __future__ import annotations

from typing import Any

from atinuke_bench.config.base import parse
from atinuke_bench.config.cores import is_floor
from atinuke_bench.config.suites import SuiteConfig
from atinuke_bench.config.written import as_written
from atinuke_bench.errors import ConfigError

_SETTING = "training.train_limit"


def with_train_limits(suite: SuiteConfig, where: str) -> SuiteConfig:
    """The suite with a column for each trained core and limit, before the one on all data; ConfigError.

    Messages begin with `where`.
    """
    for name, variant in suite.cores.items():
        if variant.part_of is not None:
            raise ConfigError(f"{where}.cores.{name}.part_of: filled from `train_limits`; write the limits there")
    if not suite.train_limits:
        return suite
    fixed = {f"{where}.overrides": suite.overrides}
    fixed |= {f"{where}.task_overrides.{task}": own for task, own in suite.task_overrides.items()}
    fixed |= {f"{where}.cores.{name}.overrides": variant.overrides for name, variant in suite.cores.items()}
    for place, overrides in fixed.items():
        if _SETTING in overrides:
            raise ConfigError(f"{place}: sets {_SETTING}, which `train_limits` varies; leave it to that")
    cores: dict[str, Any] = {}
    for name, variant in suite.cores.items():
        for limit in () if is_floor(variant.core) else suite.train_limits:
            column = f"{name}, train_limit={as_written(limit)}"
            if column in suite.cores:
                raise ConfigError(f"{where}.cores.{column}: train_limits makes a column of this name; choose another")
            overrides = {**variant.overrides, _SETTING: limit}
            # Factors are taken apart where all data is learned from.
            part = variant.model_copy(update={"overrides": overrides, "levels": {}, "part_of": name})
            cores[column] = part.model_dump()
        cores[name] = variant.model_dump()
    return parse(SuiteConfig, {**suite.model_dump(), "cores": cores}, where)
