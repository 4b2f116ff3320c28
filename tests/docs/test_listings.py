"""Listings of the README and of the documentation do what they say, or say why nobody tries."""

from __future__ import annotations

import doctest
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from site_tools.listings import ROOT, RUN, Listing, commands, files_of, listings, pages, tutorials
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.config import Declaration, StudyRank, SuiteConfig, parse, with_factors, with_train_limits
from atinuke_bench.runs.study_columns import with_study_columns
from atinuke_bench.sweeps.spaces import make_space

ALL = [listing for page in pages() for listing in listings(page) if listing.language in RUN]
#: Tutorials are followed in `test_tutorials.py`.
ALONE = [page for page in pages() if page not in tutorials()]
SHELLS = [page for page in ALONE if any(one.language == "sh" and not one.reason for one in listings(page))]
#: Pages whose listings other tests carry out, as files of one package.
OF_A_PACKAGE = (ROOT / "CONTRIBUTING.md",)
WORDS = {"4": ("great", "lovely", "superb"), "1": ("awful", "dull", "poor")}


def by_place(listing: Listing) -> str:
    return listing.place


def test_listings_are_found_with_their_marks(tmp_path):
    page = ROOT / "docs" / "page.md"
    text = "a\n<!-- slow -->\n```sh\nx\n```\n\n<!-- not run: why -->\n```python\ny\n```\n```yaml\n# a.yaml\nz\n```\n"
    copy = tmp_path / "page.md"
    copy.write_text(text, encoding="utf-8")
    found = [(one.line, one.language, one.text, one.is_slow, one.reason, one.file) for one in listings(copy)]
    assert found == [
        (4, "sh", "x\n", True, "", None),
        (9, "python", "y\n", False, "why", None),
        (12, "yaml", "# a.yaml\nz\n", False, "", "a.yaml"),
    ]
    assert files_of(copy) == {"a.yaml": "# a.yaml\nz\n"}
    assert Listing(page, 1, "sh", "a b \\\n  'c d' # e\n\n# f\n", "").place == "docs/page.md:1"
    assert list(commands(Listing(page, 1, "sh", "a b \\\n  'c d' # e\n\n# f\n", ""))) == [["a", "b", "c d"]]


def test_a_mark_is_one_that_is_known():
    marked = [one for page in pages() for one in listings(page) if one.mark]
    assert [one.place for one in marked if not (one.is_slow or one.reason or one.fails)] == []


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listing", [one for one in ALL if one.language == "sh"], ids=by_place)
def test_commands_and_options_exist(listing):
    """Also of what is not run: every command is one that there is, and has the options that are given."""
    for words in commands(listing):
        for start, word in enumerate(words):
            if word == "atinuke-bench" or words[max(0, start - 1) : start + 1] == ["-m", "atinuke_bench"]:
                _parse(words[start + 1 :], listing)
                break


def _parse(words: list[str], listing: Listing) -> None:
    command: Any = typer.main.get_command(app)
    names = ["atinuke-bench"]
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words[0]]
        names.append(words[0])
        words = words[1:]
    if "TASK" in getattr(command, "commands", ()):  # `sweep snli` is a search on that task
        command = command.commands["TASK"]
    assert len(names) > 1 or words[0].startswith("--"), f"{listing.place}: no command {words[0]!r}"
    known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    assert [word for word in unknown if word not in ("--help", "--install-completion")] == [], (
        f"{listing.place}: {names}"
    )


