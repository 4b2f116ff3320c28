"""Notebooks run from the first cell to the last, and are kept with what they showed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from site_tools.listings import ROOT

FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)


def _code(book: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in book["cells"] if cell["cell_type"] == "code"]


def kinds(cell: dict[str, Any]) -> set[str]:
    """What kinds of output a cell has: `stream`, or types of data."""
    return {kind for one in cell["outputs"] for kind in one.get("data", {one["output_type"]: None})}


@NOTEBOOKS
def test_it_is_kept_with_its_outputs_and_with_nothing_of_a_machine(path):
    cells = _code(json.loads(path.read_text(encoding="utf-8")))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert any("image/png" in kinds(cell) for cell in cells)
    outputs = json.dumps([cell["outputs"] for cell in cells])
    for trace in ("Traceback", "/home/", "/root/", "/tmp/", "Warning"):
        assert trace not in outputs


@pytest.mark.slow
@pytest.mark.notebooks
@NOTEBOOKS
def test_it_runs_and_shows_what_is_kept(path, tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="the extra `notebooks` is not installed")
    nbformat = pytest.importorskip("nbformat", reason="the extra `notebooks` is not installed")
    place = tmp_path / "docs" / "notebooks"
    place.mkdir(parents=True)
    shutil.copytree(ROOT / "examples" / "reviews", tmp_path / "examples" / "reviews")
    book = nbformat.read(path, as_version=4)
    kept = [kinds(cell) for cell in _code(book)]
    nbclient.NotebookClient(book, timeout=600, resources={"metadata": {"path": str(place)}}).execute()
    assert [kinds(cell) for cell in _code(book)] == kept
    assert list(Path(place).glob("runs/*"))
