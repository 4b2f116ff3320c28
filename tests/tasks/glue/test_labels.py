"""Labels of GLUE files that are not given: they are predicted, and neither learned nor scored."""

from __future__ import annotations

import math
import shutil

import pandas as pd
import pytest

from atinuke_bench.config import SourceConfig
from atinuke_bench.errors import DataError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.glue.files import LAYOUTS, read_glue, read_glue_predictions, require_glue_file
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("task", "head", "label"),
    [
        ("sst2", "sentence\tlabel", "-1"),
        ("sst2", "sentence\tlabel", "nan"),
        ("rte", "index\tsentence1\tsentence2\tlabel", "hidden"),
        ("wnli", "index\tsentence1\tsentence2\tlabel", "null"),
        ("rte", "index\tsentence1\tsentence2\tlabel", ""),
        ("stsb", "index\tsentence1\tsentence2\tscore", "-1.0"),
        ("stsb", "index\tsentence1\tsentence2\tscore", "NaN"),
    ],
)
@pytest.mark.parametrize("split", ["test", "dev"])
def test_hidden_labels_are_no_labels_in_any_split(tmp_path, task, head, label, split) -> None:
    texts = ["a b"] if task == "sst2" else ["0", "a", "b"]
    path = write(tmp_path / f"{split}.tsv", [head, "\t".join([*texts, label])])
    table = read_glue(LAYOUTS[task], path, split)
    (found,) = table.columns["label"]
    assert math.isnan(found) if task == "stsb" else found == -1


def test_a_prediction_is_never_hidden(tmp_path) -> None:
    path = write(tmp_path / "p.tsv", ["index\tprediction", "0\t-1"])
    with pytest.raises(DataError, match="unknown label '-1'"):
        read_glue_predictions(LAYOUTS["sst2"], path, "test")


def test_single_hidden_labels_are_counted(tmp_path) -> None:
    path = write(tmp_path / "train.tsv", ["sentence\tlabel", "a\t1", "b\t-1", "c\tnull", "d\t0"])
    table = read_glue(LAYOUTS["sst2"], path, "train")
    assert table.columns["label"] == [1, -1, -1, 0]
    assert table.notes == ("train.tsv: 2 of 4 examples have no label",)


@pytest.mark.parametrize(("task", "column", "hidden"), [("sst2", -1, "-1"), ("stsb", -1, "-1.0"), ("mrpc", 0, "null")])
def test_a_test_file_as_the_hub_writes_it_is_predicted_and_not_scored(
    official, make_run, tmp_path, task, column, hidden
) -> None:
    shutil.copytree(official, tmp_path / "data")
    layout = LAYOUTS[task]
    labelled = require_glue_file(layout, tmp_path / "data", "dev")
    copy = labelled.with_name(layout.files["test"][0])
    head, *rows = labelled.read_text().splitlines()
    cells = [row.split("\t") for row in rows]
    for row in cells:
        row[column] = hidden
    write(copy, [head, *map("\t".join, cells)])
    run = make_run(f"glue/{task}", "majority").model_copy(update={"source": SourceConfig(data_dir=tmp_path / "data")})
    folder = RunFolder(tmp_path / "run")
    result = train_and_evaluate(prepare(run, predicts_unlabelled=True), folder, Execution())
    assert (result["split"], set(result["scores"])) == ("dev", {"dev"})
    answers = pd.read_parquet(folder.predictions).query("split == 'test'")
    assert len(answers) > 0
    assert answers[["gold", "score"]].isna().all(axis=None)


def test_a_second_train_file_and_skipped_lines_are_said(official, make_run, tmp_path, capfd) -> None:
    shutil.copytree(official, tmp_path / "data")
    train = require_glue_file(LAYOUTS["qqp"], tmp_path / "data", "train")
    shutil.copy(train, train.with_name("train_2.tsv"))
    train.write_text(train.read_text() + "a line of one field\n")
    run = make_run("glue/qqp", "majority").model_copy(update={"source": SourceConfig(data_dir=tmp_path / "data")})
    folder = RunFolder(tmp_path / "run")
    train_and_evaluate(prepare(run), folder, Execution())
    for said in (capfd.readouterr().err, folder.log.read_text()):
        assert "malformed lines skipped" in said
        assert "train_2.tsv (no name of a split that is asked for)" in said
