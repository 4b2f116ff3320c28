"""Which runs that share a mean were trained with different code."""

from __future__ import annotations

from pathlib import Path

from atinuke_bench.run_folder import RunFolder
from atinuke_bench.source_code import names_of, recorded_code

from .frame import Frame, differing


def mixed_code_notes(frame: Frame) -> list[str]:
    """A line for each variant whose runs in a column differ in the code that their manifests record, if they do."""
    if frame.runs.empty:
        return []
    notes = []
    for _, runs in frame.runs.groupby(["column", "variant"], sort=False):
        folders = [RunFolder(Path(folder)) for folder in runs["folder"]] if len(runs) > 1 else []
        codes = [code for folder in folders if (code := recorded_code(folder.manifest)) is not None]
        # Another version of Python may give a module of the same text another digest.
        texts = set(differing([code.texts for code in codes]))
        if changed := [name for name in differing([code.modules for code in codes]) if name in texts]:
            first = runs.iloc[0]
            notes.append(
                f"The mean of {first['variant']} on {frame.name_of(first['column'])} is of runs with different code "
                f"({names_of(changed)}); run and suite train them again with --rerun."
            )
    return notes
