"""Runs on their own data, its words shuffled or its positions shifted."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.errors import ConfigError
from atinuke_bench.evaluation_folder import evaluation_of
from atinuke_bench.reports import read_frame
from atinuke_bench.reports.report import make_report
from atinuke_bench.reports.sections.elsewhere import PERTURBED_NOTE
from atinuke_bench.run_folder import RunFolder, find_runs, folder_of
from atinuke_bench.runs.evaluation.carry_out import evaluate_runs
from atinuke_bench.runs.evaluation.opening import open_data
from atinuke_bench.runs.evaluation.perturbed import shuffled_words
from atinuke_bench.runs.verify import verify_runs
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.task import task_of
from atinuke_bench.training.train import train_and_evaluate

from .conftest import SIZES, SMALL


def scored(runs, name, **options):
    return list(evaluate_runs(runs, open_data(name, None), **options))


@pytest.fixture(scope="module")
def attending(tmp_path_factory) -> dict[str, RunFolder]:
    """A run that gives pairs a score, with each kind of positions that a shift treats in its own way."""
    source = SourceConfig(kind="microworld", microworld=SIZES)
    found = {}
    for positions in ("learned", "rotary", "none"):
        overrides = {**SMALL, "core.positions": positions, "core.max_positions": 160, "training.max_epochs": 3}
        prepared = prepare(
            make_run_config("glue/stsb", "transformer", preset="nano", source=source, overrides=overrides)
        )
        folder = folder_of(tmp_path_factory.mktemp(positions), prepared.run, prepared.identity)
        train_and_evaluate(prepared, folder, Execution(show_progress=False))
        found[positions] = folder
    return found


def test_words_are_shuffled_inside_each_text_by_its_id_alone(snli):
    run = snli[0].read_config()
    task = task_of(run)
    fitted = open_data("shuffled-words", None).fit(task, run)
    before, after = fitted.loaded.splits["test"], fitted.examples_for(task, "test")
    assert after.features == task.features
    for column in ("sentence1", "sentence2"):
        texts = list(zip(before[column][:], after[column][:], strict=True))
        assert all(sorted(one.split()) == sorted(other.split()) for one, other in texts)
        assert sum(one != other for one, other in texts) > 0.9 * len(texts)
    assert after["sentence1"][:] == fitted.examples_for(task, "test")["sentence1"][:]
    assert after["label"][:] == [-1] * len(after), "right answers are hidden from the run"
    assert shuffled_words("a b c d e f", "x") != shuffled_words("a b c d e f", "y")


def test_shuffled_words_are_an_evaluation_like_others(snli, cli):
    done = cli("evaluate", *[folder.path for folder in snli], "--on", "shuffled-words", "--json")
    records = json.loads(done.out)
    assert [(record["name"], record["task"]) for record in records] == [("shuffled-words", "snli")] * 2
    assert records[0]["sizes"] == {"test": SIZES["test"]}, "the split that the run's score is of"
    rows = pd.read_parquet(evaluation_of(snli[0], "shuffled-words").predictions)
    own = pd.read_parquet(snli[0].predictions).query("split == 'test'").reset_index()
    assert rows[["id", "gold"]].equals(own[["id", "gold"]]), "the same examples with the same right answers"
    assert not rows["prediction"].equals(own["prediction"])
    assert [verdict.problems for verdict in verify_runs([snli[0].path])] == [[], []]
    assert find_runs(snli[0].path / "evaluations") == find_runs(evaluation_of(snli[0], "shuffled-words").path) == []
    (again,) = scored(snli[:1], "shuffled-words")
    assert (again.is_new, again.result) == (False, evaluation_of(snli[0], "shuffled-words").read_result())


def test_a_report_shows_what_shuffling_costs_and_says_what_it_is(snli):
    scored(snli, "shuffled-words")
    report = make_report(read_frame([folder.path for folder in snli]))
    table = next(table for table in report.tables if table.name == "test-sets")
    assert set(table.data["test_set"]) == {"shuffled-words"}
    assert table.data["drop"].notna().all()
    assert PERTURBED_NOTE in table.notes


def test_a_file_that_an_evaluation_needs_is_missed(snli):
    scored(snli[:1], "shuffled-words")
    evaluation_of(snli[0], "shuffled-words").perturbation.unlink()
    assert [p for verdict in verify_runs([snli[0].path]) for p in verdict.problems] == ["perturbation.yaml: is missing"]


def test_absolute_positions_miss_a_shift_and_relative_ones_do_not(attending):
    (learned,), (rotary,) = (scored([attending[kind]], "shifted-positions:16") for kind in ("learned", "rotary"))
    assert learned.result["determinants"]["perturbed"] == {"kind": "shifted-positions", "places": 16}
    moved = []
    for outcome in (learned, rotary):
        here, own = (
            pd.read_parquet(folder.predictions).query("split == 'test'")["prediction"].to_numpy(float)
            for folder in (evaluation_of(outcome.run, "shifted-positions-16"), outcome.run)
        )
        moved.append(float(np.abs(here - own).max()))
    assert moved[1] < 1e-4 < moved[0]


def test_what_cannot_be_shifted_is_left_out_in_one_line(attending, snli):
    (ended,) = scored([attending["learned"]], "shifted-positions:33")
    assert "end at 160 tokens, and its texts have up to 128; found a shift of 33; nearest: 32" in ended.note
    (unplaced,) = scored([attending["none"]], "shifted-positions:8")
    (recurrent,) = scored(snli[:1], "shifted-positions:8")
    assert "without positions has none to shift" in unplaced.note
    assert "core 'bilstm' has no positions that could be shifted" in recurrent.note
    assert all(outcome.result is None for outcome in (ended, unplaced, recurrent))


def test_answers_that_are_parts_of_texts_are_not_shuffled(store):
    (outcome,) = scored(find_runs(store / "squad-v1.1"), "shuffled-words")
    assert "whose answers are parts of its texts; nearest: shifted-positions:64" in outcome.note


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("shifted-positions", {}, "has one of 1 or more; found 'shifted-positions'; nearest: shifted-positions:64"),
        ("shifted-positions:0", {}, "found 'shifted-positions:0'"),
        ("shuffled-words:3", {}, "found 'shuffled-words:3'; nearest: shuffled-words"),
        ("shufled-words", {}, "no test set 'shufled-words'; nearest: 'shuffled-words'"),
        ("shifted-position:8", {}, "nearest: 'shifted-positions'"),
        ("shuffled-words", {"given_map": "a=b"}, "its own name; found --map"),
    ],
)
def test_names_that_mean_nothing_are_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        open_data(name, None, **options)
