"""The names by which corpora keep their splits."""

from __future__ import annotations

import pytest

from atinuke_bench.data.split_files import choose, language_of, look, official, require_one_language
from atinuke_bench.errors import DataError

ENDINGS = ("_conll", ".conll", ".words", ".props", ".txt")
ALL = ("train", "dev", "test", "test_brown")
OFFICIAL = {
    "train/data/english/nw/a.v4_gold_conll": "train",
    "development/data/english/nw/b.v4_gold_conll": "dev",
    "conll-2012-test/data/english/nw/c.v4_gold_conll": "test",
    "train.english.v4_gold_conll.gz": "train",
    "devel/props/devel.24.props.gz": "dev",
    "test.wsj/words/test.wsj.words": "test",
    "test.brown/words/test.brown.words": "test_brown",
    "test_brown.props": "test_brown",
    "Dev.v4_gold_conll": "dev",
    "validation.v4_gold_conll": "dev",
    "val/a.props": "dev",
}


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("path", OFFICIAL)
def test_official_trees_are_known(tmp_path, path):
    found = look(touch(tmp_path, path), ENDINGS, splits=ALL)
    assert found.splits == {OFFICIAL[path]: {path.removesuffix(".gz"): tmp_path / path}}
    assert (found.left, found.problems) == ({}, ())


@pytest.mark.parametrize(
    "path", ["training.conll", "notes.txt", "traindata/a.conll", "other/train.conll", "tests/a_conll", "testament.txt"]
)
def test_other_names_are_of_no_split(tmp_path, path):
    assert look(touch(tmp_path, path), ENDINGS).splits == {}


def test_a_plain_file_has_precedence_over_its_packed_one(tmp_path):
    found = look(touch(tmp_path, "train.props.gz", "train.props", "train.words.gz"), ENDINGS)
    assert found.splits == {
        "train": {"train.props": tmp_path / "train.props", "train.words": tmp_path / "train.words.gz"}
    }
    assert found.left == {"train.props.gz": "its unpacked file is read"}


def test_a_missing_folder_has_no_files(tmp_path):
    assert look(tmp_path / "nowhere", ENDINGS).splits == {}


def test_books_are_of_no_split_though_their_names_begin_like_one(tmp_path):
    touch(tmp_path, "testament_new.txt", "devotions.txt", "validity.txt", "contest.txt", "brown.txt", "train_2.txt")
    found = look(tmp_path, ENDINGS, others="train")
    assert list(found.splits) == ["train"]
    assert len(found.splits["train"]) == 6
    found.require_clear()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("train01.props", "train.01.props"),
        ("test2016.txt", "test.2016.txt"),
        ("training.conll", "train.conll"),
        ("testset.txt", "test.txt"),
        ("dev2/a.props", "dev.2"),
    ],
)
def test_a_name_that_may_mean_a_split_is_refused(tmp_path, name, near):
    touch(tmp_path, name, "train.props")
    with pytest.raises(DataError, match=f"no letter or digit follows; found {name.split('/')[0]}; nearest: {near},"):
        choose([look(tmp_path, ENDINGS)])
    with pytest.raises(DataError, match="no letter or digit follows"):
        choose([look(tmp_path / "nowhere", ENDINGS), look(touch(tmp_path / "alone", name), ENDINGS)])


@pytest.mark.parametrize(
    ("first", "second"),
    [("dev.txt", "valid.txt"), ("development/a.props", "devel.24.props"), ("dev/a.props", "dev.all.props")],
)
def test_two_names_for_one_split_are_refused(tmp_path, first, second):
    touch(tmp_path, "train.txt", first, second)
    with pytest.raises(DataError, match=r"files of one name, or a folder; found .* both for dev; nearest: one of them"):
        choose([look(tmp_path, ENDINGS)])


@pytest.mark.parametrize(
    "name", ["train_dev.props", "dev-test.props", "train.validation/a.props", "test.of.train.props"]
)
def test_a_name_of_two_splits_is_refused(tmp_path, name):
    touch(tmp_path, name, "train.props", "train.brown.words")
    with pytest.raises(DataError, match=f"named after one split; found {name.split('/')[0]}; nearest: a name without"):
        choose([look(tmp_path, ENDINGS, splits=ALL)])


