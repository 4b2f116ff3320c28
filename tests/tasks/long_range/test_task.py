"""Long range: the distance is as many words as it says, the choice is the same at all distances, and it is scored."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import islice

import pytest

from atinuke_bench.config import MicroworldConfig, SourceConfig, make_run_config
from atinuke_bench.errors import ConfigError
from atinuke_bench.microworld import examples
from atinuke_bench.microworld.long_range import DISTANCES
from atinuke_bench.tasks.long_range.task import LONG_RANGE
from atinuke_bench.tasks.squad.metric import SquadAnswer
from atinuke_bench.testing import check_task
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.prepare import prepare

_SPLITS = ("train", "dev")


@pytest.fixture(scope="module")
def rows():
    return list(islice(examples("long-range", "train"), 280))


def test_every_distance_and_kind_is_asked_equally_often(rows):
    assert set(Counter(row["distance"] for row in rows).values()) == {280 // len(DISTANCES)}
    assert set(Counter((row["distance"], row["kept"]) for row in rows).values()) == {280 // len(DISTANCES) // 2}


def test_the_passage_begins_where_the_distance_says(rows):
    for row in rows:
        words = re.findall(r"[\w'-]+|[.,]", row["context"])
        passage = words[row["distance"] :]
        assert words[row["distance"] - 1] == "."
        assert passage.count(".") == (4 if row["kept"] == "thing" else 1)
        answer = row["answers"]
        assert row["context"].rindex(answer["text"][0]) == answer["answer_start"][0]
        assert answer["text"][0].split()[-1] in passage


def test_the_filling_names_no_candidate(rows):
    names = {row["answers"]["text"][0].split()[-1] for row in rows}
    for row in rows:
        filling = set(re.findall(r"[\w'-]+|[.,]", row["context"])[: row["distance"]])
        assert not filling & names


def test_train_may_be_short_and_dev_long():
    config = MicroworldConfig(train_distances=(8, 16), distances=(16, 1024))
    train, dev = ([row["distance"] for row in islice(examples("long-range", split, config), 64)] for split in _SPLITS)
    assert Counter(train) == {8: 32, 16: 32}
    assert Counter(dev) == {16: 32, 1024: 32}
    same = [list(islice(examples("long-range", split, MicroworldConfig()), 8)) for split in _SPLITS]
    told = MicroworldConfig(distances=DISTANCES)
    assert [list(islice(examples("long-range", split, told), 8)) for split in _SPLITS] == same


def test_what_is_not_set_is_no_part_of_an_identity():
    run = make_run_config(
        "long-range", "atinuke", source=SourceConfig(kind="microworld", microworld=MicroworldConfig())
    )
    assert not {"distances", "train_distances"} & run.determinants()["source"]["microworld"].keys()


def test_scores_are_given_by_distance():
    source = SourceConfig(kind="microworld", microworld=MicroworldConfig(train=60, dev=56))
    run = make_run_config("long-range", "majority", source=source)
    dev = prepare(run).loaded.splits["dev"]
    short = {row["id"]: row["answers"]["text"][0] if row["distance"] <= 16 else "nothing" for row in dev}
    predictions = {id_: SquadAnswer(text, text) for id_, text in short.items()}
    slices = evaluate(LONG_RANGE, dev, predictions).slices
    assert list(slices["distance in words"]) == [str(distance) for distance in DISTANCES]
    assert slices["distance in words"]["16"] == {"f1": 100.0, "num": 8}
    assert slices["distance in words"]["32"] == {"f1": 0.0, "num": 8}
    assert slices["distance in words, thing kept"]["8"] == {"f1": 100.0, "num": 4}


def test_there_are_no_official_files():
    with pytest.raises(ConfigError, match="task 'long-range' has only generated data; found source 'local'"):
        LONG_RANGE.data.load(SourceConfig(), LONG_RANGE.options_class())


def test_keeps_the_contract_of_tasks(tmp_path):
    source = SourceConfig(kind="microworld", microworld=MicroworldConfig(train=14, dev=7))
    small = {"training.max_epochs": 1, "training.max_length": 64, "tokenizer.vocab_size": 200}
    run = make_run_config("long-range", "bilstm", preset="nano", source=source, overrides=small)
    gold, predictions = tmp_path / "gold.json", tmp_path / "predictions.json"
    question = {"id": "q", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}
    gold.write_text(json.dumps({"data": [{"paragraphs": [{"context": "Ada reads.", "qas": [question]}]}]}))
    predictions.write_text('{"q": "Ada"}')
    check_task(run, tmp_path, official=(gold, predictions))
