"""SQuAD on small official files: both versions train, choose a threshold and write official files."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.errors import ConfigError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.squad.files import write_predictions
from atinuke_bench.tasks.squad.metric import SquadAnswer
from atinuke_bench.tasks.squad.task import SQUAD_V2
from atinuke_bench.testing import check_task
from atinuke_bench.training.evaluate import evaluate
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

VERSIONS = ("1.1", "2.0")


@pytest.fixture(scope="module")
def finished(squad_run, tmp_path_factory):
    """Each version's finished run: what was prepared, its folder, its result."""
    torch.set_num_threads(1)
    runs = {}
    for version in VERSIONS:
        prepared = prepare(squad_run(version))
        folder = RunFolder(tmp_path_factory.mktemp("runs") / version)
        runs[version] = prepared, folder, train_and_evaluate(prepared, folder, Execution(show_progress=False))
    return runs


def cli(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("version", VERSIONS)
def test_keeps_the_contract_of_tasks_and_repeats_itself(squad, squad_run, tmp_path, version):
    run = squad_run(version, core="bilstm", training__max_epochs=1)
    predictions = tmp_path / "answers.json"
    write_predictions(predictions, dict.fromkeys(prepare(run).loaded.splits["dev"]["id"], "Oslo"))
    check_task(run, tmp_path, official=(squad / f"squad/v{version}/dev-v{version}.json", predictions))


@pytest.mark.parametrize("version", VERSIONS)
def test_score_accepts_the_predictions_of_a_run_and_gives_its_figures(squad, finished, version):
    _, folder, result = finished[version]
    gold = squad / f"squad/v{version}/dev-v{version}.json"
    shown = cli(
        "score", f"squad-v{version}", "--gold", gold, "--predictions", folder.path / "predictions.json", "--json"
    )
    assert shown.exit_code == 0
    expected = {name: value for name, value in result["scores"]["dev"].items() if not name.startswith("best_")}
    assert json.loads(shown.stdout) == expected
    assert result["score"] == expected["f1"]
    assert "predictions.json" in result["artefacts"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_answer_is_part_of_its_text(finished, version):
    prepared, folder, _ = finished[version]
    predictions = json.loads((folder.path / "predictions.json").read_text())
    examples = prepared.evaluation_splits["dev"]
    assert list(predictions) == examples["id"][:]
    for id_, context in zip(examples["id"], examples["context"], strict=True):
        assert predictions[id_] in context
        assert predictions[id_] or version == "2.0"
    rows = pd.read_parquet(folder.predictions).set_index("id")
    assert rows["prediction"].to_dict() == predictions
    assert 100 * rows["score"].mean() == pytest.approx(finished[version][2]["score"])


def test_a_threshold_is_chosen_on_the_selection_slice_and_kept_to(finished):
    _, folder, result = finished["2.0"]
    threshold = result["selection"]["calibration"]["null_threshold"]
    assert folder.read_history()[result["selection"]["best_epoch"]]["calibration"] == {"null_threshold": threshold}
    predictions = json.loads((folder.path / "predictions.json").read_text())
    odds = json.loads((folder.path / "null_odds.json").read_text())
    assert {id_: odds[id_] > threshold for id_ in odds} == {id_: text == "" for id_, text in predictions.items()}
    assert finished["1.1"][2]["selection"]["calibration"] == {}
    for name in ("null_odds.json", "best_spans.json"):
        assert name in finished["2.0"][2]["artefacts"]
        assert not (finished["1.1"][1].path / name).exists()


def test_the_best_figures_of_a_result_are_found_from_the_files_of_its_run(squad, finished):
    prepared, folder, result = finished["2.0"]
    best = json.loads((folder.path / "best_spans.json").read_text())
    examples = prepared.evaluation_splits["dev"]
    assert list(best) == examples["id"][:]
    assert all(best[id_] and best[id_] in text for id_, text in zip(examples["id"], examples["context"], strict=True))
    gold, odds = squad / "squad/v2.0/dev-v2.0.json", folder.path / "null_odds.json"
    files = ["--gold", gold, "--predictions", folder.path / "best_spans.json", "--null-odds", odds, "--json"]
    found = json.loads(cli("score", "squad-v2.0", *files).stdout)
    figures = result["scores"]["dev"]
    names = ("best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh")
    assert {name: found[name] for name in names} == {name: figures[name] for name in names}


def test_spans_that_were_left_unanswered_are_in_the_files(squad, squad_run, tmp_path):
    run = squad_run("2.0")
    examples = prepare(run).loaded.splits["dev"]
    texts = {
        id_: (answers["text"] or ["x"])[0] for id_, answers in zip(examples["id"], examples["answers"], strict=True)
    }
    odds = {id_: float(number) for number, id_ in enumerate(texts)}
    unanswered = {id_: SquadAnswer("", text, odds[id_]) for id_, text in texts.items()}
    figures = evaluate(SQUAD_V2, examples, unanswered).figures
    files = SQUAD_V2.require("files")
    files.write(tmp_path, "dev", examples, unanswered, run)
    found = {
        name: files.score(
            squad / "squad/v2.0/dev-v2.0.json", tmp_path / f"{name}.json", null_odds=tmp_path / "null_odds.json"
        )
        for name in ("best_spans", "predictions")
    }
    assert found["best_spans"]["best_f1"] == figures["best_f1"] > found["predictions"]["best_f1"]
    assert found["best_spans"]["best_f1_thresh"] == figures["best_f1_thresh"]


def test_null_odds_add_the_best_thresholds(squad, finished):
    _, folder, result = finished["2.0"]
    gold = squad / "squad/v2.0/dev-v2.0.json"
    files = ["--gold", gold, "--predictions", folder.path / "predictions.json"]
    odds = ["--null-odds", folder.path / "null_odds.json", "--json"]
    assert "best_f1_thresh" in json.loads(cli("score", "squad-v2.0", *files, *odds).stdout)
    assert result["scores"]["dev"]["best_f1"] >= result["scores"]["dev"]["f1"]
    refused = cli("score", "squad-v1.1", *files, *odds)
    assert isinstance(refused.exception, ConfigError)
    assert "takes no --null-odds" in str(refused.exception)


@pytest.mark.parametrize("version", VERSIONS)
def test_results_have_slices(finished, version):
    slices = finished[version][2]["slices"]["dev"]
    assert set(slices) == {
        "question_word",
        "answer_type",
        "answer_length",
        "context_length",
        "answer position in words",
    }
    assert slices["question_word"]["where"]["num"] == 8
    assert ("none" in slices["answer_type"]) == (version == "2.0")


def test_selection_is_by_article(squad_run):
    prepared = prepare(squad_run("1.1"))
    assert not set(prepared.train_examples["title"]) & set(prepared.selection_examples["title"])


def test_a_core_learns_to_answer(squad_run, tmp_path):
    run = squad_run("1.1", "bilstm", training__max_epochs=12, training__learning_rate=5e-3, training__patience=12)
    result = train_and_evaluate(prepare(run), RunFolder(tmp_path / "run"), Execution(show_progress=False))
    assert result["score"] > 60


@pytest.mark.data
@pytest.mark.parametrize("name", ["v1.1-bert", "v1.1-logistic-regression", "v2.0-bert"])
def test_official_figures_through_the_command_line(data_dir, name):
    parity = data_dir / "parity/squad"
    version = name[1:4]
    gold = data_dir / "squad/v1.1/dev-v1.1.json" if version == "1.1" else parity / "v2.0-gold.json"
    shown = cli(
        "score", f"squad-v{version}", "--gold", gold, "--predictions", parity / f"{name}.predictions.json", "--json"
    )
    assert json.loads(shown.stdout) == json.loads((parity / f"{name}.expected.json").read_text())
