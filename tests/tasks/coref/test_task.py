"""Coreference runs on a few short documents: what is learned, predicted and written."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
import torch

from atinuke_bench.data.conll.read import read_documents
from atinuke_bench.runs.verify import verify
from atinuke_bench.tasks.coref.files import CorefFiles
from atinuke_bench.tasks.coref.scorer import count_document, scores
from atinuke_bench.testing import check_task


@pytest.fixture(scope="session")
def finished(folder, tmp_path_factory, coref_run, carry_out):
    """A run that has learned its documents by heart."""
    torch.set_num_threads(1)
    run = coref_run(folder, "bilstm", training__max_epochs=12, training__learning_rate=0.01)
    return carry_out(run, tmp_path_factory.mktemp("runs") / "run")


def test_a_run_learns_and_beats_nothing_at_all(finished):
    _, result = finished
    assert result["score"] > 60
    assert result["metric"] == "conll_f1"
    assert result["split"] == "test"
    assert result["interval"] is None, "so few documents have none"
    assert result["resampled"]["unit"] == "document"
    assert set(result["slices"]["test"]) == {"mention type", "antecedent distance in sentences"}
    pronouns = result["slices"]["test"]["mention type"]["pronoun"]
    assert pronouns["num"] == 8 * 3
    assert result["cost"]["training_flops"] > 0


def test_the_response_scores_as_the_run_says(finished, folder):
    place, result = finished
    for split in ("dev", "test"):
        response = place.path / f"{split}.response.conll"
        printed = CorefFiles().score(folder / f"{split}.v4_gold_conll", response)
        for metric in ("muc", "bcub", "ceafe", "blanc", "lea", "mentions"):
            exact = result["scores"][split][f"{metric}_f1"]
            rounded = 0.005 if metric == "lea" else 0
            assert 0 <= exact - printed[metric]["f1"] + rounded < 0.01  # other printed digits are cut off
        assert CorefFiles().score(place.path / f"{split}.key.conll", response) == printed
        assert response.name in result["artefacts"]


def test_the_response_keeps_headers_words_and_stored_clusters(finished, folder):
    place, _ = finished
    rows = pd.read_parquet(place.predictions)
    rows = rows[rows["split"] == "test"]
    stored = {
        key: [[tuple(span) for span in cluster] for cluster in json.loads(prediction)]
        for key, prediction in zip(rows["id"], rows["prediction"], strict=True)
    }
    key = list(read_documents(folder / "test.v4_gold_conll"))
    response = list(read_documents(place.path / "test.response.conll"))
    assert [document.header for document in response] == [document.header for document in key]
    for gold, found in zip(key, response, strict=True):
        assert found.words == gold.words
        assert found.clusters == stored[f"{gold.name}#{gold.part}"]


def test_predictions_hold_gold_and_the_score_of_each_document(finished):
    rows = pd.read_parquet(finished[0].predictions)
    assert rows["score"].between(0, 100).all()
    first = rows.iloc[0]
    key, response = json.loads(first["gold"]), json.loads(first["prediction"])
    as_tuples = [[[tuple(span) for span in cluster] for cluster in side] for side in (key, response)]
    assert scores(count_document(*as_tuples)).conll_f1 == pytest.approx(first["score"])


def test_equal_runs_are_equal(folder, tmp_path, coref_run):
    check_task(coref_run(folder), tmp_path, official=(folder / "dev.v4_gold_conll",) * 2)


def test_gold_with_repeated_mentions_scores_as_the_runs_files_say(folder, tmp_path, coref_run, carry_out):
    shutil.copytree(folder, tmp_path / "data")
    for split, cell in (("train", "(0)|(70)"), ("dev", "(0)|(0)"), ("test", "(70)|(0)")):
        file = tmp_path / "data" / f"{split}.v4_gold_conll"
        file.write_text(file.read_text().replace("(0)\n", f"{cell}\n", 3))
    place, result = carry_out(coref_run(tmp_path / "data", "majority"), tmp_path / "run")
    for split in ("dev", "test"):
        printed = [
            CorefFiles().score(key, place.path / f"{split}.response.conll")
            for key in (place.path / f"{split}.key.conll", tmp_path / "data" / f"{split}.v4_gold_conll")
        ]
        assert printed[0] == printed[1]
        for metric in ("muc", "bcub", "ceafm", "ceafe", "blanc", "mentions"):
            assert 0 <= result["scores"][split][f"{metric}_f1"] - printed[0][metric]["f1"] < 0.01, (split, metric)
    verdict = verify(place)
    assert not verdict.not_checked
    assert not any("predictions" in problem for problem in verdict.problems)
    plain = carry_out(coref_run(folder, "majority"), tmp_path / "plain")[1]
    assert result["scores"]["test"]["bcub_f1"] != plain["scores"]["test"]["bcub_f1"]


def test_the_floor_is_the_rules(folder, tmp_path, coref_run, carry_out):
    place, result = carry_out(coref_run(folder, "majority"), tmp_path / "run")
    assert result["score"] > 40
    assert (place.path / "test.response.conll").exists()
