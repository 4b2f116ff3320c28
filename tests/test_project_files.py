"""The files around the code hold together: versions, paths, links, YAML, and what builds and installs."""

from __future__ import annotations

import re
import runpy
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from site_tools.listings import files_of, pages

from atinuke_bench import __version__

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, SETUPTOOLS = PYPROJECT["project"], PYPROJECT["tool"]["setuptools"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = sorted(
    [*pages(), *(path for name in ("benchmarks", "examples", ".github") for path in ROOT.glob(f"{name}/**/*.md"))]
)
#: Folders of the project; a path that begins with one of them is a place in it.
FOLDERS = ("atinuke_bench", "tasks", "sweeps", "reports", "docs", "benchmarks", "examples", "tests", ".ci", ".github")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def without_listings(path: Path) -> str:
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- versions ---------------------------------------------------------------------------------------------------------


def test_all_files_name_one_version():
    newest = re.search(
        r"^## \[([\d.]+)\] - (?:unreleased|\d{4}-\d\d-\d\d)$", text_of("CHANGELOG.md"), flags=re.MULTILINE
    )
    assert newest is not None
    assert newest[1] == yaml.safe_load(text_of("CITATION.cff"))["version"] == __version__
    assert SETUPTOOLS["dynamic"]["version"] == {"attr": "atinuke_bench.__version__"}


def test_entries_of_the_changelog_are_sorted_by_kind():
    versions = re.split(r"^## ", text_of("CHANGELOG.md"), flags=re.MULTILINE)[1:]
    for version in versions:
        before, *kinds = re.split(r"^### ", version, flags=re.MULTILINE)
        assert "\n- " not in before
        names = [kind.partition("\n")[0] for kind in kinds]
        order = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
        assert names == [name for name in order if name in names]


def test_the_workflow_runs_what_everyone_runs_from_the_oldest_python_on():
    job = yaml.safe_load(text_of(".github/workflows/ci.yml"))["jobs"]["run"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    supported, pythons = SpecifierSet(PROJECT["requires-python"]), job["strategy"]["matrix"]["python"]
    assert all(python in supported for python in pythons)
    assert PROJECT["requires-python"] == f">={pythons[0]}"


# --- what the pages say -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_paths_of_the_project_exist(page):
    named = re.findall(r"`([\w.-]+/[\w./-]+)`", without_listings(page))
    places = [name for name in named if name.partition("/")[0] in FOLDERS]
    # What `make docs` builds is there once it has.
    places = [name for name in places if not name.startswith("docs/_build/")]
    assert [name for name in places if not (ROOT / name).exists()] == []


@pytest.fixture(scope="module")
def modules() -> list[str]:
    return [f"/{by_name(path)}" for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_modules_exist_that_pages_name_by_the_end_of_their_path(page, modules):
    named = re.findall(r"`([\w./]*\w+\.py)`", without_listings(page))
    known = [*modules, *(f"/{name}" for name in files_of(page))]  # a tutorial's own files are in its listings
    assert [name for name in named if not any(module.endswith(f"/{name}") for module in known)] == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_targets_of_make_exist(page):
    targets = set(re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {target for target in targets if not re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE)} == set()


# --- forges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", sorted([*ROOT.glob(".github/**/*.yml"), ROOT / ".pre-commit-config.yaml"]), ids=by_name
)
def test_yaml_is_read(path):
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


@pytest.mark.parametrize("form", ["bug", "wish"])
def test_issue_forms_have_what_forges_ask_for(form):
    written = yaml.safe_load(text_of(f".github/ISSUE_TEMPLATE/{form}.yml"))
    assert written.keys() >= {"name", "description", "body"}
    ids = [field["id"] for field in written["body"]]
    assert len(set(ids)) == len(ids)
    for field in written["body"]:
        assert field["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert field["attributes"]["label"]


def test_the_citation_has_what_its_format_asks_for():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert citation.keys() >= {"cff-version", "message", "title", "authors"}
    assert citation["authors"] == PROJECT["authors"]
    assert citation["license"] == PROJECT["license"]
    assert "2401.16736" in citation["references"][0]["url"]


def test_a_commit_is_held_to_what_make_test_asks_for():
    hooks = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    recipe = MAKEFILE.partition("\ntest:")[2].partition("\n\n")[0]
    asked = set(re.findall(r"\$\(BIN\)/(ruff \w+)", recipe))
    assert {" ".join(hook["entry"].removeprefix(".venv/bin/").split()[:2]) for hook in hooks} == asked


# --- what is built and installed --------------------------------------------------------------------------------------


def test_every_data_file_of_a_package_is_installed():
    places = {"atinuke_bench": ROOT / "atinuke_bench"}
    places |= {name: ROOT / folder for name, folder in SETUPTOOLS["package-dir"].items()}
    patterns = [
        str(places.get(package, ROOT / package.removeprefix("atinuke_bench.").replace(".", "/")) / pattern)
        for package, own in SETUPTOOLS["package-data"].items()
        for pattern in own
    ]
    files = [path for place in places.values() for path in place.rglob("*") if path.is_file()]
    data = [path for path in files if path.suffix not in (".py", ".pyc") and "egg-info" not in str(path)]
    assert len(data) > 50
    assert [by_name(path) for path in data if not any(fnmatch(str(path), pattern) for pattern in patterns)] == []
    assert all((ROOT / name).is_file() for name in PROJECT["license-files"])
    listed = re.findall(r"^include (.+)$", text_of("MANIFEST.in"), flags=re.MULTILINE)
    assert all((ROOT / name).is_file() for name in listed[0].split())


def required(*extras: str) -> list[Requirement]:
    own = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for lines in own for line in lines]


def test_constraints_pin_what_is_required_within_its_bounds():
    lines = text_of("constraints.txt").splitlines()
    assert lines == sorted(set(lines), key=str.upper)
    pinned = dict(line.split("==") for line in lines)
    versions = {canonicalize_name(name): version for name, version in pinned.items()}
    extras = PROJECT["optional-dependencies"].keys() - {"release"}
    for one in required(*extras):
        assert one.specifier.contains(versions[canonicalize_name(one.name)], prereleases=True), one


def test_tools_of_a_release_have_lower_bounds():
    assert {one.name for one in required("release")} >= {"build", "twine"}
    assert all("git push" not in line and "twine upload" not in line for line in MAKEFILE.splitlines())
    for lines in PROJECT["optional-dependencies"].values():
        assert all(">=" in str(Requirement(line).specifier) for line in lines)


def test_constraints_are_written_from_what_pip_resolved():
    pins = runpy.run_path(str(ROOT / ".ci/constraints"))["pins"]
    names = [("torch", "2.13.0+cpu"), ("Jinja2", "3.1.6"), ("pip", "26.0"), ("atinuke-bench", "0"), ("joblib", "1.6.0")]
    report = {"install": [{"metadata": {"name": name, "version": version}} for name, version in names]}
    assert pins(report) == ["Jinja2==3.1.6", "joblib==1.6.0", "torch==2.13.0"]


def test_the_image_is_built_from_files_that_are_there_and_from_the_pins():
    recipe = re.sub(r"\\\n", " ", text_of("Dockerfile"))
    copied = [name for line in re.findall(r"^COPY (.+)$", recipe, flags=re.MULTILINE) for name in line.split()[:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    kept = re.findall(r"^!(.+)$", text_of(".dockerignore"), flags=re.MULTILINE)
    assert sorted(kept) == sorted(copied)
    # What setuptools reads: the packages' folders, and the files that pyproject.toml names.
    needed = {"atinuke_bench", *SETUPTOOLS["package-dir"].values(), PROJECT["readme"], *PROJECT["license-files"]}
    assert needed <= set(copied)
    installs = re.findall(r"pip install [^&\n]+", recipe)
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in install for install in installs)
    arguments = re.findall(r"^ARG (\w+)", recipe, flags=re.MULTILINE)
    assert {"VARIANT", "TORCH_INDEX"} < set(arguments)
    # An argument is only seen by instructions of its own stage, after it.
    assert recipe.index("FROM ") < recipe.index("ARG VARIANT") < recipe.index("RUN ")
