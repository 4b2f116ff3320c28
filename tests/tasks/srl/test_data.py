"""Examples of semantic roles from files in both formats, and as rows of a core."""

from __future__ import annotations

import re
import shutil

import pandas as pd
import pytest

from atinuke_bench.errors import ConfigError, DataError
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


def _without_arguments(line):
    return "\t".join([cell if not place or cell == "(V*)" else "*" for place, cell in enumerate(line.split("\t"))])


HIDDEN = {
    "all stars": lambda line: _without_arguments(line).replace("(V*)", "*"),
    "predicates marked": _without_arguments,
    "targets alone": lambda line: line.split("\t")[0],
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_a_test_split_with_hidden_arguments_is_predicted_and_not_scored(
    conll2005, tmp_path, make_srl_run, carry_out, kind
):
    shutil.copytree(conll2005, tmp_path / "data")
    blind = tmp_path / "data/test.props"
    blind.write_text("\n".join(map(HIDDEN[kind], blind.read_text().split("\n"))))
    run = make_srl_run(tmp_path / "data", training__max_epochs=1)
    folder, result = carry_out(run, tmp_path / "run", predicts_unlabelled=True)
    assert result["split"] == "dev"
    assert set(result["scores"]) == {"dev"}
    rows = pd.read_parquet(folder.predictions).query("split == 'test'")
    assert len(rows) == 20
    assert rows["gold"].isna().all()
    assert rows["score"].isna().all()


def test_a_split_is_labelled_where_any_predicate_has_an_argument(conll2005, make_srl_run):
    prepared = prepare(make_srl_run(conll2005))
    examples = prepared.loaded.splits["dev"]
    last = examples.map(lambda row, number: {"roles": row["roles"] if number == 19 else []}, with_indices=True)
    assert len(prepared.task.data.labelled(last)) == len(examples) == 20
    assert not prepared.task.is_labelled(last.select(range(19)))


def test_columns_with_hidden_arguments_are_no_labels(conll2012, tmp_path, make_srl_run):
    shutil.copytree(conll2012, tmp_path, dirs_exist_ok=True)
    blind = tmp_path / "dev.v4_gold_conll"
    blind.write_text(re.sub(r"\(ARG[^*]*\*\)|\(ARG[^*]*\*|(?<=\s)\*\)", "*", blind.read_text()))
    prepared = prepare(make_srl_run(tmp_path))
    assert not prepared.task.is_labelled(prepared.loaded.splits["dev"])
    with pytest.raises(ConfigError, match=r"select_on: dev needs .*; dev has no labels \(dev\.v4_gold_conll\)"):
        prepare(make_srl_run(tmp_path, training__select_on="dev"))


def test_columns_without_any_of_arguments_are_predicted_and_not_scored(conll2012, tmp_path, make_srl_run, carry_out):
    shutil.copytree(conll2012, tmp_path / "data")
    blind = tmp_path / "data/test.v4_gold_conll"
    lines = [line.split() for line in blind.read_text().split("\n")]
    kept = [cells[:11] + cells[-1:] if len(cells) > 11 else cells for cells in lines]
    blind.write_text("\n".join(map(" ".join, kept)))
    folder, result = carry_out(make_srl_run(tmp_path / "data", "majority"), tmp_path / "run", predicts_unlabelled=True)
    assert (result["split"], set(result["scores"])) == ("dev", {"dev"})
    assert len(pd.read_parquet(folder.predictions).query("split == 'test'")) == 20
    assert "srl: test: has no labels; predicted, not scored" in folder.log.read_text()
    whole = (conll2012 / "dev.v4_gold_conll").read_text()
    blind.write_text("\n".join(map(" ".join, kept)) + whole)
    with pytest.raises(DataError, match="0 argument columns for 2 predicates"):
        prepare(make_srl_run(tmp_path / "data"))


@pytest.mark.data
def test_the_cut_of_ewt_is_read_whole(data_dir, make_srl_run):
    prepared = prepare(make_srl_run(data_dir))
    sizes = {split: len(rows) for split, rows in prepared.loaded.splits.items()}
    assert sizes == {"train": 40_369, "dev": 4_945, "test": 4_795}
    assert len(prepared.run.options["roles"]) == 58
    assert prepared.protocol()["is_cut"] is True
