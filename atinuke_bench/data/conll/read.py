"""CoNLL-2012 column files: documents with words, predicates with their arguments, and coreference.

One word a line, columns separated by spaces or by tabs, a blank line between sentences, documents between
`#begin document (NAME); part NNN` and `#end document`. Columns: document, part, word number, word, part of speech,
parse bit, predicate lemma, predicate frameset, word sense, speaker, named entities, one column of arguments for each
predicate, coreference. Files with fewer than 12 columns hold only coreference (last column) and, from three columns
on, words (the fourth column, or the last but one where there are fewer than five). `-`, `_` and, where columns are
separated by tabs, an empty cell say that there is nothing. A file with predicates and no
column of arguments at all hides them: then no predicate has any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from atinuke_bench.data.conll.spans import (
    BLANK,
    Argument,
    BracketError,
    Mention,
    MentionReader,
    group_clusters,
    parse_arguments,
    repeats_among,
)
from atinuke_bench.data.text import read_lines
from atinuke_bench.errors import DataError

NUM_FIXED_COLUMNS = 12  # eleven before the argument columns, and coreference after them
FIRST_ARGUMENT_COLUMN = 11
_BEGIN = re.compile(r"#\s*begin document\s")
_BEFORE_PART = ("", " ", "\t", ")", ";")
_PART = re.compile(r"\s+[0-9]{1,9}")


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

    `mentions` holds all, a span that is twice in one cluster or in two clusters as often as the file has it. `header`
    is the begin line.
    """

    name: str
    part: int | None
    sentences: tuple[Sentence, ...]
    mentions: tuple[Mention, ...] = ()
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
        """Clusters of (start, end) word positions in the document, in the order in which scorer.pl meets them."""
        return group_clusters(self.mentions)

    @property
    def repeats(self) -> list[Mention]:
        """The mentions whose span another mention before them has."""
        return repeats_among(self.mentions)

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
    ['doc', '0', 'a b', '-', '']
    """
    if "\t" not in line:
        return split_at_spaces(line)
    columns = line.split("\t")
    return [column.strip(" ") for column in columns] if " " in line else columns


def read_header(line: str) -> tuple[str, int | None] | None:
    """Name and part of the document that a line begins, the name empty where it gives none; None for other lines.

    >>> read_header("#begin document (bc/cctv/00/cctv_0000); part 003")
    ('bc/cctv/00/cctv_0000', 3)
    >>> read_header("# begin document ")
    ('', None)
    """
    match = _BEGIN.match(line)
    if match is None:
        return None
    rest, part = line[match.end() :].strip(), None
    before, found, digits = rest.rpartition("part")
    if found and before[-1:] in _BEFORE_PART and _PART.fullmatch(digits):
        rest, part = before.rstrip(), int(digits)
    name = rest.removesuffix(";").rstrip()
    return (name[1:].removesuffix(")") if name.startswith("(") else name), part


def read_documents(path: str | Path) -> Iterator[Document]:
    """The documents of a CoNLL-2012 file (`.gz` accepted), one at a time.

    Raises DataError naming file, line, column and document for: words outside a document, a document begun twice or
    never ended, column counts that vary inside a sentence, argument columns that do not match the predicates, and
    brackets that do not match.
    """
    seen: dict[tuple[str, int | None], int] = {}
    begun: tuple[int, str] | None = None
    body: list[tuple[int, str]] = []
    lines = list(read_lines(path))

    @cache
    def hides_arguments() -> bool:
        return all(len(split_columns(line)) <= NUM_FIXED_COLUMNS for _, line in lines if not line.startswith("#"))

    for number, line in lines:
        if line.startswith("#"):
            if read_header(line) is not None:
                if begun is not None:
                    raise DataError(
                        f"'#begin document' before the '#end document' of line {begun[0]}", path=path, line=number
                    )
                begun, body = (number, line), []
            elif line.startswith(("#end document", "# end document")):
                if begun is None:
                    raise DataError("'#end document' without '#begin document'", path=path, line=number)
                yield _build_document(path, begun, body, seen, hides_arguments)
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


def split_blocks(path: str | Path, rows: Iterable[tuple[int, list[str]]]) -> Iterator[Block]:
    """Sentences out of numbered lines; DataError where the number of columns changes inside a sentence."""
    numbers: list[int] = []
    sentence: list[list[str]] = []
    for number, columns in rows:
        if any(columns):
            if sentence and len(columns) != len(sentence[0]):
                problem = f"{len(columns)} columns where the sentence began with {len(sentence[0])} (line {numbers[0]})"
                column = min(len(columns), len(sentence[0])) + 1
                raise DataError(problem, path=path, line=number, field=f"column {column}")
            numbers.append(number)
            sentence.append(columns)
        elif sentence:
            yield Block(numbers, list(zip(*sentence, strict=True)))
            numbers, sentence = [], []
    if sentence:
        yield Block(numbers, list(zip(*sentence, strict=True)))


def _without_stray_tabs(rows: list[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """The lines of a document without the empty cells behind their last column.

    A cell at the end of a line is empty where the coreference column says nothing (LitBank), or where a tab ends the
    line (sample cases of scorer.pl). It is a column where all lines of its sentence have it and some line of the
    document fills it. Without predicates, all sentences of a document have the same columns.
    """
    filled = [len(columns) - _num_empty_at_end(columns) for _, columns in rows]
    given = [len(columns) for _, columns in rows]
    words = [index for index, width in enumerate(filled) if width]
    spare = min((given[index] - filled[index] for index in words), default=0)
    is_narrow = max(filled, default=0) < NUM_FIXED_COLUMNS
    for is_sentence, group in groupby(range(len(rows)), key=lambda index: filled[index] > 0):
        sentence, width = list(group), 0
        if is_sentence:
            least = min(given[index] for index in (words if is_narrow else sentence)) - spare
            width = max(least, *(filled[index] for index in sentence))
        yield from ((rows[index][0], rows[index][1][:width]) for index in sentence)


def _num_empty_at_end(columns: list[str]) -> int:
    return next((number for number, cell in enumerate(reversed(columns)) if cell), len(columns))


def _build_document(
    path: str | Path,
    begun: tuple[int, str],
    body: list[tuple[int, str]],
    seen: dict[tuple[str, int | None], int],
    hides_arguments: Callable[[], bool],
) -> Document:
    line, header = begun
    named = read_header(header)
    assert named is not None
    label = _label(*named)
    if named in seen:
        raise DataError(f"{label} begins twice (first at line {seen[named]})", path=path, line=line)
    seen[named] = line
    rows = [(number, split_columns(text)) for number, text in body]
    blocks = list(split_blocks(path, _without_stray_tabs(rows)))
    for block in blocks:
        if len(block.columns) < 2:
            raise DataError(f"a token line has two columns or more, in {label}", path=path, line=block.lines[0])
    mentions = tuple(_read_mentions(path, blocks, label))
    sentences = tuple(_build_sentence(path, block, hides_arguments) for block in blocks)
    return Document(*named, sentences, mentions, str(path), line, header)


def _label(name: str, part: int | None) -> str:
    return f"document {name!r}" + ("" if part is None else f" part {part}")


def _read_mentions(path: str | Path, blocks: list[Block], label: str) -> list[Mention]:
    reader, offset = MentionReader(), 0
    try:
        for block in blocks:
            for index, cell in enumerate(block.columns[-1]):
                reader.read(cell, offset + index)
            offset += len(block.lines)
        reader.finish()
    except BracketError as error:
        line, num_columns = [(line, len(block.columns)) for block in blocks for line in block.lines][error.index]
        column = f"column {num_columns} (coreference)"
        raise DataError(f"{error.problem}, in {label}", path=path, line=line, field=column) from error
    return reader.mentions


def _build_sentence(path: str | Path, block: Block, hides_arguments: Callable[[], bool]) -> Sentence:
    columns, num_columns, line = block.columns, len(block.columns), block.lines[0]
    if num_columns < NUM_FIXED_COLUMNS:
        words = columns[min(3, num_columns - 2)] if num_columns > 2 else ("_",) * len(block.lines)
        return Sentence(words, line=line)
    words, pos, parse, lemmas, framesets, senses, speakers, entities = columns[3:FIRST_ARGUMENT_COLUMN]
    predicates = _build_predicates(path, block, hides_arguments)
    return Sentence(words, predicates, pos, parse, lemmas, framesets, senses, speakers, entities, line)


def _build_predicates(path: str | Path, block: Block, hides_arguments: Callable[[], bool]) -> tuple[Predicate, ...]:
    """Predicates are the words with a frameset, and those with a lemma where a `V` opens (some lack the frameset)."""
    lemmas, framesets = block.columns[6], block.columns[7]
    # Files without predicates (LitBank) may keep an argument column, with a cell that says nothing at every word.
    numbers = [
        number
        for number in range(FIRST_ARGUMENT_COLUMN, len(block.columns) - 1)
        if not BLANK.issuperset(block.columns[number])
    ]
    arguments = [block.columns[number] for number in numbers]
    indices = [
        index
        for index, lemma in enumerate(lemmas)
        if framesets[index] not in BLANK or (lemma not in BLANK and any("(V*" in column[index] for column in arguments))
    ]
    if indices and not arguments and hides_arguments():
        return tuple(Predicate(index, lemmas[index], framesets[index]) for index in indices)
    require_columns(path, block, indices, FIRST_ARGUMENT_COLUMN, len(arguments))
    spans = [parse_column(path, block, number) for number in numbers]
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
