"""A sentence as tokens, or the part around its predicate that fits."""

from __future__ import annotations

import json

import pandas as pd

from atinuke_bench.tasks.srl.rows import window_around
from atinuke_bench.training.prepare import prepare


def test_a_long_sentence_is_cut_around_its_predicate(conll2012, make_srl_run):
    assert window_around([3, 1, 1, 1, 3], focus=2, room=5) == (1, 4)
    prepared = prepare(make_srl_run(conll2012, training__max_length=8, options__predicate_feature="indicator"))
    encoded = prepared.encode("dev", prepared.loaded.splits["dev"])
    assert encoded.lengths.max() <= 8
    assert encoded.fixed["first_word"].max() > 0
    # One word in each place: the second of two predicates does not fit where a sentence is read once.
    late = prepare(make_srl_run(conll2012, training__max_length=8, options__predicate_feature="late"))
    assert -1 in late.encode("dev", late.loaded.splits["dev"]).ragged["predicates"].values


def test_a_cut_sentence_keeps_word_positions(conll2012, tmp_path, make_srl_run, carry_out):
    folder, result = carry_out(
        make_srl_run(conll2012, training__max_length=8, options__predicate_feature="late"), tmp_path
    )
    assert result["score"] is not None
    rows = pd.read_parquet(folder.predictions)
    assert len(rows) == 40
    verbs = [json.loads(text) for text in rows["prediction"]]
    assert {span[2] for spans in verbs for span in spans} <= {"A0", "A1", "AM-NEG", "AM-TMP", "V"}
