"""CoNLL-2012 column files: documents with words, predicates with their arguments, and coreference.

One word a line, columns separated by spaces or by tabs, a blank line between sentences, documents between
`#begin document (NAME); part NNN` and `#end document`. Columns: document, part, word number, word, part of speech,
parse bit, predicate lemma, predicate frameset, word sense, speaker, named entities, one column of arguments for each
predicate, coreference. Files with fewer than 12 columns hold only coreference (last column) and, from three columns
on, words (the fourth column, or the last but one where there are fewer than five).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from atinuke_bench.data.conll.spans import (
    Argument,
    BracketError,
    Mention,
    MentionReader,
    group_clusters,
    parse_arguments,
    split_repeats,
)
from atinuke_bench.data.text import read_lines
from atinuke_bench.errors import DataError

NUM_FIXED_COLUMNS = 12  # eleven before the argument columns, and coreference after them
FIRST_ARGUMENT_COLUMN = 11
_HEADER = re.compile(r"#\s*begin document\s+\(?(?P<name>.*?)\)?\s*;?\s*(?:part\s+(?P<part>\d+))?\s*")


@dataclass(frozen=True, slots=True)
class Predicate:
    """A predicate: the index of its word in the sentence, lemma, frameset (`-` when not given) and argument spans.

    `arguments` holds every bracket of its column in the order in which they open, the predicate's own `V` included.
    """

    index: int
    lemma: str
    frameset: str = "-"
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence; each tuple of strings has one entry a word, or is empty when the file has no such column.

    `line` is the number of its first line in the file.
    """

    words: tuple[str, ...]
    predicates: tuple[Predicate, ...] = ()
    pos: tuple[str, ...] = ()
    parse: tuple[str, ...] = ()
    lemmas: tuple[str, ...] = ()
    framesets: tuple[str, ...] = ()
    senses: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A document part; positions of `mentions` count words from the start of the document, both ends inside.

    `mentions` holds each span once. `repeats` holds mentions dropped because their span was there already, in the
    same cluster or another: scorer.pl refuses such files, so a scorer must look here. `header` is the begin line.
    """

    name: str
    part: int | None
    sentences: tuple[Sentence, ...]
    mentions: tuple[Mention, ...] = ()
    repeats: tuple[Mention, ...] = ()
    path: str = ""
    line: int = 0
    header: str = ""

    @property
    def label(self) -> str:
        """What errors call the document.

        >>> Document("bc/cctv_0000", 3, ()).label
        "document 'bc/cctv_0000' part 3"
        """
        return _label(self.name, self.part)

    @property
    def clusters(self) -> list[list[tuple[int, int]]]:
        """Clusters of (start, end) word positions in the document, ordered by their first mention."""
        return group_clusters(self.mentions)

    @property
    def words(self) -> list[str]:
        """All words of the document."""
        return [word for sentence in self.sentences for word in sentence.words]

    @property
    def sentence_starts(self) -> list[int]:
        """Position in the document of each sentence's first word."""
        starts, position = [], 0
        for sentence in self.sentences:
            starts.append(position)
            position += len(sentence.words)
        return starts

    @property
    def genre(self) -> str | None:
        """The part before the first slash of the name (`bc/cctv/00/cctv_0000` is `bc`); None without a slash."""
        genre, slash, _ = self.name.partition("/")
        return genre if slash else None


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one sentence: line numbers, and columns of equally many cells."""

    lines: Sequence[int]
    columns: list[tuple[str, ...]]


def split_at_spaces(line: str) -> list[str]:
    """The columns of a line between runs of spaces and tabs; Unicode spaces stay inside words.

    >>> split_at_spaces("doc  0\\t1 a\\u00a0b -")
    ['doc', '0', '1', 'a\xa0b', '-']
    """
    return line.split() if line.isascii() else [column for column in line.replace("\t", " ").split(" ") if column]


def split_columns(line: str) -> list[str]:
    """The columns of a CoNLL-2012 line: split at tabs where it has any, so that words may hold spaces, else at spaces.

    >>> split_columns("doc\\t0\\ta b\\t-\\t")
    ['doc', '0', 'a b', '-']
    """
    if "\t" not in line:
        return split_at_spaces(line)
    columns = line.rstrip("\t ").split("\t")
    return [column.strip(" ") for column in columns] if " " in line else columns


def read_documents(path: str | Path) -> Iterator[Document]:
    """The documents of a CoNLL-2012 file (`.gz` accepted), one at a time.

    Raises DataError naming file, line, column and document for: words outside a document, a document begun twice or
    never ended, column counts that vary inside a sentence, argument columns that do not match the predicates, and
    brackets that do not match.
    """
    seen: dict[tuple[str, int | None], int] = {}
    begun: tuple[int, str] | None = None
    body: list[tuple[int, str]] = []
    for number, line in read_lines(path):
        if line.startswith("#"):
            if _HEADER.fullmatch(line):
                if begun is not None:
                    raise DataError(
                        f"'#begin document' before the '#end document' of line {begun[0]}", path=path, line=number
                    )
                begun, body = (number, line), []
            elif line.startswith(("#end document", "# end document")):
                if begun is None:
                    raise DataError("'#end document' without '#begin document'", path=path, line=number)
                yield _build_document(path, begun, body, seen)
                begun = None
        elif begun is not None:
            body.append((number, line))
        elif line.strip():
            problem = "token line without '#begin document'"
            if seen:
                problem = f"text after '#end document' of {_label(*list(seen)[-1])}"
            raise DataError(f"{problem}: {line[:60]!r}", path=path, line=number)
    if begun is not None:
        raise DataError(f"no '#end document' for {begun[1]!r}; the file may be cut off", path=path, line=begun[0])


def split_blocks(
    path: str | Path, lines: Iterable[tuple[int, str]], split: Callable[[str], list[str]] = split_columns
) -> Iterator[Block]:
    """Sentences out of numbered lines; DataError where the number of columns changes inside a sentence."""
    numbers: list[int] = []
    rows: list[list[str]] = []
    for number, line in lines:
        columns = split(line)
        if columns and columns != [""]:
            if rows and len(columns) != len(rows[0]):
                problem = f"{len(columns)} columns where the sentence began with {len(rows[0])} (line {numbers[0]})"
                column = min(len(columns), len(rows[0])) + 1
                raise DataError(problem, path=path, line=number, field=f"column {column}")
            numbers.append(number)
            rows.append(columns)
        elif rows:
            yield Block(numbers, list(zip(*rows, strict=True)))
            numbers, rows = [], []
    if rows:
        yield Block(numbers, list(zip(*rows, strict=True)))


def _build_document(
    path: str | Path, begun: tuple[int, str], body: list[tuple[int, str]], seen: dict[tuple[str, int | None], int]
) -> Document:
    line, header = begun
    match = _HEADER.fullmatch(header)
    assert match is not None
    name, part = match["name"], None if match["part"] is None else int(match["part"])
    label = _label(name, part)
    if (name, part) in seen:
        raise DataError(f"{label} begins twice (first at line {seen[name, part]})", path=path, line=line)
    seen[name, part] = line
    blocks = list(split_blocks(path, body))
    for block in blocks:
        if len(block.columns) < 2:
            raise DataError(f"a token line has two columns or more, in {label}", path=path, line=block.lines[0])
    mentions, repeats = split_repeats(_read_mentions(path, blocks, label))
    sentences = tuple(_build_sentence(path, block) for block in blocks)
    return Document(name, part, sentences, mentions, repeats, str(path), line, header)


def _label(name: str, part: int | None) -> str:
    return f"document {name!r}" + ("" if part is None else f" part {part}")


def _read_mentions(path: str | Path, blocks: list[Block], label: str) -> list[Mention]:
    reader, offset = MentionReader(), 0
    try:
        for block in blocks:
            for index, cell in enumerate(block.columns[-1]):
                if cell != "-":
                    reader.read(cell, offset + index)
            offset += len(block.lines)
        reader.finish()
    except BracketError as error:
        line, num_columns = [(line, len(block.columns)) for block in blocks for line in block.lines][error.index]
        column = f"column {num_columns} (coreference)"
        raise DataError(f"{error.problem}, in {label}", path=path, line=line, field=column) from error
    return reader.mentions


def _build_sentence(path: str | Path, block: Block) -> Sentence:
    columns, num_columns, line = block.columns, len(block.columns), block.lines[0]
    if num_columns < NUM_FIXED_COLUMNS:
        words = columns[min(3, num_columns - 2)] if num_columns > 2 else ("_",) * len(block.lines)
        return Sentence(words, line=line)
    words, pos, parse, lemmas, framesets, senses, speakers, entities = columns[3:FIRST_ARGUMENT_COLUMN]
    return Sentence(
        words, _build_predicates(path, block), pos, parse, lemmas, framesets, senses, speakers, entities, line
    )


def _build_predicates(path: str | Path, block: Block) -> tuple[Predicate, ...]:
    """Predicates are the words with a frameset, and those with a lemma where a `V` opens (some lack the frameset)."""
    lemmas, framesets, arguments = block.columns[6], block.columns[7], block.columns[FIRST_ARGUMENT_COLUMN:-1]
    indices = [
        index
        for index, lemma in enumerate(lemmas)
        if framesets[index] != "-" or (lemma != "-" and any("(V*" in column[index] for column in arguments))
    ]
    require_columns(path, block, indices, FIRST_ARGUMENT_COLUMN, len(arguments))
    spans = [parse_column(path, block, FIRST_ARGUMENT_COLUMN + k) for k in range(len(arguments))]
    return tuple(
        Predicate(index, lemmas[index], framesets[index], own) for index, own in zip(indices, spans, strict=True)
    )


def require_columns(path: str | Path, block: Block, indices: list[int], first: int, num_columns: int) -> None:
    """DataError unless a sentence with predicates at the words `indices` has `num_columns` argument columns."""
    if len(indices) == num_columns:
        return
    # The line of the first predicate without a column; of a column too many, the sentence's first line.
    line = block.lines[indices[num_columns]] if len(indices) > num_columns else block.lines[0]
    problem = f"{num_columns} argument columns for {len(indices)} predicates; each predicate has one, in order"
    raise DataError(problem, path=path, line=line, field=f"column {first + min(len(indices), num_columns) + 1}")


def parse_column(path: str | Path, block: Block, column: int) -> tuple[Argument, ...]:
    """The spans of an argument column (counted from 0); DataError naming file, line and column for bad brackets."""
    try:
        return parse_arguments(block.columns[column])
    except BracketError as error:
        line = block.lines[error.index]
        raise DataError(error.problem, path=path, line=line, field=f"column {column + 1} (arguments)") from error
