"""Coreference files, good and bad, and `score`."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.errors import AtinukeBenchError, DataError
from atinuke_bench.tasks.coref.files import CorefFiles, find_files
from atinuke_bench.training.prepare import prepare


def test_files_are_found_in_the_usual_places(folder, tmp_path):
    names = {split: [f"{split}.v4_gold_conll"] for split in ("train", "dev", "test")}
    for place in ("coref/litbank", "coref", "."):
        data_dir = tmp_path / place.replace("/", "-")
        shutil.copytree(folder, data_dir / place, dirs_exist_ok=True)
        assert {split: list(files) for split, files in find_files(data_dir).splits.items()} == names


def test_folders_without_files_are_named(folder):
    with pytest.raises(DataError, match="no CoNLL-2012 train files; looked in coref/litbank"):
        find_files(folder.parent / "..")
    with pytest.raises(DataError, match="no such folder"):
        find_files(folder / "nowhere")


def _line(word, cell):
    return f"d\t0\t0\t{word}\t-\t-\t-\t-\t-\t-\t*\t{cell}\n"


_BEGIN, _END = "#begin document (d); part 000\n", "#end document\n"
_BROKEN = {
    "unbalanced": (_BEGIN + _line("a", "(0") + _line("b", "-") + _END, r":2: .*document 'd' part 0"),
    "never opened": (_BEGIN + _line("a", "0)") + _END, r":2: .*never opened"),
    "crossing itself": (_BEGIN + _line("a", "(0") + _line("b", "(0|0)") + _line("c", "0)") + _END, r":3: .*cross"),
    "text after the end": (
        _BEGIN + _line("a", "-") + _END + _line("b", "-"),
        r":4: text after '#end document' of document 'd' part 0",
    ),
    "no begin": (_line("a", "-") + _END, r":1: .*without '#begin document'"),
    "twice": ((_BEGIN + _line("a", "-") + _END) * 2, r":4: document 'd' part 0 begins twice \(first at line 1\)"),
    "no end": (_BEGIN + _line("a", "-"), r":1: no '#end document'"),
    "no words": (_BEGIN + _END, r":1: document 'd' part 0 has no words"),
}


@pytest.mark.parametrize("name", list(_BROKEN))
def test_bad_files_name_file_line_and_document(folder, tmp_path, name, coref_run):
    text, message = _BROKEN[name]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "dev.v4_gold_conll").write_text(text)
    with pytest.raises(DataError, match=r"dev\.v4_gold_conll" + message):
        prepare(coref_run(tmp_path))
    if name != "no words":
        with pytest.raises(DataError, match=r"dev\.v4_gold_conll" + message):
            CorefFiles().score(tmp_path / "dev.v4_gold_conll", folder / "dev.v4_gold_conll")


def _score(gold, predictions, *more):
    return CliRunner().invoke(app, ["score", "coref", "--gold", str(gold), "--predictions", str(predictions), *more])


def test_score_prints_the_scorers_names(folder):
    gold = folder / "dev.v4_gold_conll"
    record = json.loads(_score(gold, gold, "--json").stdout)
    assert list(record) == ["muc", "bcub", "ceafm", "ceafe", "blanc", "lea", "mentions", "conll_f1"]
    assert record["conll_f1"] == 100
    assert record["blanc"] == {"recall": 100.0, "precision": 100.0, "f1": 100.0}
    table = _score(gold, gold).stdout
    assert "ceafe" in table
    assert "conll_f1" in table


def _scored(tmp_path, key, response):
    for name, cells in (("key", key), ("response", response)):
        lines = [_line(f"word{index}", cell) for index, cell in enumerate(cells)]
        (tmp_path / name).write_text(_BEGIN + "".join(lines) + _END)
    return CorefFiles().score(tmp_path / "key", tmp_path / "response")


def test_repeated_mentions_of_a_response_are_dropped_with_a_warning(tmp_path, caplog):
    found = _scored(tmp_path, ("(1)", "(1)", "(2)", "(2)"), ("(1)", "(1)|(2)", "(2)", "(2)"))
    assert set(found.pop("blanc").values()) == {100.0}
    assert found["conll_f1"] == 100
    (message,) = caplog.messages
    assert message.startswith("response: 1 mentions are twice in one cluster or in two; 1 that the key has are dropped")
    assert message.endswith("the first is (1, 1) ('word1') in document 'd' part 0")


def test_repeated_mentions_that_the_key_lacks_stay(tmp_path, caplog):
    found = _scored(tmp_path, ("(1)", "(1)", "-"), ("(1)", "(1)", "(1)|(2)"))
    assert found["mentions"] == {"recall": 100.0, "precision": 66.66, "f1": 80.0}
    assert found["bcub"] == {"recall": 100.0, "precision": 33.33, "f1": 50.0}  # (2/3 + 2/3) / 4
    assert "; 0 that the key has are dropped" in caplog.text


def test_repeated_mentions_of_a_key_are_counted_with_a_warning(tmp_path, caplog):
    found = _scored(tmp_path, ("(1)", "(1)|(2)", "(2)"), ("(1)", "(1)", "-"))
    assert (found["muc"]["f1"], found["bcub"]["f1"], found["ceafe"]["f1"]) == (0, 50, 66.66)
    assert caplog.messages[0].startswith("key: 1 mentions are twice in one cluster or in two; all are counted")


def test_more_than_ten_repeated_mentions_are_refused_by_file(tmp_path):
    key, response = ["(1)"] * 12, ["(1)|(2)"] * 12
    assert _scored(tmp_path, key, [*response[:10], "(1)", "(1)"])["conll_f1"] == 100
    with pytest.raises(DataError, match=r"response: scorer.pl drops up to 10 repeated mentions .* found 12"):
        _scored(tmp_path, key, response)


def test_names_of_clusters_are_compared_as_text(tmp_path):
    key = ("(0", "0)", "-", "(1)", "(1)")
    assert _scored(tmp_path, key, ("(0", "0)", "(00)", "(1)", "(1)"))["muc"]["precision"] == 100
    assert _scored(tmp_path, key, ("(0", "0)", "(0)", "(1)", "(1)"))["muc"]["precision"] == 50


def test_responses_of_other_documents_are_refused(folder, tmp_path):
    gold = folder / "dev.v4_gold_conll"
    for text, message in (
        (_BEGIN + _line("a", "-") + _END, "no document of the response is in the key"),
        ("#begin document (bc/dev0); part 000\n" + _line("a", "-") + _END, "has 1 words here and 48 in the key"),
    ):
        (tmp_path / "response").write_text(text)
        result = _score(gold, tmp_path / "response")
        assert isinstance(result.exception, AtinukeBenchError)
        assert message in str(result.exception)


@pytest.mark.data
def test_printed_digits_are_the_official_scorers(data_dir):
    cases = data_dir / "parity/coref/cases"
    expected = {
        name: (cases / case["key"], cases / case["response"], case["scores"])
        for name, case in json.loads((cases / "expected.json").read_text()).items()
    }
    litbank = json.loads((data_dir / "parity/coref/litbank-dev.expected.json").read_text())
    key = data_dir / "coref/litbank/dev.v4_gold_conll"
    expected["litbank"] = (key, data_dir / "parity/coref/litbank-dev.response", litbank)
    for name, (gold, response, printed) in expected.items():
        found = CorefFiles().score(gold, response)
        assert {metric: found[metric] for metric in printed} == printed, name
