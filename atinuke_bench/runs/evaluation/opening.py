"""What runs are scored on, by name: a declared test set, or their own data perturbed."""

from __future__ import annotations

from pathlib import Path

from atinuke_bench.errors import ConfigError, UnknownNameError, nearest
from atinuke_bench.runs.evaluation.perturbed import SHIFTED, SHUFFLED, OwnData, own_data
from atinuke_bench.runs.evaluation.test_set import TestSet, open_test_set

EvaluationData = TestSet | OwnData


def open_data(
    name_or_file: str,
    data_dir: Path | None,
    given_map: str | None = None,
    name: str | None = None,
    base: Path = Path(),
) -> EvaluationData:
    """The data that a name or a file means, as `open_test_set` takes it; ConfigError."""
    own = own_data(name_or_file, data_dir)
    if own is None:
        try:
            return open_test_set(name_or_file, data_dir, given_map, name, base)
        except UnknownNameError as error:
            near = nearest(name_or_file.partition(":")[0], [SHUFFLED, SHIFTED])
            if near is None:
                raise
            raise ConfigError(f"no test set {name_or_file!r}; nearest: {near!r}") from error
    if given_map is not None or name is not None:
        raise ConfigError(
            f"{own.name}: the runs' own data has their labels and its own name; found "
            f"{'--map' if given_map is not None else '--name'}"
        )
    return own
