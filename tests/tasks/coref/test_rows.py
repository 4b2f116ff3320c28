"""Columns of a document: what words alone say."""

from __future__ import annotations

import random

import numpy as np

from atinuke_bench.data.conll.write import write_documents
from atinuke_bench.tasks.coref.lexicon import head_index
from atinuke_bench.tasks.coref.rows import genre_id, lexical_columns, speaker_ids
from atinuke_bench.training.prepare import prepare


def test_the_head_of_a_span_is_that_of_the_rules():
    text = "the old margin of the river , which Anna and her mother 's friend knew"
    words = text.split()
    limits = lexical_columns([words])["head_limit"]
    for start in range(len(words)):
        for end in range(start, len(words)):
            assert min(limits[start], end) == start + head_index(words[start : end + 1])


def test_genres_are_those_of_ontonotes():
    assert [genre_id(genre) for genre in ("bc", "wb", "litbank", None)] == [1, 7, 0, 0]


def test_a_long_document_is_read_and_learned_to_its_end_whatever_else_is_asked(tmp_path, coref_run, make_document):
    draw = random.Random(1)
    documents = [make_document(f"nw/{number}", 0, length, draw) for number, length in enumerate((2, 60, 3))]
    for split in ("train", "dev"):
        write_documents(tmp_path / f"{split}.v4_gold_conll", documents)
    prepared = prepare(coref_run(tmp_path))
    examples = prepared.loaded.splits["dev"]
    encoded = prepared.encode("dev", examples)
    long = {name: column[1] for name, column in encoded.ragged.items()}
    assert len(long["segment_lengths"]) > 20
    assert set(long["piece_word"]) == {-1, *range(360)}
    mentions = {tuple(span) for cluster in examples["clusters"][1] for span in cluster}
    assert set(zip(long["gold_start"], long["gold_end"], strict=True)) == mentions
    assert max(mentions) == (357, 358)
    alone = prepared.task.data.rows(examples.select([1]), prepared.tokenizer, prepared.run)
    assert all(np.array_equal(column[0], long[name]) for name, column in alone.ragged.items())


def test_speakers_are_numbered_in_order_and_nobody_is_0():
    names = [f"speaker{number}" for number in range(1, 2001)]
    assert speaker_ids(["_", *names, "-", *names[::-1], ""]).tolist() == [0, *range(1, 2001), 0, *range(2000, 0, -1), 0]
