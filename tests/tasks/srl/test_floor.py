"""The rule that knows words and distances alone."""

from __future__ import annotations


def test_the_floor_reads_words_and_distances(conll2012, tmp_path, make_srl_run, carry_out):
    folder, result = carry_out(make_srl_run(conll2012, "majority"), tmp_path)
    assert result["cost"] == {}
    assert result["score"] == 100.0  # each word stands at one distance here
    assert result["slices"]["test"]["role"]["AM-NEG"]["f1"] == 100.0
    assert (folder.path / "test.response.props").exists()
