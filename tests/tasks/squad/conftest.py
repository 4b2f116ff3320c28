"""What SQuAD's tests share: small official files of both versions, and runs of seconds on them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import torch

from atinuke_bench.config import SourceConfig, make_run_config

VERSIONS = ("1.1", "2.0")
NAMES = ("Ada", "Béla", "Cleo", "Đan", "Eva", "Femi")
TOWNS = ("Paris", "Lagos", "Ibadan", "Oslo", "Kyoto")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def article(title, draw, *, version, num_paragraphs=4):
    """Paragraphs of who lives where since when; in v2.0 every third question has no answer."""
    paragraphs = []
    for number in range(num_paragraphs):
        people = draw.sample(NAMES, 3)
        facts = [(who, draw.choice(TOWNS), str(draw.randint(1900, 1999))) for who in people]
        context = "\n".join(f"{who} lives in  {town} since {year}." for who, town, year in facts)
        questions = []
        for place, (who, town, year) in enumerate(facts):
            where, when = (f"Where does {who} live?", town), (f"Since when does {who} live there?", year)
            asked, text = where if place % 2 else when
            start = context.index(text, context.index(who))
            record: dict[str, Any] = {"id": f"{title}-{number}-{place}", "question": asked}
            record["answers"] = [{"text": text, "answer_start": start}]
            if version == "2.0":
                record["is_impossible"] = place == 2
                if place == 2:
                    record |= {"answers": [], "plausible_answers": record["answers"]}
            questions.append(record)
        paragraphs.append({"context": context, "qas": questions})
    return {"title": title, "paragraphs": paragraphs}


def official_file(version, split, num_articles):
    draw = random.Random(f"{version} {split}")
    data = [article(f"{split}-{number}", draw, version=version) for number in range(num_articles)]
    return {"version": version if version == "1.1" else f"v{version}", "data": data}


def _write_squad(folder, version, change=lambda content: None):
    """Train and dev files in the official layout; `change` may spoil the train file."""
    place = folder / "squad" / f"v{version}"
    place.mkdir(parents=True)
    for split, size in (("train", 5), ("dev", 2)):
        content = official_file(version, split, size)
        if split == "train":
            change(content)
        (place / f"{split}-v{version}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def write_squad():
    """`write_squad(folder, version, change)`: the folder, with train and dev files in it."""
    return _write_squad


@pytest.fixture(scope="session")
def squad(tmp_path_factory):
    """A folder with the files of both versions."""
    folder = tmp_path_factory.mktemp("squad")
    for version in VERSIONS:
        _write_squad(folder, version)
    return folder


@pytest.fixture(scope="session")
def squad_run(squad):
    """`squad_run(version, core, **changes)`: a run of seconds; `__` stands for the dot of a path."""

    def make(version, core="atinuke", **changes):
        small = {
            "training.max_epochs": 2,
            "training.max_length": 48,
            "training.batch_tokens": 512,
            "training.held_out_fraction": 0.2,
            "tokenizer.vocab_size": 200,
            "options.stride": 16,
        }
        source = SourceConfig(data_dir=squad)
        changes = {**small, **{name.replace("__", "."): value for name, value in changes.items()}}
        return make_run_config(f"squad-v{version}", core, preset="nano", source=source, overrides=changes)

    return make
