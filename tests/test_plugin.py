"""The plug-in of CONTRIBUTING.md, built from its listings alone, in a package that nothing here knows of."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from site_tools.listings import ROOT, files_of

FILES = files_of(ROOT / "CONTRIBUTING.md")
WORDS = {
    "music": ("song", "drum", "violin", "choir", "tune"),
    "food": ("soup", "bread", "cheese", "plum", "tea"),
    "sport": ("ball", "goal", "team", "race", "net"),
}


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, its entry points as an installer would write them, and its data."""
    folder = tmp_path_factory.mktemp("plugin")
    for path, code in FILES.items():
        if path.endswith(".py"):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(code, encoding="utf-8")
    (folder / "topics" / "__init__.py").touch()
    entry_points = FILES["pyproject.toml"].partition("\n")[2]
    installed = folder / "topics-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: topics\nVersion: 1.0\n", encoding="utf-8")
    lines = re.sub(r'\[project.entry-points."(.*?)"\]', r"[\1]", entry_points).replace('"', "")
    (installed / "entry_points.txt").write_text(lines, encoding="utf-8")
    for split, size in (("train", 240), ("test", 60)):
        _write(folder / "data" / f"{split}.tsv", size, random.Random(size))
    return folder


def _write(path: Path, size: int, source: random.Random) -> None:
    """Sentences with two words of their topic, and one of another."""
    path.parent.mkdir(exist_ok=True)
    lines = []
    for _ in range(size):
        topic = source.choice(list(WORDS))
        other = source.choice([name for name in WORDS if name != topic])
        words = [*source.sample(WORDS[topic], 2), source.choice(WORDS[other])]
        source.shuffle(words)
        lines.append(f"there was a {words[0]} and a {words[1]} by the {words[2]}\t{topic}\n")
    path.write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def bench(plugin: Path, tmp_path: Path):
    """`bench(*arguments)`: a process that has the plug-in installed."""

    def call(*arguments: object, module: str = "atinuke_bench") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(plugin), "WANDB_MODE": "disabled", "DATA": str(plugin / "data")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return call


def test_it_passes_the_suite_that_built_in_ones_pass(bench, plugin):
    fixture = "@pytest.fixture\ndef data_dir():\n    return pathlib.Path(os.environ['DATA'])\n"
    (plugin / "tests" / "conftest.py").write_text(f"import os, pathlib, pytest\n\n\n{fixture}", encoding="utf-8")
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
