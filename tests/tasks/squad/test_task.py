"""SQuAD on small official files: both versions train, decode, choose a threshold and write official files."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.data.tokenizer import CLS_ID, PAD_ID, SEP_ID
from atinuke_bench.errors import AtinukeBenchError, ConfigError, DataError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.squad.model import WIDTHS, question_overlap
from atinuke_bench.tasks.squad.rows import build_windows
from atinuke_bench.tasks.squad.task import SQUAD_V1, SQUAD_V2, SquadAnswer, encoded_windows, windows_of
from atinuke_bench.testing import check_task
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

TASKS = {"1.1": SQUAD_V1, "2.0": SQUAD_V2}
VERSIONS = list(TASKS)
NAMES = ("Ada", "Béla", "Cleo", "Đan", "Eva", "Femi")
TOWNS = ("Paris", "Lagos", "Ibadan", "Oslo", "Kyoto")


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def article(title, draw, *, version, num_paragraphs=4):
    """Paragraphs of who lives where since when; in v2.0 every third question has no answer."""
    paragraphs = []
    for number in range(num_paragraphs):
        people = draw.sample(NAMES, 3)
        facts = [(who, draw.choice(TOWNS), str(draw.randint(1900, 1999))) for who in people]
        context = "\n".join(f"{who} lives in  {town} since {year}." for who, town, year in facts)
        questions = []
        for place, (who, town, year) in enumerate(facts):
            where, when = (f"Where does {who} live?", town), (f"Since when does {who} live there?", year)
            asked, text = where if place % 2 else when
            start = context.index(text, context.index(who))
            record = {"id": f"{title}-{number}-{place}", "question": asked}
            record["answers"] = [{"text": text, "answer_start": start}]
            if version == "2.0":
                record["is_impossible"] = place == 2
                if place == 2:
                    record |= {"answers": [], "plausible_answers": record["answers"]}
            questions.append(record)
        paragraphs.append({"context": context, "qas": questions})
    return {"title": title, "paragraphs": paragraphs}


def official_file(version, split, num_articles):
    draw = random.Random(f"{version} {split}")
    data = [article(f"{split}-{number}", draw, version=version) for number in range(num_articles)]
    return {"version": version if version == "1.1" else f"v{version}", "data": data}


def write_squad(folder, version, change=lambda content: None):
    """Train and dev files in the official layout; `change` may spoil the train file."""
    place = folder / "squad" / f"v{version}"
    place.mkdir(parents=True)
    for split, size in (("train", 5), ("dev", 2)):
        content = official_file(version, split, size)
        if split == "train":
            change(content)
        (place / f"{split}-v{version}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def squad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squad")
    for version in VERSIONS:
        write_squad(folder, version)
    return folder


def make_run(folder, version, core="atinuke", seed=0, **changes):
    small = {
        "training.max_epochs": 2,
        "training.max_length": 48,
        "training.batch_tokens": 512,
        "training.held_out_fraction": 0.2,
        "tokenizer.vocab_size": 200,
        "options.stride": 16,
        "options.num_best": 5,
    }
    source = SourceConfig(data_dir=folder)
    changes = {**small, **{name.replace("__", "."): value for name, value in changes.items()}}
    return make_run_config(f"squad-v{version}", core, preset="nano", source=source, seed=seed, overrides=changes)


@pytest.fixture(scope="module")
def finished(squad, tmp_path_factory):
    """Each version's finished run: what was prepared, its folder, its result."""
    torch.set_num_threads(1)
    runs = {}
    for version in VERSIONS:
        prepared = prepare(make_run(squad, version))
        folder = RunFolder(tmp_path_factory.mktemp("runs") / version)
        runs[version] = prepared, folder, train_and_evaluate(prepared, folder, Execution(show_progress=False))
    return runs


