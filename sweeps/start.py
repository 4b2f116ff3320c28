"""The first trial of a study: the values that core, preset and task have without a search.

A search that begins with what is known to be reasonable has something to hold its other trials against from the start.
"""

from __future__ import annotations

from typing import Any

from atinuke_bench.sweeps.definition import StudyConfig
from atinuke_bench.sweeps.domains import holds
from atinuke_bench.sweeps.fields import values_without_search


def first_values(config: StudyConfig) -> dict[str, Any]:
    """What to suggest first: of each parameter the value without a search, where the space has it."""
    base = values_without_search(config.make_run({}))
    found = {}
    for parameter in config.space.parameters:
        value = base.get(parameter.path)
        if parameter.times is not None:
            factor = base.get(parameter.times)
            value = value / factor if isinstance(value, int | float) and isinstance(factor, int | float) else None
            value = int(value) if isinstance(value, float) and value.is_integer() else value
        if holds(parameter.domain, value):
            found[parameter.path] = value
    return found
