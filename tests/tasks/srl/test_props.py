"""CoNLL-2005 `.words` and `.props` files: reading, bad input, writing, role names, and arrays for scoring."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.data.conll.read import Predicate, Sentence, read_documents
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.srl.props import (
    keep_verbs,
    read_aligned_props,
    read_props,
    rename_roles,
    to_conll2005_role,
    to_conll2012_role,
    write_props,
    write_words,
)
from atinuke_bench.tasks.srl.props_table import PropsTable, read_props_table, read_props_tables

DATA = os.environ.get("ATINUKE_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="ATINUKE_DATA is not set to the folder of official data")
quick = settings(max_examples=80, deadline=None)

ROLES = ["A0", "A1", "C-A1", "R-A0", "AM-LOC", "C-V", "R-AM-EXT-WITH-A-LONG-NAME", "Weird_role+"]
PROPS = "-  (A0*)  *\nsee    (V*)  *\n-  (A1*  *\nrun  *)  (V*)\n\n-\n-\n\ngo\t(V*)\n"
WORDS = "I\nsaw\nhim\nrun\n\nNo\n!\n\nGo\n"


def write(folder: Path, text: str, name: str = "x.props") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_reads_predicates_and_words(tmp_path: Path) -> None:
    props, text = write(tmp_path, PROPS), write(tmp_path, WORDS, "x.words")
    first, second, third = read_props(props, text)
    see = Predicate(1, "see", arguments=(Argument(0, 0, "A0"), Argument(1, 1, "V"), Argument(2, 3, "A1")))
    assert first == Sentence(
        ("I", "saw", "him", "run"), (see, Predicate(3, "run", arguments=(Argument(3, 3, "V"),))), line=1
    )
    assert second == Sentence(("No", "!"), line=6)
    assert (third.words, third.line) == (("Go",), 9)


@pytest.mark.parametrize(
    "text",
    [
        PROPS.replace("\n", "\r\n"),
        "\n\n" + PROPS.replace("\n\n", "\n \n\n\n") + "\n",
        PROPS.removesuffix("\n"),
        PROPS.replace("see", "voir\u00a0é"),
        PROPS.replace("*)  (V*)", "*A1)  (V*)"),
    ],
    ids=["windows", "blank lines", "no line end", "unicode", "typed closing"],
)
def test_reads_unusual_layouts_alike(tmp_path: Path, text: str) -> None:
    plain = [
        predicate.arguments for sentence in read_props(write(tmp_path, PROPS)) for predicate in sentence.predicates
    ]
    found = list(read_props(write(tmp_path, text, "y.props")))
    assert [predicate.arguments for sentence in found for predicate in sentence.predicates] == plain
    assert [len(sentence.words) for sentence in found] == [4, 2, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-  *\nsee (V*) *\n", r"x.props:2: column 3: 3 columns where the sentence began with 2 \(line 1\)"),
        ("- * *\nsee (V*)\n", r"x.props:2: column 3: 2 columns where the sentence began with 3 \(line 1\)"),
        ("-\n\n- * *\nsee (V*)\nrun * (V*) *\n", r"x.props:4: column 3: 2 columns where the sentence began with 3"),
        ("-\n\n- *)\nsee (V*)\n", r"x.props:3: column 2 \(arguments\): '\*\)' closes a span that was never opened"),
        ("- (A0*\nsee (V*)\n", r"x.props:1: column 2 \(arguments\): the span '\(A0\*' is never closed"),
        ("- *\nsee V\n", r"x.props:2: column 2 \(arguments\): 'V' is no bracket cell"),
        ("- (*)\nsee (V*)\n", r"x.props:1: column 2 \(arguments\): '\(\*\)' is no bracket cell"),
        ("- *\n\n- *\nsee (V*)\n", r"x.props:1: column 2: 1 argument columns for 0 predicates"),
        ("-\nsee\n", r"x.props:2: column 2: 0 argument columns for 1 predicates"),
        ("see (V*)\nrun *\n", r"x.props:2: column 3: 1 argument columns for 2 predicates"),
        ("\n \n", r"x.props: file is empty"),
    ],
)
def test_bad_input_is_named_with_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message):
        list(read_props(path))
    if text.strip():
        assert read_props_table(path) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "I\nsaw\nhim\n\nNo\n!\n\nGo\n",
            r"x.words:4: column 1: sentence 1 has 3 words here but 4 in .*x.props \(from line 1\)",
        ),
        (
            "I\nsaw\nhim\nrun\n\nNo\n!\n?\n\nGo\n",
            r"x.words:8: column 1: sentence 2 has 3 words here but 2 in .*x.props",
        ),
        ("I\nsaw\nhim\nrun\n", r"x.props:6: column 1: sentence 2 has no counterpart; .*x.words ends after sentence 1"),
        (WORDS + "\nMore\n", r"x.words:11: column 1: sentence 4 has no counterpart; .*x.props ends after sentence 3"),
    ],
)
def test_words_and_props_of_different_length_are_refused(tmp_path: Path, text: str, message: str) -> None:
    props, words = write(tmp_path, PROPS), write(tmp_path, text, "x.words")
    with pytest.raises(DataError, match=message):
        list(read_props(props, words))


def test_gold_and_prediction_must_have_the_same_sentences(tmp_path: Path) -> None:
    gold, predicted = write(tmp_path, PROPS), write(tmp_path, PROPS.replace("-\n-\n", "-\n"), "y.props")
    assert read_props_tables(gold, predicted) is None
    with pytest.raises(DataError, match=r"y.props:7: column 1: sentence 2 has 1 words here but 2 in .*x.props"):
        list(read_aligned_props(gold, predicted))


def test_role_names_map_both_ways() -> None:
    pairs = {
        "ARG0": "A0",
        "ARG5": "A5",
        "ARGA": "AA",
        "ARGM": "AM",
        "ARGM-TMP": "AM-TMP",
        "C-ARGM-CXN": "C-AM-CXN",
        "R-ARG1": "R-A1",
        "C-ARG1-DSP": "C-A1-DSP",
        "V": "V",
        "C-V": "C-V",
        "Agent": "Agent",
    }
    assert {role: to_conll2005_role(role) for role in pairs} == pairs
    assert [to_conll2012_role(role) for role in pairs.values()] == list(pairs)


def test_renaming_leaves_the_spans_alone() -> None:
    sentence = Sentence(("a", "b"), (Predicate(1, "b", "01", (Argument(0, 0, "ARGM-LOC"), Argument(1, 1, "V"))),))
    renamed = rename_roles(sentence, to_conll2005_role)
    assert renamed.predicates[0].arguments == (Argument(0, 0, "AM-LOC"), Argument(1, 1, "V"))
    assert rename_roles(renamed, to_conll2012_role) == sentence


def test_keeping_verbs_needs_parts_of_speech() -> None:
    sentence = Sentence(("take", "look"), (Predicate(0, "take"), Predicate(1, "look")), pos=("VBP", "NN"))
    assert keep_verbs(sentence).predicates == (Predicate(0, "take"),)
    without = replace(sentence, pos=())
    assert keep_verbs(without) is without


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    twice = Sentence(("a",), (Predicate(0, "a"), Predicate(0, "b")))
    with pytest.raises(DataError, match="two predicates at word 0"):
        write_props(tmp_path / "out", [twice])
    crossing = Sentence(("a", "b", "c"), (Predicate(0, "a", arguments=(Argument(0, 1, "A0"), Argument(1, 2, "A1"))),))
    with pytest.raises(DataError, match="cross; bracket columns can only nest them"):
        write_props(tmp_path / "out", [crossing])


def test_a_predicate_without_lemma_is_marked_by_its_word(tmp_path: Path) -> None:
    write_props(tmp_path / "out", [Sentence(("go", "-"), (Predicate(0, "-"), Predicate(1, "-")))])
    assert (tmp_path / "out").read_text() == "go\t*\t*\n_\t*\t*\n\n"


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


def table_of(sentences: list[Sentence]) -> PropsTable:
    """The table of sentences, built the plain way."""
    rows = [(number, predicate) for number, sentence in enumerate(sentences) for predicate in sentence.predicates]
    spans = [(row, *span) for row, (_, predicate) in enumerate(rows) for span in predicate.arguments]
    names = sorted({span[3] for span in spans})
    numbers = np.array([(row, start, end, names.index(role)) for row, start, end, role in spans], dtype=np.int64)
    return PropsTable(
        np.array([len(sentence.words) for sentence in sentences]),
        np.array([number for number, _ in rows], dtype=np.int64),
        np.array([predicate.index for _, predicate in rows], dtype=np.int64),
        [predicate.lemma for _, predicate in rows],
        *numbers.reshape(-1, 4).T,
        names,
    )


def assert_tables_equal(table: PropsTable, expected: PropsTable) -> None:
    assert table.lemmas == expected.lemmas
    assert [table.role_names[k] for k in table.role] == [expected.role_names[k] for k in expected.role]
    for name in ("num_words", "sentence", "index", "proposition", "start", "end"):
        np.testing.assert_array_equal(getattr(table, name), getattr(expected, name), err_msg=name)


@quick
@given(body=st.lists(sentences(), min_size=1, max_size=4))
def test_written_props_are_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, body: list[Sentence]) -> None:
    folder = tmp_path_factory.mktemp("props")
    write_props(folder / "x.props", body)
    write_words(folder / "x.words", body)
    again = list(read_props(folder / "x.props", folder / "x.words"))
    assert [replace(sentence, line=0) for sentence in again] == body
    table = read_props_table(folder / "x.props")
    if table is not None:
        assert_tables_equal(table, table_of(body))


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
        assert_tables_equal(table, table_of(list(read_props(path))))


def test_the_table_reads_a_file_without_predicates(tmp_path: Path) -> None:
    table = read_props_table(write(tmp_path, "-\n-\n\n-\n"))
    assert table is not None
    assert (table.num_words.tolist(), table.num_sentences, table.lemmas, table.role_names) == ([2, 1], 2, [], [])


@needs_data
@pytest.mark.data
@pytest.mark.parametrize("split", ["dev", "test"])
def test_ewt_has_the_same_spans_in_both_formats(tmp_path: Path, split: str) -> None:
    folder = Path(str(DATA)) / "srl/ewt"
    documents = read_documents(folder / f"conll2012/{split}.v4_gold_conll")
    columns = [sentence for document in documents for sentence in document.sentences]
    props = list(read_props(folder / f"conll2005/{split}.props", folder / f"conll2005/{split}.words"))
    for ours, theirs in zip(columns, props, strict=True):
        bare = tuple(replace(predicate, frameset="-") for predicate in ours.predicates)
        assert ours.words == theirs.words
        assert rename_roles(replace(ours, predicates=bare), to_conll2005_role).predicates == theirs.predicates
        assert rename_roles(theirs, to_conll2012_role).predicates == bare
    table = read_props_table(folder / f"conll2005/{split}.props")
    assert table is not None
    assert_tables_equal(table, table_of(props))
    write_props(tmp_path / "written", props)
    assert [sentence.predicates for sentence in read_props(tmp_path / "written")] == [
        sentence.predicates for sentence in props
    ]
