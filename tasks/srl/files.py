"""Which files hold the predicates of a split, their sentences one after another, and `.props` files for srl-eval.pl.

They are CoNLL-2012 columns (`train.v4_gold_conll.gz`, `development/data/english/.../cctv_0001.v4_gold_conll`), or
CoNLL-2005's `test.wsj/props/test.wsj.props.gz` with `test.wsj/words/test.wsj.words.gz`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from datasets import Dataset

from atinuke_bench.config import RunConfig, SourceConfig
from atinuke_bench.data.bio import LabelledSpan
from atinuke_bench.data.conll.read import Predicate, Sentence, read_documents
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.data.split_files import find_split_files
from atinuke_bench.data.text import content_sha256
from atinuke_bench.errors import ConfigError, DataError
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
_CONLL2012, _WORDS, _PROPS = "_conll", ".words", ".props"


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
        is_generated = run.source.kind == "microworld"
        sentences = list(_from_examples(examples) if is_generated else _from_corpus(split, predictions, run))
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
    files = find_corpus(run.source)[split]
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
    words_path: Path | None
    #: What names the file in example ids and fingerprints: its path below the folder without `.gz`.
    name: str


@dataclass(frozen=True, slots=True)
class Located:
    """A sentence with CoNLL-2005 role names, its document (or file) and its number there."""

    document: str
    number: int
    sentence: Sentence
    path: Path

    def sentence_id(self, split: str) -> str:
        return f"{split}-{self.document}-{self.number}"

    def example_id(self, split: str, predicate: Predicate) -> str:
        """The sentence's id and the number of the predicate's word."""
        return f"{self.sentence_id(split)}-{predicate.index}"


def find_corpus(source: SourceConfig) -> dict[str, list[CorpusFile]]:
    """The files of each split below the data folder; ConfigError for the Hub, DataError without a train split."""
    if source.kind == "hub":
        raise ConfigError(
            "task 'srl' has no source 'hub', since its corpora are licensed or not there; "
            "nearest: --source local --data-dir DIR with CoNLL-2012 or CoNLL-2005 files"
        )
    folder = require_data_dir(source, "srl")
    for place in FOLDERS:
        corpus = find_files(folder / place)
        if "train" in corpus:
            return corpus
    raise DataError(
        "no train split; looked for files named train*_conll, or train*.props with train*.words, plain or .gz, in "
        + ", ".join(FOLDERS),
        path=folder,
    )


def find_files(folder: Path) -> dict[str, list[CorpusFile]]:
    """The files of each split in `folder`, in order of name; empty when there are none.

    Of CoNLL-2012 files, gold columns have precedence over automatic ones (`_auto_conll`), and a plain file over its
    `.gz`. Raises DataError for a `.props` or `.words` file without its other half.
    """
    found = {}
    for split, files in find_split_files(folder).items():
        known = {name: path for name, path in files.items() if name.endswith((_CONLL2012, _WORDS, _PROPS))}
        if known:
            found[split] = _pair(known)
    return found


def read_located(files: list[CorpusFile], *, verbs_only: bool) -> Iterator[Located]:
    """The sentences of a split's files, those without predicates included, roles renamed to CoNLL-2005's.

    With `verbs_only`, predicates that are no verbs are left out (`keep_verbs`).
    """
    for file in files:
        for document, number, sentence in _sentences(file):
            kept = keep_verbs(sentence, file.path) if verbs_only else sentence
            yield Located(document, number, rename_roles(kept), file.path)


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


def fingerprints(corpus: Mapping[str, list[CorpusFile]]) -> dict[str, str]:
    """sha256 of every file's unpacked content, by `<split>/<name>`."""
    return {
        f"{split}/{name}": content_sha256(path)
        for split, files in corpus.items()
        for file in files
        for name, path in _names(file)
    }


def _names(file: CorpusFile) -> Iterator[tuple[str, Path]]:
    yield file.name, file.path
    if file.words_path is not None:
        yield file.name.removesuffix(_PROPS) + _WORDS, file.words_path


def _pair(files: dict[str, Path]) -> list[CorpusFile]:
    has_gold = any(name.endswith("gold_conll") for name in files)
    conll = [name for name in files if name.endswith(_CONLL2012) and not (has_gold and name.endswith("auto_conll"))]
    if conll:
        return [CorpusFile(files[name], None, name) for name in sorted(conll)]
    words = {_stem(name, _WORDS): path for name, path in files.items() if name.endswith(_WORDS)}
    props = {_stem(name, _PROPS): name for name in files if name.endswith(_PROPS)}
    for stem in sorted(words.keys() ^ props.keys()):
        path, missing = (words[stem], _PROPS) if stem in words else (files[props[stem]], _WORDS)
        raise DataError(f"this file needs its other half: no {stem}{missing} was found", path=path)
    return [CorpusFile(files[props[stem]], words[stem], props[stem]) for stem in sorted(props)]


def _stem(name: str, ending: str) -> str:
    """What a `.words` file and its `.props` have in common; official releases keep each in a folder."""
    return Path(name).name.removesuffix(ending)


def _sentences(file: CorpusFile) -> Iterator[tuple[str, int, Sentence]]:
    if file.words_path is not None:
        stem = _stem(file.name, _PROPS)
        for number, sentence in enumerate(read_props(file.path, file.words_path)):
            yield stem, number, sentence
        return
    for document in read_documents(file.path):
        name = document.name if document.part is None else f"{document.name}.{document.part}"
        for number, sentence in enumerate(document.sentences):
            yield name, number, sentence
