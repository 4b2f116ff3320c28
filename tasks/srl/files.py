"""Which files hold the predicates of a split, their sentences one after another, and `.props` files for srl-eval.pl.

They are CoNLL-2012 columns (`train.v4_gold_conll.gz`, `development/data/english/.../cctv_0001.v4_gold_conll`), or
CoNLL-2005's `test.wsj/props/test.wsj.props.gz` with `test.wsj/words/test.wsj.words.gz`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePath
from typing import Any

from datasets import Dataset

from atinuke_bench.config import RunConfig, SourceConfig
from atinuke_bench.data.bio import LabelledSpan
from atinuke_bench.data.conll.read import Predicate, Sentence, read_documents
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.data.split_files import SPLITS, SplitFiles, choose, look, require_one_language
from atinuke_bench.errors import ConfigError, DataError, MissingDataError
from atinuke_bench.tasks.srl.model import SrlOptions
from atinuke_bench.tasks.srl.propositions import Propositions, mismatches
from atinuke_bench.tasks.srl.props import read_aligned_props, read_props, rename_roles, write_props
from atinuke_bench.tasks.srl.props_table import read_props_tables
from atinuke_bench.tasks.srl.totals import totals_of
from atinuke_bench.training.capabilities import OfficialFiles
from atinuke_bench.training.task import options_of, require_data_dir

log = logging.getLogger(__name__)

#: Where files are looked for below the data folder; the first place with a train split is taken.
FOLDERS = ("srl/ewt/conll2012", "srl/ewt/conll2005", "srl/conll2012", "srl/conll2005", "srl", ".")
ENDINGS = _CONLL2012, _WORDS, _PROPS = "_conll", ".words", ".props"


class SrlFiles(OfficialFiles):
    """`.props` files, as srl-eval.pl takes them."""

    def write(
        self,
        folder: Path,
        split: str,
        examples: Dataset,
        predictions: Mapping[str, Sequence[LabelledSpan]],
        run: RunConfig,
    ) -> None:
        """`<split>.response.props` and `<split>.gold.props`, all sentences of the split in both."""
        # Of a declared task dev may be a part of train's files.
        from_examples = run.source.kind == "microworld" or run.declaration is not None
        sentences = list(_from_examples(examples) if from_examples else _from_corpus(split, predictions, run))
        write_props(folder / f"{split}.gold.props", (sentence for sentence, _ in sentences))
        write_props(folder / f"{split}.response.props", (_answered(*pair, predictions) for pair in sentences))

    def score(self, gold: Path, predictions: Path) -> dict[str, Any]:
        tables = read_props_tables(gold, predictions)
        if tables is None:
            pairs = list(read_aligned_props(gold, predictions))
            tables = (
                Propositions.of_sentences(ours.predicates for ours, _ in pairs),
                Propositions.of_sentences(theirs.predicates for _, theirs in pairs),
            )
        for line in mismatches(*tables):
            log.warning("%s", line)
        return totals_of(*tables).rounded()


# --- the sentences of a split, each with the example ids of its predicates --------------------------------------------


def _from_corpus(
    split: str, predictions: Mapping[str, Sequence[LabelledSpan]], run: RunConfig
) -> Iterator[tuple[Sentence, list[str]]]:
    files = pair_files(find_corpus(run.source).splits[split])
    for located in read_located(files, verbs_only=options_of(run, SrlOptions).verbs_only):
        ids = [located.example_id(split, predicate) for predicate in located.sentence.predicates]
        if any(id_ not in predictions for id_ in ids):
            raise DataError("this file changed while the run was under way", path=located.path)
        yield located.sentence, ids


def _from_examples(examples: Dataset) -> Iterator[tuple[Sentence, list[str]]]:
    for _, group in groupby(examples, key=itemgetter("sentence")):
        rows = list(group)
        predicates = tuple(
            Predicate(
                row["predicate"],
                row["lemma"],
                arguments=tuple(map(Argument, row["starts"], row["ends"], row["roles"])),
            )
            for row in rows
        )
        yield Sentence(tuple(rows[0]["words"]), predicates), [row["id"] for row in rows]


def _answered(sentence: Sentence, ids: Sequence[str], predictions: Mapping[str, Sequence[LabelledSpan]]) -> Sentence:
    predicates = tuple(
        replace(predicate, arguments=tuple(Argument(*span) for span in predictions[id_]))
        for predicate, id_ in zip(sentence.predicates, ids, strict=True)
    )
    return replace(sentence, predicates=predicates)


# --- finding and reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """One file of CoNLL-2012 columns, or a `.props` file with its `.words`."""

    path: Path
    words_path: Path | None = None
    #: What names the sentences of a `.props` file in example ids.
    document: str = ""


@dataclass(frozen=True, slots=True)
class Located:
    """A sentence with CoNLL-2005 role names, its document (or file) and its number there.

    `unit` is the document without its part; "" where only the file is known.
    """

    document: str
    number: int
    sentence: Sentence
    path: Path
    unit: str

    def sentence_id(self, split: str) -> str:
        return f"{split}-{self.document}-{self.number}"

    def example_id(self, split: str, predicate: Predicate) -> str:
        """The sentence's id and the number of the predicate's word."""
        return f"{self.sentence_id(split)}-{predicate.index}"


def find_corpus(source: SourceConfig) -> SplitFiles:
    """The files of each split below the data folder; ConfigError for the Hub.

    Raises DataError without a train split, and when files are of several languages.
    """
    if source.kind == "hub":
        raise ConfigError(
            "task 'srl' has no source 'hub', since its corpora are licensed or not there; "
            "nearest: --source local --data-dir DIR with CoNLL-2012 or CoNLL-2005 files"
        )
    folder = require_data_dir(source, "srl")
    found = choose([look_in(folder / place) for place in FOLDERS])
    if found is None:
        raise MissingDataError(
            "no train split; looked for files named train*_conll, or train*.props with train*.words, plain or .gz, in "
            + ", ".join(FOLDERS),
            path=folder,
        )
    require_one_language(found)
    return found


def look_in(folder: Path) -> SplitFiles:
    """The files of predicates that one folder has.

    Of a split's files, CoNLL-2012 columns have precedence over others, and gold columns over automatic ones
    (`_auto_conll`).
    """
    return look(folder, ENDINGS, splits=(*SPLITS, "test_brown"), prefer=best_columns)


def best_columns(names: Sequence[str]) -> Sequence[str]:
    """Those of some files that are read: gold columns before automatic ones, and columns before other formats."""
    has_gold = any(name.endswith("gold_conll") for name in names)
    columns = [name for name in names if name.endswith(_CONLL2012) and not (has_gold and name.endswith("auto_conll"))]
    return columns or names


def pair_files(files: Mapping[str, Path]) -> list[CorpusFile]:
    """The files of a split as they are read together, in order of name.

    A `.props` file and its `.words` have one path but for the folders `props` and `words`, or else are the only ones of
    their file name. Raises DataError for one without its other half.
    """
    words, props = _by_stem(files, _WORDS), _by_stem(files, _PROPS)
    for stem in sorted(words.keys() - props.keys()):
        twins = [one for one in props.keys() - words.keys() if PurePath(one).name == PurePath(stem).name]
        if len(twins) == 1:
            words[twins[0]] = words.pop(stem)
    for stem in sorted(words.keys() ^ props.keys()):
        path, missing = (words[stem], _PROPS) if stem in words else (props[stem], _WORDS)
        problem = f"this file needs its other half: no {PurePath(stem).name}{missing} was found"
        raise DataError(problem, path=path)
    counts = Counter(PurePath(stem).name for stem in props)
    # A user may name columns as they like.
    columns = [CorpusFile(path) for name, path in files.items() if not name.endswith((_WORDS, _PROPS))]
    return columns + [
        CorpusFile(path, words[stem], stem if counts[PurePath(stem).name] > 1 else PurePath(stem).name)
        for stem, path in sorted(props.items())
    ]


def _by_stem(files: Mapping[str, Path], ending: str) -> dict[str, Path]:
    """Files by what a `.words` file and its `.props` have in common; official releases keep each in a folder."""
    found: dict[str, Path] = {}
    for name, path in files.items():
        if name.endswith(ending):
            place = PurePath(name.removesuffix(ending))
            stem = PurePath(*(part for part in place.parent.parts if part != ending[1:]), place.name)
            if found.setdefault(str(stem), path) != path:
                raise DataError(f"a sentence is in one file; this one and {found[str(stem)]} have one name", path=path)
    return found


def read_located(files: list[CorpusFile], *, verbs_only: bool) -> Iterator[Located]:
    """The sentences of a split's files, those without predicates included, roles renamed to CoNLL-2005's.

    With `verbs_only`, predicates that are no verbs are left out (`keep_verbs`).
    """
    for file in files:
        for document, number, sentence, unit in _sentences(file):
            kept = keep_verbs(sentence, file.path) if verbs_only else sentence
            yield Located(document, number, rename_roles(kept), file.path, unit)


def keep_verbs(sentence: Sentence, path: Path) -> Sentence:
    """The sentence with those predicates alone whose part of speech begins with `VB`, the classic setting.

    Raises DataError where it has predicates and no part of speech for any.
    """
    tags = [sentence.pos[predicate.index] if sentence.pos else "-" for predicate in sentence.predicates]
    if tags and all(tag == "-" for tag in tags):
        raise DataError(
            "options.verbs_only needs parts of speech, which this file does not have; CoNLL-2012 columns have them",
            path=path,
            line=sentence.line,
        )
    verbs = (predicate for predicate, tag in zip(sentence.predicates, tags, strict=True) if tag.startswith("VB"))
    return replace(sentence, predicates=tuple(verbs))


def _sentences(file: CorpusFile) -> Iterator[tuple[str, int, Sentence, str]]:
    if file.words_path is not None:
        for number, sentence in enumerate(read_props(file.path, file.words_path)):
            yield file.document, number, sentence, ""
        return
    for document in read_documents(file.path):
        name = document.name if document.part is None else f"{document.name}.{document.part}"
        for number, sentence in enumerate(document.sentences):
            yield name, number, sentence, document.name
