"""The store keeps the texts of evaluated examples once a data set, and nothing depends on them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from atinuke_bench.errors import RunFolderError
from atinuke_bench.examples import find_examples, read_examples, write_examples
from atinuke_bench.files import read_json
from atinuke_bench.run_folder import RunFolder, find_runs, folder_of
from atinuke_bench.runs.verify import verify
from atinuke_bench.training import example_texts
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate

QUIET = Execution(show_progress=False)
ROWS = {
    "split": ["dev", "dev"],
    "id": ["a", "b"],
    "example": ['{"sentence1": "Ada sees Ben."}', '{"sentence1": "é"}'],
    "slices": ["{}", "{}"],
}


def _train(run, store, execution=QUIET):
    prepared = prepare(run)
    folder = folder_of(store, prepared.run, prepared.identity)
    return folder, train_and_evaluate(prepared, folder, execution)


def _named(folder):
    return read_json(folder.manifest)["data"]["examples"]


def _kept(folder):
    path = find_examples(folder, _named(folder))
    assert path is not None
    return read_examples(path)


def test_runs_of_one_data_set_share_one_file(make_run, tmp_path):
    runs = [make_run("snli", core, training__max_epochs=1) for core in ("majority", "bilstm")]
    (first, _), (second, _) = (_train(run, tmp_path) for run in runs)
    (path,) = (tmp_path / "examples").iterdir()
    assert _named(first) == _named(second) == path.name
    found = _kept(first).to_pylist()
    # The pairs that are scored, with what a reader needs: not the one without a consensus label, and none of train.
    assert [row["id"] for row in found] == [*(f"dev-{n}" for n in range(9)), *(f"test-{n}" for n in range(9))]
    assert set(json.loads(found[0]["example"])) == {"sentence1", "sentence2"}
    assert json.loads(found[0]["slices"]) == {"gold label": ["entailment"]}
    assert len(find_runs(tmp_path)) == 2
    assert not any(verify(folder).problems for folder in (first, second))


def test_texts_change_no_name_and_can_be_left_out(make_run, tmp_path):
    run = make_run("snli", "majority")
    kept, _ = _train(run, tmp_path / "kept")
    left, _ = _train(run, tmp_path / "left", Execution(show_progress=False, keeps_texts=False))
    assert kept.path.relative_to(tmp_path / "kept") == left.path.relative_to(tmp_path / "left")
    assert _named(left) is None
    assert not (tmp_path / "left" / "examples").exists()


@pytest.mark.parametrize(("option", "variable"), [("--no-texts", "on"), ("--texts", "off"), (None, "off")])
def test_the_command_keeps_texts_unless_it_is_told_not_to(cli, official, tmp_path, monkeypatch, option, variable):
    monkeypatch.setenv("ATINUKE_TEXTS", variable)
    asked = ("run", "--task", "snli", "--core", "majority", "--wandb", "disabled", *filter(None, [option]))
    done = cli(*asked, "--data-dir", official, "--out", tmp_path)
    assert done.status == 0, done.err
    assert (tmp_path / "examples").exists() == (option == "--texts")


def test_a_store_without_room_for_texts_stops_no_run(make_run, tmp_path):
    (tmp_path / "examples").write_text("no folder")
    folder, result = _train(make_run("snli", "majority"), tmp_path)
    assert result["score"] is not None
    assert _named(folder) is None
    assert "the texts of the examples are not kept" in folder.log.read_text()


def test_a_folder_that_lies_in_no_store_gets_no_neighbour(make_run, tmp_path):
    folder = RunFolder(tmp_path / "a" / "b" / "c" / "run")
    train_and_evaluate(prepare(make_run("snli", "majority")), folder, QUIET)
    assert [path.name for path in tmp_path.rglob("examples")] == []


def test_so_many_examples_are_kept_at_most(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(example_texts, "MOST_EXAMPLES", 4)
    folder, _ = _train(make_run("snli", "majority"), tmp_path)
    found = _kept(folder)
    assert found["split"].to_pylist() == ["dev"] * 4 + ["test"] * 4
    monkeypatch.setattr(example_texts, "MOST_CHARACTERS", 200)
    folder, _ = _train(make_run("snli", "majority"), tmp_path / "other")
    assert 0 < len(_kept(folder)) < 4


def test_many_writers_leave_one_whole_file(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda _: write_examples(tmp_path, "glue/rte", ROWS), range(32)))
    (path,) = (tmp_path / "examples").iterdir()
    assert {path.name} == names
    assert read_examples(path)["example"].to_pylist() == ROWS["example"]


def test_a_damaged_file_is_refused_and_written_anew(tmp_path):
    path = tmp_path / "examples" / write_examples(tmp_path, "snli", ROWS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(RunFolderError, match="its name differs"):
        read_examples(path)
    assert write_examples(tmp_path, "snli", ROWS) == path.name
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", [None, 3, "../../secret-0123456789abcdef.parquet", "x.parquet", "absent-" + "0" * 16])
def test_a_manifest_names_a_file_of_the_store_or_none(tmp_path, name):
    (tmp_path / "secret-0123456789abcdef.parquet").write_bytes(b"")
    assert find_examples(RunFolder(tmp_path / "runs" / "snli" / "bilstm" / "seed-0"), name) is None
