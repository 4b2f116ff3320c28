"""SQuAD's data from folders and from the Hub: what is found, mended and refused."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from functools import partial

import pytest
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.config import SourceConfig
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.squad.task import SQUAD_V1, SQUAD_V2
from atinuke_bench.training.execution import Execution
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import train_and_evaluate


def cli(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_windows_too_short_for_a_text_are_refused(squad_run):
    prepared = prepare(squad_run("1.1", training__max_length=31))
    with pytest.raises(ConfigError, match=r"training\.max_length: squad-v1\.1 needs at least 32 tokens"):
        prepared.encode("train", prepared.train_examples)


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


def test_misplaced_answers_are_mended_or_dropped_and_noted(write_squad, tmp_path):
    loaded = SQUAD_V1.data.load(
        SourceConfig(data_dir=write_squad(tmp_path / "a", "1.1", partial(shift_answer, by=1))), None
    )
    assert loaded.notes[1:] == ("train: 1 answers were not at their answer_start, which was moved to their text",)
    gone = partial(spoil, answers=[{"text": "nowhere", "answer_start": 3}])
    loaded = SQUAD_V1.data.load(SourceConfig(data_dir=write_squad(tmp_path / "b", "1.1", gone)), None)
    assert len(loaded.splits["train"]) == 5 * 4 * 3 - 1
    assert "dropped, and with them 1 questions; first: 'train-0-0-0'" in loaded.notes[1]


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
def test_bad_files_are_refused_with_the_place(write_squad, tmp_path, change, words):
    folder = write_squad(tmp_path, "1.1", change)
    result = cli("run", "--task", "squad-v1.1", "--core", "majority", "--data-dir", folder, "--out", tmp_path / "runs")
    assert isinstance(result.exception, DataError)
    assert words in str(result.exception)
    assert not (tmp_path / "runs").exists()


def test_v2_data_is_refused_by_v1_with_a_pointer(squad, tmp_path):
    content = (squad / "squad/v2.0/train-v2.0.json").read_text()
    (tmp_path / "train-v2.0.json").write_text(content)
    with pytest.raises(DataError, match=r"no train-v1\.1\.json, but train-v2\.0\.json; use task squad-v2\.0"):
        SQUAD_V1.data.load(SourceConfig(data_dir=tmp_path), None)
    for split in ("train", "dev"):
        (tmp_path / f"{split}-v1.1.json").write_text(content)
    with pytest.raises(DataError, match=r"use task squad-v2\.0"):
        SQUAD_V1.data.load(SourceConfig(data_dir=tmp_path), None)
    gold = squad / "squad/v2.0/dev-v2.0.json"
    refused = cli("score", "squad-v1.1", "--gold", gold, "--predictions", gold)
    assert "use task squad-v2.0" in str(refused.exception)


def test_packed_files_and_other_folders_are_found(squad, tmp_path):
    for split in ("train", "dev"):
        content = (squad / f"squad/v1.1/{split}-v1.1.json").read_bytes()
        (tmp_path / f"{split}-v1.1.json.gz").write_bytes(gzip.compress(content))
    packed, plain = (SQUAD_V1.data.load(SourceConfig(data_dir=folder), None) for folder in (tmp_path, squad))
    assert packed.fingerprint == plain.fingerprint
    with pytest.raises(DataError, match=r"looked here for train-v2\.0\.json"):
        SQUAD_V2.data.load(SourceConfig(data_dir=tmp_path / "none"), None)


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
    local = SQUAD_V2.data.load(SourceConfig(data_dir=squad), None).splits
    splits = {"train": local["train"], "validation": local["dev"]}
    commit = publish(hub, "rajpurkar/squad_v2", "squad_v2", splits)
    publish(hub, "rajpurkar/squad", "plain_text", splits)  # unanswerable questions, where there are none
    code = """
import json
from atinuke_bench.config import SourceConfig
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.squad.task import SQUAD_V1, SQUAD_V2
loaded = SQUAD_V2.data.load(SourceConfig(kind="hub"), None)
print(json.dumps([loaded.revision, {split: rows.to_list() for split, rows in loaded.splits.items()}]))
try:
    SQUAD_V1.data.load(SourceConfig(kind="hub"), None)
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


def hide_answers(content, *, keeps_flag):
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                question["answers"] = []
                if not keeps_flag:
                    question.pop("is_impossible", None)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_hidden_answers_are_not_scored_as_unanswerable(write_squad, tmp_path, squad_run, split):
    folder = write_squad(tmp_path, "2.0")
    path = folder / f"squad/v2.0/{split}-v2.0.json"
    content = json.loads(path.read_text())
    hide_answers(content, keeps_flag=True)
    path.write_text(json.dumps(content))
    run = squad_run("2.0", "majority").model_copy(update={"source": SourceConfig(data_dir=folder)})
    assert prepare(run).loaded.splits["dev"]  # those that say so are unanswerable
    hide_answers(content, keeps_flag=False)
    path.write_text(json.dumps(content))
    with pytest.raises(
        DataError, match=rf"{split}-v2\.0\.json: top level: no question has an answer or says is_imposs"
    ):
        prepare(run)


@pytest.mark.parametrize("core", ["atinuke", "majority"])
def test_questions_that_are_dropped_are_said_on_screen_and_in_the_log(write_squad, tmp_path, squad_run, capfd, core):
    folder = write_squad(tmp_path, "1.1", partial(spoil, answers=[{"text": "nowhere", "answer_start": 3}]))
    run = squad_run("1.1", core, training__max_epochs=1).model_copy(update={"source": SourceConfig(data_dir=folder)})
    place = RunFolder(tmp_path / "run")
    train_and_evaluate(prepare(run), place, Execution())
    for said in (capfd.readouterr().err, place.log.read_text()):
        assert said.count("1 answers are not at their answer_start and were dropped, and with them 1 questions") == 1
