"""Sentences from every kind of file, and what is said of those that are wrong."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from atinuke_bench.config import SourceConfig, read_declaration
from atinuke_bench.errors import AtinukeBenchError
from atinuke_bench.tasks.tagging.data import TaggingData
from atinuke_bench.tasks.tagging.model import TaggingOptions
from atinuke_bench.training.prepare import prepare

WORDS, TAGS = ["राम", "दिल्ली", "में"], ["B-PER", "B-LOC", "O"]


def write(folder, text, **files):
    """`own.yaml` with some lines more, and its files."""
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif path.suffix == ".parquet":
            pd.DataFrame(content).to_parquet(path)
        else:
            path.write_text("\n".join(map(json.dumps, content)) + "\n", encoding="utf-8")
    (folder / "own.yaml").write_text(f"name: own\nkind: tagging\n{text}\n", encoding="utf-8")


def load(folder, text, **files):
    """The data of a declaration, and what is loaded of it."""
    write(folder, text, **files)
    data = TaggingData(read_declaration(folder / "own.yaml"))
    loaded = data.load(SourceConfig(data_dir=folder), TaggingOptions())
    return data, loaded


@pytest.mark.parametrize("name", ["train.jsonl", "train.parquet"])
def test_tables_have_lists(tmp_path, name):
    rows = [{"tokens": WORDS, "ner": TAGS, "doc": f"d{n // 2}"} for n in range(4)]
    text = f"splits: {{train: {name}}}\nfields: {{words: tokens, tags: ner, document: doc}}"
    data, loaded = load(tmp_path, text, **{name.replace(".", "__"): rows})
    assert set(loaded.splits) == {"train", "dev"}
    assert any("no dev or test split is declared" in note for note in loaded.notes)
    train = loaded.splits["train"]
    assert (train["words"][0], train["tags"][0], train["seen"][0]) == (WORDS, TAGS, [True] * 3)
    assert len(set(train["document"][:])) == 1, "a document is on one side of the cut"
    assert train["group"][:] == train["document"][:]
    assert data.gold(train)[:] == [TAGS] * 2


def test_texts_with_spaces_and_numbers_of_labels(tmp_path):
    rows = [{"words": " ".join(WORDS), "tags": [1, 3, 0]}, {"words": ["x"], "tags": None}]
    text = "splits: {train: a.jsonl, test: b.jsonl}\nlabels: [O, B-PER, I-PER, B-LOC, I-LOC]"
    data, loaded = load(tmp_path, text, a__jsonl=rows, b__jsonl=rows[:1])
    assert loaded.splits["train"]["tags"][:] == [TAGS, []]
    assert len(data.labelled(loaded.splits["train"])) == 1
    options = data.resolve_options(TaggingOptions(), loaded)
    assert (options.scheme, options.labels) == ("iob2", ("PER", "LOC"))
    assert data.resolve_options(options, loaded) == options


def test_a_test_set_whose_tags_are_hidden_is_read(tmp_path):
    files = {"a__conllu": "1\tAda\t_\tPROPN\n2\truns\t_\tVERB\n", "b__conllu": "1\tBen\t_\t_\n2\truns\t_\t_\n"}
    data, loaded = load(tmp_path, "splits: {train: a.conllu, test: b.conllu}\nmetric: accuracy", **files)
    assert len(data.labelled(loaded.splits["test"])) == 0
    assert loaded.splits["test"]["seen"][:] == [[False, True]]


def test_plain_tags_that_train_lacks_are_said(tmp_path):
    files = {"a__txt": "a DET\nb NOUN\n", "b__txt": "a DET\nc VERB\n"}
    _, loaded = load(tmp_path, "splits: {train: a.txt, test: b.txt}", **files)
    assert any(note == "test: 1 words have one of 1 tags that train lacks (VERB)" for note in loaded.notes)


@pytest.mark.parametrize(
    ("text", "files", "message"),
    [
        (
            "splits: {train: a.txt, test: b.txt}",
            {"a__txt": "a O\nb B-PER\n", "b__txt": "a O\n\nb O\nc B-PERS\n"},
            r"b\.txt:4: tags: a tag is 'O' or of a type that train has.*; found 'B-PERS'; nearest: 'PER'$",
        ),
        (
            "splits: {train: a.txt, test: b.txt}\nmetric: seqeval_f1",
            {"a__txt": "a O\nb NOUN\n", "b__txt": "a O\n"},
            r"a\.txt:2: tags: metric seqeval_f1 needs tags such as 'B-PER'.*; found 'NOUN'; nearest: metric accuracy$",
        ),
        (
            "splits: {train: a.txt, test: a2.txt}\nmetric: seqeval_f1",
            {"a__txt": "a O\nb O\n", "a2__txt": "a O\n"},
            r"a\.txt:1: tags: metric seqeval_f1 needs tags of one scheme .* that name chunks; found none$",
        ),
        (
            "splits: {train: a.jsonl, test: b.jsonl}",
            {"a__jsonl": [{"words": WORDS, "tags": TAGS}, {"words": WORDS, "tags": TAGS[:2]}], "b__jsonl": []},
            r"a\.jsonl:2: tags: each word has one tag; found 2 for 3 words$",
        ),
        (
            "splits: {train: a.jsonl}",
            {"a__jsonl": [{"words": [], "tags": []}]},
            r"a\.jsonl:1: words: must be words, as a list or parted by spaces; found \[\]$",
        ),
        (
            "splits: {train: a.jsonl}",
            {"a__jsonl": [{"words": WORDS, "tags": [1, 2, 3]}]},
            r"a\.jsonl:1: tags: tags are a list of texts.*numbers are those of `labels`, from 0; found '\[1, 2, 3\]'$",
        ),
        (
            "splits: {train: a.jsonl}\nfields: {words: token}",
            {"a__jsonl": [{"tokens": WORDS, "tags": TAGS}]},
            r"a\.jsonl:1: token: no such field; nearest: 'tokens'",
        ),
        (
            "splits: {train: a.jsonl}\nfields: {word: tokens}",
            {"a__jsonl": [{"tokens": WORDS, "tags": TAGS}]},
            r"fields\.word: this kind of task has no such field; nearest: 'words'",
        ),
        (
            "splits: {train: a.jsonl}",
            {"a__jsonl": '{"words": ["a", "\\ud83d"], "tags": ["O", "O"]}\n'},
            r"a\.jsonl:1: words\[1\]: holds an unpaired surrogate at character 0$",
        ),
        ("splits: {train: a.txt}\nmetric: spearman", {"a__txt": "a O\n"}, r"no metric of kind tagging 'spearman'"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, make_tagging, text, files, message):
    write(tmp_path, text, **files)
    with pytest.raises(AtinukeBenchError, match=message):
        prepare(make_tagging(tmp_path / "own.yaml"))
