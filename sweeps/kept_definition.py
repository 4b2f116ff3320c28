"""A study's definition, as the attributes of Optuna's study keep it for all who join.

On MySQL an attribute holds 65,535 bytes. A longer definition, as of several declared tasks with many labels, is kept in
pieces of its JSON: on every database, since a study may be copied from any to any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optuna.study import Study as OptunaStudy

from atinuke_bench.errors import StudyError
from atinuke_bench.sweeps.definition import StudyConfig

DEFINITION, BUDGET = "definition", "budget"
#: What stands for a definition in pieces: how many there are, `definition/0` and so on.
_PIECES = "pieces"
#: Bytes of an attribute's JSON at most.
_MOST = 60_000


def keep_definition(study: OptunaStudy, config: StudyConfig) -> None:
    """Write what a study is into its attributes; who finds the definition there finds all of it."""
    record = config.definition()
    study.set_user_attr(BUDGET, config.budget.model_dump(mode="json"))
    text = json.dumps(record)
    if len(text) > _MOST:
        # ASCII, of which a character is two bytes at most where this JSON becomes a text in another one.
        pieces = [text[start : start + _MOST // 2] for start in range(0, len(text), _MOST // 2)]
        for number, piece in enumerate(pieces):
            study.set_user_attr(f"{DEFINITION}/{number}", piece)
        record = {_PIECES: len(pieces)}
    study.set_user_attr(DEFINITION, record)


def kept_record(attributes: Mapping[str, Any], where: str) -> dict[str, Any] | None:
    """A study's definition and budget from its attributes; None where it has none, StudyError where one is damaged."""
    if DEFINITION not in attributes:
        return None
    try:
        record = attributes[DEFINITION]
        if _PIECES in record:
            record = json.loads("".join(attributes[f"{DEFINITION}/{number}"] for number in range(record[_PIECES])))
        return {**record, "budget": attributes[BUDGET]}
    except (KeyError, TypeError, ValueError) as error:
        raise StudyError(f"{where}: its definition is damaged") from error
