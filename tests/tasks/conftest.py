"""Files of a user's own for every kind of declared task, each with a YAML file of at most ten lines."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from atinuke_bench.config import RunConfig, find_task, make_run_config
from atinuke_bench.data.conll.read import Document, Predicate, Sentence
from atinuke_bench.data.conll.spans import Argument, Mention
from atinuke_bench.data.conll.write import write_documents

PEOPLE = {"Ada": "her", "Ben": "his", "Cleo": "her"}
TOWNS = ("London", "Lagos", "Lima")


@pytest.fixture
def own_files(tmp_path: Path) -> Path:
    """A folder with `squad.yaml`, `table.yaml`, `coref.yaml`, `srl.yaml` and `lm.yaml`, and what they declare."""
    for split, size in (("train", 24), ("test", 6)):
        (tmp_path / f"{split}.json").write_text(json.dumps(_squad(split, size)))
        rows = "".join(f'q{n},Where was {who} born?,"{text}",{town}\n' for n, who, town, text in _births(split, size))
        (tmp_path / f"{split}.csv").write_text("key,asked,text,answer\n" + rows)
        (tmp_path / split).mkdir()
        _write_documents(tmp_path / split / "stories.v4_gold_conll", split, size)
        (tmp_path / f"{split}.txt").write_text("\n\n".join(text for *_, text in _births(split, 2 * size)) + "\n")
    for name, text in {
        "squad": "kind: span\nsplits: {train: train.json, test: test.json}\n",
        "table": "kind: span\nsplits: {train: train.csv, test: test.csv}\n"
        "fields: {id: key, question: asked, context: text, answers: answer}\n",
        "coref": "kind: coref\nsplits: {train: train, test: test}\n",
        "srl": "kind: srl\nsplits: {train: train/*_conll, test: test/*_conll}\n",
        "lm": "kind: lm\nsplits: {train: train.txt, test: test.txt}\n",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\n{text}")
    return tmp_path


def _births(split: str, size: int) -> list[tuple[int, str, str, str]]:
    """Number, person, town, and a text that says it."""
    draw, found = random.Random(split), []
    for number in range(size):
        who, town = draw.choice(list(PEOPLE)), draw.choice(TOWNS)
        found.append((number, who, town, f"In {1800 + number}, {who} was born in {town}, by the sea."))
    return found


def _squad(split: str, size: int) -> dict[str, object]:
    """SQuAD's JSON, every fourth question without an answer."""
    paragraphs = []
    for number, who, town, text in _births(split, size):
        answers = [] if number % 4 == 3 else [{"text": town, "answer_start": text.index(town)}]
        question = {"id": f"{split}{number}", "question": f"Where was {who} born?", "answers": answers}
        paragraphs.append({"context": text, "qas": [{**question, "is_impossible": not answers}]})
    half = size // 2
    data = [{"title": "A", "paragraphs": paragraphs[:half]}, {"title": "B", "paragraphs": paragraphs[half:]}]
    return {"version": "v2.0", "data": data}


def _write_documents(path: Path, split: str, size: int) -> None:
    """Stories of people and their houses, with clusters and the arguments of a verb."""
    draw, documents = random.Random(split), []
    for number in range(size):
        sentences, mentions = [], []
        for place in range(4):
            who = draw.choice(list(PEOPLE))
            words = ("Then", who, "painted", PEOPLE[who], "house", ".")
            spans = (Argument(1, 1, "ARG0"), Argument(2, 2, "V"), Argument(3, 4, "ARG1"))
            sentences.append(Sentence(words, (Predicate(2, "paint", "01", spans),)))
            cluster = list(PEOPLE).index(who)
            mentions += [Mention(6 * place + 1, 6 * place + 1, cluster), Mention(6 * place + 3, 6 * place + 3, cluster)]
        documents.append(Document(f"nw/{split}{number}", 0, tuple(sentences), tuple(mentions)))
    write_documents(path, documents)


@pytest.fixture
def make_declared() -> Callable[..., RunConfig]:
    """`make_declared(file, core, **overrides)`: a run of seconds of a declared task."""

    def make(file: Path, core: str = "bilstm", **overrides: object) -> RunConfig:
        name, declaration = find_task(str(file))
        small = {
            "training.max_epochs": 1,
            "training.batch_tokens": 256,
            "training.max_length": 48,
            "tokenizer.vocab_size": 150,
        }
        return make_run_config(name, core, preset="nano", overrides={**small, **overrides}, declaration=declaration)

    return make
