"""Coreference from files to files, on a few short documents: features, module, decoding, scores, responses."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from atinuke_bench.cli import app
from atinuke_bench.config import SourceConfig, make_run_config
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import BatchDataset
from atinuke_bench.data.coref_features import cut_segments, genre_id, read_lexicon
from atinuke_bench.data.coref_files import find_files
from atinuke_bench.data.coref_rules import head_index
from atinuke_bench.data.formats.conll import Document, Sentence, read_documents
from atinuke_bench.data.formats.conll_spans import Mention
from atinuke_bench.data.formats.conll_write import write_documents
from atinuke_bench.errors import AtinukeBenchError, ConfigError, DataError
from atinuke_bench.metrics.coref import DocumentCounts, count_document, scores, total
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.tasks.coref import COREF, flat_scores, resampler
from atinuke_bench.tasks.coref_decode import Scored, decode_clusters
from atinuke_bench.tasks.coref_model import CorefOptions, banded_products, marginal_loss, select_candidates
from atinuke_bench.tasks.coref_pairs import span_hashes
from atinuke_bench.testing import check_task
from atinuke_bench.training.prepare import prepare
from atinuke_bench.training.train import Execution, train_and_evaluate

PEOPLE = {"Ada": "her", "Ben": "his", "Cleo": "her", "Dan": "his"}
SIZES = {"train": 10, "dev": 3, "test": 3}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def _document(name, number, num_sentences, draw, *, singletons=True):
    """People and their houses: `Then Ada painted her house .`, every house another."""
    sentences, mentions, position, cluster_of = [], [], 0, {}
    for place in range(num_sentences):
        who = draw.choice(list(PEOPLE))
        words = ["Then", who, draw.choice(["painted", "sold"]), PEOPLE[who], "house", "."]
        person = cluster_of.setdefault(who, len(cluster_of))
        spans = [(1, 1, person), (3, 3, person)]
        if singletons:
            spans.append((3, 4, 100 + place))
        mentions += [Mention(position + start, position + end, cluster) for start, end, cluster in spans]
        sentences.append(Sentence(tuple(words), speakers=(f"speaker{place % 2}",) * len(words)))
        position += len(words)
    if not singletons:
        counts = {cluster: sum(m.cluster == cluster for m in mentions) for cluster in cluster_of.values()}
        mentions = [mention for mention in mentions if counts[mention.cluster] > 1]
    return Document(name, number, tuple(sentences), tuple(mentions))


def _write(folder, *, singletons=True, num_sentences=8):
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(3)
    for split, size in SIZES.items():
        documents = [
            _document(f"bc/{split}{number // 2}", number % 2, num_sentences, draw, singletons=singletons)
            for number in range(size)
        ]
        write_documents(folder / f"{split}.v4_gold_conll", documents)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return _write(tmp_path_factory.mktemp("coref") / "coref")


def _run(folder, core="atinuke", *, seed=0, **overrides):
    small = {
        "training.max_epochs": 1,
        "training.batch_tokens": 128,
        "training.max_length": 24,
        "options.overlap": 8,
        "options.size": 16,
        "options.candidates_per_word": 0.6,  # half of these words open a mention, a tenth of usual text
        "tokenizer.vocab_size": 120,
    }
    changes = {name.replace("__", "."): value for name, value in overrides.items()}
    return make_run_config(
        "coref",
        core,
        preset="nano",
        source=SourceConfig(data_dir=folder),
        seed=seed,
        overrides={**small, **changes},
        task_training=dict(COREF.training),
    )


def _carry_out(run, place):
    folder = RunFolder(place)
    return folder, train_and_evaluate(prepare(run), folder, Execution(show_progress=False))


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def finished(folder, tmp_path_factory):
    """A run that has learned its documents by heart."""
    torch.set_num_threads(1)
    run = _run(folder, "bilstm", training__max_epochs=12, training__learning_rate=0.01)
    return _carry_out(run, tmp_path_factory.mktemp("runs") / "run")


def test_a_run_learns_and_beats_nothing_at_all(finished):
    _, result = finished
    assert result["score"] > 60
    assert result["metric"] == "conll_f1"
    assert result["split"] == "test"
    low, high = result["interval"]
    assert low <= result["score"] <= high
    assert set(result["slices"]["test"]) == {"mention type", "antecedent distance in sentences"}
    pronouns = result["slices"]["test"]["mention type"]["pronoun"]
    assert pronouns["num"] == 8 * SIZES["test"]
    assert result["cost"]["training_flops"] > 0


def test_the_response_scores_as_the_run_says(finished, folder):
    place, result = finished
    for split in ("dev", "test"):
        response = place.path / f"{split}.response.conll"
        printed = COREF.score_files(folder / f"{split}.v4_gold_conll", response)
        for metric in ("muc", "bcub", "ceafe", "blanc", "lea", "mentions"):
            exact = result["scores"][split][f"{metric}_f1"]
            assert 0 <= exact - printed[metric]["f1"] < 0.01  # printed digits are cut off
        assert response.name in result["artefacts"]


def test_the_response_keeps_headers_words_and_stored_clusters(finished, folder):
    place, _ = finished
    rows = pd.read_parquet(place.predictions)
    stored = {
        row.id: [[tuple(span) for span in cluster] for cluster in json.loads(row.prediction)]
        for row in rows[rows["split"] == "test"].itertuples()
    }
    key = list(read_documents(folder / "test.v4_gold_conll"))
    response = list(read_documents(place.path / "test.response.conll"))
    assert [document.header for document in response] == [document.header for document in key]
    for gold, found in zip(key, response, strict=True):
        assert found.words == gold.words
        assert found.clusters == stored[f"{gold.name}#{gold.part}"]


def test_predictions_hold_gold_and_the_score_of_each_document(finished):
    rows = pd.read_parquet(finished[0].predictions)
    assert rows["score"].between(0, 100).all()
    first = rows.iloc[0]
    key, response = json.loads(first["gold"]), json.loads(first["prediction"])
    as_tuples = [[[tuple(span) for span in cluster] for cluster in side] for side in (key, response)]
    assert scores(count_document(*as_tuples)).conll_f1 == pytest.approx(first["score"])


def test_equal_runs_are_equal(folder, tmp_path):
    check_task(_run(folder), tmp_path)


def test_the_floor_is_the_rules(folder, tmp_path):
    place, result = _carry_out(_run(folder, "majority"), tmp_path / "run")
    assert result["score"] > 40
    assert (place.path / "test.response.conll").exists()


@pytest.mark.parametrize(
    ("choice", "annotated", "kept"),
    [("auto", True, True), ("auto", False, False), ("drop", True, False), ("keep", False, True)],
)
def test_singletons_are_kept_as_annotated_or_as_asked(tmp_path, choice, annotated, kept):
    prepared = prepare(_run(_write(tmp_path / "data", singletons=annotated), options__singletons=choice))
    examples = prepared.evaluation_splits["dev"]
    floor = prepared.task.floor(prepared.train_examples, examples, prepared.run)
    assert any(len(cluster) == 1 for clusters in floor.values() for cluster in clusters) is kept
    scored = [np.array(column) for column in ([0, 4], [1, 4], [2.0, 2.0], [[0], [0]], [[-1.0], [-1.0]])]
    outputs = [
        {"rows": np.arange(len(examples))}
        | {name: np.stack([value] * len(examples)) for name, value in zip(Scored._fields, scored, strict=True)}
    ]
    decoded = prepared.task.decode(outputs, None, examples, prepared.run)
    assert set(map(len, decoded.values())) == {2 if kept else 0}


def test_documents_of_one_name_stay_on_one_side_of_the_cut(folder):
    prepared = prepare(_run(folder, training__held_out_fraction=0.3))
    assert not set(prepared.train_examples["name"]) & set(prepared.selection_examples["name"])


# --- module -----------------------------------------------------------------------------------------------------------


def _module(folder, core="atinuke", **overrides):
    prepared = prepare(_run(folder, core, **overrides))
    encoded = prepared.encode("train", prepared.train_examples)
    torch.manual_seed(1)
    module = prepared.task.build_module(
        build_core(prepared.run.core, prepared.tokenizer.get_vocab_size()), prepared.run
    )
    return module, encoded, prepared


def _arrays(module, batch):
    with torch.inference_mode():
        return module.eval()._as_arrays(batch)


@pytest.mark.parametrize("core", ["atinuke", "transformer", "bilstm"])
def test_the_gradient_reaches_every_parameter(folder, core):
    module, encoded, _ = _module(folder, core)
    module.loss(BatchDataset(encoded)[np.arange(3)]).backward()
    without = [name for name, weight in module.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not without


@pytest.mark.parametrize("feature", ["lexical", "distance", "width", "speaker", "genre"])
def test_features_can_be_switched_off(folder, feature):
    module, encoded, _ = _module(folder, **{f"options__{feature}": False})
    full, _, _ = _module(folder)
    num_weights = sum(weight.numel() for weight in module.parameters())
    assert num_weights < sum(weight.numel() for weight in full.parameters())
    assert module.loss(BatchDataset(encoded)[np.arange(2)]).isfinite()


@pytest.mark.parametrize("core", ["atinuke", "bilstm"])
def test_a_batch_gives_each_document_what_it_gets_alone(tmp_path, core):
    """Documents of different length, with other padding and other segments beside them."""
    draw = random.Random(1)
    documents = [_document(f"d{number}", 0, 2 + 3 * number, draw) for number in range(4)]
    for split in SIZES:
        write_documents(tmp_path / f"{split}_gold_conll", documents)
    module, encoded, _ = _module(tmp_path, core)
    module.eval()
    data = BatchDataset(encoded)
    together = module.outputs(data[np.arange(len(encoded))])
    for row in range(len(encoded)):
        alone = module.outputs(data[np.array([row])])
        num, width = alone["antecedent"].shape[1:]
        torch.testing.assert_close(together["starts"][row, :num].float(), alone["starts"][0].float())
        torch.testing.assert_close(
            together["mention_score"][row, :num], alone["mention_score"][0], atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            together["link_score"][row, :num, :width], alone["link_score"][0], atol=1e-3, rtol=1e-4
        )
        assert (together["starts"][row, num:] == -1).all()


def test_a_document_in_one_segment_is_the_core_on_its_whole_text(folder):
    module, encoded, _ = _module(folder, training__max_length=200)
    module.eval()
    batch = BatchDataset(encoded)[np.array([0])]
    assert batch["segment_lengths"].shape == (1, 1)
    words = module.documents(batch)[0].hidden
    types = torch.zeros_like(batch["input_ids"])
    whole = module.core(batch["input_ids"], batch["attention_mask"], segment_ids=types)[0]
    word = 5
    pieces = (batch["piece_word"][0] == word).nonzero()[:, 0]
    torch.testing.assert_close(words[word], whole[pieces].mean(0))


def test_links_point_back_and_gold_mentions_are_candidates_in_training(folder):
    module, encoded, _ = _module(folder, options__candidates_per_word=0.01, options__min_mention_score=-50)
    batch = BatchDataset(encoded)[np.array([0])]
    document = module.documents(batch)[0]
    found = module._document_outputs(document)
    assert len(found["starts"]) == 1  # of 48 words
    gold = batch["gold_start"][0] * module.options.max_width + batch["gold_end"][0] - batch["gold_start"][0]
    candidates = select_candidates(module.mentions(document), 1, -50.0, always=gold)
    assert list(zip(candidates.starts.tolist(), candidates.ends.tolist(), strict=True)) == sorted(
        zip(batch["gold_start"][0].tolist(), batch["gold_end"][0].tolist(), strict=True)
    )
    links, antecedents = module.antecedents(document, candidates)
    order = torch.arange(len(candidates))[:, None]
    assert ((antecedents < order) | (links < -1000)).all()


def test_documents_without_mentions_or_with_one_word(tmp_path):
    one = Document("one", 0, (Sentence(("Hello",)),))
    two = Document("two", 0, (Sentence(("Ada", "left", ".")),), (Mention(0, 0, 0),))
    for split in SIZES:
        write_documents(tmp_path / f"{split}_gold_conll", [one, two])
    module, encoded, prepared = _module(tmp_path, options__min_mention_score=-50)
    batch = BatchDataset(encoded)[np.arange(len(encoded))]
    module.loss(batch).backward()
    outputs = [_arrays(module, batch)]
    assert set(prepared.task.decode(outputs, encoded, prepared.train_examples, prepared.run)) == set(
        prepared.train_examples["id"]
    )
    module.options = CorefOptions(min_mention_score=50)  # no candidate at all
    assert module.outputs(batch)["starts"].shape[1] == 0


def test_predictions_do_not_depend_on_the_order_of_rows(folder):
    module, encoded, prepared = _module(folder, options__min_mention_score=-50)
    data, task, examples = BatchDataset(encoded), prepared.task, prepared.train_examples
    whole = task.decode([_arrays(module, data[np.arange(len(encoded))])], encoded, examples, prepared.run)
    shuffled = [_arrays(module, data[np.array([row])]) for row in reversed(range(len(encoded)))]
    assert task.decode(shuffled, encoded, examples, prepared.run) == whole


# --- parts ------------------------------------------------------------------------------------------------------------


def test_banded_products_are_the_band_of_the_full_product():
    starts, ends = torch.randn(150, 6), torch.randn(150, 6)
    full = starts @ ends.T
    banded = banded_products(starts, ends, 20)
    for start in range(150):
        num = min(20, 150 - start)
        torch.testing.assert_close(banded[start, :num], full[start, start : start + num])
        assert (banded[start, num:] == 0).all()


def test_span_hashes_are_equal_for_equal_words_alone():
    draw = random.Random(0)
    words = [draw.choice("abcd") for _ in range(3000)]
    ids = torch.tensor([draw_id(word) for word in words])
    spans = [(start, start + width) for start in range(2900) for width in range(3)]
    hashes = span_hashes(ids, *torch.tensor(spans).T).tolist()
    by_text = {}
    for (start, end), value in zip(spans, hashes, strict=True):
        by_text.setdefault(tuple(words[start : end + 1]), set()).add(value)
    assert all(len(values) == 1 for values in by_text.values())
    assert len(set.union(*by_text.values())) == len(by_text) == 4 + 16 + 64


def draw_id(word):
    return int(read_lexicon([[word]]).word_id[0])


def test_the_head_of_a_span_is_that_of_the_rules():
    words = [
        "the",
        "old",
        "margin",
        "of",
        "the",
        "river",
        ",",
        "which",
        "Anna",
        "and",
        "her",
        "mother",
        "'s",
        "friend",
        "knew",
    ]
    limits = read_lexicon([words]).head_limit
    for start in range(len(words)):
        for end in range(start, len(words)):
            assert min(limits[start], end) == start + head_index(words[start : end + 1])


@pytest.mark.parametrize("overlap", [0, 4, 11, 30])
def test_segments_read_every_word_once_and_where_it_has_most_context(overlap):
    draw = random.Random(overlap)
    pieces = [[word + 10] * draw.choice([1, 1, 2, 5, 40]) for word in range(200)]
    segments = cut_segments(pieces, 18, overlap, (1, 2))
    assert segments.lengths.max() <= 18
    assert segments.lengths.sum() == len(segments.piece_ids) == len(segments.piece_word)
    read = segments.piece_word >= 0
    assert segments.piece_word[read].tolist() == sorted(segments.piece_word[read].tolist())
    for word, own in enumerate(pieces):
        assert (segments.piece_word == word).sum() == min(len(own), 16)
        assert set(segments.piece_ids[segments.piece_word == word]) == {word + 10}
    ends = np.cumsum(segments.lengths)
    for start, end in zip(ends - segments.lengths, ends, strict=True):
        assert (segments.piece_ids[start], segments.piece_ids[end - 1]) == (1, 2)
    ids = [segments.piece_ids[start + 1 : end - 1] for start, end in zip(ends - segments.lengths, ends, strict=True)]
    assert all(set(later) - set(earlier) for earlier, later in pairwise(ids))


def test_overlapping_segments_give_context_on_both_sides():
    segments = cut_segments([[word + 10] for word in range(100)], 22, 10, (1, 2))
    places = np.concatenate([np.arange(length) for length in segments.lengths])
    lengths = np.repeat(segments.lengths, segments.lengths)
    for word in range(10, 90):
        place = int(np.flatnonzero(segments.piece_word == word)[0])
        assert min(places[place], lengths[place] - 1 - places[place]) >= 5


def test_marginal_loss_sums_over_gold_antecedents():
    links = torch.tensor([[-1e4, -1e4], [0.0, -1e4], [1.0, 2.0], [3.0, 0.5]])
    antecedents = torch.tensor([[0, 0], [0, 0], [0, 1], [0, 2]])
    cluster = torch.tensor([7, 7, 7, -1])
    expected = [0.0, np.log(2), np.log(1 + np.e + np.e**2) - np.log(np.e + np.e**2), np.log(1 + np.e**3 + np.e**0.5)]
    assert marginal_loss(links, antecedents, cluster).item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_mentions_that_cross_are_never_answered():
    draw = np.random.default_rng(0)
    spans = sorted(
        {(int(s), int(s + w)) for s, w in zip(draw.integers(0, 60, 80), draw.integers(0, 9, 80), strict=True)}
    )
    starts, ends = np.array(spans).T
    antecedent = np.maximum(np.arange(len(spans))[:, None] - np.arange(1, 6), 0)
    link_score = np.where(antecedent < np.arange(len(spans))[:, None], draw.normal(size=(len(spans), 5)), -1e4)
    clusters = decode_clusters(
        Scored(starts, ends, draw.normal(size=len(spans)), antecedent, link_score), keep_singletons=True
    )
    found = sorted(span for cluster in clusters for span in cluster)
    assert len(found) == len(set(found)) > 10
    assert not any(a[0] < b[0] <= a[1] < b[1] for a in found for b in found)
    assert clusters == sorted(clusters, key=lambda cluster: cluster[0])


def test_resampling_recomputes_the_corpus_score(folder):
    key = [document.clusters for document in read_documents(folder / "train.v4_gold_conll")]
    counts = [count_document(gold, gold[number % 3 :]) for number, gold in enumerate(key)]
    picked = np.array([0, 0, 3, 5])
    assert resampler(counts)(picked) == pytest.approx(scores(total([counts[row] for row in picked])).conll_f1)
    assert resampler(counts)(np.arange(len(counts))) == pytest.approx(flat_scores(total(counts))["conll_f1"])
    assert flat_scores(DocumentCounts())["conll_f1"] == 0


def test_genres_are_those_of_ontonotes():
    assert [genre_id(genre) for genre in ("bc", "wb", "litbank", None)] == [1, 7, 0, 0]


# --- files ------------------------------------------------------------------------------------------------------------


def test_files_are_found_in_the_usual_places(folder, tmp_path):
    names = {split: [f"{split}.v4_gold_conll"] for split in SIZES}
    for place in ("coref/litbank", "coref", "."):
        data_dir = tmp_path / place.replace("/", "-")
        shutil.copytree(folder, data_dir / place, dirs_exist_ok=True)
        assert {split: [file.name for file in files] for split, files in find_files(data_dir).items()} == names


def test_folders_of_many_files_are_read_gold_ones_alone(tmp_path):
    draw = random.Random(0)
    for split, name in (("train", "train"), ("dev", "development"), ("test", "conll-2012-test")):
        for number in range(2):
            path = tmp_path / name / "data/english/nw" / f"{split}_{number}.v4_gold_conll"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_documents(path, [_document(f"nw/{split}_{number}", 0, 3, draw)])
            path.with_name(f"{split}_{number}.v4_auto_conll").write_text("not read")
    packed = tmp_path / "train/data/english/nw/train_1.v4_gold_conll"
    packed.with_name(f"{packed.name}.gz").write_bytes(gzip.compress(packed.read_bytes()))
    loaded = COREF.load(SourceConfig(data_dir=tmp_path), CorefOptions())
    assert {split: len(rows) for split, rows in loaded.splits.items()} == {"train": 2, "dev": 2, "test": 2}
    assert len(loaded.files) == 6  # of train_1 the plain file, not its .gz


def test_the_hub_has_no_such_data_set(folder):
    with pytest.raises(ConfigError, match="nearest: 'local'"):
        COREF.load(SourceConfig(kind="hub"), CorefOptions())
    with pytest.raises(DataError, match="no CoNLL-2012 train files; looked in coref/litbank"):
        find_files(folder.parent / "..")
    with pytest.raises(DataError, match="no such folder"):
        find_files(folder / "nowhere")


def test_repeated_mentions_are_reported_and_kept_once(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "train.v4_gold_conll").read_text()
    (tmp_path / "train.v4_gold_conll").write_text(text.replace("(0)\n", "(0)|(5)\n", 1))
    loaded = COREF.load(SourceConfig(data_dir=tmp_path), CorefOptions())
    assert "train: 1 repeated mentions are kept once" in loaded.notes[0]
    with pytest.raises(DataError, match=r"train.v4_gold_conll:1: mention \(1, 1\) \('\w+'\) occurs twice in document"):
        COREF.score_files(tmp_path / "train.v4_gold_conll", folder / "train.v4_gold_conll")
    with pytest.raises(DataError, match="occurs twice"):
        COREF.score_files(folder / "train.v4_gold_conll", tmp_path / "train.v4_gold_conll")


def _line(word, cell):
    return f"d\t0\t0\t{word}\t-\t-\t-\t-\t-\t-\t*\t{cell}\n"


_BEGIN, _END = "#begin document (d); part 000\n", "#end document\n"
_BROKEN = {
    "unbalanced": (_BEGIN + _line("a", "(0") + _line("b", "-") + _END, r":2: .*document 'd' part 0"),
    "never opened": (_BEGIN + _line("a", "0)") + _END, r":2: .*never opened"),
    "crossing itself": (_BEGIN + _line("a", "(0") + _line("b", "(0|0)") + _line("c", "0)") + _END, r":3: .*cross"),
    "text after the end": (
        _BEGIN + _line("a", "-") + _END + _line("b", "-"),
        r":4: text after '#end document' of document 'd' part 0",
    ),
    "no begin": (_line("a", "-") + _END, r":1: .*without '#begin document'"),
    "twice": ((_BEGIN + _line("a", "-") + _END) * 2, r":4: document 'd' part 0 begins twice \(first at line 1\)"),
    "no end": (_BEGIN + _line("a", "-"), r":1: no '#end document'"),
    "no words": (_BEGIN + _END, r":1: document 'd' part 0 has no words"),
}


@pytest.mark.parametrize("name", list(_BROKEN))
def test_bad_files_name_file_line_and_document(folder, tmp_path, name):
    text, message = _BROKEN[name]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "dev.v4_gold_conll").write_text(text)
    with pytest.raises(DataError, match=r"dev\.v4_gold_conll" + message):
        prepare(_run(tmp_path))
    if name != "no words":
        with pytest.raises(DataError, match=r"dev\.v4_gold_conll" + message):
            COREF.score_files(tmp_path / "dev.v4_gold_conll", folder / "dev.v4_gold_conll")


def test_a_document_in_two_files_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "train.v4_gold_conll", tmp_path / "train.more.v4_gold_conll")
    with pytest.raises(DataError, match=r"train\.v4_gold_conll:1: document 'bc/train0' part 0 is in .*more.*:1 too"):
        COREF.load(SourceConfig(data_dir=tmp_path), CorefOptions())


def _score(gold, predictions, *more):
    return CliRunner().invoke(app, ["score", "coref", "--gold", str(gold), "--predictions", str(predictions), *more])


def test_score_prints_the_scorers_names(folder):
    gold = folder / "dev.v4_gold_conll"
    record = json.loads(_score(gold, gold, "--json").stdout)
    assert list(record) == ["muc", "bcub", "ceafm", "ceafe", "blanc", "lea", "mentions", "conll_f1"]
    assert record["conll_f1"] == 100
    assert record["blanc"] == {"recall": 100.0, "precision": 100.0, "f1": 100.0}
    table = _score(gold, gold).stdout
    assert "ceafe" in table
    assert "conll_f1" in table


def test_responses_of_other_documents_are_refused(folder, tmp_path):
    gold = folder / "dev.v4_gold_conll"
    for text, message in (
        (_BEGIN + _line("a", "-") + _END, "no document of the response is in the key"),
        ("#begin document (bc/dev0); part 000\n" + _line("a", "-") + _END, "has 1 words here and 48 in the key"),
    ):
        (tmp_path / "response").write_text(text)
        result = _score(gold, tmp_path / "response")
        assert isinstance(result.exception, AtinukeBenchError)
        assert message in str(result.exception)


@pytest.mark.data
def test_printed_digits_are_the_official_scorers(data_dir):
    cases = data_dir / "parity/coref/cases"
    expected = {
        name: (cases / case["key"], cases / case["response"], case["scores"])
        for name, case in json.loads((cases / "expected.json").read_text()).items()
    }
    litbank = json.loads((data_dir / "parity/coref/litbank-dev.expected.json").read_text())
    key = data_dir / "coref/litbank/dev.v4_gold_conll"
    expected["litbank"] = (key, data_dir / "parity/coref/litbank-dev.response", litbank)
    for name, (gold, response, printed) in expected.items():
        found = COREF.score_files(gold, response)
        assert {metric: found[metric] for metric in printed} == printed, name


@pytest.mark.data
def test_litbank_is_read_whole(data_dir):
    loaded = COREF.load(SourceConfig(data_dir=data_dir), CorefOptions())
    assert {split: len(rows) for split, rows in loaded.splits.items()} == {"train": 80, "dev": 10, "test": 10}
    assert loaded.splits["dev"]["keeps_singletons"][0] is True
