"""Examples of semantic roles from files in both formats, and as rows of a core."""

from __future__ import annotations

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.training.prepare import prepare


def test_both_formats_hold_the_same_examples(conll2012, conll2005, make_srl_run):
    one, other = (prepare(make_srl_run(folder)).loaded.splits for folder in (conll2012, conll2005))
    assert {split: len(rows) for split, rows in one.items()} == {"train": 100, "dev": 20, "test": 20}
    for split in one:
        for column in ("words", "lemma", "predicate", "starts", "ends", "roles"):
            assert one[split][column][:] == other[split][column][:]
    assert one["dev"]["id"][0] == "dev-nw/dev.0-0-2"
    assert other["dev"]["id"][0] == "dev-dev-0-2"


def test_what_a_core_reads_late_does_not_depend_on_the_predicate(conll2012, make_srl_run):
    prepared = prepare(make_srl_run(conll2012, options__predicate_feature="late"))
    encoded = prepared.encode("dev", prepared.loaded.splits["dev"])
    assert len(encoded) == 10  # sentences with predicates
    assert encoded.ragged["predicates"].lengths.tolist() == [2] * 10
    assert encoded.ragged["tags"].lengths.tolist() == [24] * 10
    marked = prepare(make_srl_run(conll2012, options__predicate_feature="indicator"))
    assert len(marked.encode("dev", marked.loaded.splits["dev"])) == 20


def test_verbs_only_keeps_verbs_and_needs_parts_of_speech(conll2012, conll2005, make_srl_run):
    prepared = prepare(make_srl_run(conll2012, options__verbs_only=True))
    assert len(prepared.loaded.splits["dev"]) == 10
    assert prepared.protocol()["verbs_only"] is True
    with pytest.raises(DataError, match=r"\.props:\d+: options.verbs_only needs parts of speech"):
        prepare(make_srl_run(conll2005, options__verbs_only=True))


def test_a_document_in_two_files_is_refused(conll2012, tmp_path, make_srl_run):
    content = (conll2012 / "dev.v4_gold_conll").read_bytes()
    for name in ("train.v4_gold_conll", "dev.1.v4_gold_conll", "dev.2.v4_gold_conll"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(
        DataError, match=r"dev\.2\.v4_gold_conll: document 'nw/dev\.0' is in .*dev\.1\.v4_gold_conll too"
    ):
        prepare(make_srl_run(tmp_path))


@pytest.mark.data
def test_the_cut_of_ewt_is_read_whole(data_dir, make_srl_run):
    prepared = prepare(make_srl_run(data_dir))
    sizes = {split: len(rows) for split, rows in prepared.loaded.splits.items()}
    assert sizes == {"train": 40_369, "dev": 4_945, "test": 4_795}
    assert len(prepared.run.options["roles"]) == 58
    assert prepared.protocol()["is_cut"] is True
