"""Documents of running text: where they are found, what a document is, and that held-out text is held out."""

from __future__ import annotations

import gzip
import json

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.lm.files import (
    Corpus,
    TextDocument,
    cut_blocks,
    cut_documents,
    join_words,
    read_litbank_corpus,
    read_squad_corpus,
    read_text_corpus,
    without_repeats,
)


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


def texts(documents):
    return [document.text for document in documents]


def test_named_files_are_splits_and_blank_lines_separate_documents(tmp_path):
    write(tmp_path / "lm", train="a\nb\n\nc\n", valid="d\n", test_set="e\n \n\nf\n")
    corpus = read_text_corpus(tmp_path, "blank-line")
    assert {split: texts(own) for split, own in corpus.splits.items()} == {
        "train": ["a\nb", "c"],
        "dev": ["d"],
        "test": ["e", "f"],
    }
    assert set(corpus.files) == {"train/train.txt", "dev/valid.txt", "test/test_set.txt"}


def test_books_whose_names_begin_like_a_split_are_trained_on(tmp_path):
    book = "a\n\nb\n\nc\n\nd\n"
    write(tmp_path / "lm", testament_new=book, devotions=book, validity=book, genesis=book)
    corpus = read_text_corpus(tmp_path, "blank-line")
    assert {split: len(own) for split, own in corpus.splits.items()} == {"train": 14, "dev": 1, "test": 1}
    assert all(name.startswith("train/") for name in corpus.files)
    assert corpus.notes == (
        f"files of {tmp_path / 'lm'}: train: devotions.txt, genesis.txt, testament_new.txt and 1 more",
    )


def test_folders_of_splits_are_read(tmp_path):
    write(tmp_path / "lm/train", a="one\n", b="two\n")
    write(tmp_path / "lm/validation", a="three\n")
    write(tmp_path / "lm/test", a="four\n")
    corpus = read_text_corpus(tmp_path, "file")
    assert {split: texts(own) for split, own in corpus.splits.items()} == {
        "train": ["one", "two"],
        "dev": ["three"],
        "test": ["four"],
    }
    assert set(corpus.files) == {"train/train/a.txt", "train/train/b.txt", "dev/validation/a.txt", "test/test/a.txt"}


@pytest.mark.parametrize("name", ["test2016", "testset", "dev1"])
def test_text_that_may_be_held_out_is_never_trained_on(tmp_path, name):
    write(tmp_path / "lm", train="a\n\nb\n\nc\n\nd\n", **{name: "e\n"})
    with pytest.raises(DataError, match=f"no letter or digit follows; found {name}.txt"):
        read_text_corpus(tmp_path, "blank-line")


def test_articles_are_of_one_version(tmp_path):
    for name, text in (("train-v1.1", "first"), ("train-v2.0", "second"), ("dev-v2.0", "third")):
        question = {"id": name, "question": "?", "answers": [{"text": text, "answer_start": 0}]}
        article = {"title": name, "paragraphs": [{"context": text, "qas": [question]}]}
        (tmp_path / f"{name}.json").write_text(json.dumps({"version": name[-3:], "data": [article]}))
    corpus = read_squad_corpus(tmp_path)
    assert set(corpus.files) == {"train/train-v2.0.json", "dev/dev-v2.0.json"}
    assert texts(corpus.splits["train"]) == ["second"]
    assert corpus.notes == (
        f"files of {tmp_path}: train: train-v2.0.json; dev: dev-v2.0.json",
        f"not read in {tmp_path}: train-v1.1.json (no name of a split that is asked for)",
    )


def test_a_file_can_be_a_document_and_be_packed(tmp_path):
    folder = write(tmp_path, a="one\n\ntwo\n", b="three\n", c="four\n")
    (folder / "d.txt.gz").write_bytes(gzip.compress(b"five\n"))
    corpus = read_text_corpus(folder, "file")
    found = sorted(text for own in corpus.splits.values() for text in texts(own))
    assert found == ["five", "four", "one\n\ntwo", "three"]


def test_a_cut_depends_on_the_texts_alone_and_leaves_no_document_on_two_sides():
    documents = [TextDocument(str(number), f"text {number}") for number in range(100)]
    cut = cut_documents({"train": documents})
    again = cut_documents({"train": documents[::-1]})
    assert {split: len(own) for split, own in cut.items()} == {"train": 90, "dev": 5, "test": 5}
    assert {split: set(texts(own)) for split, own in cut.items()} == {
        split: set(texts(own)) for split, own in again.items()
    }
    assert len({text for own in cut.values() for text in texts(own)}) == 100


def test_what_is_held_out_is_not_trained_on_even_where_files_repeat_it():
    splits = {
        "train": [TextDocument("1", "A  b\nC"), TextDocument("2", "other"), TextDocument("3", "other")],
        "dev": [TextDocument("4", "a b c"), TextDocument("5", "held")],
        "test": [TextDocument("6", "held")],
    }
    cleaned = without_repeats(Corpus(splits, {}))
    assert {split: [document.id for document in own] for split, own in cleaned.splits.items()} == {
        "train": ["2"],
        "dev": ["4"],
        "test": ["6"],
    }
    assert cleaned.notes == (
        "dev: 1 documents that occur elsewhere are left out",
        "train: 2 documents that occur elsewhere are left out",
    )


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "no text files; looked for lm/.*squad.litbank"),
        ({"dev": "a\n", "test": "b\n"}, "no text to train on.*found dev.txt, test.txt"),
        ({"only": "a\n\nb\n\nc\n"}, "two documents to train on and one for each of dev, test; found 3"),
        ({"train": "  \n"}, "train.txt: file is empty"),
    ],
)
def test_unusable_text_is_refused(tmp_path, files, problem):
    write(tmp_path / "lm", **files)
    with pytest.raises(DataError, match=problem):
        read_text_corpus(tmp_path, "blank-line")


def test_blocks_and_joined_words():
    assert cut_blocks("\r\n\r\na\r\nb\r\n\t\r\nc") == ["a\nb", "c"]
    assert join_words(["He", "said", ",", "``", "I", "wo", "n't", "''", "!"]) == "He said, ``I won't''!"


@pytest.mark.data
@pytest.mark.parametrize("read", [read_squad_corpus, read_litbank_corpus])
def test_text_of_other_tasks_shares_no_paragraph_across_splits(data_dir, read):
    corpus = without_repeats(read(data_dir))
    lines = {split: {line for text in texts(own) for line in text.split("\n")} for split, own in corpus.splits.items()}
    assert set(lines) == {"train", "dev", "test"}
    long = {split: {line for line in own if len(line) > 60} for split, own in lines.items()}
    assert min(map(len, long.values())) > 50
    assert not long["train"] & (long["dev"] | long["test"])
    assert not long["dev"] & long["test"]
