"""The names by which corpora keep their splits."""

from __future__ import annotations

import pytest

from atinuke_bench.data.split_files import find_split_files

OFFICIAL = {
    "train/data/english/nw/a.v4_gold_conll": "train",
    "development/data/english/nw/b.v4_gold_conll": "dev",
    "conll-2012-test/data/english/nw/c.v4_gold_conll": "test",
    "train.english.v4_gold_conll.gz": "train",
    "devel/props/devel.24.props.gz": "dev",
    "test.wsj/words/test.wsj.words": "test",
    "test.brown/words/test.brown.words": "test_brown",
    "Dev.v4_gold_conll": "dev",
}


@pytest.mark.parametrize("path", OFFICIAL)
def test_official_trees_are_known(tmp_path, path):
    place = tmp_path / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    assert find_split_files(tmp_path) == {OFFICIAL[path]: {path.removesuffix(".gz"): place}}


@pytest.mark.parametrize("path", ["training.conll", "notes.txt", "other/train.conll", "tests/a_conll"])
def test_other_names_are_of_no_split(tmp_path, path):
    place = tmp_path / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    assert find_split_files(tmp_path) == {}


def test_a_plain_file_has_precedence_over_its_packed_one(tmp_path):
    for name in ("train.props.gz", "train.props", "train.words.gz"):
        (tmp_path / name).touch()
    assert find_split_files(tmp_path) == {
        "train": {"train.props": tmp_path / "train.props", "train.words": tmp_path / "train.words.gz"}
    }


def test_a_missing_folder_has_no_files(tmp_path):
    assert find_split_files(tmp_path / "nowhere") == {}
