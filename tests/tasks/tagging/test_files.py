"""Files that conlleval reads, written and scored."""

from __future__ import annotations

import pytest
from datasets import Dataset

from atinuke_bench.config import make_run_config
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.tagging.columns import Columns
from atinuke_bench.tasks.tagging.files import TaggingFiles
from atinuke_bench.tasks.tagging.metric import ACCURACY, SEQEVAL_F1


def test_score_of_two_files(tmp_path):
    gold, predicted = tmp_path / "gold.conll", tmp_path / "predicted.conll"
    gold.write_text("-DOCSTART- O _\n\nAda B-PER x\nruns O x\n\nin O x\nLagos B-LOC x\n")
    predicted.write_text("Ada\tI-PER\nruns\tO\n\nin\tB-LOC\nLagos\tI-LOC\n")
    figures = TaggingFiles(SEQEVAL_F1, Columns(0, 1)).score(gold, predicted)
    assert {name: figures[name] for name in ("seqeval_f1", "phrases", "found", "correct", "tokens")} == {
        "seqeval_f1": 50.0,
        "phrases": 2,
        "found": 2,
        "correct": 1,
        "tokens": 4,
    }
    assert TaggingFiles(ACCURACY, Columns(0, 1)).score(gold, predicted)["accuracy"] == 25.0


def test_words_with_breaks_are_one_cell(tmp_path):
    examples = Dataset.from_dict(
        {"id": ["a", "b"], "words": [["New\tYork", "\n"], ["x"]], "tags": [["B-LOC", "O"], []]}
    )
    answers, run = {"a": ["O", "O"], "b": ["O"]}, make_run_config("tagging/conll2003", "majority")
    TaggingFiles(SEQEVAL_F1, Columns()).write(tmp_path, "test", examples, answers, run)
    assert (tmp_path / "test.conll").read_text() == "New York\tB-LOC\tO\n_\tO\tO\n\nx\tO\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Ada O\n\nBen O\n", r"predicted\.conll:3: sentences have the words of the gold file \(.*gold\.conll:3\)"),
        ("Ada O\n", r"predicted\.conll: the gold file has 2 sentences; found 1"),
        ("Ada NOUN\n\nruns O\n", r"predicted\.conll:1: tags: a tag is 'O', or a letter and a type.*found 'NOUN'"),
    ],
)
def test_files_that_do_not_fit_are_one_line(tmp_path, text, message):
    (tmp_path / "gold.conll").write_text("Ada B-PER\n\nruns O\n")
    (tmp_path / "predicted.conll").write_text(text)
    with pytest.raises(DataError, match=message):
        TaggingFiles(SEQEVAL_F1, Columns()).score(tmp_path / "gold.conll", tmp_path / "predicted.conll")
