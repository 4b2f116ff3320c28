"""What was found of a finished run's attention heads: `<run>/attention/<split>.json`, sealed by itself.

It is written whole or not at all. No file of the run changes, and its result says nothing of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atinuke_bench.errors import RunFolderError
from atinuke_bench.files import file_stem, finite, make_folder, read_object, write_json
from atinuke_bench.records import AttentionRecord
from atinuke_bench.run_folder import RunFolder, require_shape
from atinuke_bench.sealed import sealed, unsealed

ATTENTION_SCHEMA = 1
_PLACE = "attention"


def attention_file(run: RunFolder, split: str) -> Path:
    """Where the attention heads of a run, looked at on a split, are written."""
    return run.path / _PLACE / f"{file_stem(split)}.json"


def find_attention_files(run: RunFolder) -> list[Path]:
    """Every such file of a run, in order of name, damaged ones included."""
    place = run.path / _PLACE
    return sorted(place.glob("[!.]*.json")) if place.is_dir() else []


def read_attention(path: Path) -> dict[str, Any]:
    """What a file holds; RunFolderError when it is missing, damaged or of another schema."""
    record = read_object(path)
    if record.get("schema") != ATTENTION_SCHEMA:
        raise RunFolderError(f"{path}: not of attention heads, schema {ATTENTION_SCHEMA}")
    if not unsealed(record):
        raise RunFolderError(f"{path}: not as it was written (its checksum differs)")
    shape = require_shape(AttentionRecord, record, path)
    places = [(layer, head) for layer, number in enumerate(shape.layers) for head in range(number)]
    if [(head.layer, head.head) for head in shape.heads] != places:
        raise RunFolderError(f"{path}: heads: must be those of its layers, in their order")
    if shape.curve is not None and len(shape.curve.points) < 2:
        raise RunFolderError(f"{path}: curve: must have a point with all heads and one with none")
    return record


def write_attention(path: Path, record: dict[str, Any]) -> None:
    """Write such a file; RunFolderError where that is refused."""
    whole = finite({"schema": ATTENTION_SCHEMA, **record})
    require_shape(AttentionRecord, whole, path)
    make_folder(path.parent)
    write_json(path, sealed(whole))


def weights_of(run: RunFolder, result: dict[str, Any]) -> str | None:
    """The digest of a run's weights, by which a record is known to be of them."""
    return result.get("artefacts", {}).get(str(run.best_checkpoint.relative_to(run.path)))