def cli(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


# --- whole runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_keeps_the_contract_of_tasks_and_repeats_itself(squad, tmp_path, version):
    check_task(make_run(squad, version, core="bilstm", training__max_epochs=1), tmp_path)


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
    assert not (finished["1.1"][1].path / "null_odds.json").exists()


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
    assert set(slices) == {"question_word", "answer_type", "answer_length", "context_length"}
    assert slices["question_word"]["where"]["num"] == 8
    assert ("none" in slices["answer_type"]) == (version == "2.0")


def test_selection_is_by_article(squad):
    prepared = prepare(make_run(squad, "1.1"))
    assert not set(prepared.train_examples["title"]) & set(prepared.selection_examples["title"])


@pytest.mark.parametrize("version", VERSIONS)
def test_floor(squad, version):
    prepared = prepare(make_run(squad, version, core="majority"))
    examples = prepared.evaluation_splits["dev"]
    floor = prepared.task.floor(prepared.train_examples, examples, prepared.run)
    metrics = prepared.task.evaluate(examples, floor, prepared.run).metrics
    if version == "1.1":
        assert all(floor[id_].text for id_ in floor)
        assert set(metrics) == {"exact_match", "f1"}
    else:
        assert {answer.text for answer in floor.values()} == {""}
        assert (metrics["exact"], metrics["HasAns_f1"], metrics["NoAns_f1"]) == (pytest.approx(100 / 3), 0.0, 100.0)
        assert not any(name.startswith("best_") for name in metrics)


# --- the model --------------------------------------------------------------------------------------------------------


def test_a_core_learns_to_answer(squad, tmp_path):
    run = make_run(squad, "1.1", "bilstm", training__max_epochs=12, training__learning_rate=5e-3, training__patience=12)
    result = train_and_evaluate(prepare(run), RunFolder(tmp_path / "run"), Execution(show_progress=False))
    assert result["score"] > 60


@pytest.mark.parametrize("overlap", ["none", "token", "window"])
def test_padding_and_company_change_no_logit(squad, overlap):
    prepared = prepare(make_run(squad, "2.0", options__overlap=overlap))
    encoded = prepared.encode("train", prepared.train_examples)
    torch.manual_seed(0)
    module = prepared.task.build_module(build_core(prepared.run.core, 200), prepared.run).eval()
    order = np.argsort(encoded.lengths, kind="stable")
    together = module.outputs(BatchDataset(encoded)[order[[0, -1]]])
    alone = module.outputs(BatchDataset(encoded)[order[[0]]])
    length = encoded.lengths[order[0]]
    assert length < encoded.lengths[order[-1]]
    for name in ("start", "end"):
        torch.testing.assert_close(together[name][:1, :length], alone[name], atol=1e-5, rtol=1e-4)
        assert together[name].isfinite().all()


def test_no_answer_is_judged_from_the_whole_text_even_by_a_causal_core(squad):
    prepared = prepare(make_run(squad, "2.0"))
    encoded = prepared.encode("train", prepared.train_examples)
    module = prepared.task.build_module(build_core(prepared.run.core, 200), prepared.run).eval()
    assert module.core.is_causal
    batch = BatchDataset(encoded)[np.array([0])]
    before = module.outputs(batch)["start"][0, 0]
    last = int(batch["attention_mask"].sum()) - 2
    batch["input_ids"][0, last] = batch["input_ids"][0, last] % 150 + 5
    assert module.outputs(batch)["start"][0, 0] != before


def test_overlap_weighs_words_of_the_question_by_their_rarity_and_nearness():
    ids = torch.tensor([[CLS_ID, 7, 8, SEP_ID, 7, 9, 7, 8, 9, SEP_ID, PAD_ID]])
    segments = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0]])
    context = torch.tensor([[False] * 4 + [True] * 5 + [False] * 2])
    features = question_overlap(ids, segments, context)
    twice, once = np.log1p(1 / 2), np.log1p(1)
    assert WIDTHS[:2] == (0, 2)
    torch.testing.assert_close(features[0, 4:9, 0], torch.tensor([twice, 0, twice, once, 0]).float())
    torch.testing.assert_close(features[0, 5, 1], torch.tensor(2 * twice + once).float())
    assert features.shape == (1, 11, len(WIDTHS))
    assert not features[0, :2, 0].any()


# --- features and decoding --------------------------------------------------------------------------------------------


def test_windows_survive_being_kept(squad):
    prepared = prepare(make_run(squad, "1.1"))
    examples = prepared.train_examples
    columns = [examples[name][:] for name in ("question", "context", "answers")]
    windows = build_windows(prepared.tokenizer, *columns, max_length=24, stride=4)
    again = windows_of(encoded_windows(windows))
    assert windows.num_windows > len(examples)
    for name in ("offsets", "input_ids", "char_starts", "char_ends", "context_mask", "example_index", "end_labels"):
        assert np.array_equal(getattr(again, name), getattr(windows, name)), name


