"""Files that anyone may have written: bounded in time and memory, refused in one line that names them."""

from __future__ import annotations

import gzip
import json
import math
import os

import pandas as pd
import pytest

from atinuke_bench.config import make_run_config, parse_override
from atinuke_bench.data.text import content_sha256, read_bytes
from atinuke_bench.errors import ConfigError, DataError, RunFolderError
from atinuke_bench.files import parse_json, read_json, read_object, sha256_file
from atinuke_bench.formatting import visible
from atinuke_bench.predictions import read_predictions
from atinuke_bench.reports.sections.table import Table
from atinuke_bench.reports.writing.formats import to_csv
from atinuke_bench.reports.writing.latex import to_latex
from atinuke_bench.run_folder import RunFolder, find_runs
from atinuke_bench.sealed import history_lines, parse_history


@pytest.fixture
def write_result():
    """`write_result(path, without=field)`: the smallest whole result, or one that lacks a field."""

    def write(path, without=None):
        names = {"task": "snli", "core": "atinuke", "core_label": "a", "identity": "0", "split": "dev", "metric": "f1"}
        figures: dict[str, object] = {
            "seed": 0,
            "higher_is_better": True,
            "score": 1.0,
            "interval": None,
            "seconds": 1.0,
            "selection": {},
        }
        protocol = {"source": "local", "is_cut": False, "selection": "dev", "pretraining": "none"}
        record = {"schema": 1, **names, **figures, "protocol": protocol, "scores": {}, "slices": {}, "cost": {}}
        path.write_text(json.dumps({name: value for name, value in record.items() if name != without}))

    return write


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NaN", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("1e999", "1e999 is beyond the largest number"),
        ("9" * 5000, "a number of 5000 digits"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "the key 'a' is given twice"),
        (b"\xff", "codec can't decode"),
        ("", "Expecting value"),
    ],
)
def test_json_that_is_no_plain_data_is_a_value_error(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_json_that_is_plain_data_is_read():
    assert parse_json(b'\xef\xbb\xbf{"a": [1, -2.5e3, null, "\\u00e9"]}') == {"a": [1, -2500.0, None, "é"]}


def test_another_value_in_the_place_of_an_object_is_named(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(RunFolderError, match=r"a\.json: must be a JSON object; found list"):
        read_object(tmp_path / "a.json")


def test_a_pipe_is_refused_at_once(tmp_path):
    for name in ("a.json", "a.txt", "a.txt.gz"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(RunFolderError, match="not a regular file"):
        read_json(tmp_path / "a.json")
    for name in ("a.txt", "a.txt.gz"):
        with pytest.raises(DataError, match="not a regular file"):
            read_bytes(tmp_path / name)
    with pytest.raises(RunFolderError, match="not a regular file"):
        read_predictions(tmp_path / "a.json")
    with pytest.raises(OSError, match="not a regular file"):
        sha256_file(tmp_path / "a.txt")


def test_a_packed_file_that_unpacks_to_what_no_text_does_is_refused(tmp_path):
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(gzip.compress(b"\0" * 4_000_000) * 60)  # 240 MB of 240 kB
    for read in (read_bytes, content_sha256):
        with pytest.raises(DataError, match="unpacks to more than 50 times its size"):
            read(path)
    path.write_bytes(gzip.compress(b"a b\n" * 10_000))
    assert len(read_bytes(path)) == 40_000


def test_a_message_is_one_visible_line_of_bounded_length():
    error = DataError("found \x1b[31m" + "9" * 10_000 + "\n; nearest: 'a'", path="file.tsv", line=3)
    assert len(str(error)) == 400
    assert str(error).startswith("file.tsv:3: found \\u001b[31m999")
    assert str(error).endswith("; nearest: 'a'")
    assert visible("\ud83d\u2028\x9b") == "\\ud83d\\u2028\\u009b"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("core.num_heads=99999999999", "num_heads must divide hidden_size.*nearest: num_heads 64"),
        ("core.hidden_size=99999999999", "core.hidden_size: at most 100000"),
        ("seed=18446744073709551615", "seed: at most 4294967295"),
        ("seed=010", "programs disagree on the number 010"),
        ("seed=true", "seed: a number; found true"),
    ],
)
def test_a_setting_that_no_run_can_have_is_refused_at_once(override, message):
    with pytest.raises(ConfigError, match=message):
        make_run_config("snli", "atinuke", preset="nano", overrides=dict([parse_override(override)]))


def test_predictions_of_other_types_are_refused(tmp_path):
    rows = {"split": "test", "id": ["a", "b"], "prediction": ["1", "0"], "gold": None, "score": [1.0, 0.0]}
    path = tmp_path / "predictions.parquet"
    pd.DataFrame(rows).to_parquet(path)
    assert read_predictions(path).num_rows == 2
    for change in ({"id": [1, 2]}, {"score": ["x", "y"]}, {"prediction": [[1], [2]]}):
        pd.DataFrame(rows | change).to_parquet(path)
        with pytest.raises(RunFolderError, match="must hold"):
            read_predictions(path)


def test_a_run_without_a_config_is_still_found(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_text("{}")
    assert [folder.path for folder in find_runs(tmp_path)] == [tmp_path / "run"]


@pytest.mark.parametrize("name", ["checkpoints", "log.txt"])
def test_a_link_out_of_a_run_folder_is_not_written_through(tmp_path, name):
    outside = tmp_path / "outside"
    outside.mkdir()
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    (run.path / name).symlink_to(outside)
    with pytest.raises(RunFolderError, match="a link out of the run folder"):
        run.create()
    assert not any(outside.iterdir())


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], "must be a JSON object; found list"),
        ({"class": "strange", "message": "x"}, "failure.json.class: "),
        ({"class": "data", "message": 3}, "failure.json.message: a text; found 3"),
    ],
)
def test_a_damaged_failure_names_its_file(tmp_path, record, message):
    (tmp_path / "failure.json").write_text(json.dumps(record))
    with pytest.raises(RunFolderError, match=message):
        RunFolder(tmp_path).read_failure()


