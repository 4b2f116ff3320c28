"""What the functions of the API share: places, threads, and tables of gaps."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from atinuke_bench.run_folder import RunFolder

Place = str | Path
_PACKAGE = __name__.partition(".")[0]


def data_folder(data_dir: Place | None) -> Path | None:
    """The folder of official files: the caller's, else that of $ATINUKE_DATA, as on the command line."""
    place = data_dir or os.environ.get("ATINUKE_DATA")
    return Path(place) if place else None


def folders_at(places: Place | Iterable[Place]) -> list[RunFolder]:
    """The run folders at or below one place or several; ConfigError where a place or every run is missing."""
    from atinuke_bench.errors import ConfigError
    from atinuke_bench.run_folder import find_runs

    chosen = [Path(place) for place in ([places] if isinstance(places, str | Path) else places)]
    if missing := [str(place) for place in chosen if not place.exists()]:
        raise ConfigError(f"no such folder: {', '.join(missing)}")
    folders = find_runs(*chosen)
    if not folders:
        raise ConfigError(f"no run at or below {', '.join(map(str, chosen))}")
    return folders


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch compute with so many threads, and with the caller's number again afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def warn(message: str) -> None:
    """Warn at the line of the caller's own code, however many of our frames lie between."""
    frame: FrameType | None = sys._getframe()
    level = 1
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def warn_of_other_code(place: Path, file: Path, task: str, core: str) -> None:
    """Warn where the code of a run, as `file` records it, has changed since it was trained."""
    from atinuke_bench.source_code import code_note

    if note := code_note(file, task, core):
        warn(f"{place}: {note}")


def table(rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """A frame of these columns, "text", "int64", "float64" or "bool", which has its types without a row too.

    >>> table([], {"task": "text", "seed": "int64"}).dtypes.astype(str)["seed"]
    'int64'
    """
    import pandas as pd

    found = pd.DataFrame(list(rows), columns=list(dtypes))
    return found.astype({name: text_type() if kind == "text" else kind for name, kind in dtypes.items()})


def text_type() -> Any:
    """The type that this version of pandas gives to texts."""
    import pandas as pd

    return pd.Series(["text"]).dtype


def gaps_table(gaps: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """What is missing: where, and why."""
    return table(list(gaps), {"where": "text", "reason": "text"})