@pytest.mark.parametrize("version", VERSIONS)
def test_the_right_logits_give_the_right_answers_whatever_the_order_of_batches(squad, version):
    prepared = prepare(make_run(squad, version, training__max_length=32, options__stride=4))
    examples, task = prepared.evaluation_splits["dev"], prepared.task
    encoded = prepared.encode("dev", examples)
    outputs = []
    for rows in (np.array([4, 1]), np.array([0, 2, 3]), np.arange(5, len(encoded))[::-1]):
        length = int(encoded.lengths[rows].max())
        output = {"rows": rows}
        for name in ("start", "end"):
            logits = np.zeros((len(rows), length), np.float32)
            labels = encoded.fixed[f"{name}_label"][rows]
            logits[np.arange(len(rows)), labels] = np.where(labels > 0, 9.0, 4.0)
            output[name] = logits
        outputs.append(output)
    predictions = task.decode(outputs, encoded, examples, prepared.run)
    calibration = task.calibrate(examples, predictions, prepared.run)
    metrics = task.evaluate(examples, task.apply_calibration(predictions, calibration), prepared.run).metrics
    assert metrics["f1"] == 100.0
    assert metrics.get("best_f1", 100.0) == 100.0


def test_windows_too_short_for_a_text_are_refused(squad):
    prepared = prepare(make_run(squad, "1.1", training__max_length=31))
    with pytest.raises(ConfigError, match=r"training\.max_length: squad-v1\.1 needs at least 32 tokens"):
        prepared.encode("train", prepared.train_examples)


def test_a_threshold_empties_answers_and_gives_them_back():
    answers = {"q1": SquadAnswer("", "Oslo", -2.0), "q2": SquadAnswer("Oslo", "Oslo", 3.0)}
    final = SQUAD_V2.apply_calibration(answers, {"null_threshold": 0.5})
    assert [answer.text for answer in final.values()] == ["Oslo", ""]
    assert SQUAD_V1.apply_calibration(answers, {}) is answers


# --- data -------------------------------------------------------------------------------------------------------------


def first_question(content):
    return content["data"][0]["paragraphs"][0]["qas"][0]


def shift_answer(content, by):
    first_question(content)["answers"][0]["answer_start"] += by


def spoil(content, **fields):
    first_question(content).update(fields)


def repeat_id(content):
    questions = content["data"][0]["paragraphs"][0]["qas"]
    questions[1]["id"] = questions[0]["id"]


def blank_context(content):
    content["data"][0]["paragraphs"][1]["context"] = "  "


def test_misplaced_answers_are_mended_or_dropped_and_noted(tmp_path):
    loaded = SQUAD_V1.load(SourceConfig(data_dir=write_squad(tmp_path / "a", "1.1", partial(shift_answer, by=1))), None)
    assert loaded.notes == ("train: 1 answers stood beside their answer_start and were moved to their text",)
    gone = partial(spoil, answers=[{"text": "nowhere", "answer_start": 3}])
    loaded = SQUAD_V1.load(SourceConfig(data_dir=write_squad(tmp_path / "b", "1.1", gone)), None)
    assert len(loaded.splits["train"]) == 5 * 4 * 3 - 1
    assert "dropped, and with them 1 questions; first: 'train-0-0-0'" in loaded.notes[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content.pop("data"), "not SQuAD: data must be a list"),
        (partial(spoil, id=None), "article 1 ('train-0'), paragraph 1, question 1: id must be a non-empty string"),
        (repeat_id, "(id 'train-0-0-0'): duplicate id"),
        (partial(shift_answer, by=5_000), "answer_start 50"),
        (blank_context, "article 1 ('train-0'), paragraph 2: context is empty"),
        (partial(spoil, question=" "), "(id 'train-0-0-0'): question is empty"),
        (partial(spoil, answers=[]), "use task squad-v2.0"),
    ],
)
def test_bad_files_are_refused_with_the_place(tmp_path, change, words):
    folder = write_squad(tmp_path, "1.1", change)
    result = cli("run", "--task", "squad-v1.1", "--core", "majority", "--data-dir", folder, "--out", tmp_path / "runs")
    assert isinstance(result.exception, DataError)
    assert words in str(result.exception)
    assert not (tmp_path / "runs").exists()


