"""Built-in tasks that YAML files declare: their names, and the layouts of the official releases that they read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atinuke_bench import registry
from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.errors import ConfigError, DataError
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


def test_a_built_in_declaration_needs_the_folder_of_its_files():
    with pytest.raises(ConfigError, match="task 'xnli/de' is read from files in a folder: --data-dir DIR"):
        prepare(make_run_config("xnli/de", "bilstm", preset="nano"))


def test_built_in_declarations_are_listed_and_are_no_users_own(cli):
    listed = cli("tasks").out
    assert "xnli/sw" in listed
    assert "learned in English and tested in another language (sw)" in listed.replace("\n", " ")
    assert not registry.is_declared("xnli/sw")
    assert registry.module_of("tasks", "xnli/sw") == "atinuke_bench.tasks.texts.task"
