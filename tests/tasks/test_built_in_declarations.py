"""Built-in tasks that YAML files declare: their names, and the layouts of the official releases that they read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from atinuke_bench import registry
from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.errors import AtinukeBenchError, ConfigError, DataError
from atinuke_bench.metrics.metric import Answers
from atinuke_bench.tasks.squad.metric import SquadAnswer
from atinuke_bench.training.prepare import prepare

LABELS = ("entailment", "neutral", "contradiction", "-")


def lines(path: Path, records: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")


@pytest.fixture
def xnli(tmp_path: Path) -> Path:
    """MultiNLI's train file, and XNLI's dev and test files, both languages in one file."""
    pairs = [
        {"gold_label": LABELS[n % 4], "sentence1": f"A {n}", "sentence2": f"b {n}", "genre": "fiction"}
        for n in range(16)
    ]
    lines(tmp_path / "multinli_1.0" / "multinli_1.0_train.jsonl", pairs)
    for split in ("dev", "test"):
        both = [
            {"language": language, **pair, "sentence1": f'"{language} {split}'}
            for pair in pairs[:3]
            for language in ("de", "ar")
        ]
        lines(tmp_path / "XNLI-1.0" / f"xnli.{split}.jsonl", both)
    return tmp_path


def loaded(task: str, folder: Path):
    run = make_run_config(task, "bilstm", preset="nano", source=SourceConfig(data_dir=folder))
    return prepare(run).loaded.splits


def test_xnli_is_learned_in_english_and_scored_in_one_other_language(xnli):
    splits = loaded("xnli/de", xnli)
    assert splits["train"]["sentence1"][:2] == ["A 0", "A 1"]
    assert splits["train"]["label"][:4] == [0, 1, 2, -1], "annotators disagreed on the fourth"
    assert splits["test"]["sentence1"][:] == ['"de test'] * 3
    assert registry.load_metric("xnli/de", "accuracy").name == "accuracy"


def test_a_language_that_the_files_lack_is_told(xnli):
    with pytest.raises(DataError, match=r"where.language: no row has this value; found ar, de"):
        loaded("xnli/fr", xnli)


def test_pawsx_has_tables_whose_quotation_marks_are_text(tmp_path):
    for language, train in (("de", "translated_train.tsv"), ("en", "train.tsv")):
        folder = tmp_path / "x-final" / language
        folder.mkdir(parents=True)
        for name in (train, "dev_2k.tsv", "test_2k.tsv"):
            rows = [f'{n}\t"Er {language} {n}\ter "{n}"\t{n % 2}\n' for n in range(4)]
            (folder / name).write_text("id\tsentence1\tsentence2\tlabel\n" + "".join(rows), encoding="utf-8")
    for language in ("de", "en"):
        splits = loaded(f"pawsx/{language}", tmp_path)
        assert {split: len(rows) for split, rows in splits.items()} == {"train": 4, "dev": 4, "test": 4}
        assert (splits["dev"][1]["sentence1"], splits["dev"][1]["sentence2"]) == (f'"Er {language} 1', 'er "1"')
        assert splits["dev"]["label"][:] == [0, 1, 0, 1]


def test_mlqa_is_learned_from_squad_and_scored_by_its_own_script(tmp_path):
    def squad(path: Path, language: str, answer: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        context = f"In {language} liegt {answer} am Fluss."
        questions = [
            {"id": f"{path.stem}{n}", "question": "Was?", "answers": [{"text": answer, "answer_start": 12}]}
            for n in range(4)
        ]
        data = [{"title": "T", "paragraphs": [{"context": context, "qas": questions}]}]
        path.write_text(json.dumps({"version": "1.1", "data": data}))

    squad(tmp_path / "squad" / "v1.1" / "train-v1.1.json", "en", "the town")
    for split in ("dev", "test"):
        squad(tmp_path / "MLQA_V1" / split / f"{split}-context-de-question-de.json", "de", "die Stadt")
    splits = loaded("mlqa/de", tmp_path)
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 4, "dev": 4, "test": 4}
    metric = registry.load_metric("mlqa/de", "mlqa_f1(de)")
    answers = [SquadAnswer(text, text) for text in ("Stadt", "„die Stadt“ am Fluss", "Fluss")]
    measured = metric.measure(Answers(tuple("abc"), answers, [["die Stadt"]] * 3))
    assert measured.figures == {"mlqa_f1(de)": 50.0, "exact_match": pytest.approx(100 / 3)}  # F1 of 1, 1/2 and 0
    assert metric is registry.load_task("mlqa/de").metric


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mlqa_f1(fr)", "no language of mlqa_f1 'fr'"),
        ("mlqa_f1", "mlqa_f1 is of one label or language"),
        ("f1(de)", "f1 is of all; nearest: 'f1'"),
    ],
)
def test_a_metric_of_one_language_says_which(name, message):
    with pytest.raises(AtinukeBenchError, match=re.escape(message)):
        registry.declared_metric("span", name)


def test_a_built_in_declaration_needs_the_folder_of_its_files():
    with pytest.raises(ConfigError, match="task 'xnli/de' is read from files in a folder: --data-dir DIR"):
        prepare(make_run_config("xnli/de", "bilstm", preset="nano"))


def test_built_in_declarations_are_listed_and_are_no_users_own(cli):
    listed = cli("tasks").out
    assert "xnli/sw" in listed
    assert "learned in English and tested in another language (sw)" in listed.replace("\n", " ")
    assert not registry.is_declared("xnli/sw")
    assert registry.module_of("tasks", "xnli/sw") == "atinuke_bench.tasks.texts.task"
