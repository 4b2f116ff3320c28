"""`docs/data.md` names every task and test set, with the sizes and the copies on the Hub that the code knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from atinuke_bench.data.addresses import address_of
from atinuke_bench.registry import built_in_declarations, load_task, task_names
from atinuke_bench.runs.evaluation.test_set import built_in_test_sets
from atinuke_bench.tasks.glue.data import HUB_REPOSITORY
from atinuke_bench.tasks.lm.model import LmOptions
from atinuke_bench.tasks.snli.data import HUB as SNLI_HUB
from atinuke_bench.tasks.squad.data import HUB as SQUAD_HUB

#: Groups that have one task a language, and one row.
BY_LANGUAGE = ("xnli", "pawsx", "mlqa")
DIAGNOSTICS = ("glue/ax", "superglue/ax-b", "superglue/ax-g")
ROWS = [
    line
    for line in (Path(__file__).resolve().parent.parent / "docs/data.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|")
]


def rows_of(name: str) -> list[str]:
    """The rows of the page whose first cell has the name."""
    return [row for row in ROWS if f"`{name}`" in row.split("|")[1]]


def row_name(task: str) -> str:
    group = task.partition("/")[0]
    return f"{group}/<language>" if group in BY_LANGUAGE else task


@pytest.mark.parametrize("name", [*dict.fromkeys(map(row_name, task_names())), *built_in_test_sets()])
def test_every_task_and_test_set_has_a_row(name):
    assert rows_of(name)


@pytest.mark.parametrize("name", task_names())
def test_errors_name_the_address_and_the_licence_of_the_page(name):
    found = address_of(name)
    if found is None:
        assert name in ("lm", "long-range")  # any text, and generated data
        return
    address, licence = found
    group = {"superglue": "superglue/boolq", "glue": "glue/*"}.get(name.partition("/")[0], row_name(name))
    rows = " ".join(rows_of("squad-v1.1" if name.startswith("squad") else group))
    assert f"<{address}>" in rows
    assert licence is None or licence in rows


@pytest.mark.parametrize("name", [name for name in task_names() if row_name(name) == name])
def test_official_sizes_are_those_by_which_a_cut_is_known(name):
    text = " ".join(rows_of(name))
    for sizes in load_task(name).official_sizes:
        # Diagnostics have a test of their own, and are answered by a model of another task.
        own = {"test": sizes["test"]} if name in DIAGNOSTICS else {key: sizes[key] for key in sizes if key != "ax"}
        assert {split: num for split, num in own.items() if f"{num:,}" not in text} == {}


@pytest.mark.parametrize(("name", "declaration"), built_in_declarations().items(), ids=str)
def test_files_of_declared_tasks_lie_where_the_page_says(name, declaration):
    text = " ".join(rows_of(row_name(name)))
    patterns = [pattern for own in declaration.splits.values() for pattern in own]
    # The first folder of each file, and its own name where it lies in none.
    folders = {f"{declaration.folder}/{pattern}".removeprefix("./").partition("/")[0] for pattern in patterns}
    assert {folder for folder in folders if f"`{folder}/" not in text} == set()


def test_copies_on_the_hub_are_named():
    named = {name for name, _ in SQUAD_HUB.values()}
    named |= {HUB_REPOSITORY, SNLI_HUB.repo, LmOptions.model_fields["hub_repo"].default}
    assert {name for name in named if f"`{name}`" not in " ".join(ROWS)} == set()
