"""The official SNLI files, bad input, predictions."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.snli.files import (
    find_snli_files,
    read_snli,
    read_snli_predictions,
    require_snli_file,
)

PAIR = {"gold_label": "neutral", "sentence1": 'A "man"\u2028walks.', "sentence2": "He is tall.", "pairID": "7#0r1n"}


def write(path: Path, *records: object) -> Path:
    lines = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("folder", ["snli", "snli_1.0", "."])
def test_official_layout(tmp_path, folder, ending) -> None:
    pairs = [
        {**PAIR, "gold_label": label, "pairID": label} for label in ("entailment", "neutral", "contradiction", "-")
    ]
    write(tmp_path / folder / f"snli_1.0_dev.jsonl{ending}", *({"annotator_labels": [], **pair} for pair in pairs))
    table = read_snli(require_snli_file(tmp_path, "dev"))
    assert table.columns["id"] == ["entailment", "neutral", "contradiction", "-"]
    assert table.columns["label"] == [0, 1, 2, -1]
    assert table.columns["sentence1"] == [PAIR["sentence1"]] * 4
    assert table.columns["sentence2"] == [PAIR["sentence2"]] * 4
    assert table.notes == ("1 pairs have no consensus label ('-')",)


@pytest.mark.parametrize("field", ["pairID", "sentence1", "sentence2", "gold_label"])
def test_half_a_character_is_named_by_line_and_field(tmp_path, field) -> None:
    path = write(tmp_path / "dev.jsonl", PAIR, json.dumps({**PAIR, "pairID": "8", field: "Ada \ud83d"}))
    with pytest.raises(DataError, match=f"dev.jsonl:2: {field}: holds an unpaired surrogate at character 4"):
        read_snli(path)


@pytest.mark.parametrize("label", [None, "hidden", "-1", -1, "nan"])
def test_hidden_labels_are_no_labels(tmp_path, label) -> None:
    table = read_snli(write(tmp_path / "x.jsonl", PAIR, {**PAIR, "pairID": "a", "gold_label": label}))
    assert table.columns["label"] == [1, -1]
    assert table.notes == ("1 of 2 pairs have no label",)


def test_a_test_file_may_have_no_labels_at_all(tmp_path) -> None:
    blind = {name: text for name, text in PAIR.items() if name != "gold_label"}
    path = write(tmp_path / "x.jsonl", blind)
    assert read_snli(path, needs_label=False).columns["label"] == [-1]
    with pytest.raises(DataError, match="gold_label: field is missing"):
        read_snli(path)


def test_missing_file(tmp_path) -> None:
    assert find_snli_files(tmp_path, "test") == []
    with pytest.raises(DataError, match=r"snli: no such folder \(looked here for snli_1.0_test.jsonl\)"):
        require_snli_file(tmp_path, "test")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("{'gold_label': 1}", ":2: not JSON (Expecting property name enclosed in double quotes, column 2)"),
        ("[1]", ":2: each line is a JSON object; found '[1]'"),
        ({**PAIR, "gold_label": "neutrl"}, ":2: gold_label: unknown label 'neutrl'; nearest: 'neutral'"),
        ({**PAIR, "gold_label": "x"}, ":2: gold_label: unknown label 'x'; the labels are entailment, neutral,"),
        ({**PAIR, "gold_label": 1}, ":2: gold_label: must be text; found 1"),
        ({**PAIR, "pairID": "one"}, ":2: pairID: must be unique; 'one' is also on line 1"),
        (
            {"gold_label": "neutral", "pairID": "a", "sentenc1": "a"},
            ":2: sentence1: field is missing; nearest: 'sentenc1'",
        ),
        ({}, ":2: pairID: field is missing; found none"),
    ],
)
def test_bad_records(tmp_path, record, expected) -> None:
    path = write(tmp_path / "dev.jsonl", {**PAIR, "pairID": "one"}, record)
    with pytest.raises(DataError) as caught:
        read_snli(path)
    assert str(caught.value).startswith(f"{path}{expected}")


def test_bad_files(tmp_path) -> None:
    path = write(tmp_path / "dev.jsonl", "")
    with pytest.raises(DataError, match="file is empty"):
        read_snli(path)
    path.write_bytes(b'{"pairID": "\xff"}\n')
    with pytest.raises(DataError, match=r"dev.jsonl:1: not valid UTF-8"):
        read_snli(path)


@pytest.mark.parametrize(
    "lines",
    [
        ['{"pairID": "a", "prediction": "neutral"}', '{"pairID": "b", "prediction": "entailment"}'],
        ['{"pairID": "a", "gold_label": "neutral"}', '{"pairID": "b", "gold_label": "entailment"}'],
        ["a\tneutral", "b\tentailment"],
        ["pairID\tgold_label", "a\tneutral", "b\tentailment"],
    ],
)
def test_prediction_formats(tmp_path, lines) -> None:
    assert read_snli_predictions(write(tmp_path / "p", *lines)) == {"a": 1, "b": 0}


def test_predictions_are_known_by_any_pair_id(tmp_path) -> None:
    records = [{"pairID": "7#0r1n", "prediction": "contradiction"}, {"pairID": 'é"\u2028', "prediction": "entailment"}]
    assert read_snli_predictions(write(tmp_path / "p.jsonl", *records)) == {"7#0r1n": 2, 'é"\u2028': 0}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a\tneutral", "a\tneutral"], ":2: pairID: must be unique; 'a' is also on line 1"),
        (
            ["a\tneutral\tx"],
            ":1: a prediction is a line of pairID and label, tab separated; found 3 fields, expected 2",
        ),
        (["a\t-"], ":1: label: unknown label '-'; the labels are entailment, neutral, contradiction"),
        (['{"pairID": "a", "label": "neutral"}'], ":1: gold_label: field is missing; nearest: 'label'"),
        (["pairID\tlabel"], ": holds no prediction"),
    ],
)
def test_bad_predictions(tmp_path, lines, expected) -> None:
    path = write(tmp_path / "p", *lines)
    with pytest.raises(DataError) as caught:
        read_snli_predictions(path)
    assert str(caught.value).startswith(f"{path}{expected}")


@pytest.mark.data
@pytest.mark.skipif("ATINUKE_DATA" not in os.environ, reason="ATINUKE_DATA names no folder of official files")
def test_real_files() -> None:
    folder = os.environ["ATINUKE_DATA"]
    counts = {split: len(read_snli(require_snli_file(folder, split))) for split in ("train", "dev", "test")}
    assert counts == {"train": 20_000, "dev": 9_842, "test": 9_824}
    fragment = read_snli(Path(folder) / "snli/official-fragment.jsonl")
    assert fragment.columns["label"].count(-1) == 16
    assert fragment.notes == ("16 pairs have no consensus label ('-')",)
