"""The points of a grid over a space."""

from __future__ import annotations

import random
from itertools import islice, product
from typing import Any

from atinuke_bench.errors import ConfigError
from atinuke_bench.sweeps.spaces import Space

#: A grid beyond this is no plan that anybody carries out.
MOST_POINTS = 20_000


def grid_points(space: Space, seed: int) -> list[dict[str, Any]]:
    """What to suggest for every different run of the grid, shuffled, so that a part of it is spread over the whole.

    Ranges give up to four values each; values that a condition holds back make no points of their own. ConfigError
    when there are too many.
    """
    domains = {parameter.path: parameter.domain.grid() for parameter in space.parameters}
    found: dict[str, dict[str, Any]] = {}
    combinations = list(islice(product(*domains.values()), MOST_POINTS + 1))
    if len(combinations) > MOST_POINTS:
        raise ConfigError(f"a grid over {len(domains)} parameters has more than {MOST_POINTS} points; take fewer")
    for combination in combinations:
        point = dict(zip(domains, combination, strict=True))
        draw = space.draw(lambda path, domain, point=point: point[path])  # type: ignore[misc]
        found.setdefault(repr(sorted(draw.overrides.items())), {path: point[path] for path in draw.params})
    points = list(found.values())
    random.Random(seed).shuffle(points)
    return points
