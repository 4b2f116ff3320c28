"""CoNLL-2005 `.words` and `.props` files: reading, bad input, writing, and role names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from atinuke_bench.data.conll.read import Predicate, Sentence
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.errors import DataError
from atinuke_bench.tasks.srl.props import read_aligned_props, read_props, rename_roles, to_conll2005_role, write_props
from atinuke_bench.tasks.srl.props_table import read_props_table, read_props_tables

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


def test_role_names_become_those_of_2005() -> None:
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


def test_renaming_leaves_the_spans_alone() -> None:
    sentence = Sentence(("a", "b"), (Predicate(1, "b", "01", (Argument(0, 0, "ARGM-LOC"), Argument(1, 1, "V"))),))
    renamed = rename_roles(sentence)
    assert renamed.predicates[0].arguments == (Argument(0, 0, "AM-LOC"), Argument(1, 1, "V"))
    assert replace(renamed, predicates=sentence.predicates) == sentence


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
