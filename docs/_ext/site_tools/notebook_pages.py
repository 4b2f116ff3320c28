"""Notebooks as pages: their texts, code and kept outputs, as they were run; nothing is executed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any


def notebook_page(path: Path) -> str:
    """A notebook as Markdown."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for cell in cells for part in _cell(cell)) + "\n"


def _cell(cell: dict[str, Any]) -> list[str]:
    text = _joined(cell["source"])
    if cell["cell_type"] != "code":
        # Links between notebooks are links between their pages.
        return [re.sub(r"\]\(([\w-]+)\.ipynb\)", r"](\1.md)", text)]
    parts = [f"```python\n{text}\n```"] if text.strip() else []
    return parts + [shown for output in cell["outputs"] if (shown := _output(output))]


def _output(output: dict[str, Any]) -> str:
    """What an output shows: a picture, else text; HTML of a table is left to its text."""
    data = output.get("data", {})
    if "image/png" in data:
        alternative = "Figure that the code above draws"
        return f'<img alt="{alternative}" src="data:image/png;base64,{_joined(data["image/png"]).strip()}">'
    text = _joined(output["text"] if "text" in output else data.get("text/plain", ""))
    return f"```text\n{text.rstrip()}\n```" if text.strip() else ""


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
