"""The head of semantic roles: equal bits from equal seeds, and what a predicate's own word is tagged."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from atinuke_bench.files import sha256_file


@pytest.mark.parametrize("core", ["atinuke", "transformer", "bilstm"])
def test_equal_seeds_give_equal_bits(conll2005, tmp_path, core, make_srl_run, carry_out):
    runs = [carry_out(make_srl_run(conll2005, core, training__max_epochs=1), tmp_path / name)[0] for name in "ab"]
    for name in ("checkpoints/best.safetensors", "predictions.parquet", "test.response.props"):
        assert len({sha256_file(run.path / name) for run in runs}) == 1


def test_the_predicates_own_word_is_always_its_v(conll2012, tmp_path, make_srl_run, carry_out):
    folder, _ = carry_out(make_srl_run(conll2012, training__max_epochs=1, training__learning_rate=1e-9), tmp_path)
    rows = pd.read_parquet(folder.predictions)
    for key, prediction in zip(rows["id"], rows["prediction"], strict=True):
        index = int(key.rpartition("-")[2])
        assert [span[0] for span in json.loads(prediction) if span[2] == "V"] == [index]
