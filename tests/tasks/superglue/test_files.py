"""SuperGLUE's official layouts become examples, and what is wrong in a file is told with its place."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.superglue.files import (
    read_copa,
    read_diagnostic,
    read_multirc,
    read_record,
    read_wic,
    read_wsc,
)
from atinuke_bench.training.prepare import prepare


def test_copa_asks_in_words(superglue):
    (_, cause), (_, effect), *_ = read_copa(superglue / "COPA/train.jsonl")
    assert (cause["question"], effect["question"]) == ("What was the cause of this?", "What happened as a result?")
    assert cause["choices"] == [cause["choice1"], cause["choice2"]]
    assert {record["label"] for _, record in read_copa(superglue / "COPA/test.jsonl")} == {None}


def test_multirc_has_an_example_for_each_answer(superglue):
    records = list(read_multirc(superglue / "MultiRC/val.jsonl"))
    assert [record["id"] for _, record in records[:5]] == ["0-0-0", "0-0-1", "0-1-2", "0-1-3", "1-2-4"]
    assert [line for line, _ in records[:5]] == [1, 1, 1, 1, 2]
    assert records[0][1]["question and answer"].startswith("Who is it ? ")
    assert [record["label"] for _, record in records[:2]] == [0, 1]


def test_record_chooses_among_the_texts_of_entities(superglue):
    records = [record for _, record in read_record(superglue / "ReCoRD/train.jsonl")]
    assert records[0]["entities"] == ["Ada Lovelace", "Ben", "Lagos", "Ada"]
    assert {tuple(record["answers"]) for record in records} <= {("Ada Lovelace", "Ada"), ("Ben",), ("Lagos",)}
    assert [record["answers"] for _, record in read_record(superglue / "ReCoRD/test.jsonl")] == [None] * 4


def test_words_and_phrases_are_marked(superglue):
    _, wic = next(read_wic(superglue / "WiC/train.jsonl"))
    assert re.fullmatch(r"\w+ \* runs \* well \.", wic["sentence1"])
    _, wsc = next(read_wsc(superglue / "WSC/train.jsonl"))
    assert re.fullmatch(r"\w+ told \* Mr\. Singer \* many lies, which # he # believed\.", wsc["marked"])
    assert wsc["phrase"] == "Mr. Singer"


def test_diagnostics_have_the_names_of_rte_and_pairs(superglue):
    broad = [record for _, record in read_diagnostic(superglue / "AX-b/AX-b.jsonl")]
    assert [record["id"] for record in broad] == list("012345")
    pairs = [record for _, record in read_diagnostic(superglue / "AX-g/AX-g.jsonl")]
    assert [record["id"] for record in pairs] == ["0-0", "0-1", "1-2", "1-3", "2-4", "2-5"]
    assert [record["drawn"] for record in pairs] == [f"pair {n // 2}" for n in range(6)]
    assert next(read_diagnostic(superglue / "RTE/train.jsonl"))[1]["id"] == "0"


def changed(record, path, value):
    *way, last = path
    for step in way:
        record = record[step]
    record[last] = value


@pytest.mark.parametrize(
    ("key", "folder", "path", "value", "message"),
    [
        ("copa", "COPA", ["question"], "why", r"COPA/train.jsonl:1: question: must be cause or effect; found 'why'"),
        ("multirc", "MultiRC", ["passage", "questions", 0, "idx"], "x", r":1: idx: must be a whole number; found 'x'"),
        ("multirc", "MultiRC", ["passage"], "text", r"train.jsonl:1: passage: must be an object; found 'text'"),
        ("multirc", "MultiRC", ["passage", "questions"], [1], r":1: questions: must be a list of objects; found \[1\]"),
        (
            "record",
            "ReCoRD",
            ["passage", "entities", 0, "end"],
            999,
            r":1: entities: must be a place in the text, 0 to ",
        ),
        (
            "record",
            "ReCoRD",
            ["qas", 0, "answers", 0, "text"],
            "Eve",
            r"answers: an answer is one of the passage's ent",
        ),
        (
            "wic",
            "WiC",
            ["start1"],
            -1,
            r"WiC/train.jsonl:1: start1: must be a place in sentence1, 0 to \d+; found -1 to",
        ),
        (
            "wsc",
            "WSC",
            ["target", "span2_index"],
            40,
            r":1: target.span2_index: must be the number of a word, 0 to \d+",
        ),
        (
            "boolq",
            "BoolQ",
            ["label"],
            "yes",
            r"BoolQ/train.jsonl:1: label: a label is one of those listed; found 'yes'",
        ),
        ("cb", "CB", ["premise"], 3, r"CB/train.jsonl:1: premise: must be a text; found 3"),
        ("rte", "RTE", ["idx"], 1, r"RTE/train.jsonl:2: an id is of one example; '1' is in "),
    ],
)
def test_bad_records(superglue, make_superglue, tmp_path, key, folder, path, value, message):
    data = shutil.copytree(superglue, tmp_path / "superglue")
    file = data / folder / "train.jsonl"
    first, *rest = file.read_text().splitlines()
    record = json.loads(first)
    changed(record, path, value)
    file.write_text("\n".join([json.dumps(record), *rest]))
    with pytest.raises(DataError) as caught:
        prepare(make_superglue(key, folder=tmp_path))
    assert re.search(message, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pair_of_different_hypotheses_is_refused(superglue, tmp_path):
    lines = (superglue / "AX-g/AX-g.jsonl").read_text().splitlines()
    (tmp_path / "AX-g.jsonl").write_text("\n".join(lines[1:]))
    with pytest.raises(DataError, match=r"AX-g.jsonl:2: hypothesis: the second example of a pair has the hypothesis"):
        list(read_diagnostic(tmp_path / "AX-g.jsonl"))