@pytest.fixture
def world(tmp_path: Path, trained: Path, official: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a reader of the pages may have: official files in `data`, reviews, and a store with runs."""
    shutil.copytree(trained / "runs", tmp_path / "runs")
    shutil.copytree(official, tmp_path / "data")
    source = random.Random(0)
    for name, size in (("reviews/train.csv", 60), ("held/reviews.csv", 20), ("other.csv", 20)):
        rows = [(source.choice(WORDS[stars]), stars) for stars in source.choices(list(WORDS), k=size)]
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(
            "id,body,stars\n"
            + "".join(f"{n},a {word} thing number {n},{stars}\n" for n, (word, stars) in enumerate(rows))
        )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATINUKE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    return tmp_path


def _carry_out(page: Path, *, slow: bool) -> int:
    """Run the shell's listings of a page one after the other, the files of the page beside them; how many ran."""
    for name, text in files_of(page).items():
        if Path(name).suffix in (".yaml", ".py") and "/" not in name:
            Path(name).write_text(text, encoding="utf-8")
    done = 0
    for listing in listings(page):
        if listing.language != "sh" or listing.reason or (listing.is_slow and not slow):
            continue
        for words in commands(listing):
            assert words[0] == "atinuke-bench", f"{listing.place}: {words[0]} is no command of ours; mark it `not run`"
            arguments = [path for word in words[1:] for path in _expanded(word)]
            found = CliRunner().invoke(app, arguments)
            assert found.exit_code == 0, f"{listing.place}: {' '.join(words)}\n{found.output}\n{found.exception!r}"
        done += 1
    return done


def _expanded(word: str) -> list[str]:
    """A word as a shell has it: variables, and patterns of files that are there."""
    word = os.path.expandvars(word)
    if not re.search(r"[*?]", word) or "'" in word:
        return [word]
    return sorted(map(str, Path().glob(word))) or [word]


def with_shells(*, slow: bool) -> list[Path]:
    """The pages that have such a listing to carry out."""
    return [
        page
        for page in SHELLS
        if any(one.language == "sh" and not one.reason and one.is_slow == slow for one in listings(page))
    ]


@pytest.mark.parametrize("page", with_shells(slow=False), ids=lambda page: page.name)
def test_commands_do_what_the_page_says(page, world):
    assert _carry_out(page, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", with_shells(slow=True), ids=lambda page: page.name)
def test_longer_commands_do_what_the_page_says(page, world):
    assert _carry_out(page, slow=True)


# --- files ------------------------------------------------------------------------------------------------------------


def _a_trial(suite: str, column: str, asked: StudyRank) -> dict[str, Any]:
    """What a column gets from a study, whatever study it names."""
    origin = {"settings": {}, "tasks": {}, "source": {"kind": "microworld"}, "versions": {}, "seeds": [0], "trial": 3}
    return {"core": "atinuke", "preset": "nano", "study": {**asked.model_dump(), **origin}}


@pytest.mark.parametrize(
    "listing",
    [one for one in ALL if one.language == "yaml" and not one.reason and one.page not in tutorials()],
    ids=by_place,
)
def test_yaml_is_a_file_that_is_read(listing):
    record = yaml.safe_load(listing.text)
    if "kind" in record:
        parse(Declaration, record, listing.place)
    elif "parameters" in record:
        base = {"core.name": "atinuke", "core.hidden_size": 64, "core.num_heads": 4, "core.positions": "layerwise"}
        make_space(record["parameters"], base, listing.place)
    else:
        # A file among the tasks is read beside the suite's, where a page has none.
        record = yaml.safe_load(listing.text.replace("reviews.yaml", "glue/sst2"))
        suite = parse(SuiteConfig, with_study_columns(record, _a_trial, listing.place), listing.place)
        with_train_limits(with_factors(suite, listing.place), listing.place)


# --- Python -----------------------------------------------------------------------------------------------------------

SCRIPTS = [
    one for one in ALL if one.language == "python" and not one.reason and one.page not in OF_A_PACKAGE and not one.file
]


@pytest.mark.slow
@pytest.mark.parametrize("listing", SCRIPTS, ids=by_place)
def test_scripts_run(listing, world):
    """Beside a module with the core of CONTRIBUTING.md, and a suite of their own."""
    (world / "my_cores.py").write_text(files_of(ROOT / "CONTRIBUTING.md")["topics/convolution.py"], encoding="utf-8")
    suite = {"name": "two", "tasks": ["glue/wnli"], "cores": {"a": {"core": "bilstm", "preset": "nano"}}, "seeds": [0]}
    (world / "suite.yaml").write_text(yaml.safe_dump(suite), encoding="utf-8")
    (world / "script.py").write_text(listing.text, encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_listings_of_a_package_are_files():
    """Which `tests/test_plugin.py` builds, trains and tests."""
    scripts = [one for page in OF_A_PACKAGE for one in listings(page) if one.language == "python"]
    assert len(scripts) > 4
    assert [one.place for one in scripts if one.file is None] == []


@pytest.mark.parametrize(
    "page", [page for page in pages() if ">>>" in page.read_text("utf-8")], ids=lambda page: page.name
)
def test_examples_with_answers_hold(page, trained, monkeypatch):
    monkeypatch.chdir(trained)
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert found.examples
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=said.append)
    assert not failed, "".join(said)
