"""Documents of folders, and what their train split decides."""

from __future__ import annotations

import gzip
import random
import shutil
from dataclasses import replace

import numpy as np
import pytest

from atinuke_bench.config import MicroworldConfig, SourceConfig
from atinuke_bench.data.conll.write import write_documents
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.tasks.coref.data import CorefData
from atinuke_bench.tasks.coref.decode import Scored
from atinuke_bench.tasks.coref.model import CorefOptions
from atinuke_bench.tasks.coref.rows import encode_document
from atinuke_bench.training.prepare import prepare


def test_folders_of_many_files_are_read_gold_ones_alone(tmp_path, make_document):
    draw = random.Random(0)
    for split, name in (("train", "train"), ("dev", "development"), ("test", "conll-2012-test")):
        for number in range(2):
            path = tmp_path / name / "data/english/nw" / f"{split}_{number}.v4_gold_conll"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_documents(path, [make_document(f"nw/{split}_{number}", 0, 3, draw)])
            path.with_name(f"{split}_{number}.v4_auto_conll").write_text("not read")
    packed = tmp_path / "train/data/english/nw/train_1.v4_gold_conll"
    packed.with_name(f"{packed.name}.gz").write_bytes(gzip.compress(packed.read_bytes()))
    loaded = CorefData().load(SourceConfig(data_dir=tmp_path), CorefOptions())
    assert {split: len(rows) for split, rows in loaded.splits.items()} == {"train": 2, "dev": 2, "test": 2}
    assert len(loaded.files) == 6  # of train_1 the plain file, not its .gz


def test_the_hub_has_no_such_data_set():
    with pytest.raises(ConfigError, match="nearest: 'local'"):
        CorefData().load(SourceConfig(kind="hub"), CorefOptions())


def test_a_mention_of_two_clusters_is_reported_and_learned_in_the_last(folder, tmp_path, coref_run):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "train.v4_gold_conll").read_text()
    (tmp_path / "train.v4_gold_conll").write_text(text.replace("(0)\n", "(0)|(555)\n", 1))
    prepared = prepare(coref_run(tmp_path, training__held_out_fraction=0.3))
    loaded = CorefData().load(SourceConfig(data_dir=tmp_path), CorefOptions())
    assert loaded.notes[1].startswith(
        "train: 1 mentions are twice in one cluster or in two; they are learned in the last"
    )
    clusters = loaded.splits["train"][0]["clusters"]
    places = [number for number, cluster in enumerate(clusters) if [1, 1] in cluster]
    assert len(places) == 2
    row = encode_document(loaded.splits["train"][0], prepared.tokenizer, 24, 8, max_width=20)
    spans = list(zip(row["gold_start"], row["gold_end"], strict=True))
    assert len(spans) == len(set(spans))
    assert row["gold_cluster"][spans.index((1, 1))] == places[-1]


def test_documents_without_a_name_are_named_after_their_files(tmp_path, make_document):
    draw = random.Random(0)
    for split in ("train", "dev"):
        for number in range(2):
            path = tmp_path / split / f"GUM_bio_{number}.conll"
            path.parent.mkdir(exist_ok=True)
            document = replace(make_document("", None, 3, draw), header="# begin document ")
            write_documents(path, [document])
    loaded = CorefData().load(SourceConfig(data_dir=tmp_path), CorefOptions())
    assert loaded.splits["dev"]["id"] == ["GUM_bio_0", "GUM_bio_1"]
    assert loaded.splits["dev"]["header"] == ["#begin document (GUM_bio_0);", "#begin document (GUM_bio_1);"]


def test_a_document_in_two_files_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "train.v4_gold_conll", tmp_path / "train.more.v4_gold_conll")
    with pytest.raises(DataError, match=r"train\.v4_gold_conll:1: document 'bc/train0' part 0 is in .*more.*:1 too"):
        CorefData().load(SourceConfig(data_dir=tmp_path), CorefOptions())


@pytest.mark.parametrize(
    ("choice", "annotated", "kept"),
    [("auto", True, True), ("auto", False, False), ("drop", True, False), ("keep", False, True)],
)
def test_singletons_are_kept_as_annotated_or_as_asked(tmp_path, choice, annotated, kept, write_corpus, coref_run):
    prepared = prepare(coref_run(write_corpus(tmp_path / "data", singletons=annotated), options__singletons=choice))
    examples = prepared.evaluation_splits["dev"]
    floor = prepared.task.floor(prepared.train_examples, examples, prepared.run)
    assert any(len(cluster) == 1 for clusters in floor.values() for cluster in clusters) is kept
    scored = [np.array(column) for column in ([0, 4], [1, 4], [2.0, 2.0], [[0], [0]], [[-1.0], [-1.0]])]
    outputs = [
        {"rows": np.arange(len(examples))}
        | {name: np.stack([value] * len(examples)) for name, value in zip(Scored._fields, scored, strict=True)}
    ]
    decoded = prepared.task.model.decode(outputs, prepared.encode("dev", examples), examples, prepared.run)
    assert set(map(len, decoded.values())) == {2 if kept else 0}


