"""What columns of suites have from studies: looked up in a store, or as the suite's record keeps it once it began."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from atinuke_bench.config import StudyOrigin, StudyRank, parse
from atinuke_bench.errors import AtinukeBenchError, ConfigError, StudyError
from atinuke_bench.runs.suite_record import read_record, record_path
from atinuke_bench.sweeps.best import best_trials, origin_of
from atinuke_bench.sweeps.definition import first_difference
from atinuke_bench.sweeps.opening import open_study


def find_column(
    store: Path, url: str | None, say: Callable[[str], None], suite: str, column: str, asked: StudyRank
) -> Mapping[str, Any]:
    """Core, preset and origin of a suite's column, as `runs.study_columns.FindColumn` gives them.

    A suite that began keeps what its column had then; `say` is told where the study says otherwise by now. StudyError
    for a study or a rank that there is not.
    """
    kept = _kept(store, suite, column, asked)
    try:
        now = _found(store, url, asked)
    except AtinukeBenchError as error:
        if kept is None:
            raise
        say(f"suite {suite!r}: column {column!r} stays trial {kept['study']['trial']}, as it began: {error}")
        return kept
    if kept is None:
        return now
    if kept["study"]["trial"] != now["study"]["trial"]:
        differs = first_difference(kept["study"]["settings"], now["study"]["settings"])
        ranked = f"number {asked.rank} of study {asked.study!r} is trial {now['study']['trial']} by now"
        say(
            f"suite {suite!r}: column {column!r} stays trial {kept['study']['trial']}, as it began; {ranked}"
            + (f" (it began with {differs})" if differs else "")
            + "; a suite of another name takes that"
        )
    return kept


def _found(store: Path, url: str | None, asked: StudyRank) -> dict[str, Any]:
    study = open_study(asked.study, store, url)
    try:
        trials = best_trials(study)
        if asked.rank > len(trials):
            raise StudyError(
                f"study {asked.study!r} has no rank {asked.rank}: {len(trials)} different trials are complete; "
                f"nearest: {len(trials)}"
            )
        origin = origin_of(study, trials[asked.rank - 1], asked.rank)
    finally:
        study.close()
    return {"core": study.config.core, "preset": study.config.preset, "study": origin.model_dump(mode="json")}


def _kept(store: Path, suite: str, column: str, asked: StudyRank) -> dict[str, Any] | None:
    """What the record of a suite that began has of a column that asks for the same; None where there is none."""
    columns = read_record(record_path(store, suite), suite).suite.get("cores", {})
    known = columns.get(column) if isinstance(columns, Mapping) else None
    try:
        origin = parse(StudyOrigin, known["study"], "study") if known is not None else None
    except (ConfigError, KeyError, TypeError):  # of another version, or a column that was none of a study
        return None
    if known is None or origin is None or (origin.study, origin.rank) != (asked.study, asked.rank):
        return None
    return {"core": known["core"], "preset": known["preset"], "study": origin.model_dump(mode="json")}
