"""`.props` files into arrays: written ones read back the same, and nothing taken that the careful reader refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.data.conll.read import Predicate, Sentence, read_documents
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.tasks.srl.propositions import Propositions
from atinuke_bench.tasks.srl.props import read_props, rename_roles, write_props
from atinuke_bench.tasks.srl.props_table import PropsTable, read_props_table

quick = settings(max_examples=80, deadline=None)
ROLES = ["A0", "A1", "C-A1", "R-A0", "AM-LOC", "C-V", "R-AM-EXT-WITH-A-LONG-NAME", "Weird_role+"]


def contain(start: int, end: int, other_start: int, other_end: int) -> bool:
    """Whether one of two spans lies inside the other."""
    return (start <= other_start and other_end <= end) or (other_start <= start and end <= other_end)


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    """Sentences with nested, adjacent and continued spans, or only with spans side by side."""
    num_words = draw(st.integers(1, 8))
    nested = draw(st.booleans())
    predicates = []
    for index in draw(st.lists(st.integers(0, num_words - 1), max_size=3, unique=True).map(sorted)):
        spans: list[Argument] = []
        for _ in range(draw(st.integers(0, 5))):
            start = draw(st.integers(0, num_words - 1))
            end = draw(st.integers(start, num_words - 1))
            if all(end < a or b < start or (nested and contain(a, b, start, end)) for a, b, _ in spans):
                spans.append(Argument(start, end, draw(st.sampled_from(ROLES))))
        spans.sort(key=lambda span: (span.start, -span.end))
        predicates.append(Predicate(index, draw(st.sampled_from(["be", "*", "(x"])), arguments=tuple(spans)))
    words = draw(st.lists(st.sampled_from(["a", "*", "-", "ß\u00a0b"]), min_size=num_words, max_size=num_words))
    return Sentence(tuple(words), tuple(predicates))


def assert_read(table: PropsTable, sentences: list[Sentence]) -> None:
    """The table holds these sentences; numbers of roles are its own."""
    expected = Propositions.of_sentences(sentence.predicates for sentence in sentences)
    found = table.propositions
    assert table.num_words.tolist() == [len(sentence.words) for sentence in sentences]
    assert (found.num_sentences, found.lemmas) == (expected.num_sentences, expected.lemmas)
    assert [found.role_names[k] for k in found.role] == [expected.role_names[k] for k in expected.role]
    for name in ("sentence", "index", "proposition", "start", "end"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@quick
@given(body=st.lists(sentences(), min_size=1, max_size=4))
def test_written_props_are_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, body: list[Sentence]) -> None:
    folder = tmp_path_factory.mktemp("props")
    write_props(folder / "x.props", body)
    (folder / "x.words").write_text("".join("\n".join(sentence.words) + "\n\n" for sentence in body), "utf-8")
    again = list(read_props(folder / "x.props", folder / "x.words"))
    assert [replace(sentence, line=0) for sentence in again] == body
    table = read_props_table(folder / "x.props")
    if table is not None:
        assert_read(table, body)


@quick
@given(data=st.data(), body=st.lists(sentences(), min_size=1, max_size=3))
def test_the_table_reader_takes_nothing_that_the_careful_reader_refuses(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, body: list[Sentence]
) -> None:
    path = tmp_path_factory.mktemp("props") / "x.props"
    write_props(path, body)
    text = list(path.read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.sampled_from(["", " ", "\n", "\t", "(", ")", "*", "-", "A", "(V*)", "\n\n"]))
    path.write_text("".join(text))
    table = read_props_table(path) if path.read_text().strip() else None
    if table is not None:
        assert_read(table, list(read_props(path)))


def test_the_table_reads_a_file_without_predicates(tmp_path: Path) -> None:
    path = tmp_path / "x.props"
    path.write_text("-\n-\n\n-\n")
    table = read_props_table(path)
    assert table is not None
    found = table.propositions
    assert (table.num_words.tolist(), found.num_sentences, found.lemmas, found.role_names) == ([2, 1], 2, [], [])


@pytest.mark.data
@pytest.mark.parametrize("split", ["dev", "test"])
def test_ewt_has_the_same_spans_in_both_formats(data_dir: Path, tmp_path: Path, split: str) -> None:
    folder = data_dir / "srl/ewt"
    documents = read_documents(folder / f"conll2012/{split}.v4_gold_conll")
    columns = [sentence for document in documents for sentence in document.sentences]
    props = list(read_props(folder / f"conll2005/{split}.props", folder / f"conll2005/{split}.words"))
    for ours, theirs in zip(columns, props, strict=True):
        bare = tuple(replace(predicate, frameset="-") for predicate in ours.predicates)
        assert ours.words == theirs.words
        assert rename_roles(replace(ours, predicates=bare)).predicates == theirs.predicates
    table = read_props_table(folder / f"conll2005/{split}.props")
    assert table is not None
    assert_read(table, props)
    write_props(tmp_path / "written", props)
    assert [sentence.predicates for sentence in read_props(tmp_path / "written")] == [
        sentence.predicates for sentence in props
    ]
