"""CoNLL-2005 files: `.words` (one word a line) and `.props` (predicate lemma or `-`, one argument column a predicate).

Sentences are separated by blank lines and match one another by number. Columns are separated by spaces or tabs.
srl-eval.pl scores two `.props` files. Role names differ from CoNLL-2012's, which `rename_roles` maps to these; readers
leave them as the file has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from atinuke_bench.data.conll.read import (
    Block,
    Predicate,
    Sentence,
    parse_column,
    require_columns,
    split_at_spaces,
    split_blocks,
)
from atinuke_bench.data.conll.spans import format_arguments
from atinuke_bench.data.text import read_lines
from atinuke_bench.errors import DataError

_CONLL2012_ROLE = re.compile(r"((?:[CR]-)*)ARG(M|[0-9A])(.*)")
_NO_WORDS = "_"


def to_conll2005_role(role: str) -> str:
    """`ARG0` as `A0`, `ARGM-LOC` as `AM-LOC`, `ARGA` as `AA`, under any `C-` and `R-`; other names stay.

    >>> [to_conll2005_role(role) for role in ("ARG0", "C-ARG1", "R-ARGM-LOC", "ARG1-DSP", "ARGM", "V", "C-V")]
    ['A0', 'C-A1', 'R-AM-LOC', 'A1-DSP', 'AM', 'V', 'C-V']
    """
    match = _CONLL2012_ROLE.fullmatch(role)
    return role if match is None else f"{match[1]}A{match[2]}{match[3]}"


def rename_roles(sentence: Sentence) -> Sentence:
    """The sentence with CoNLL-2005's names of all roles."""
    predicates = tuple(
        replace(
            predicate,
            arguments=tuple(span._replace(role=to_conll2005_role(span.role)) for span in predicate.arguments),
        )
        for predicate in sentence.predicates
    )
    return replace(sentence, predicates=predicates)


def read_props(props_path: str | Path, words_path: str | Path | None = None) -> Iterator[Sentence]:
    """The sentences of a `.props` file with the words of its `.words` file (`_` for each word without one).

    `line` of a sentence is its line in the `.props` file. Raises DataError naming file, line and column for column
    counts that vary inside a sentence, argument columns that do not match the predicates, brackets that do not
    match, and `.words` and `.props` of different length. With a `.words` file, a `.props` file that has no column of
    arguments at all hides them: then no predicate has any.
    """
    blocks = list(_read_blocks(props_path))
    if words_path is None:
        for block in blocks:
            yield _build_sentence(props_path, block, (_NO_WORDS,) * len(block.lines))
        return
    if all(len(block.columns) == 1 for block in blocks):
        blocks = [_hidden(block) for block in blocks]
    for block, words in _align(props_path, iter(blocks), words_path, _read_blocks(words_path)):
        yield _build_sentence(props_path, block, words.columns[0])


def _hidden(block: Block) -> Block:
    """The sentence with an empty column for each of its predicates."""
    num_predicates = sum(lemma != "-" for lemma in block.columns[0])
    return Block(block.lines, [*block.columns, *[("*",) * len(block.lines)] * num_predicates])


def read_aligned_props(gold_path: str | Path, predicted_path: str | Path) -> Iterator[tuple[Sentence, Sentence]]:
    """Pairs of (gold, predicted) sentences of two `.props` files, as a scorer needs them.

    Raises DataError like `read_props`, and when the files differ in sentences or in words a sentence.
    """
    pairs = _align(gold_path, _read_blocks(gold_path), predicted_path, _read_blocks(predicted_path))
    for gold, predicted in pairs:
        words = (_NO_WORDS,) * len(gold.lines)
        yield _build_sentence(gold_path, gold, words), _build_sentence(predicted_path, predicted, words)


def write_props(path: str | Path, sentences: Iterable[Sentence]) -> None:
    """Writes a `.props` file, tab separated, that srl-eval.pl accepts and `read_props` reads back.

    Roles are written as they are: rename CoNLL-2012 roles first where a CoNLL-2005 file is wanted. Predicates are
    written in the order of their words; two predicates at one word, or spans that cross, are a DataError.
    """
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for sentence in sentences:
            file.writelines("\t".join(row) + "\n" for row in _format_rows(sentence))
            file.write("\n")


def _format_rows(sentence: Sentence) -> Iterator[tuple[str, ...]]:
    num_words = len(sentence.words)
    lemmas = ["-"] * num_words
    columns = []
    for predicate in sorted(sentence.predicates, key=lambda predicate: predicate.index):
        if lemmas[predicate.index] != "-":
            raise DataError(f"two predicates at word {predicate.index}; a .props file holds one a word")
        # A predicate whose file gives no lemma must still be marked in the first column.
        word = sentence.words[predicate.index]
        lemmas[predicate.index] = next((text for text in (predicate.lemma, word) if text != "-"), _NO_WORDS)
        columns.append(format_arguments(predicate.arguments, num_words))
    return zip(lemmas, *columns, strict=True)


def _read_blocks(path: str | Path) -> Iterator[Block]:
    return split_blocks(path, ((number, split_at_spaces(line)) for number, line in read_lines(path)))


def _align(
    path: str | Path, blocks: Iterator[Block], other_path: str | Path, other_blocks: Iterator[Block]
) -> Iterator[tuple[Block, Block]]:
    """Pairs of sentences with equally many words; DataError at the first sentence without its equal."""
    for number, (block, other) in enumerate(zip_longest(blocks, other_blocks), start=1):
        if block is None or other is None:
            ended, longer, left = (path, other_path, other) if block is None else (other_path, path, block)
            problem = f"sentence {number} has no counterpart; {ended} ends after sentence {number - 1}"
            raise DataError(problem, path=longer, line=left.lines[0], field="column 1")
        if len(block.lines) != len(other.lines):
            short = min(len(block.lines), len(other.lines))
            line = (*other.lines, other.lines[-1] + 1)[short]
            problem = (
                f"sentence {number} has {len(other.lines)} words here but {len(block.lines)} in {path} "
                f"(from line {block.lines[0]})"
            )
            raise DataError(problem, path=other_path, line=line, field="column 1")
        yield block, other


def _build_sentence(path: str | Path, block: Block, words: tuple[str, ...]) -> Sentence:
    lemmas = block.columns[0]
    indices = [index for index, lemma in enumerate(lemmas) if lemma != "-"]
    require_columns(path, block, indices, first=1, num_columns=len(block.columns) - 1)
    spans = [parse_column(path, block, column) for column in range(1, len(block.columns))]
    predicates = tuple(
        Predicate(index, lemmas[index], arguments=own) for index, own in zip(indices, spans, strict=True)
    )
    return Sentence(words, predicates, line=block.lines[0])