def test_cells_of_a_table_are_neither_formulas_nor_commands():
    data = pd.DataFrame({"core": ["=1+1", "@x", "-1.5", "[*] \\input{x}"], "score": [-1.5, 2.0, 3.0, 4.0]})
    table = Table("t", "Title", data, data)
    assert to_csv(table).splitlines() == ["core,score", "'=1+1,-1.5", "'@x,2.0", "-1.5,3.0", "[*] \\input{x},4.0"]
    assert r"{[}{*}{]} \textbackslash{}input\{x\} & 4.0 \\" in to_latex(table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('"score": 1e999', r"result\.json: not valid JSON \(1e999 is beyond the largest number"),
        ('"score": NaN', r"result\.json: not valid JSON \(NaN is no number"),
        ('"score": -Infinity', r"result\.json: not valid JSON \(-Infinity is no number"),
        ('"score": 1.0, "score": 2.0', r"result\.json: not valid JSON \(the key 'score' is given twice"),
    ],
)
def test_a_result_with_a_number_that_is_none_is_damaged(tmp_path, write_result, change, message):
    run = RunFolder(tmp_path)
    write_result(run.result)
    run.result.write_text(run.result.read_text().replace('"score": 1.0', change))
    with pytest.raises(RunFolderError, match=message):
        run.read_result()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"epoch": 1, "score": 1e999}', "line 2 is not JSON (1e999 is beyond the largest number)"),
        ('{"epoch": 1, "score": Infinity}', "line 2 has a number that is none, and no checksum"),
        ('{"epoch": 1, "score": 1, "metrics": {"f1": NaN}}', "line 2 has a number that is none, and no checksum"),
        ('{"epoch": 1, "score": 1, "score": 99}', "line 2 is not JSON (the key 'score' is given twice)"),
        ('{"epoch": 1, "score": ' + "9" * 5000 + "}", "line 2 is not JSON (a number of 5000 digits)"),
    ],
)
def test_a_line_of_a_history_with_a_number_that_is_none_ends_it(line, message):
    first = {"epoch": 0, "score": 60.5, "metrics": {"spearman": math.nan}}
    records, problem = parse_history([*history_lines([first]), line])
    assert len(records) == 1, "a run that has written NaN is read"
    assert problem == message


def test_a_result_that_lacks_a_field_is_damaged(tmp_path, write_result):
    run = RunFolder(tmp_path)
    write_result(run.result)
    assert run.is_finished()
    for field in ("interval", "scores", "selection", "cost"):
        write_result(run.result, without=field)
        with pytest.raises(RunFolderError, match=rf"result\.json\.{field}: the field is missing"):
            run.read_result()
