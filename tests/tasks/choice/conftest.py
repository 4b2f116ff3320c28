"""A user's own questions with choices."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atinuke_bench.config import RunConfig, find_task, make_run_config

COLOURS = ("red", "blue", "green", "black")


def questions(number: int, seed: int) -> list[dict[str, Any]]:
    """Records whose right choice the story names; they have two to four choices."""
    draw = random.Random(seed)
    records = []
    for _ in range(number):
        options = draw.sample(COLOURS, draw.randint(2, 4))
        place = draw.randrange(len(options))
        story = f"the house that Ada has was always {options[place]} and {' '.join(['old'] * draw.randint(1, 8))}"
        records.append({"story": story, "asked": "what is the house ?", "options": options, "solution": place})
    return records


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """`colours.yaml` with its files."""
    write_lines(tmp_path / "train.jsonl", questions(60, 0))
    write_lines(tmp_path / "test.jsonl", questions(20, 1))
    (tmp_path / "colours.yaml").write_text(
        "name: colours\nkind: multiple-choice\nsplits: {train: train.jsonl, test: test.jsonl}\n"
        "fields: {context: story, question: asked, choices: options, answer: solution}\n"
    )
    return tmp_path / "colours.yaml"


@pytest.fixture
def make_own() -> Callable[..., RunConfig]:
    """`make_own(file, core, **overrides)`: a run of seconds of a declared task."""

    def make(file: Path, core: str = "bilstm", **overrides: object) -> RunConfig:
        name, declaration = find_task(str(file))
        small = {"training.max_epochs": 1, "training.batch_tokens": 512, "training.max_length": 32}
        if core not in ("pretrained", "majority"):
            small["tokenizer.vocab_size"] = 200
        changed = {path.replace("__", "."): value for path, value in overrides.items()}
        preset: dict[str, Any] = {} if core in ("pretrained", "majority") else {"preset": "nano"}
        return make_run_config(name, core, overrides={**small, **changed}, declaration=declaration, **preset)

    return make
