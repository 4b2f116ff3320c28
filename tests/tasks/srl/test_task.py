"""Semantic role labelling from files to files, on a few dozen sentences in both formats."""

from __future__ import annotations

import gzip
import json
import random
import re

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.data.conll.read import Document, Predicate, Sentence
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.data.conll.write import write_documents
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.files import sha256_file
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.srl.files import find_sources
from atinuke_bench.tasks.srl.props import read_props, rename_roles, to_conll2005_role, write_props, write_words
from atinuke_bench.tasks.srl.rows import window_around
from atinuke_bench.tasks.srl.task import SRL
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

QUIET = Execution(show_progress=False)
SIZES = {"train": 60, "dev": 12, "test": 12}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def conll2012(tmp_path_factory):
    """A folder of CoNLL-2012 files; the train split is gzipped and in two files."""
    folder = tmp_path_factory.mktemp("conll2012")
    for split, size in SIZES.items():
        sentences = _sentences(size, seed=len(split) + size)
        if split == "train":
            _write_conll(folder / "train.a.v4_gold_conll", "nw/a", sentences[: size // 2])
            _write_conll(folder / "train.b.v4_gold_conll", "nw/b", sentences[size // 2 :])
            plain = folder / "train.a.v4_gold_conll"
            (folder / "train.a.v4_gold_conll.gz").write_bytes(gzip.compress(plain.read_bytes()))
            plain.unlink()
        else:
            _write_conll(folder / f"{split}.v4_gold_conll", f"nw/{split}", sentences)
    return folder


@pytest.fixture(scope="session")
def conll2005(tmp_path_factory):
    """The same sentences as `.words` and `.props`."""
    folder = tmp_path_factory.mktemp("conll2005")
    for split, size in SIZES.items():
        sentences = [rename_roles(one, to_conll2005_role) for one in _sentences(size, seed=len(split) + size)]
        write_props(folder / f"{split}.props", sentences)
        write_words(folder / f"{split}.words", sentences)
    return folder


def _sentences(count, seed):
    """Who sees whom, sometimes seen by another; a nominal predicate; sentences without any."""
    draw = random.Random(seed)
    names, verbs = ("Ada", "Ben", "Cleo", "Dan"), ("sees", "helps", "calls")
    pos = ("NNP", "RB", "VBZ", "DT", "JJ", ",", "JJ", "NN", "IN", "NNP", "NN", ".")
    sentences = []
    for number in range(count):
        who, whom, verb = draw.choice(names), draw.choice(names), draw.choice(verbs)
        if number % 6 == 5:
            sentences.append(Sentence(("Hello", whom, "!"), pos=("UH", "NNP", ".")))
            continue
        words = (who, "never", verb, "the", "kind", ",", "old", "help", "of", whom, "today", ".")
        arguments = ((0, 0, "ARG0"), (1, 1, "ARGM-NEG"), (2, 2, "V"), (3, 9, "ARG1"), (10, 10, "ARGM-TMP"))
        nominal = ((7, 7, "V"), (8, 9, "ARG0"))
        predicates = tuple(
            Predicate(index, words[index], "01", tuple(Argument(*span) for span in spans))
            for index, spans in ((2, arguments), (7, nominal))
        )
        sentences.append(Sentence(words, predicates, pos))
    return sentences


def _write_conll(path, name, sentences):
    write_documents(path, [Document(name, 0, tuple(sentences))])


def _run(folder, core="bilstm", **overrides):
    small = {"training.max_epochs": 4, "training.batch_tokens": 256, "training.learning_rate": 0.02}
    changes = {name.replace("__", "."): value for name, value in overrides.items()}
    return make_run_config(
        "srl",
        core,
        preset="nano",
        source=SourceConfig(data_dir=folder),
        overrides={**small, "tokenizer.vocab_size": 120, **changes},
        task_training=dict(SRL.training),
    )


def _carry_out(run, place):
    folder = RunFolder(place)
    return folder, train_and_evaluate(prepare(run), folder, QUIET)


@pytest.mark.parametrize("feature", ["indicator", "late"])
def test_a_run_writes_a_response_that_scores_as_the_run_says(conll2012, tmp_path, feature):
    folder, result = _carry_out(_run(conll2012, options__predicate_feature=feature), tmp_path / "run")
    gold, response = (folder.path / f"test.{name}.props" for name in ("gold", "response"))
    for metric in ("f1", "precision", "recall"):
        assert SRL.score_files(gold, response)["Overall"][metric] == round(result["scores"]["test"][metric], 2)
    assert result["score"] > 90  # there is one pattern to learn
    assert result["protocol"]["verbs_only"] is False
    assert "test.response.props" in result["artefacts"]
    assert len(list(read_props(response))) == SIZES["test"]  # sentences without predicates included
    rows = pd.read_parquet(folder.predictions)
    assert not rows.duplicated(["split", "id"]).any()
    assert rows["score"].between(0, 1).all()
    assert folder.read_config().options["roles"] == ["A0", "A1", "AM-NEG", "AM-TMP", "V"]


def test_gold_as_the_response_scores_100(conll2012, conll2005, tmp_path):
    folder, _ = _carry_out(_run(conll2012, "majority"), tmp_path / "run")
    gold = folder.path / "dev.gold.props"
    assert SRL.score_files(gold, gold)["Overall"]["f1"] == 100.0
    assert SRL.score_files(conll2005 / "dev.props", gold)["Overall"]["f1"] == 100.0
    prepared = prepare(_run(conll2012))
    examples = prepared.loaded.splits["dev"]
    spans = [
        list(zip(*row, strict=True))
        for row in zip(examples["starts"], examples["ends"], examples["roles"], strict=True)
    ]
    evaluation = SRL.evaluate(examples, dict(zip(examples["id"], spans, strict=True)), prepared.run)
    assert evaluation.metrics["f1"] == evaluation.metrics["unlabelled_f1"] == 100.0
    assert evaluation.metrics["perfect_propositions"] == 100.0
    assert all(row.score == 1.0 for row in evaluation.predictions)


def test_both_formats_hold_the_same_examples(conll2012, conll2005):
    one, other = (prepare(_run(folder)).loaded.splits for folder in (conll2012, conll2005))
    assert {split: len(rows) for split, rows in one.items()} == {"train": 100, "dev": 20, "test": 20}
    for split in one:
        for column in ("words", "lemma", "predicate", "starts", "ends", "roles"):
            assert one[split][column][:] == other[split][column][:]
    assert one["dev"]["id"][0] == "dev-nw/dev.0-0-2"
    assert other["dev"]["id"][0] == "dev-dev-0-2"


@pytest.mark.parametrize("core", ["atinuke", "transformer", "bilstm"])
def test_equal_seeds_give_equal_bits(conll2005, tmp_path, core):
    runs = [_carry_out(_run(conll2005, core, training__max_epochs=1), tmp_path / name)[0] for name in "ab"]
    for name in ("checkpoints/best.safetensors", "predictions.parquet", "test.response.props"):
        assert len({sha256_file(run.path / name) for run in runs}) == 1


def test_what_a_core_reads_late_does_not_depend_on_the_predicate(conll2012):
    prepared = prepare(_run(conll2012, options__predicate_feature="late"))
    encoded = prepared.encode("dev", prepared.loaded.splits["dev"])
    assert len(encoded) == 10  # sentences with predicates
    assert encoded.ragged["predicates"].lengths.tolist() == [2] * 10
    assert encoded.ragged["tags"].lengths.tolist() == [24] * 10
    marked = prepare(_run(conll2012, options__predicate_feature="indicator"))
    assert len(marked.encode("dev", marked.loaded.splits["dev"])) == 20


def test_a_long_sentence_is_cut_around_its_predicate(conll2012):
    assert window_around([3, 1, 1, 1, 3], focus=2, room=5) == (1, 4)
    prepared = prepare(_run(conll2012, training__max_length=8, options__predicate_feature="indicator"))
    encoded = prepared.encode("dev", prepared.loaded.splits["dev"])
    assert encoded.lengths.max() <= 8
    assert encoded.fixed["first_word"].max() > 0
    # One word in each place: the second of two predicates does not fit where a sentence is read once.
    late = prepare(_run(conll2012, training__max_length=8, options__predicate_feature="late"))
    assert -1 in late.encode("dev", late.loaded.splits["dev"]).ragged["predicates"].values


def test_a_cut_sentence_keeps_word_positions(conll2012, tmp_path):
    folder, result = _carry_out(_run(conll2012, training__max_length=8, options__predicate_feature="late"), tmp_path)
    assert result["score"] is not None
    rows = pd.read_parquet(folder.predictions)
    assert len(rows) == 40
    verbs = [json.loads(text) for text in rows["prediction"]]
    assert {span[2] for spans in verbs for span in spans} <= {"A0", "A1", "AM-NEG", "AM-TMP", "V"}


def test_the_predicates_own_word_is_always_its_v(conll2012, tmp_path):
    folder, _ = _carry_out(_run(conll2012, training__max_epochs=1, training__learning_rate=1e-9), tmp_path)
    for row in pd.read_parquet(folder.predictions).itertuples():
        index = int(row.id.rpartition("-")[2])
        assert [span[0] for span in json.loads(row.prediction) if span[2] == "V"] == [index]


def test_the_floor_reads_words_and_distances(conll2012, tmp_path):
    folder, result = _carry_out(_run(conll2012, "majority"), tmp_path)
    assert result["cost"] == {}
    assert result["score"] == 100.0  # each word stands at one distance here
    assert result["slices"]["test"]["role"]["AM-NEG"]["f1"] == 100.0
    assert (folder.path / "test.response.props").exists()


def test_verbs_only_keeps_verbs_and_needs_parts_of_speech(conll2012, conll2005):
    prepared = prepare(_run(conll2012, options__verbs_only=True))
    assert len(prepared.loaded.splits["dev"]) == 10
    assert prepared.protocol()["verbs_only"] is True
    with pytest.raises(DataError, match=r"\.props:\d+: options.verbs_only needs parts of speech"):
        prepare(_run(conll2005, options__verbs_only=True))


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
    found = find_sources(tmp_path)
    assert {split: [source.path.name for source in sources] for split, sources in found.items()} == {
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
    found = find_sources(tmp_path)
    assert set(found) == {"dev", "test"}


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


def test_half_a_pair_is_refused(conll2005, tmp_path):
    for name in ("train.props", "train.words", "dev.props"):
        (tmp_path / name).write_bytes((conll2005 / name).read_bytes())
    with pytest.raises(DataError, match=r"dev\.props: this file needs its other half: no dev\.words was found"):
        find_sources(tmp_path)


def test_a_folder_without_a_train_split_and_the_hub_are_refused(tmp_path):
    with pytest.raises(DataError, match="no train split; looked for files named"):
        prepare(_run(tmp_path))
    run = _run(tmp_path)
    with pytest.raises(ConfigError, match=r"has no source 'hub'.*--source local"):
        prepare(run.model_copy(update={"source": SourceConfig(kind="hub")}))


def test_a_document_in_two_files_is_refused(conll2012, tmp_path):
    content = (conll2012 / "dev.v4_gold_conll").read_bytes()
    for name in ("train.v4_gold_conll", "dev.1.v4_gold_conll", "dev.2.v4_gold_conll"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(
        DataError, match=r"dev\.2\.v4_gold_conll: document 'nw/dev\.0' is in .*dev\.1\.v4_gold_conll too"
    ):
        prepare(_run(tmp_path))


@pytest.mark.data
def test_the_cut_of_ewt_is_read_whole(data_dir):
    prepared = prepare(_run(data_dir))
    sizes = {split: len(rows) for split, rows in prepared.loaded.splits.items()}
    assert sizes == {"train": 40_369, "dev": 4_945, "test": 4_795}
    assert len(prepared.run.options["roles"]) == 58
    assert prepared.protocol()["is_cut"] is True


@pytest.mark.data
def test_the_official_figures_are_reproduced(data_dir):
    expected = json.loads((data_dir / "parity/srl/ewt-dev.expected.json").read_text())
    gold, response = data_dir / "srl/ewt/conll2005/dev.props", data_dir / "parity/srl/ewt-dev.response.props"
    result = _invoke("score", "srl", "--gold", gold, "--predictions", response, "--json")
    assert json.loads(result.stdout) == expected


def test_full_official_splits_are_no_cut():
    assert SRL.is_official({"train": 90_750, "dev": 3_248, "test": 5_267, "test_brown": 804})
    assert SRL.is_official({"train": 253_070, "dev": 35_297, "test": 24_462})
    assert not SRL.is_official({"train": 90_750, "dev": 35_297})
