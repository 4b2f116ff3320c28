"""Files of predicates: finding them, refusing half of them, keeping verbs, and scoring `.props`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.config import SourceConfig
from atinuke_bench.data.conll.read import Predicate, Sentence
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.tasks.srl.files import SrlFiles, keep_verbs, look_in, pair_files
from atinuke_bench.training.prepare import prepare


def find_files(folder):
    return {split: pair_files(files) for split, files in look_in(folder).splits.items()}


def test_official_layouts_are_found(tmp_path):
    for name in (
        "train/data/english/annotations/bc/x.v4_gold_conll",
        "train/data/english/annotations/bc/x.v4_auto_conll",
        "development/data/y.v4_gold_conll",
        "test/z.v4_gold_conll.gz",
        "notes/train.v4_gold_conll",
        "train.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_files(tmp_path)
    assert {split: [file.path.name for file in files] for split, files in found.items()} == {
        "train": ["x.v4_gold_conll"],
        "dev": ["y.v4_gold_conll"],
        "test": ["z.v4_gold_conll.gz"],
    }


def test_the_two_test_sets_of_2005_stay_apart(tmp_path):
    for name in ("test.wsj", "test.brown", "devel.24"):
        for half in ("words", "props"):
            place = tmp_path / name.partition(".")[0] / half
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{name}.{half}.gz").touch()
    (tmp_path / "test.brown").mkdir()
    found = find_files(tmp_path)
    assert set(found) == {"dev", "test"}


def test_half_a_pair_is_refused(conll2005, tmp_path):
    for name in ("train.props", "train.words", "dev.props"):
        (tmp_path / name).write_bytes((conll2005 / name).read_bytes())
    with pytest.raises(DataError, match=r"dev\.props: this file needs its other half: no dev\.words was found"):
        find_files(tmp_path)


def test_equal_file_names_in_two_folders_are_all_read(conll2005, tmp_path, make_srl_run):
    for split in ("train", "dev"):
        for corpus in ("ewt", "wsj"):
            for half in ("words", "props"):
                # As one corpus keeps its files, and as the official release does.
                place = tmp_path / split / corpus / (half if corpus == "wsj" else "")
                place.mkdir(parents=True, exist_ok=True)
                (place / f"part1.{half}").write_bytes((conll2005 / f"{split}.{half}").read_bytes())
    loaded = prepare(make_srl_run(tmp_path)).loaded
    assert {split: len(rows) for split, rows in loaded.splits.items()} == {"train": 200, "dev": 40}
    assert len(loaded.files) == 8
    ids = loaded.splits["dev"]["id"][:]
    assert (len(set(ids)), ids[0]) == (40, "dev-dev/ewt/part1-0-2")
    changed = tmp_path / "dev/wsj/props/part1.props"
    changed.write_text(changed.read_text().replace("AM-NEG", "AM-ADV"))
    assert prepare(make_srl_run(tmp_path)).loaded.fingerprint != loaded.fingerprint


def test_halves_in_other_folders_are_paired_by_their_file_name(tmp_path):
    for name in ("train/text/a.words", "train/roles/a.props", "train/roles/b.props", "train/text/b.words"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pairs = [(file.path.name, file.words_path.name, file.document) for file in find_files(tmp_path)["train"]]
    assert pairs == [("a.props", "a.words", "a"), ("b.props", "b.words", "b")]
    (tmp_path / "train/more").mkdir()
    (tmp_path / "train/more/a.props").touch()
    with pytest.raises(DataError, match=r"a\.props: this file needs its other half: no a\.words was found"):
        find_files(tmp_path)
    (tmp_path / "train/text/words").mkdir()
    (tmp_path / "train/text/words/a.words").touch()
    with pytest.raises(DataError, match=r"a\.words: a sentence is in one file; this one and .*a\.words have one name"):
        find_files(tmp_path)


def test_files_beside_those_that_are_read_are_named(conll2005, tmp_path, make_srl_run):
    for name in ("train.props", "train.words", "dev.props", "dev.words"):
        (tmp_path / name).write_bytes((conll2005 / name).read_bytes())
    (tmp_path / "extra.props").touch()
    read, left = prepare(make_srl_run(tmp_path)).loaded.notes
    assert read == f"files of {tmp_path}: train: train.props, train.words; dev: dev.props, dev.words"
    assert left == f"not read in {tmp_path}: extra.props (named after no split)"
    (tmp_path / "train01.props").touch()
    with pytest.raises(DataError, match=r"no letter or digit follows; found train01\.props; nearest: train\.01\.props"):
        prepare(make_srl_run(tmp_path))


def test_two_languages_are_refused(conll2012, tmp_path, make_srl_run):
    for split in ("train", "dev"):
        for language in ("english", "arabic"):
            content = (conll2012 / "dev.v4_gold_conll").read_bytes()
            (tmp_path / f"{split}.{language}.v4_gold_conll").write_bytes(content)
    with pytest.raises(
        DataError, match=r"found arabic \(train\.arabic.*\), english \(train\.english.*a folder for each"
    ):
        prepare(make_srl_run(tmp_path))


def test_a_folder_without_a_train_split_and_the_hub_are_refused(tmp_path, make_srl_run):
    with pytest.raises(DataError, match="no train split; looked for files named"):
        prepare(make_srl_run(tmp_path))
    run = make_srl_run(tmp_path)
    with pytest.raises(ConfigError, match=r"has no source 'hub'.*--source local"):
        prepare(run.model_copy(update={"source": SourceConfig(kind="hub")}))


def test_keeping_verbs_needs_parts_of_speech():
    sentence = Sentence(("take", "look"), (Predicate(0, "take"), Predicate(1, "look")), pos=("VBP", "NN"))
    assert keep_verbs(sentence, Path("x")).predicates == (Predicate(0, "take"),)
    without = replace(sentence, pos=(), line=3)
    with pytest.raises(DataError, match=r"x:3: options.verbs_only needs parts of speech"):
        keep_verbs(without, Path("x"))
    assert keep_verbs(replace(without, predicates=()), Path("x")).predicates == ()


def _invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_score_prints_overall_and_every_role(conll2005):
    gold = conll2005 / "test.props"
    result = _invoke("score", "srl", "--gold", gold, "--predictions", gold, "--json")
    assert result.exit_code == 0, result.output
    scores = json.loads(result.stdout)
    assert list(scores) == ["Overall", "A0", "A1", "AM-NEG", "AM-TMP", "V"]
    assert scores["A0"] == {"correct": 20, "excess": 0, "missed": 0, "precision": 100.0, "recall": 100.0, "f1": 100.0}
    table = _invoke("score", "srl", "--gold", gold, "--predictions", gold).stdout
    assert "AM-TMP" in table
    assert "missed" in table


@pytest.mark.parametrize(
    ("predictions", "warning"),
    [
        ("see (V*) *\ncall * (V*)\n\n- \n\n", None),
        (
            "sees (V*) *\ncall * (V*)\n\n- \n\n",
            "1 of 2 gold predicates have another lemma in the predictions; all their arguments count as missed; "
            "first 'see', found 'sees' (sentence 1, word 1)",
        ),
        (
            "see (V*)\n- *\n\n- \n\n",
            "1 of 2 gold predicates are not among the predictions; all their arguments count as missed; "
            "first 'call' (sentence 1, word 2)",
        ),
        (
            "see (V*) *\ncall * (V*)\n\nhelp (V*)\n\n",
            "1 predicted predicates are not in the gold file and are skipped; first 'help' (sentence 2, word 1)",
        ),
    ],
)
def test_predicates_that_do_not_match_are_warned_of(tmp_path, caplog, predictions, warning):
    gold, response = tmp_path / "gold.props", tmp_path / "response.props"
    gold.write_text("see (V*) *\ncall * (V*)\n\n- \n\n")
    response.write_text(predictions)
    SrlFiles().score(gold, response)
    assert caplog.messages == ([] if warning is None else [warning])


BAD_FILES = {
    "ragged": ("sees (V*) *\nBen (A1*)\n\n", r"2: column 3: 2 columns where the sentence began with 3 \(line 1\)"),
    "unbalanced": ("sees (V*)\n- (A1*\n- *\n\n", r"2: column 2 \(arguments\): the span '\(A1\*' is never closed"),
    "unopened": ("sees (V*)\n- *)\n\n", r"2: column 2 \(arguments\): '\*\)' closes a span that was never opened"),
    "too many predicates": ("sees (V*)\nhelp *\n\n", r"2: column 3: 1 argument columns for 2 predicates"),
    "too few predicates": ("sees (V*) *\n- * *\n\n", r"1: column 3: 2 argument columns for 1 predicates"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_props_are_named_with_line_and_column(tmp_path, name):
    content, message = BAD_FILES[name]
    good, bad = tmp_path / "good.props", tmp_path / "bad.props"
    good.write_text("sees (V*)\n" + "- *\n" * (content.count("\n") - 2) + "\n")
    bad.write_text(content)
    result = _invoke("score", "srl", "--gold", good, "--predictions", bad)
    assert isinstance(result.exception, DataError)
    assert re.search(r"bad\.props:" + message, str(result.exception)), result.exception


def test_words_and_props_of_different_length_are_refused(conll2005, tmp_path):
    for path in conll2005.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    words = tmp_path / "dev.words"
    words.write_text(words.read_text().replace("today\n", "", 1))
    result = _invoke("run", "--task", "srl", "--core", "bilstm", "--data-dir", tmp_path, "--out", tmp_path / "runs")
    assert isinstance(result.exception, DataError)
    assert re.search(r"dev\.words:12: column 1: sentence 1 has 11 words here but 12 in", str(result.exception))


@pytest.mark.data
def test_the_official_figures_are_reproduced(data_dir):
    expected = json.loads((data_dir / "parity/srl/ewt-dev.expected.json").read_text())
    gold, response = data_dir / "srl/ewt/conll2005/dev.props", data_dir / "parity/srl/ewt-dev.response.props"
    result = _invoke("score", "srl", "--gold", gold, "--predictions", response, "--json")
    assert json.loads(result.stdout) == expected
