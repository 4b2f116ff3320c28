"""Lines of new examples: JSON, plain texts, and tables whose header names the fields."""

from __future__ import annotations

import pytest

from atinuke_bench.data.inputs import read_records
from atinuke_bench.errors import DataError

PAIR = ("sentence1", "sentence2")
DECLARED = {"text": ("text", "review")}


@pytest.mark.parametrize(
    ("lines", "name", "names", "found"),
    [
        (["review,verdict", 'good,"x"', '"two', 'lines",y'], "a.csv", DECLARED, ["good", "two\nlines"]),
        (["text", "Fresh, and cheap"], "a.txt", DECLARED, ["Fresh, and cheap"]),
        (["Fresh, and cheap"], "a.txt", DECLARED, ["Fresh, and cheap"]),
        (["a text", "text"], "a.txt", DECLARED, ["a text", "text"]),  # a header comes first
        (["x,Nice", "y,Bad"], "a.csv", {"text": ("text", "1")}, ["Nice", "Bad"]),  # the task's files have none
        (["", " review ", "Nice"], "a.CSV", DECLARED, ["Nice"]),
        (['"Nice" it is'], "a.tsv", DECLARED, ['"Nice" it is']),
        ([], "a.csv", DECLARED, []),
    ],
)
def test_texts(lines, name, names, found):
    records = [record for _, record in read_records([f"{line}\n" for line in lines], name, ("text",), names)]
    assert [next(record[own] for own in (*names["text"], "text") if own in record) for record in records] == found


@pytest.mark.parametrize(
    ("lines", "name", "message"),
    [
        (
            ["sentence1\tsentenc2", "a\tb"],
            "a.tsv",
            "a.tsv:1: no column of the header is called sentence2; nearest: 'sent",
        ),
        (["a,b", "c,d"], "a.csv", 'a.csv:1: no column of the header is called sentence1; found ["a", "b"]'),
        (["sentence1,sentence2", "a,b,c"], "a.csv", "a.csv:2: every row has as many columns as the first, 2; found 3"),
        (["sentence1,sentence2,sentence1"], "a.csv", "a.csv:1: sentence1: the header has it 2 times"),
        (["sentence1,sentence2", '"a,b'], "a.csv", "a.csv:2: cannot be read as a table"),
    ],
)
def test_what_is_wrong_with_a_table(lines, name, message):
    with pytest.raises(DataError) as refused:
        list(read_records([f"{line}\n" for line in lines], name, PAIR))
    assert str(refused.value).startswith(message)


def test_a_quoted_table_with_tabs():
    lines = ["review\n", '"He said ""no"""\n']
    assert list(read_records(lines, "a.tsv", ("text",), DECLARED, quotes=True)) == [(2, {"review": 'He said "no"'})]
    assert list(read_records(lines, "a.tsv", ("text",), DECLARED)) == [(2, {"review": '"He said ""no"""'})]
