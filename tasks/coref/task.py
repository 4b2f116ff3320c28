"""Coreference on CoNLL-2012 files: documents in, clusters of mentions out, scored as the shared task scores.

Mentions are not given. A row of the features is a whole document; the module (`coref_model`) cuts it into overlapping
segments. Every core gets the same head and the same lexical features, and the floor is the rules of `coref_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from datasets import Dataset, Features, List, Value
from tokenizers import Tokenizer

from atinuke_bench.config import RunConfig, SourceConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.conll.read import Document, Sentence
from atinuke_bench.data.conll.spans import Mention
from atinuke_bench.data.conll.write import write_documents
from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.data.inputs import as_words, text_of
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.tokenizer import PAD_ID, encode_words, special_tokens
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.microworld import load_microworld
from atinuke_bench.tasks.coref.decode import Scored, decode_clusters
from atinuke_bench.tasks.coref.files import find_files, fingerprints, read_for_scoring, read_split
from atinuke_bench.tasks.coref.floor import mention_type, predict_clusters
from atinuke_bench.tasks.coref.metric import METRICS, DocumentCounts, count_documents, printed_scores, scores, total
from atinuke_bench.tasks.coref.model import CorefModule, CorefOptions
from atinuke_bench.tasks.coref.rows import cut_segments, genre_id, read_lexicon, speaker_ids
from atinuke_bench.tasks.coref.slices import (
    DISTANCES,
    LinkCounts,
    TypeCounts,
    by_antecedent_distance,
    by_mention_type,
)
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.task import Evaluation, Prediction, Task, require_all_ids, require_data_dir

Span = tuple[int, int]
Clusters = list[list[Span]]


class CorefTask(Task):
    """Coreference of a folder of CoNLL-2012 files."""

    name = "coref"
    family = "coref"
    result_version = 1
    features = Features(
        {
            "id": Value("string"),
            "name": Value("string"),
            "part": Value("int32"),  # -1 where the file gives none
            "header": Value("string"),
            "words": List(Value("string")),
            "sentence_lengths": List(Value("int32")),
            "speakers": List(Value("string")),  # one a word, or empty
            "pos": List(Value("string")),  # likewise
            "clusters": List(List(List(Value("int32")))),  # (first word, last word) of each mention
            "keeps_singletons": Value("bool"),  # whether the train split annotates them
        }
    )
    primary_metric = "conll_f1"
    group_column = "name"
    options_class = CorefOptions
    input_fields: ClassVar = {
        "sentences": "a list of sentences, each a list of words or a text with spaces between them",
        "speakers": "who says each word, a list a sentence (optional)",
        "name": "the document's name, whose part before a slash is its genre (optional)",
    }
    training: ClassVar = {
        "max_length": 256,
        "batch_tokens": 2048,
        "max_epochs": 10,
        "patience": 4,
        "learning_rate": 1e-3,
    }
    # Document parts of OntoNotes 5, the shared task's English data.
    official_sizes: ClassVar = {"train": 2_802, "dev": 343, "test": 348}
    summary = "end-to-end coreference of CoNLL-2012 documents"

    # --- data ---------------------------------------------------------------------------------------------------------

    def load(self, source: SourceConfig, options: CorefOptions) -> Loaded:
        if source.kind == "microworld":
            return load_microworld(self.name, self.features, source)
        if source.kind != "local":
            raise ConfigError(
                f"task 'coref' has no data set on the Hub; found source {source.kind!r}, nearest: 'local' with "
                "--data-dir, a folder of CoNLL-2012 files"
            )
        files = find_files(require_data_dir(source, self.name))
        documents = {split: list(read_split(found)) for split, found in files.items()}
        keeps_singletons = any(len(cluster) == 1 for doc in documents["train"] for cluster in doc.clusters)
        return Loaded(
            {split: _dataset(rows, keeps_singletons, self.features) for split, rows in documents.items()},
            fingerprints(files),
            notes=tuple(note for split, rows in documents.items() for note in _repeat_notes(split, rows)),
        )

    def is_labelled(self, examples: Dataset) -> bool:
        return any(clusters for clusters in examples["clusters"][:])

    def data_facts(self, loaded: Loaded) -> dict[str, Any]:
        return {"keeps_singletons": bool(loaded.splits[self.train_split]["keeps_singletons"][0])}

    def input_rows(self, record: Mapping[str, Any], key: str, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        given = record.get("sentences")
        if not isinstance(given, list) or not given:
            raise DataError("must be a list of at least one sentence", field="sentences")
        sentences = [as_words(sentence, f"sentences[{number}]") for number, sentence in enumerate(given)]
        lengths = [len(sentence) for sentence in sentences]
        return [
            {
                "id": key,
                "name": text_of(record, "name") if "name" in record else "",
                "part": -1,
                "header": "",
                "words": [word for sentence in sentences for word in sentence],
                "sentence_lengths": lengths,
                "speakers": _speakers(record.get("speakers"), lengths),
                "pos": [],
                "clusters": [],
                "keeps_singletons": facts["keeps_singletons"],
            }
        ]

    def shown(self, prediction: Clusters) -> list[list[list[int]]]:
        return [[list(span) for span in cluster] for cluster in prediction]

    def texts(self, examples: Dataset) -> Sequence[str]:
        return [" ".join(sentence) for row in examples for sentence in _sentences(row)]

    def encode(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        options = self.options(run)
        rows = [_encode_document(row, tokenizer, run.training.max_length, options) for row in examples]
        padding = {"input_ids": PAD_ID, "sentence": -1, "gold_cluster": -1}
        types = {"word_id": np.int64}
        ragged = {
            name: Ragged.from_rows((row[name] for row in rows), padding.get(name, 0), types.get(name, np.int32))
            for name in rows[0]
        }
        genres = np.array([genre_id(name.partition("/")[0]) for name in examples["name"][:]], dtype=np.int64)
        return Encoded(ragged, np.arange(len(examples)), {"genre": genres})

    def build_module(self, core: Core, run: RunConfig) -> TaskModule:
        return CorefModule(core, run, self.options(run))

    # --- predictions --------------------------------------------------------------------------------------------------

    def decode(
        self, outputs: list[dict[str, np.ndarray]], encoded: Encoded, examples: Dataset, run: RunConfig
    ) -> dict[str, Any]:
        found: dict[int, Clusters] = {}
        keep = self._keep_singletons(examples, run)
        for output in outputs:
            for place, row in enumerate(output["rows"].tolist()):
                scored = Scored(**{name: output[name][place] for name in Scored._fields})
                found[row] = decode_clusters(scored, keep_singletons=keep)
        return {id_: found[row] for row, id_ in enumerate(examples["id"][:])}

    def floor(self, train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, Any]:
        """The clusters of the rules in `coref_rules`, which learn nothing from the train split."""
        keep = self._keep_singletons(examples, run)
        return {row["id"]: predict_clusters(_sentences(row), singletons=keep) for row in examples}

    def _keep_singletons(self, examples: Dataset, run: RunConfig) -> bool:
        choice = self.options(run).singletons
        return bool(examples["keeps_singletons"][0]) if choice == "auto" else choice == "keep"

    def evaluate(self, examples: Dataset, predictions: Mapping[str, Any], run: RunConfig) -> Evaluation:
        ids, response = examples["id"][:], require_all_ids(examples, predictions)
        key = [_as_spans(clusters) for clusters in examples["clusters"][:]]
        if not self.is_labelled(examples):
            rows = [Prediction(id_, found, None, None) for id_, found in zip(ids, response, strict=True)]
            return Evaluation({}, rows)
        counts = list(count_documents(dict(zip(ids, key, strict=True)), dict(zip(ids, response, strict=True))).values())
        rows = [
            Prediction(id_, found, gold, scores(own).conll_f1)
            for id_, found, gold, own in zip(ids, response, key, counts, strict=True)
        ]
        return Evaluation(
            flat_scores(total(counts)),
            rows,
            resample=resampler(counts),
            num_scored=len(counts),
            slices=_slices(examples, key, response),
        )

    def write_outputs(
        self, folder: Path, split: str, examples: Dataset, predictions: Mapping[str, Any], run: RunConfig
    ) -> None:
        """`<split>.response.conll`, which scorer.pl takes beside the key."""
        write_documents(
            folder / f"{split}.response.conll", (_response(row, predictions[row["id"]]) for row in examples)
        )

    # --- files --------------------------------------------------------------------------------------------------------

    def score_files(self, gold: Path, predictions: Path) -> dict[str, Any]:
        """The digits that scorer.pl prints for a response file against a key file; DataError."""
        key, response = read_for_scoring(gold), read_for_scoring(predictions)
        for name, document in response.items():
            if name in key and len(key[name].words) != len(document.words):
                problem = f"{name} has {len(document.words)} words here and {len(key[name].words)} in the key"
                raise DataError(problem, path=predictions, line=document.line)
        clusters = ({name: document.clusters for name, document in side.items()} for side in (key, response))
        counts = count_documents(*clusters)
        return printed_scores(total(counts.values())).as_dict()


def _dataset(documents: Sequence[Document], keeps_singletons: bool, features: Features) -> Dataset:
    rows = [
        {
            "id": _id(document),
            "name": document.name,
            "part": -1 if document.part is None else document.part,
            "header": document.header,
            "words": document.words,
            "sentence_lengths": [len(sentence.words) for sentence in document.sentences],
            "speakers": [speaker for sentence in document.sentences for speaker in sentence.speakers],
            "pos": [tag for sentence in document.sentences for tag in sentence.pos],
            "clusters": document.clusters,
            "keeps_singletons": keeps_singletons,
        }
        for document in documents
    ]
    return Dataset.from_dict({name: [row[name] for row in rows] for name in features}, features=features)


def _speakers(given: Any, lengths: Sequence[int]) -> list[str]:
    """One speaker a word, or none at all; DataError."""
    if given is None:
        return []
    parts = given if isinstance(given, list) and all(isinstance(part, list) for part in given) else []
    speakers = [speaker for part in parts for speaker in part]
    if [len(part) for part in parts] != list(lengths) or not all(isinstance(speaker, str) for speaker in speakers):
        raise DataError("must be a text for each word of each sentence, a list a sentence", field="speakers")
    return speakers


def _id(document: Document) -> str:
    return document.name if document.part is None else f"{document.name}#{document.part}"


def _repeat_notes(split: str, documents: Sequence[Document]) -> list[str]:
    repeated = [document for document in documents if document.repeats]
    if not repeated:
        return []
    num = sum(len(document.repeats) for document in repeated)
    first = repeated[0]
    return [f"{split}: {num} repeated mentions are kept once; the first is in {first.path}, {first.label}"]


# --- features ---------------------------------------------------------------------------------------------------------


def _encode_document(
    row: dict[str, Any], tokenizer: Tokenizer, segment_length: int, options: CorefOptions
) -> dict[str, Any]:
    sentences = _sentences(row)
    pieces, specials = encode_words(tokenizer, row["words"]), special_tokens(tokenizer)
    frame = (specials.cls, specials.sep)
    segments = cut_segments([pieces[word] for word in row["words"]], segment_length, options.overlap, frame)
    lexicon = read_lexicon(sentences)
    num_words = len(row["words"])
    gold = [(start, end, number) for number, cluster in enumerate(row["clusters"]) for start, end in cluster]
    starts, ends, clusters = zip(*gold, strict=True) if gold else ((), (), ())
    return {
        "input_ids": segments.piece_ids,
        "piece_word": segments.piece_word,
        "segment_lengths": segments.lengths,
        "sentence": np.repeat(np.arange(len(sentences)), row["sentence_lengths"]),
        "word_id": lexicon.word_id,
        "word_class": lexicon.word_class,
        "head_limit": lexicon.head_limit,
        "count_bucket": lexicon.count_bucket,
        "speaker": speaker_ids(row["speakers"]) if row["speakers"] else np.zeros(num_words, dtype=np.int32),
        "gold_start": starts,
        "gold_end": ends,
        "gold_cluster": clusters,
    }


def _sentences(row: Mapping[str, Any]) -> list[list[str]]:
    words, sentences, start = row["words"], [], 0
    for length in row["sentence_lengths"]:
        sentences.append(words[start : start + length])
        start += length
    return sentences


# --- scores -----------------------------------------------------------------------------------------------------------


def flat_scores(counts: DocumentCounts) -> dict[str, float | None]:
    """`conll_f1` and, for every metric, `<metric>_recall`, `<metric>_precision` and `<metric>_f1`."""
    found = scores(counts)
    parts = {f"{name}_{part}": value for name in METRICS for part, value in vars(getattr(found, name)).items()}
    return {"conll_f1": found.conll_f1, **parts}


def resampler(counts: Sequence[DocumentCounts]) -> Callable[[np.ndarray], float]:
    """The CoNLL F1 of the documents at some row numbers, repeats included, from their stored counts."""
    rows = [document.to_row() for document in counts]
    names = list(rows[0])
    table = np.array([[row[name] for name in names] for row in rows])

    def conll_f1(picked: np.ndarray) -> float:
        sums = table[picked].sum(axis=0)
        return scores(DocumentCounts.from_row(dict(zip(names, sums.tolist(), strict=True)))).conll_f1

    return conll_f1


def _slices(
    examples: Dataset, key: Sequence[Clusters], response: Sequence[Clusters]
) -> dict[str, dict[str, dict[str, float | None]]]:
    types: dict[str, TypeCounts] = {}
    recalled = dict.fromkeys(DISTANCES, LinkCounts())
    precise = dict.fromkeys(DISTANCES, LinkCounts())
    for row, gold, found in zip(examples, key, response, strict=True):
        for name, counts in by_mention_type(gold, found, _typer(row)).items():
            types[name] = types.get(name, TypeCounts()).plus(counts)
        starts = np.concatenate([[0], np.cumsum(row["sentence_lengths"])[:-1]]).tolist()
        for target, one, other in ((recalled, gold, found), (precise, found, gold)):
            for distance, links in by_antecedent_distance(one, other, starts).items():
                target[distance] = target[distance].plus(links)
    return {
        "mention type": {name: _type_figures(counts) for name, counts in sorted(types.items())},
        "antecedent distance in sentences": {
            name: {
                "recall": recalled[name].recall,
                "precision": precise[name].recall,
                "num": recalled[name].num_links,
            }
            for name in DISTANCES
        },
    }


def _type_figures(counts: TypeCounts) -> dict[str, float | None]:
    whole = scores(DocumentCounts(mentions=counts.mentions, bcub=counts.bcub))
    return {
        "mention_recall": whole.mentions.recall,
        "mention_precision": whole.mentions.precision,
        "mention_f1": whole.mentions.f1,
        "bcub_f1": whole.bcub.f1,
        "num": int(counts.mentions.recall_den),
    }


def _typer(row: Mapping[str, Any]) -> Callable[[Any], str]:
    words, tags = row["words"], row["pos"]
    return lambda span: mention_type(words[span[0] : span[1] + 1], tags[span[0] : span[1] + 1])


def _as_spans(clusters: Sequence[Sequence[Sequence[int]]]) -> Clusters:
    return [[(start, end) for start, end in cluster] for cluster in clusters]


def _response(row: Mapping[str, Any], clusters: Clusters) -> Document:
    mentions = (Mention(start, end, number) for number, cluster in enumerate(clusters) for start, end in cluster)
    part = None if row["part"] < 0 else row["part"]
    sentences = tuple(Sentence(tuple(words)) for words in _sentences(row))
    return Document(row["name"], part, sentences, tuple(mentions), header=row["header"])


COREF = CorefTask()
