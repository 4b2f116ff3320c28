"""CoNLL-2012 files as corpora publish them: cells without bars, empty cells, signs for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from atinuke_bench.data.conll.read import Document, Predicate, read_documents
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.data.conll.write import write_documents


def read(folder: Path, text: str) -> list[Document]:
    path = folder / "file_conll"
    path.write_text(text, encoding="utf-8")
    return list(read_documents(path))


def words(*cells: str) -> str:
    """A document of one sentence, each word given by its coreference cell."""
    rows = [f"{index} word{index} {cell}" for index, cell in enumerate(cells)]
    return "\n".join(["#begin document (d); part 000", *rows, "#end document", ""])


@pytest.mark.parametrize(
    ("cells", "clusters"),
    [
        (("(3(4)", "-", "3)"), [[(0, 0)], [(0, 2)]]),
        (("(29(28)", "(40)(39", "29)39)"), [[(0, 0)], [(0, 2)], [(1, 1)], [(1, 2)]]),
        (("(1", "(2(3)1)", "2)"), [[(0, 1)], [(1, 1)], [(1, 2)]]),
        (("(0)", "*", "_"), [[(0, 0)]]),
        (("(0)", "(00)", "(000)|(0)"), [[(0, 0), (2, 2)], [(1, 1)], [(2, 2)]]),
        (("(01", "01)|(1)", "(1)"), [[(0, 1)], [(1, 1), (2, 2)]]),
        (("(5|(4", "4)", "5)"), [[(0, 2)], [(0, 1)]]),
    ],
)
def test_cells_are_read_as_the_official_scorer_reads_them(
    tmp_path: Path, cells: tuple[str, ...], clusters: list[list[tuple[int, int]]]
) -> None:
    (document,) = read(tmp_path, words(*cells))
    assert document.clusters == clusters
    write_documents(tmp_path / "again", [document])
    (again,) = read_documents(tmp_path / "again")
    assert again.clusters == clusters


def tabbed(*cells: str, columns: str = "_\t_\t_\t_\t_\t_\t_\t_", after: str = "") -> str:
    """A sentence as LitBank publishes it, each word given by its coreference cell."""
    rows = [f"d\t0\t{index}\tword{index}\t{columns}\t{cell}{after}" for index, cell in enumerate(cells)]
    return "\n".join([*rows, ""])


def test_an_empty_last_cell_is_no_mention(tmp_path: Path) -> None:
    text = tabbed("", "") + "\n" + tabbed("(16", "", "16)") + "\n" + tabbed("(1)")
    (document,) = read(tmp_path, f"#begin document (d); part 0\n{text}#end document\n")
    assert document.clusters == [[(2, 4)], [(5, 5)]]
    assert [len(sentence.words) for sentence in document.sentences] == [2, 3, 1]
    assert not any(sentence.predicates for sentence in document.sentences)


@pytest.mark.parametrize("columns", ["-\t-", "(2)\t-"])
def test_an_empty_last_cell_is_no_mention_in_files_of_few_columns(tmp_path: Path, columns: str) -> None:
    text = tabbed("(1)", "", columns=columns) + "\n" + tabbed("", columns=columns)
    (document,) = read(tmp_path, f"#begin document (d); part 0\n{text}#end document\n")
    assert document.clusters == [[(0, 0)]]
    assert document.words == ["word0", "word1", "word0"]


@pytest.mark.parametrize(
    ("cells", "num_stray"), [(("(1)", "-"), (1, 0)), (("(1)", ""), (1, 1)), (("-", "(1)"), (0, 2))]
)
def test_tabs_behind_the_last_column_are_no_columns(
    tmp_path: Path, cells: tuple[str, ...], num_stray: tuple[int, ...]
) -> None:
    lines = [tabbed(cell, after="\t" * stray) for cell, stray in zip(cells, num_stray, strict=True)]
    (document,) = read(tmp_path, f"#begin document (d); part 0\n{''.join(lines)}#end document\n")
    place = cells.index("(1)")
    assert document.clusters == [[(place, place)]]


def test_underscores_are_no_predicates_and_no_arguments(tmp_path: Path) -> None:
    lines = (
        "d 0 0 He PRP _ _ _ _ _ _ (A0*) _ -",
        "d 0 1 ran VBD _ run 01 _ _ _ (V*) _ -",
        "d 0 2 . . _ _ _ _ _ _ * _ -",
    )
    (document,) = read(tmp_path, "\n".join(["#begin document (d); part 000", *lines, "#end document", ""]))
    (predicate,) = document.sentences[0].predicates
    assert predicate == Predicate(1, "run", "01", (Argument(0, 0, "A0"), Argument(1, 1, "V")))
    write_documents(tmp_path / "again", [document])
    (again,) = read_documents(tmp_path / "again")
    assert again.sentences[0].predicates == (predicate,)