def test_files_behind_links_are_read_and_broken_links_not_passed_over(tmp_path):
    touch(tmp_path / "elsewhere", "deep/a.props")
    touch(tmp_path / "data/train", "b.props")
    (tmp_path / "data/train/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/round").symlink_to(tmp_path / "data/train")
    (tmp_path / "data/dev.props").symlink_to(tmp_path / "nowhere")
    found = look(tmp_path / "data", ENDINGS)
    assert {split: list(files) for split, files in found.splits.items()} == {
        "train": ["train/b.props", "train/linked/deep/a.props"],
        "dev": ["dev.props"],
    }
    with pytest.raises(DataError, match=r"dev\.props: file not found"):
        found.fingerprints()


def test_what_has_another_form_or_lies_deep_is_said(tmp_path):
    touch(tmp_path, "train.props", "train.csv", "dev.props.bz2", "a/b/c/d.props", ".git/e.props", "readme.md")
    assert look(tmp_path, (".props", ".words")).left == {
        "a": "named after no split",
        "dev.props.bz2": "no file of .props or .words",
        "train.csv": "no file of .props or .words",
    }


def test_official_names_take_the_best_copy_and_say_what_lies_beside_it(tmp_path):
    touch(tmp_path, "SST-2/train.tsv", "SST-2/train01.tsv", "SST-2/dev.tsv.gz", "SST-2/notes.md", "dev.tsv", "more.tsv")
    copies = {"train": [tmp_path / "SST-2/train.tsv"], "dev": [tmp_path / "SST-2/dev.tsv.gz", tmp_path / "dev.tsv"]}
    found = official(tmp_path, {**copies, "test": []}, {"test": "test.tsv"})
    assert found.notes() == (
        f"files of {tmp_path}: train: SST-2/train.tsv; dev: SST-2/dev.tsv",
        f"not read in {tmp_path}: dev.tsv (SST-2/dev.tsv.gz is read); "
        "SST-2/train01.tsv (no name of a split that is asked for)",
    )
    assert len(found.notes(also_read=[tmp_path / "SST-2/train01.tsv", tmp_path / "dev.tsv"])) == 1


def test_what_is_read_and_what_is_not_is_said(tmp_path):
    touch(tmp_path / "a", "train.a.props", "train.b.props", "other.props", "more/x.props", "notes.md")
    touch(tmp_path / "b", "train.props")
    found = choose([look(tmp_path / "a", ENDINGS), look(tmp_path / "b", ENDINGS), look(tmp_path, ENDINGS)])
    assert found is not None
    assert found.notes() == (
        f"files of {tmp_path / 'a'}: train: train.a.props, train.b.props",
        f"not read in {tmp_path / 'a'}: more, other.props (named after no split); "
        f"{tmp_path / 'b'} ({tmp_path / 'a'} comes first)",
    )
    assert set(found.absent) == {"dev", "test"}
    assert found.absent["dev"].startswith("dev*_conll or dev*.conll or dev*.words")
    assert choose([look(tmp_path, ENDINGS)]) is None


@pytest.mark.parametrize(
    "names",
    [
        ("train.english.v4_gold_conll", "train.chinese.v4_gold_conll"),
        ("train/data/english/nw/a_gold_conll", "train/data/arabic/nw/b_gold_conll"),
        ("train.en.conll", "dev.zh.conll"),
        ("train/spanish.conll", "train/catalan.conll"),
        ("train/de/a.conll", "train/fr/a.conll"),
    ],
)
def test_several_languages_are_refused(tmp_path, names):
    found = look(touch(tmp_path, *names), ENDINGS)
    with pytest.raises(DataError, match=r"one language is one data set; found .*nearest: a folder for each language"):
        require_one_language(found)


def test_one_language_or_none_is_taken(tmp_path):
    names = ("train.en.conll", "train.english.more.conll", "dev.conll", "test.bn.conll", "test.pri_0001_de.conll")
    require_one_language(look(touch(tmp_path, *names), ENDINGS))
    assert [language_of(name) for name in names] == ["english", "english", None, None, None]
    assert language_of("train/data/english/annotations/tc/ch/00/ch_0001.v4_gold_conll") == "english"
