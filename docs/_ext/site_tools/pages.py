"""All pages that are generated, by their place below `docs/generated`."""

from __future__ import annotations

from pathlib import Path

import atinuke_bench
from atinuke_bench import registry
from site_tools.cli_pages import cli_page
from site_tools.core_cards import core_page
from site_tools.markdown import code, table
from site_tools.notebook_pages import notebook_page
from site_tools.schema_pages import schema_page
from site_tools.schemas import SCHEMAS
from site_tools.task_cards import card_page, cards

DOCS = Path(__file__).resolve().parents[2]


def pages() -> dict[str, str]:
    """Place -> text of every generated page."""
    found = {f"tasks/{card.file}": card_page(card) for card in cards()}
    found["tasks/index.md"] = _tasks_index()
    found |= {f"cores/{name}.md": core_page(name) for name in registry.core_names()}
    found["cores/index.md"] = _cores_index()
    found |= {f"reference/{name}-files.md": schema_page(name, make()) for name, make in SCHEMAS.items()}
    found["reference/command-line.md"] = cli_page()
    found["reference/python-api.md"] = api_page()
    found |= {f"notebooks/{path.stem}.md": notebook_page(path) for path in _notebooks()}
    found["tutorials.md"] = _tutorials()
    return found


def write_pages(folder: Path) -> None:
    """Write what has changed, and remove what is generated no more."""
    found = pages()
    for place in sorted(folder.rglob("*.md")):
        if place.relative_to(folder).as_posix() not in found:
            place.unlink()
    for name, text in found.items():
        place = folder / name
        text = text.rstrip() + "\n"
        if not place.exists() or place.read_text(encoding="utf-8") != text:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")


def api_page() -> str:
    """Every public name of the package, in the order of its `__all__`."""
    lines = [
        "# Python API",
        "",
        "Every name of `atinuke_bench`, from its docstrings. [Python](../../python.md) shows them in use.",
        "",
    ]
    for name in atinuke_bench.__all__:
        if name.startswith("__"):
            continue
        kind = "autoclass" if name[0].isupper() else "autofunction"
        lines += [f"## {name}", "", "```{eval-rst}", f".. {kind}:: atinuke_bench.{name}", "```", ""]
    return "\n".join(lines)


def _notebooks() -> list[Path]:
    return sorted((DOCS / "notebooks").glob("*.ipynb"))


def _tutorials() -> str:
    """What there is of tutorials and notebooks; the page says so where there is nothing."""
    places = [f"../tutorials/{path.stem}" for path in sorted((DOCS / "tutorials").glob("*.md"))]
    places += [f"notebooks/{path.stem}" for path in _notebooks()]
    lines = ["# Tutorials", ""]
    if not places:
        return "\n".join([*lines, "None is written yet; [Start in five minutes](../start.md) is the way in.", ""])
    lines += [
        "Each begins with nothing and ends with a result. Notebooks are shown with the outputs they were run with."
    ]
    return "\n".join([*lines, "", "```{toctree}", ":maxdepth: 1", "", *places, "```"])


def _tasks_index() -> str:
    rows = []
    for card in cards():
        metric = card.task.metric.name.partition("(")[0]
        rows.append((f"[{code(card.title)}]({card.file})", card.task.summary, code(metric)))
    return "\n".join(
        [
            "# Tasks",
            "",
            "A card for each, made of its declaration, of [Data sources](../../data.md) and of the published record. "
            "What none of these knows is not there.",
            "",
            *table(("task", "question", "metric"), rows),
            *_toctree(card.file for card in cards()),
        ]
    )


def _cores_index() -> str:
    names = registry.core_names()
    return "\n".join(
        [
            "# Cores",
            "",
            "A core is an encoder: token ids in, one hidden vector a token out. Your own is a class "
            "([Contributing](../../contributing.md)).",
            "",
            *(f"- [{code(name)}]({name}.md)" for name in names),
            "",
            *_toctree(f"{name}.md" for name in names),
        ]
    )


def _toctree(files: object) -> list[str]:
    return ["```{toctree}", ":hidden:", "", *files, "```"]  # type: ignore[misc]
