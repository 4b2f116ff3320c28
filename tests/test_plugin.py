"""The plug-in of `examples/plugin`, installed by pip in a place that nothing here knows of."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "plugin"
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package, and beside it its data and its tests."""
    folder = tmp_path_factory.mktemp("plugin")
    # pip builds in the folder that it is given.
    source = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("source") / "plugin")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", folder, source],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in ("data", "tests"):
        shutil.move(source / name, folder / name)
    return folder


def test_listings_of_the_page_are_files_of_the_example():
    listings = re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    assert len(listings) == 5
    for path, code in listings:
        assert code == (EXAMPLE / path).read_text(encoding="utf-8"), path
    (entry_points,) = re.findall(r"```toml\n# pyproject.toml\n(.*?)```", PAGE, re.DOTALL)
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert tomllib.loads(entry_points)["project"]["entry-points"] == project["entry-points"]


@pytest.fixture
def bench(plugin: Path, tmp_path: Path):
    """`bench(*arguments)`: a process that has the plug-in installed."""

    def call(*arguments: object, module: str = "atinuke_bench") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(plugin), "WANDB_MODE": "disabled"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return call


def test_it_passes_the_suite_that_built_in_ones_pass(bench, plugin):
    done = bench(plugin / "tests", "-q", "-p", "no:cacheprovider", module="pytest")
    assert "2 passed" in done.stdout


@pytest.mark.slow
def test_changed_code_is_said_and_trained_again_when_asked(bench, plugin, tmp_path):
    grid = {
        "name": "grid",
        "tasks": ["topics"],
        "cores": {"ours": {"core": "convolution", "preset": "nano"}},
        "seeds": [0],
        "overrides": {"training.max_epochs": 1, "tokenizer.vocab_size": 200},
    }
    (tmp_path / "grid.yaml").write_text(json.dumps(grid))

    def suite(*more):
        return bench("suite", "grid.yaml", "--data-dir", plugin / "data", "--wandb", "disabled", "--json", *more)

    def weights():
        (result,) = json.loads(suite().stdout)["results"]
        return result["artefacts"]["checkpoints/best.safetensors"]

    first = suite()
    before = weights()
    assert "other code" not in first.stderr
    source = plugin / "topics" / "convolution.py"
    text = source.read_text(encoding="utf-8")
    try:
        source.write_text(text.replace('"""Words in', '"""Words and'), encoding="utf-8")
        assert "other code" not in suite().stderr
        source.write_text(text.replace(".relu()", ".tanh()"), encoding="utf-8")
        said = suite()
        assert "1 of 1 runs finished earlier with other code (topics.convolution): topics/ours seed 0;" in said.stderr
        assert said.stdout == first.stdout
        assert "other code" not in suite("--rerun").stderr
        assert weights() != before
    finally:
        source.write_text(text, encoding="utf-8")
    (kept,) = tmp_path.glob("runs/topics/convolution/*/.earlier-1/result.json")
    assert json.loads(kept.read_text())["artefacts"]["checkpoints/best.safetensors"] == before
    assert len(json.loads(bench("verify", "runs", "--json").stdout)["damaged"]) == 0
    assert "1 finished runs, 0 gaps" in bench("report", "runs", "--out", "report").stderr


def test_a_report_gives_it_intervals_and_tests(bench, plugin, tmp_path):
    grid = {
        "name": "grid",
        "tasks": ["topics"],
        "cores": {core: {"core": core, "preset": "nano"} for core in ("convolution", "bilstm", "majority")},
        "seeds": [0, 1],
        "overrides": {"training.max_epochs": 3, "training.batch_tokens": 512, "tokenizer.vocab_size": 200},
    }
    (tmp_path / "grid.yaml").write_text(json.dumps(grid))
    bench("suite", "grid.yaml", "--data-dir", plugin / "data", "--wandb", "disabled", "--workers", "1")
    results = [json.loads(path.read_text()) for path in tmp_path.glob("runs/topics/*/*/result.json")]
    assert len(results) == 6
    assert all(result["metric"] == "macro_f1" and result["interval"] is not None for result in results)

    (found,) = json.loads(bench("compare", "convolution", "majority", "--runs", "runs", "--json").stdout)["comparisons"]
    assert found["verdict"] == "better"
    assert found["low"] > 0

    # Other sentences, with labels of other names, by the metric that the plug-in has too.
    rows = [line.split("\t") for line in (plugin / "data" / "test.tsv").read_text().splitlines()[:40]]
    (tmp_path / "other.csv").write_text("text,label\n" + "".join(f"{text},{label[0]}\n" for text, label in rows))
    (tmp_path / "other.yaml").write_text(
        "name: other\nkind: classification\nsplits: {test: other.csv}\nmetric: macro_f1\n"
        "map: {m: music, f: food, s: sport}\n"
    )
    said = bench("evaluate", "runs", "--on", "other.yaml").stderr
    assert said.count("left out: the floor answers") == 2
    record = json.loads(bench("verify", "runs", "--json").stdout)
    assert (record["evaluations"], record["damaged"], record["not_checked"]) == (4, [], [])
    bench("report", "runs", "--out", "report")
    compared = pd.read_csv(next(tmp_path.glob("report/**/comparisons.csv")))
    assert set(compared["task"]) == {"topics"}
    assert compared["p"].notna().all()
    assert compared["low"].notna().all()
    elsewhere = pd.read_csv(tmp_path / "report" / "tables" / "test-sets.csv")
    assert elsewhere["own_score"].notna().all()
    assert set(elsewhere["core"]) == {"convolution", "bilstm"}
