"""CoNLL-2012 files: reading, bad input, writing, and round trips."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atinuke_bench.data.conll.read import Document, Predicate, Sentence, read_documents
from atinuke_bench.data.conll.spans import (
    Argument,
    Mention,
    format_arguments,
    format_mentions,
    group_clusters,
    parse_arguments,
)
from atinuke_bench.data.conll.write import begin_line, write_documents
from atinuke_bench.errors import DataError

DATA = os.environ.get("ATINUKE_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="ATINUKE_DATA is not set to the folder of official data")
quick = settings(max_examples=60, deadline=None)

BEGIN, END = "#begin document (bc/x); part 001", "#end document"
SPACED = """\
#begin document (bc/cctv/00/cctv_0000); part 003
bc/cctv/00/cctv_0000 3 0 They PRP (TOP(S(NP*) - - - Ann * (ARG0*) (ARG0*) (7)
bc/cctv/00/cctv_0000 3 1 did VBD (VP* do - - Ann * * * -
bc/cctv/00/cctv_0000 3 2 take VB (VP* take 01 2 Ann * (V*) * -
bc/cctv/00/cctv_0000 3 3 a DT (NP* - - - Ann * (ARG1* * (3|(9
bc/cctv/00/cctv_0000 3 4 look NN *)) look 01 1 Ann (DATE) * (V*) 3)
bc/cctv/00/cctv_0000 3 5 there RB (ADVP*)))) - - - Ann * *) (ARGM-LOC*) (4)|9)

bc/cctv/00/cctv_0000 3 0 Ouch UH (TOP*) - - - - * (7)

