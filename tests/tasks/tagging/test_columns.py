"""CoNLL columns in the ways they are written."""

from __future__ import annotations

import gzip

import pytest

from atinuke_bench.errors import DataError
from atinuke_bench.tasks.tagging.columns import Columns, read_columns

CONLL2003 = """\
-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

# NNP B-NP O
. . O O
-DOCSTART- -X- -X- O

नमस्ते X B-NP O
"""
CONLLU = """\
# newdoc id = a
# sent_id = 1
# text = Du Hund
1-2\tDu\t_\t_\t_\t_\t_\t_\t_\t_
1\tDe\tde\tADP\tIN\t_\t2\tcase\t_\t_
2\tle chien\tle\tDET\tDT\t_\t0\troot\t_\t_
2.1\tx\tx\tVERB\tVB\t_\t_\t_\t_\t_

# newdoc
1\t#\t#\tSYM\tSYM\t_\t0\troot\t_\t_
"""


def read(path, text, **columns):
    path.write_text(text, encoding="utf-8")
    return [sentence for _, sentence in read_columns(path, Columns(**columns))]


def test_documents_and_a_word_that_is_a_number_sign(tmp_path):
    found = read(tmp_path / "a.txt", CONLL2003)
    assert [one["words"] for one in found] == [["EU", "rejects"], ["#", "."], ["नमस्ते"]]
    assert [one["tags"] for one in found] == [["B-ORG", "O"], ["O", "O"], ["O"]]
    assert [one["document"] for one in found] == ["a.txt:1", "a.txt:1", "a.txt:2"]
    assert [one["lines"] for one in found] == [[3, 4], [6, 7], [10]]
    assert read(tmp_path / "a.txt", CONLL2003, tags=2)[0]["tags"] == ["B-NP", "B-VP"]
    assert read(tmp_path / "a.txt", CONLL2003, words=1, tags=-2)[0]["words"] == ["NNP", "VBZ"]


def test_comments_of_other_files(tmp_path):
    text = "# id 7f3e domain=en\nthe _ _ O\nsun _ _ B-X\n\n# a comment of more words than columns\n# _ _ O\n"
    found = read(tmp_path / "a.conll", text)
    assert [one["words"] for one in found] == [["the", "sun"], ["#"]]
    assert {one["document"] for one in found} == {None}


def test_tabs_keep_spaces_and_other_scripts(tmp_path):
    text = "New York\tB-LOC\r\nمدينة\tO\r\n\r\nกรุงเทพ\tB-LOC\r\n👩\u200d🚀\tO\r\na\u00a0b\tO\r\n"
    found = read(tmp_path / "a.tsv", text)
    assert [one["words"] for one in found] == [["New York", "مدينة"], ["กรุงเทพ", "👩\u200d🚀", "a\u00a0b"]]


def test_conllu_has_names_and_leaves_out_what_is_no_word(tmp_path):
    found = read(tmp_path / "a.conllu", CONLLU)
    assert [one["words"] for one in found] == [["De", "le chien"], ["#"]]
    assert [one["tags"] for one in found] == [["ADP", "DET"], ["SYM"]]
    assert [one["document"] for one in found] == ["a.conllu:1", "a.conllu:2"]
    assert read(tmp_path / "a.conllu", CONLLU, words="LEMMA", tags="xpos")[0]["tags"] == ["IN", "DT"]
    plus = "# global.columns = ID FORM NER\n1\tAda\tB-PER\n"
    assert read(tmp_path / "a.conllup", plus, tags="ner")[0]["tags"] == ["B-PER"]
    packed = tmp_path / "b.conllu.gz"
    packed.write_bytes(gzip.compress(CONLLU.encode()))
    assert len(list(read_columns(packed, Columns()))) == 2


@pytest.mark.parametrize(
    ("name", "text", "columns", "message"),
    [
        ("a.txt", "a O\nb O\n", {"tags": 2}, r"a\.txt:1: fields\.tags: no column 2; the line has 2, .*nearest: 1"),
        ("a.txt", "a O\n", {"tags": "upos"}, r"a\.txt:1: fields\.tags: no column 'upos'; the line has 2"),
        ("a.txt", "a O\n\nb O\nc\n", {}, r"a\.txt:4: column 2: 1 columns where the sentence began with 2"),
        ("a.txt", "a\nb\n", {}, r"a\.txt:1: fields\.tags: words and tags are two columns; found one"),
        ("a.txt", "a\tO\n\tO\n", {}, r"a\.txt:2: words: a line with columns has a word"),
        ("a.conllu", CONLLU, {"tags": "upoz"}, r"a\.conllu:5: fields\.tags: no column 'upoz'; nearest: 'upos'"),
        ("a.conllu", "Ada\tPROPN\n", {}, r"a\.conllu:1: a word's number comes first, and a tab; found 'Ada"),
        ("a.conllu", "1 Ada Ada PROPN\n", {}, r"a\.conllu:1: a word's number comes first"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, name, text, columns, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path / name, text, **columns)
