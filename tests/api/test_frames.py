"""`load_runs` against the files that runs wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from atinuke_bench import Runs, evaluate, load_runs
from atinuke_bench.api.frames import RUN_COLUMNS
from atinuke_bench.errors import ConfigError, RunFolderError, UnknownNameError
from atinuke_bench.run_folder import RunFolder, find_runs

NUM_EXAMPLES = 12


@pytest.fixture(scope="module")
def store(trained: Path) -> Path:
    return trained / "runs"


@pytest.fixture(scope="module")
def runs(store: Path) -> Runs:
    return load_runs(store)


def _result(folder: str) -> dict[str, Any]:
    return json.loads((Path(folder) / "result.json").read_text())


def test_every_figure_of_every_result_is_a_score(runs, store):
    wanted = {
        (str(folder.path), split, metric, value)
        for folder in find_runs(store)
        for split, figures in folder.read_result()["scores"].items()
        for metric, value in figures.items()
    }
    columns = runs.scores[["folder", "split", "metric", "value"]]
    assert set(columns.itertuples(index=False, name=None)) == wanted
    assert len(runs.scores) == len(wanted) == 8


def test_one_row_of_each_run_is_its_score(runs):
    headline = runs.scores[runs.scores["is_headline"]]
    assert len(headline) == len(runs) == 4
    for row in headline.itertuples():
        result = _result(row.folder)
        assert (row.value, row.split, row.metric) == (result["score"], result["split"], result["metric"])
        assert (row.seed, row.identity, row.variant) == (result["seed"], result["identity"], result["core_label"])


def test_costs_are_those_of_the_results(runs):
    for row in runs.costs.to_dict("records"):
        result = _result(row["folder"])
        assert row["parameters"] == result["cost"]["parameters"]
        assert row["latency_seconds"] == result["cost"]["latency_seconds"]
        assert row["seconds"] == result["seconds"]
        known = {name for name, value in row.items() if name in result["cost"] and pd.notna(value)}
        assert known == {name for name, value in result["cost"].items() if value is not None}


def test_history_is_that_of_the_runs(runs):
    for folder, rows in runs.history.groupby("folder"):
        lines = list(RunFolder(Path(str(folder))).read_history())
        for name in ("epoch", "step", "loss", "score", "learning_rate", "tokens"):
            assert rows[name].tolist() == [line[name] for line in lines], name


def test_predictions_give_the_score_again(runs):
    answers = runs.predictions(split="test")
    means = 100 * answers.groupby("folder")["score"].mean()
    headline = runs.scores[runs.scores["is_headline"]].set_index("folder")["value"]
    pd.testing.assert_series_equal(means, headline.sort_index(), check_names=False)
    assert len(runs.predictions()) == 2 * len(answers) == 2 * 4 * NUM_EXAMPLES


@pytest.mark.parametrize(
    ("chosen", "num_runs"),
    [({"core": "bilstm"}, 2), ({"seed": 1}, 2), ({"variant": "transformer-nano", "seed": 0}, 1), ({"seed": 9}, 0)],
)
def test_predictions_of_some_runs(runs, chosen, num_runs):
    answers = runs.predictions("glue/sst2", split="dev", **chosen)
    assert len(answers) == num_runs * NUM_EXAMPLES
    for name, value in chosen.items():
        assert (answers[name] == value).all()


def test_a_name_that_no_run_has_is_refused(runs):
    with pytest.raises(UnknownNameError, match="no core among these runs 'bilstn'; nearest: 'bilstm'"):
        runs.predictions(core="bilstn")


def test_examples_are_the_texts_of_predictions(runs):
    examples = runs.examples()
    assert len(examples) == 2 * NUM_EXAMPLES  # both splits, once for all runs
    both = runs.predictions().merge(examples, on=["task", "data", "split", "id"])
    assert len(both) == len(runs.predictions())
    # The unit of this task is the sentence.
    assert (both["unit"] == both["sentence1"]).all()


def test_frames_without_a_row_have_the_same_types(runs, store, tmp_path):
    unfinished = tmp_path / "glue/sst2/bilstm" / next((store / "glue/sst2/bilstm").iterdir()).name
    shutil.copytree(next((store / "glue/sst2/bilstm").iterdir()), unfinished)
    (unfinished / "result.json").unlink()
    empty = load_runs(tmp_path)
    assert len(empty) == 0
    assert empty.gaps["where"].tolist() == [str(unfinished)]
    for name in ("scores", "costs", "history"):
        ours, full = getattr(empty, name), getattr(runs, name)
        assert ours.empty
        assert list(ours.columns[: len(RUN_COLUMNS)]) == list(RUN_COLUMNS)
        pd.testing.assert_series_equal(ours.dtypes, full.dtypes)
        pd.testing.assert_series_equal(pd.concat([ours, full]).dtypes, full.dtypes)
    pd.testing.assert_series_equal(empty.predictions().dtypes, runs.predictions().dtypes)


def test_what_is_damaged_is_a_gap_or_an_error(store, tmp_path):
    shutil.copytree(store, tmp_path / "runs")
    first, second, *_ = find_runs(tmp_path / "runs")
    first.history.write_text("not a line of a history\n")
    second.predictions.write_bytes(b"not a table")
    damaged = load_runs(tmp_path / "runs")
    assert damaged.gaps["where"].tolist() == [str(first.history)]
    assert set(damaged.history["folder"]) == {str(folder.path) for folder in find_runs(tmp_path / "runs")[1:]}
    with pytest.raises(RunFolderError, match=r"predictions.parquet: cannot be read"):
        damaged.predictions()


def test_places_are_needed():
    with pytest.raises(ConfigError, match="takes the folder of a store"):
        load_runs()


def test_evaluations_are_those_that_lie_in_the_folders(store):
    found = evaluate(store, "shuffled-words")
    frame = load_runs(store).evaluations
    assert len(frame) == len(found.scores) == len(find_runs(store)) == 4
    order = ["folder", "split", "metric"]
    pd.testing.assert_frame_equal(
        frame.sort_values(order, ignore_index=True), found.scores.sort_values(order, ignore_index=True)
    )
