"""Generated pages say what declarations, data page and record say, of every task, core, command and public name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from site_tools.cli_pages import cli_page, commands
from site_tools.core_cards import core_page
from site_tools.listings import ROOT
from site_tools.markdown import as_text
from site_tools.notebook_pages import notebook_page
from site_tools.pages import api_page, pages, write_pages
from site_tools.schema_pages import schema_page
from site_tools.schemas import SCHEMAS
from site_tools.task_cards import card_page, cards

import atinuke_bench
from atinuke_bench.config import core_config_class
from atinuke_bench.registry import core_names, load_task, task_names
from atinuke_bench.reports.reading.published import read_published


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return pages()


def test_every_task_is_on_one_card():
    assert sorted(name for card in cards() for name in card.tasks) == sorted(task_names())


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.title)
def test_a_card_says_what_the_task_declares(card):
    text, task = card_page(card), load_task(card.tasks[0])
    assert text.startswith(f"# `{card.title}`\n")
    assert f"`{task.metric.name.partition('(')[0]}" in text
    for split in task.splits.evaluated:
        assert f"`{split}`" in text
    for name, value in task.training.items():
        assert f"| `training.{name}` | `{value}` |" in text
    assert "**Licence**" in text or card.title == "long-range"
    # Nothing stands for what is not known.
    assert not re.search(r"\bNone\b|\bnan\b|\| – \|", text)


def test_known_scores_are_those_of_the_record():
    text = card_page(next(card for card in cards() if card.title == "glue/cola"))
    shown = re.findall(r"^\| (.+?) \| ([\d.]+)(?: ±[^|]*)? \|", text, flags=re.MULTILINE)
    rows = {(as_text(row.system), f"{row.value:g}") for row in read_published() if row.task == "glue/cola"}
    known = [(system, score) for system, score in shown if not system.startswith(("`", "**", "*"))]
    assert len(known) > 10
    assert set(known) <= rows


def test_a_task_without_published_figures_has_no_such_section():
    texts = {card.title: card_page(card) for card in cards()}
    have = {row.task for row in read_published() if row.kind != "claim"}
    assert {title for title, text in texts.items() if "## Known scores" in text} == have & texts.keys()


def test_traps_of_the_data_page_are_on_the_cards():
    texts = {card.title: card_page(card) for card in cards()}
    assert "## Traps" in texts["glue/wnli"]
    assert "## Traps" in texts["xnli/<language>"]
    assert "## Traps" not in texts["glue/rte"]


@pytest.mark.parametrize("name", core_names())
def test_a_cores_card_has_its_presets_and_settings(name):
    text, config_class = core_page(name), core_config_class(name)
    for field in config_class.model_fields.keys() - {"name", "preset"}:
        assert f"| `core.{field}` |" in text
    if not (config_class.is_floor or config_class.has_tokenizer):
        assert all(f"| `{preset}` |" in text for preset in config_class.presets)


def test_every_command_and_option_is_in_the_reference():
    text, names = cli_page(), dict(commands())
    assert {"run", "suite", "sweep show", "task new", "reproduce", "schema"} <= names.keys()
    for name, command in names.items():
        part = text.partition(f"\n## atinuke-bench {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                assert parameter.opts[0] in part, f"{name} {parameter.opts[0]}"


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_command_has_an_example_of_itself(name, command):
    typed = name.removesuffix(" TASK")  # a word of the help, in place of a task
    assert re.match(rf"Examples?: atinuke-bench {typed}\b", command.epilog or ""), command.epilog


def test_every_public_name_is_documented():
    shown = re.findall(r"^\.\. auto(?:class|function):: atinuke_bench\.(\w+)$", api_page(), flags=re.MULTILINE)
    assert shown == [name for name in atinuke_bench.__all__ if not name.startswith("__")]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_of_a_file_is_in_the_reference(kind):
    schema = SCHEMAS[kind]()
    text = schema_page(kind, schema)
    keys = [key for part in (schema, *schema.get("$defs", {}).values()) for key in part.get("properties", {})]
    assert len(keys) > 5
    assert [key for key in keys if f"| `{key}` |" not in text] == []


def test_what_is_generated_no_more_is_removed(tmp_path, found):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "gone.md").write_text("# gone")
    write_pages(tmp_path)
    written = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*.md")}
    assert written.keys() == found.keys()
    assert (tmp_path / "tasks/index.md").read_text(encoding="utf-8").startswith("# Tasks\n")


def test_a_notebook_is_shown_with_its_outputs(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "[text](other-one.ipynb)"]},
        {
            "cell_type": "code",
            "source": "print(1)",
            "outputs": [{"text": ["1\n"]}, {"data": {"image/png": "AAAA\n", "text/plain": "<Figure>"}}],
        },
    ]
    path = tmp_path / "one.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    text = notebook_page(path)
    assert text.startswith("# Title\n[text](other-one.md)\n")
    assert "```python\nprint(1)\n```" in text
    assert "```text\n1\n```" in text
    assert "data:image/png;base64,AAAA" in text
    assert "<Figure>" not in text


def test_pictures_are_small():
    pictures = [path for path in (ROOT / "docs/images").iterdir() if path.is_file()]
    assert len(pictures) >= 3
    assert {path.name: path.stat().st_size for path in pictures if path.stat().st_size > 150_000} == {}
    assert Path(ROOT / "docs/images/report.png").read_bytes().startswith(b"\x89PNG")