def test_v2_data_is_refused_by_v1_with_a_pointer(squad, tmp_path):
    content = (squad / "squad/v2.0/train-v2.0.json").read_text()
    (tmp_path / "train-v2.0.json").write_text(content)
    with pytest.raises(DataError, match=r"no train-v1\.1\.json, but train-v2\.0\.json; use task squad-v2\.0"):
        SQUAD_V1.load(SourceConfig(data_dir=tmp_path), None)
    for split in ("train", "dev"):
        (tmp_path / f"{split}-v1.1.json").write_text(content)
    with pytest.raises(DataError, match=r"use task squad-v2\.0"):
        SQUAD_V1.load(SourceConfig(data_dir=tmp_path), None)
    gold = squad / "squad/v2.0/dev-v2.0.json"
    refused = cli("score", "squad-v1.1", "--gold", gold, "--predictions", gold)
    assert "use task squad-v2.0" in str(refused.exception)


def test_packed_files_and_other_folders_are_found(squad, tmp_path):
    for split in ("train", "dev"):
        content = (squad / f"squad/v1.1/{split}-v1.1.json").read_bytes()
        (tmp_path / f"{split}-v1.1.json.gz").write_bytes(gzip.compress(content))
    packed, plain = (SQUAD_V1.load(SourceConfig(data_dir=folder), None) for folder in (tmp_path, squad))
    assert packed.fingerprint == plain.fingerprint
    with pytest.raises(DataError, match=r"looked here for train-v2\.0\.json"):
        SQUAD_V2.load(SourceConfig(data_dir=tmp_path / "none"), None)


CARD = """---
configs:
- config_name: {name}
  data_files:
  - split: train
    path: {name}/train-*
  - split: validation
    path: {name}/validation-*
---
"""


def publish(hub, repository, name, splits):
    """Parquet files of a repository as the Hub's copies of SQuAD have them."""
    files = {"README.md": CARD.format(name=name).encode()}
    for split, rows in splits.items():
        rows.to_parquet(buffer := io.BytesIO())
        files[f"{name}/{split}-00000-of-00001.parquet"] = buffer.getvalue()
    return hub.publish(repository, files)


def test_the_hub_has_the_same_questions(squad, hub, hub_environment, tmp_path):
    local = SQUAD_V2.load(SourceConfig(data_dir=squad), None).splits
    splits = {"train": local["train"], "validation": local["dev"]}
    commit = publish(hub, "rajpurkar/squad_v2", "squad_v2", splits)
    publish(hub, "rajpurkar/squad", "plain_text", splits)  # unanswerable questions, where there are none
    code = """
import json
from atinuke_bench.config import SourceConfig
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.squad.task import SQUAD_V1, SQUAD_V2
loaded = SQUAD_V2.load(SourceConfig(kind="hub"), None)
print(json.dumps([loaded.revision, {split: rows.to_list() for split, rows in loaded.splits.items()}]))
try:
    SQUAD_V1.load(SourceConfig(kind="hub"), None)
except DataError as error:
    print(error)
"""
    environment = hub_environment(hub.endpoint, tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found, refused = done.stdout.splitlines()
    assert json.loads(found) == [commit, {split: rows.to_list() for split, rows in local.items()}]
    assert refused.startswith("rajpurkar/squad (plain_text), split train: row 3 (id 'train-0-0-2')")
    assert refused.endswith("use task squad-v2.0")


def test_a_question_without_prediction_is_named_in_v2_and_wrong_in_v1(squad, tmp_path, caplog):
    (tmp_path / "none.json").write_text("{}")
    for version in VERSIONS:
        gold = squad / f"squad/v{version}/dev-v{version}.json"
        if version == "2.0":
            with pytest.raises(AtinukeBenchError, match="24 of 24 questions have no prediction, first 'dev-0-0-0'"):
                SQUAD_V2.score_files(gold, tmp_path / "none.json")
        else:
            assert SQUAD_V1.score_files(gold, tmp_path / "none.json") == {"exact_match": 0.0, "f1": 0.0}
            assert "24 of 24 questions have no prediction" in caplog.text


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
