"""A sentence as tokens, or the part around its predicate that fits."""

from __future__ import annotations

import json
from itertools import islice, permutations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.data.bio import BioTags
from atinuke_bench.data.conll.read import Document, Predicate, Sentence
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.data.conll.write import write_documents
from atinuke_bench.data.tokenizer import SpecialTokens
from atinuke_bench.tasks.srl.rows import Question, window_around
from atinuke_bench.training.predict import load_predictor
from atinuke_bench.training.prepare import prepare


def test_a_long_sentence_is_cut_around_its_predicate(conll2012, make_srl_run):
    assert window_around([3, 1, 1, 1, 3], focus=2, room=5) == (1, 4)
    prepared = prepare(make_srl_run(conll2012, training__max_length=8, options__predicate_feature="indicator"))
    encoded = prepared.encode("dev", prepared.loaded.splits["dev"])
    assert encoded.lengths.max() <= 8
    assert encoded.fixed["first_word"].max() > 0
    # One word in each place: the second of two predicates does not fit where a sentence is read once.
    late = prepare(make_srl_run(conll2012, training__max_length=8, options__predicate_feature="late"))
    encoded = late.encode("dev", late.loaded.splits["dev"])
    assert len(encoded) == 20
    assert encoded.lengths.max() <= 8
    assert (encoded.ragged["predicates"].lengths == 1).all()
    assert (encoded.ragged["predicates"].values >= 0).all()


def _rows(lengths, predicates, room, *, centred=False):
    """Rows of words of so many pieces; every word is an argument of every predicate, and no role is equal."""
    words = range(len(lengths))
    tags = BioTags(tuple(f"{predicate}-{word}" for predicate in words for word in words))
    arguments = [[(word, word, f"{predicate}-{word}") for word in words] for predicate in predicates]
    question = Question([[10 + word] * length for word, length in enumerate(lengths)], predicates, arguments)
    return question.rows(tags, room + 2, SpecialTokens(1, 2, 3, 4, 5), centred=centred)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_predicates_row_does_not_depend_on_what_else_is_asked(data):
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=40))
    room = data.draw(st.integers(1, 20))
    words = st.integers(0, len(lengths) - 1)
    predicates = data.draw(st.lists(words, min_size=1, max_size=8))
    centred = data.draw(st.booleans())
    rows = _rows(lengths, predicates, room, centred=centred)
    assert sorted(number for row in rows for number in row.asked) == list(range(len(predicates)))
    for row in rows:
        assert len(row.input_ids) <= room + 2
        assert row.num_cut == (len(lengths) - max(row.word) - 1) * len(row.asked)
        width = max(row.word) + 1
        for slot, number in enumerate(row.asked):
            predicate = predicates[number]
            assert row.predicates[slot] + row.first_word == predicate
            assert row.tags[slot * width] == 1 + 2 * (row.first_word + len(lengths) * predicate)
            (alone,) = _rows(lengths, [predicate], room, centred=centred)
            assert (alone.input_ids, alone.first_word) == (row.input_ids, row.first_word)


def test_a_sentence_that_fits_is_one_row_and_a_long_one_has_few():
    (row,) = _rows([1] * 9, [7, 2], room=9)
    assert (row.asked, row.predicates, row.first_word) == ([0, 1], [7, 2], 0)
    assert [row.asked for row in _rows([1] * 9, [7, 2], room=9, centred=True)] == [[0], [1]]
    rows = _rows([1] * 64, list(range(64)), room=8)
    assert len(rows) == 15
    for row in rows:  # at least a quarter of a row on both sides, where the sentence has so much
        assert all(2 <= place <= 5 or row.first_word in (0, 56) for place in row.predicates)


def test_every_predicate_of_a_long_sentence_is_learned_and_answered(tmp_path, make_srl_run, carry_out):
    """Its answer has `V` at its own word, alone and in a list."""
    words = ("so", "on", "and", "Ada", "sees", "Ben", ",") * 12
    spans = (("ARG0", -1), ("V", 0), ("ARG1", 1))
    predicates = tuple(
        Predicate(at, "see", "01", tuple(Argument(at + by, at + by, role) for role, by in spans))
        for at in range(4, len(words), 7)
    )
    for split in ("train", "dev"):
        write_documents(tmp_path / f"{split}.v4_gold_conll", [Document(split, 0, (Sentence(words, predicates),) * 6)])
    run = make_srl_run(tmp_path, training__max_length=24, training__max_epochs=3, training__batch_tokens=96)
    folder, result = carry_out(run, tmp_path / "run")
    assert result["score"] == 100
    records = [{"words": list(words), "predicate": asked} for asked in ([81, 4, 39], 81, 4, 39)]
    together, *alone = (answer.prediction for answer in load_predictor(folder).predict(records))
    assert together == alone
    assert [[span for span in spans if span[2] == "V"] for spans in together] == [[[at, at, "V"]] for at in (81, 4, 39)]


@pytest.mark.parametrize("feature", ["late", "indicator"])
def test_rare_words_make_a_short_sentence_long(tmp_path, make_srl_run, feature):
    """Pieces count, not words: both predicates have a row with their `V` in it, though no row holds them both."""
    words = ("sees", *("".join(letters) for letters in islice(permutations("qxzjkvwy"), 29)), "sees")
    predicates = tuple(Predicate(at, "see", "01", (Argument(at, at, "V"), Argument(9, 9, "ARG1"))) for at in (0, 30))
    rare = Document("rare", 0, (Sentence(words, predicates),))
    pairs = ("qx", "xz", "zj", "jk", "kv", "vw", "wy", "yq", "sees")  # so that the letters are known
    plain = Sentence(pairs, (Predicate(8, "see", "01", (Argument(8, 8, "V"), Argument(0, 0, "ARG1"))),))
    write_documents(tmp_path / "train.v4_gold_conll", [Document(name, 0, (plain,)) for name in ("one", "other")])
    write_documents(tmp_path / "dev.v4_gold_conll", [rare])
    prepared = prepare(make_srl_run(tmp_path, training__max_length=64, options__predicate_feature=feature))
    examples = prepared.loaded.splits["dev"]
    encoded = prepared.encode("dev", examples)
    assert encoded.host["asked"].values.tolist() == [0, 1]
    assert (encoded.ragged["predicates"].values + encoded.fixed["first_word"]).tolist() == [0, 30]
    tags = [encoded.ragged["tags"][row][encoded.ragged["predicates"][row][0]] for row in (0, 1)]
    begins_verb = 1 + 2 * prepared.run.options["roles"].index("V")
    assert tags == [begins_verb] * 2
    alone = prepared.task.data.rows(examples.select([1]), prepared.tokenizer, prepared.run)
    assert alone.ragged["input_ids"][0].tolist() == encoded.ragged["input_ids"][1].tolist()


def test_a_cut_sentence_keeps_word_positions(conll2012, tmp_path, make_srl_run, carry_out):
    folder, result = carry_out(
        make_srl_run(conll2012, training__max_length=8, options__predicate_feature="late"), tmp_path
    )
    assert result["score"] is not None
    rows = pd.read_parquet(folder.predictions)
    assert len(rows) == 40
    verbs = [json.loads(text) for text in rows["prediction"]]
    assert {span[2] for spans in verbs for span in spans} <= {"A0", "A1", "AM-NEG", "AM-TMP", "V"}
