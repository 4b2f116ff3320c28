"""Small files of all of SuperGLUE, in the official layouts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atinuke_bench.config import RunConfig, SourceConfig, make_run_config

NAMES = ("Ada", "Ben", "Cleo", "Dan")
SIZES = {"train": 12, "val": 4, "test": 4}


def _sentence(draw: random.Random) -> str:
    return f"{draw.choice(NAMES)} {draw.choice(('sees', 'helps', 'calls'))} {draw.choice(NAMES)} ."


def _boolq(draw: random.Random, number: int) -> dict[str, Any]:
    passage = " ".join(_sentence(draw) for _ in range(3))
    return {"question": f"does {draw.choice(NAMES)} run", "passage": passage, "label": number % 2 == 0}


def _entailment(*labels: str) -> Callable[[random.Random, int], dict[str, Any]]:
    def make(draw: random.Random, number: int) -> dict[str, Any]:
        return {"premise": _sentence(draw), "hypothesis": _sentence(draw), "label": labels[number % len(labels)]}

    return make


def _copa(draw: random.Random, number: int) -> dict[str, Any]:
    choices = {f"choice{place}": _sentence(draw) for place in (1, 2)}
    return {"premise": _sentence(draw), **choices, "question": ("cause", "effect")[number % 2], "label": number % 2}


def _multirc(draw: random.Random, number: int) -> dict[str, Any]:
    questions = []
    for question in range(2 * number, 2 * number + 2):
        answers = [{"text": draw.choice(NAMES), "idx": 2 * question + own, "label": own} for own in range(2)]
        questions.append({"question": "Who is it ?", "answers": answers, "idx": question})
    text = " ".join(_sentence(draw) for _ in range(2))
    return {"version": 1.1, "passage": {"text": text, "questions": questions}}


def _record(draw: random.Random, number: int) -> dict[str, Any]:
    text = "Ada Lovelace met Ben in Lagos .\n@highlight\nAda wrote to Ben"
    spans = [(text.index(name), name) for name in ("Ada Lovelace", "Ben", "Lagos")] + [(text.rindex("Ada"), "Ada")]
    entities = [{"start": start, "end": start + len(name) - 1} for start, name in spans]
    place = draw.randrange(3)
    answers = [{**entities[place], "text": spans[place][1]}]
    if place == 0:
        answers.append({**entities[3], "text": "Ada"})
    query = {"query": "Later @placeholder left .", "answers": answers, "idx": number}
    return {"source": "Daily mail", "passage": {"text": text, "entities": entities}, "qas": [query]}


def _wic(draw: random.Random, number: int) -> dict[str, Any]:
    record: dict[str, Any] = {"word": "run", "label": number % 3 == 0, "version": 1.1}
    for side in ("1", "2"):
        text = f"{draw.choice(NAMES)} runs well ."
        start = text.index("runs")
        record |= {f"sentence{side}": text, f"start{side}": start, f"end{side}": start + 4}
    return record


def _wsc(draw: random.Random, number: int) -> dict[str, Any]:
    text = f"{draw.choice(NAMES)} told Mr. Singer many lies, which he believed."
    target = {"span1_index": 2, "span1_text": "Mr. Singer", "span2_index": 7, "span2_text": "he"}
    return {"text": text, "target": target, "label": number % 2 == 0}


TASKS: dict[str, Callable[[random.Random, int], dict[str, Any]]] = {
    "BoolQ": _boolq,
    "CB": _entailment("entailment", "contradiction", "neutral"),
    "COPA": _copa,
    "MultiRC": _multirc,
    "ReCoRD": _record,
    "RTE": _entailment("entailment", "not_entailment"),
    "WiC": _wic,
    "WSC": _wsc,
}


def without_labels(value: Any) -> Any:
    """A record as the official test file has it."""
    if isinstance(value, dict):
        return {
            name: without_labels(own) for name, own in value.items() if not (name == "label" or _is_answers(name, own))
        }
    return [without_labels(own) for own in value] if isinstance(value, list) else value


def _is_answers(name: str, value: Any) -> bool:
    """ReCoRD's answers are hidden; those of MultiRC are what is asked."""
    return name == "answers" and "start" in value[0]


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")


@pytest.fixture(scope="session")
def superglue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds `BoolQ/train.jsonl` and all the others."""
    folder = tmp_path_factory.mktemp("superglue")
    for name, make in TASKS.items():
        for split, size in SIZES.items():
            draw = random.Random(f"{name} {split}")
            records = [{**make(draw, number), "idx": number} for number in range(size)]
            hidden = [without_labels(record) for record in records] if split == "test" else records
            _write(folder / name / f"{split}.jsonl", hidden)
    draw, labels = random.Random(9), ("entailment", "not_entailment")
    broad = ({"sentence1": _sentence(draw), "sentence2": _sentence(draw), "logic": "Negation"} for _ in range(6))
    _write(folder / "AX-b/AX-b.jsonl", [{"idx": str(n), "label": labels[n % 2], **one} for n, one in enumerate(broad)])
    pairs = [
        {"premise": f"Ada met Ben , whom {word} knew .", "hypothesis": f"Ada knew {n} .", "pair_id": 551 + n}
        for n in range(3)
        for word in ("he", "she")
    ]
    _write(folder / "AX-g/AX-g.jsonl", [{"idx": n, "label": labels[n % 2], **one} for n, one in enumerate(pairs)])
    return folder


@pytest.fixture
def make_superglue(superglue: Path) -> Callable[..., RunConfig]:
    """`make_superglue(key, core)`: a run of seconds."""

    def make(key: str, core: str = "bilstm", folder: Path = superglue) -> RunConfig:
        small: dict[str, Any] = {"training.max_epochs": 1, "training.batch_tokens": 1024, "training.max_length": 48}
        if core != "majority":
            small["tokenizer.vocab_size"] = 200
        preset: dict[str, Any] = {} if core == "majority" else {"preset": "nano"}
        source = SourceConfig(data_dir=folder)
        return make_run_config(f"superglue/{key}", core, source=source, overrides=small, **preset)

    return make