#end document
"""


def words(*cells: str, begin: str = BEGIN, end: str = END) -> str:
    """A document of one sentence, each word given by its coreference cell."""
    rows = [f"bc/x 1 {index} word{index} {cell}" for index, cell in enumerate(cells)]
    return "\n".join([begin, *rows, "", end, ""])


def rows(*arguments: str, lemmas: str = "-a-") -> str:
    """A document of one sentence, each word given by its argument cells; `lemmas` marks predicates by letters."""
    lines = [
        f"bc/x 1 {index} w NN * {lemma} {'-' if lemma == '-' else '01'} - - * {cells} -".replace("  ", " ")
        for index, (lemma, cells) in enumerate(zip(lemmas, arguments, strict=True))
    ]
    return "\n".join([BEGIN, *lines, "", END, ""])


def write(folder: Path, text: str, name: str = "file_conll") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> list[Document]:
    return list(read_documents(write(folder, text)))


def test_reads_every_column(tmp_path: Path) -> None:
    (document,) = read(tmp_path, SPACED)
    first, second = document.sentences
    assert (document.name, document.part, document.genre, document.line) == ("bc/cctv/00/cctv_0000", 3, "bc", 1)
    assert first.words == ("They", "did", "take", "a", "look", "there")
    assert first.pos[2:] == ("VB", "DT", "NN", "RB")
    assert first.parse[-1] == "(ADVP*))))"
    assert first.lemmas[1:3] == ("do", "take")
    assert first.framesets[1:3] == ("-", "01")
    assert (first.senses[2], first.speakers[0], first.entities[4], first.line) == ("2", "Ann", "(DATE)", 2)
    assert second == Sentence(("Ouch",), (), ("UH",), ("(TOP*)",), ("-",), ("-",), ("-",), ("-",), ("*",), 9)
    assert document.words == [*first.words, "Ouch"]
    assert document.sentence_starts == [0, 6]


def test_reads_predicates_in_the_order_of_their_columns(tmp_path: Path) -> None:
    take, look = read(tmp_path, SPACED)[0].sentences[0].predicates
    assert take == Predicate(2, "take", "01", (Argument(0, 0, "ARG0"), Argument(2, 2, "V"), Argument(3, 5, "ARG1")))
    assert (look.index, [span.role for span in look.arguments]) == (4, ["ARG0", "V", "ARGM-LOC"])


def test_a_predicate_without_frameset_is_found_by_its_verb_span(tmp_path: Path) -> None:
    text = SPACED.replace(" take 01 2 ", " take - 2 ")
    assert [predicate.index for predicate in read(tmp_path, text)[0].sentences[0].predicates] == [2, 4]


def test_reads_crossing_mentions_with_positions_in_the_document(tmp_path: Path) -> None:
    document = read(tmp_path, SPACED)[0]
    assert document.clusters == [[(0, 0), (6, 6)], [(3, 4)], [(3, 5)], [(5, 5)]]
    assert not document.repeats


def test_mentions_of_one_cluster_nest_by_stack(tmp_path: Path) -> None:
    (document,) = read(tmp_path, words("(0", "(0", "0)", "0)|(1)"))
    assert document.clusters == [[(0, 3), (1, 2)], [(3, 3)]]


def test_repeated_mentions_are_kept_and_named(tmp_path: Path) -> None:
    (document,) = read(tmp_path, words("(0)|(0)", "(1|(2", "2)|1)"))
    assert document.clusters == [[(0, 0), (0, 0)], [(1, 2)], [(1, 2)]]
    assert document.repeats == [Mention(0, 0, 0), Mention(1, 2, 1)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("test1\t0\t0\ta1\t(0)", "a1"),
        ("test1\t0\t0\ta1\t(0)\t", "a1"),
        ("test1\t0\t0\tNew York\t(0)", "New York"),
        ("test1 0 0 New\u00a0York (0)", "New\u00a0York"),
        ("test1 0 0 a1 extra (0)", "a1"),
        ("test1 a1 (0)", "a1"),
        ("test1 (0)", "_"),
    ],
)
def test_reads_files_with_few_columns_spaces_or_tabs(tmp_path: Path, row: str, expected: str) -> None:
    (document,) = read(tmp_path, f"#begin document (LuoTestCase); \n{row}\n#end document\n")
    assert (document.name, document.part, document.header) == ("LuoTestCase", None, "#begin document (LuoTestCase); ")
    assert (document.words, document.clusters, document.genre) == ([expected], [[(0, 0)]], None)


@pytest.mark.parametrize(
    ("header", "name", "part"),
    [
        ("#begin document (a/b (c)); part 012", "a/b (c)", 12),
        ("# begin document a/b", "a/b", None),
        ("# begin document ", "", None),
        ("# begin document  ; part 2", "", 2),
        ("#begin document (a); part", "a); part", None),
        ("#begin document counterpart 3", "counterpart 3", None),
        ("#begin document a part 3", "a", 3),
        (f"#begin document (a{' ' * 100_000}b); part 1", f"a{' ' * 100_000}b", 1),
        (f"#begin document a{'; part' * 20_000} 1", f"a{'; part' * 19_999}", 1),
        (f"#begin document {'(' * 50_000}{')' * 50_000}", f"{'(' * 49_999}{')' * 49_999}", None),
        (begin_line("a/b", 7), "a/b", 7),
        (begin_line("a/b", None), "a/b", None),
    ],
)
def test_reads_document_headers(tmp_path: Path, header: str, name: str, part: int | None) -> None:
    (document,) = read(tmp_path, words("-", begin=header))
    assert (document.name, document.part) == (name, part)


def test_reads_gzip_and_windows_line_ends_one_document_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "two_conll.gz"
    text = SPACED + words("(0)") + words("(", begin="#begin document (bad)")
    path.write_bytes(gzip.compress(text.replace("\n", "\r\n").encode()))
    documents = read_documents(path)
    assert next(documents).sentences == read(tmp_path, SPACED)[0].sentences
    assert next(documents).clusters == [[(0, 0)]]
    with pytest.raises(DataError, match=r"two_conll.gz:17: column 5 \(coreference\): '\(' is no coreference cell"):
        next(documents)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            words("(0", "-"),
            r"file_conll:2: column 5 \(coreference\): a mention of cluster 0 opens and never closes, in ",
        ),
        (words("-", "0)"), r"file_conll:3: .*'0\)' closes a mention of cluster 0 that was never opened, in document "),
        (words("(0", "0)|(0", "0)"), r"file_conll:3: .*mentions of cluster 0 cross at '0\)\|\(0'.* in document 'bc/x'"),
        (words("x"), r"file_conll:2: .*'x' is no coreference cell; .*, in document 'bc/x' part 1"),
        (words("0"), r"file_conll:2: .*'0' is no coreference cell"),
        (
            words("-") + "bc/x 1 0 word -\n",
            r"file_conll:5: text after '#end document' of document 'bc/x' part 1: 'bc/x 1 0 word -'",
        ),
        ("bc/x 1 0 word -\n", r"file_conll:1: token line without '#begin document': 'bc/x 1 0 word -'"),
        (END, r"file_conll:1: '#end document' without '#begin document'"),
        (words("-", end=""), r"file_conll:1: no '#end document' for '#begin document \(bc/x\); part 001'"),
        (words("-", end=BEGIN), r"file_conll:4: '#begin document' before the '#end document' of line 1"),
        (words("-") + words("-"), r"file_conll:5: document 'bc/x' part 1 begins twice \(first at line 1\)"),
        (words("-", "- -"), r"file_conll:3: column 6: 6 columns where the sentence began with 5 \(line 2\)"),
        (words("- -", "-"), r"file_conll:3: column 6: 5 columns where the sentence began with 6 \(line 2\)"),
        (f"{BEGIN}\nword\n{END}\n", r"file_conll:2: a token line has two columns or more, in document 'bc/x'"),
        (rows("*", "(V*)", "*)"), r"file_conll:4: column 12 \(arguments\): '\*\)' closes a span that was never opened"),
        (rows("(A0*", "(V*)", "*"), r"file_conll:2: column 12 \(arguments\): the span '\(A0\*' is never closed"),
        (rows("(A0)", "(V*)", "*"), r"file_conll:2: column 12 \(arguments\): '\(A0\)' is no bracket cell"),
        (rows("(A0*", "*A1)", "*"), r"file_conll:3: .*'\*A1\)' closes 'A1', but 'A0' is the innermost open span"),
        (rows("* *", "(V*) *", "* *"), r"file_conll:2: column 13: 2 argument columns for 1 predicates"),
        (rows("*", "(V*)", "*", lemmas="-ab"), r"file_conll:4: column 13: 1 argument columns for 2 predicates"),
        (rows("", "", "") + rows("*", "(V*)", "*"), r"file_conll:3: column 12: 0 argument columns for 1 predicates"),
    ],
)
def test_bad_input_is_named_with_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, text)


def test_parts_of_one_document_and_comments_are_fine(tmp_path: Path) -> None:
    text = words("(0)") + "# a comment\n" + words("(0)", begin="#begin document (bc/x); part 002")
    assert [document.part for document in read(tmp_path, text)] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([Argument(0, 1, "A0"), Argument(1, 2, "A1")], "cross; bracket columns can only nest them"),
        ([Argument(1, 3, "A0")], "lies outside a sentence of 3 words"),
    ],
)
def test_arguments_that_brackets_cannot_express_are_refused(arguments: list[Argument], message: str) -> None:
    with pytest.raises(DataError, match=message):
        format_arguments(arguments, 3)


def test_a_predicate_that_no_reader_could_find_is_not_written(tmp_path: Path) -> None:
    document = Document("x", 0, (Sentence(("w",), (Predicate(0, "w"),)),))
    with pytest.raises(DataError, match="'w' at word 0 has neither a frameset nor a lemma with V"):
        write_documents(tmp_path / "out", [document])


@st.composite
def nested_spans(draw: st.DrawFn, num_words: int, labels: list[str]) -> list[Argument]:
    """Spans that nest, touch and continue one another, in the order in which they open."""
    spans: list[Argument] = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, num_words - 1))
        span = Argument(start, draw(st.integers(start, num_words - 1)), draw(st.sampled_from(labels)))
        if not any(a < span.start <= b < span.end or span.start < a <= span.end < b for a, b, _ in spans):
            spans.append(span)
    return sorted(spans, key=lambda span: (span.start, -span.end))


ROLES = ["ARG0", "ARG1", "C-ARG1", "R-ARG0", "ARGM-LOC", "ARG1-DSP", "C-V", "Weird_role+"]


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    num_words = draw(st.integers(1, 7))
    texts = st.lists(st.sampled_from(["a", "-", "*", "é", "(", "U.S."]), min_size=num_words, max_size=num_words)
    indices = draw(st.lists(st.integers(0, num_words - 1), max_size=3, unique=True).map(sorted))
    predicates = tuple(Predicate(index, "be", "01", tuple(draw(nested_spans(num_words, ROLES)))) for index in indices)
    lemmas = tuple("be" if index in indices else "-" for index in range(num_words))
    framesets = tuple("01" if index in indices else "-" for index in range(num_words))
    pos, parse, senses, speakers, entities, words = (tuple(draw(texts)) for _ in range(6))
    return Sentence(words, predicates, pos, parse, lemmas, framesets, senses, speakers, entities)


@quick
@given(data=st.data())
def test_written_documents_are_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    documents = []
    for number in range(data.draw(st.integers(1, 3))):
        body = tuple(data.draw(st.lists(sentences(), max_size=3)))
        num_words = sum(len(sentence.words) for sentence in body)
        mentions = data.draw(mention_sets(num_words)) if num_words else ()
        documents.append(Document(f"doc {number}", number or None, body, mentions))
    path = tmp_path_factory.mktemp("conll") / "file"
    write_documents(path, documents)
    for document, again in zip(documents, read_documents(path), strict=True):
        assert (again.name, again.part, again.clusters) == (document.name, document.part, document.clusters)
        for sentence, other in zip(document.sentences, again.sentences, strict=True):
            assert other == Sentence(**{name: getattr(sentence, name) for name in FIELDS}, line=other.line)


FIELDS = [name for name in Sentence.__slots__ if name != "line"]


@st.composite
def mention_sets(draw: st.DrawFn, num_words: int) -> tuple[Mention, ...]:
    """Mentions of which those of different clusters may cross and those of one cluster nest, each span once."""
    mentions: dict[tuple[int, int], Mention] = {}
    for cluster in range(draw(st.integers(0, 4))):
        for start, end, _ in draw(nested_spans(num_words, ["x"])):
            shared = any(m.cluster == cluster and (m.end == start or end == m.start) for m in mentions.values())
            if not shared:
                mentions.setdefault((start, end), Mention(start, end, cluster))
    return tuple(sorted(mentions.values()))


@quick
@given(data=st.data())
def test_clusters_written_as_cells_are_read_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    mentions = data.draw(mention_sets(8))
    path = tmp_path_factory.mktemp("conll") / "file"
    path.write_text(words(*format_mentions(group_clusters(mentions), 8)))
    (document,) = read_documents(path)
    assert document.clusters == group_clusters(mentions)
    assert not document.repeats


@quick
@given(st.integers(1, 8).flatmap(lambda n: st.tuples(nested_spans(n, ROLES), st.just(n))))
def test_argument_columns_are_read_back_the_same(drawn: tuple[list[Argument], int]) -> None:
    spans, num_words = drawn
    assert list(parse_arguments(tuple(format_arguments(spans, num_words)))) == spans


@needs_data
@pytest.mark.data
def test_litbank_clusters_survive_writing(tmp_path: Path) -> None:
    key = Path(str(DATA)) / "coref/litbank/dev.v4_gold_conll"
    documents = list(read_documents(key))
    assert (len(documents), sum(len(document.words) for document in documents)) == (10, 20438)
    assert sum(len(document.mentions) for document in documents) == 3053
    write_documents(tmp_path / "written", documents)
    again = list(read_documents(tmp_path / "written"))
    assert [document.clusters for document in again] == [document.clusters for document in documents]
    assert [document.words for document in again] == [document.words for document in documents]


@needs_data
@pytest.mark.data
def test_every_coreference_case_is_read() -> None:
    paths = sorted((Path(str(DATA)) / "parity/coref/cases").glob("TC-*"))
    assert len(paths) == 22
    for path in paths:
        (document,) = read_documents(path)
        assert document.clusters
        assert not document.repeats


@needs_data
@pytest.mark.data
@pytest.mark.parametrize(("split", "num_sentences", "num_predicates"), [("dev", 1961, 4945), ("test", 2057, 4795)])
def test_ewt_survives_writing(tmp_path: Path, split: str, num_sentences: int, num_predicates: int) -> None:
    documents = list(read_documents(Path(str(DATA)) / f"srl/ewt/conll2012/{split}.v4_gold_conll"))
    write_documents(tmp_path / "written", documents)
    sentences = [sentence for document in documents for sentence in document.sentences]
    assert (len(sentences), sum(len(sentence.predicates) for sentence in sentences)) == (num_sentences, num_predicates)
    again = read_documents(tmp_path / "written")
    assert [sentence for document in again for sentence in document.sentences] == sentences


def test_numbers_too_long_to_be_one_are_names(tmp_path: Path) -> None:
    digits = "9" * 5000
    (document,) = read(tmp_path, words(f"({digits}", f"{digits})"))
    assert document.clusters == [[(0, 1)]]
    (document,) = read(tmp_path, words("-").replace("part 001", f"part {digits}"))
    assert (document.part, document.name.endswith(digits)) == (None, True)
