"""What was found of the attention heads of a frame's runs (`atinuke-bench heads`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atinuke_bench.attention_file import find_attention_files, read_attention, weights_of
from atinuke_bench.errors import RunFolderError
from atinuke_bench.run_folder import RunFolder

from .frame import Frame, Gap


@dataclass(frozen=True)
class Looked:
    """The attention heads of a run, looked at on one split."""

    run: int
    record: Mapping[str, Any]


def attention_of(frame: Frame) -> tuple[list[Looked], list[Gap]]:
    """The records of all runs here, and a gap for each that cannot be used."""
    found: list[Looked] = []
    gaps: list[Gap] = []
    for run in frame.runs.index[~frame.runs["is_remote"].astype(bool)]:
        folder = RunFolder(Path(frame.value(run, "folder")))
        for path in find_attention_files(folder):
            try:
                record = read_attention(path)
                _require_own(folder, record)
            except RunFolderError as error:
                gaps.append(Gap(str(path), str(error)))
            else:
                found.append(Looked(run, record))
    return found, gaps


def _require_own(folder: RunFolder, record: Mapping[str, Any]) -> None:
    """RunFolderError for a record that was made with other weights than the run has now."""
    if record["determinants"].get("weights") != weights_of(folder, folder.read_result()):
        raise RunFolderError("not counted: made with other weights than the run has now; `heads` does it again")