def test_documents_of_one_name_stay_on_one_side_of_the_cut(folder, coref_run):
    prepared = prepare(coref_run(folder, training__held_out_fraction=0.3))
    assert not set(prepared.train_examples["name"]) & set(prepared.selection_examples["name"])


def test_what_the_train_split_annotates_is_no_part_of_the_identity(folder, coref_run):
    prepared = prepare(coref_run(folder))
    assert prepared.run.options["keeps_singletons"] is True
    assert prepare(prepared.run).identity == prepared.identity
    rest = {name: value for name, value in prepared.run.options.items() if name != "keeps_singletons"}
    assert prepare(prepared.run.model_copy(update={"options": rest})).identity == prepared.identity


def test_what_the_train_split_annotates_cannot_be_set(folder, coref_run):
    message = "follows from the train split, which says True; found False; nearest: options.singletons"
    with pytest.raises(ConfigError, match=message):
        prepare(coref_run(folder, options__keeps_singletons=False))


def test_a_run_that_never_read_its_data_is_refused():
    with pytest.raises(ConfigError, match=r"options\.keeps_singletons: is read from the train split"):
        _ = CorefOptions().answers_singletons
    assert CorefOptions(singletons="keep").answers_singletons


def test_the_smallest_generated_train_split_annotates_singletons():
    for world in range(5):
        source = SourceConfig(kind="microworld", microworld=MicroworldConfig(world=world, train=4, dev=1, test=1))
        loaded = CorefData().load(source, CorefOptions())
        assert CorefData().resolve_options(CorefOptions(), loaded).keeps_singletons


def test_a_split_is_labelled_where_any_document_has_a_mention(folder):
    data = CorefData()
    examples = data.load(SourceConfig(data_dir=folder), CorefOptions()).splits["dev"]
    last = examples.map(lambda row, number: {"clusters": row["clusters"] if number == 2 else []}, with_indices=True)
    assert len(data.labelled(last)) == len(examples) == 3
    assert len(data.labelled(last.select([0, 1]))) == 0


def test_two_languages_are_refused(folder, tmp_path):
    for split in ("train", "dev"):
        for language in ("english", "chinese"):
            (tmp_path / f"coref/{split}").mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / f"{split}.v4_gold_conll", tmp_path / f"coref/{split}/{language}.v4_gold_conll")
    with pytest.raises(DataError, match=r"coref: one language is one data set; found chinese \(train/chinese.*english"):
        CorefData().load(SourceConfig(data_dir=tmp_path), CorefOptions())


def test_automatic_columns_and_other_places_are_named(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "coref/litbank")
    shutil.copytree(folder, tmp_path / "coref", dirs_exist_ok=True)
    (tmp_path / "coref/litbank/train.v4_auto_conll").touch()
    read, left = CorefData().load(SourceConfig(data_dir=tmp_path), CorefOptions()).notes
    assert "coref/litbank: train: train.v4_gold_conll; dev: dev.v4_gold_conll; test:" in read
    assert "train.v4_auto_conll (other files of train are read)" in left
    assert f"{tmp_path / 'coref'} ({tmp_path / 'coref/litbank'} comes first)" in left


@pytest.mark.data
def test_litbank_is_read_whole(data_dir):
    loaded = CorefData().load(SourceConfig(data_dir=data_dir), CorefOptions())
    assert {split: len(rows) for split, rows in loaded.splits.items()} == {"train": 80, "dev": 10, "test": 10}
    assert CorefData().resolve_options(CorefOptions(), loaded).keeps_singletons is True


def test_gold_mentions_that_no_span_can_be_are_not_learned(folder, coref_run):
    prepared = prepare(coref_run(folder))
    example = {
        "words": ["Ada", "and", "Ben", "left", ".", "She", "came", "."],
        "sentence_lengths": [5, 3],
        "speakers": [],
        "clusters": [[[0, 0], [5, 5]], [[0, 2], [4, 5]]],  # the last one crosses a sentence's end
    }
    row = encode_document(example, prepared.tokenizer, 24, 8, max_width=2)
    assert list(zip(row["gold_start"], row["gold_end"], strict=True)) == [(0, 0), (5, 5)]
    row = encode_document(example, prepared.tokenizer, 24, 8, max_width=3)
    assert list(zip(row["gold_start"], row["gold_end"], strict=True)) == [(0, 0), (5, 5), (0, 2)]
