"""Semantic role labelling: given a predicate, the spans of its arguments and their roles.

Data: CoNLL-2012 columns or CoNLL-2005 `.words` and `.props` files in a folder; role names are CoNLL-2005's (`A0`,
`AM-LOC`). An example is one predicate of one sentence. Scored as srl-eval.pl scores it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from datasets import Dataset
from tokenizers import Tokenizer

from atinuke_bench.config import RunConfig, SourceConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.bio import BioTags, Span
from atinuke_bench.data.conll.read import Predicate
from atinuke_bench.data.conll.spans import Argument
from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.data.inputs import place_of, words_of
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.tokenizer import PAD_ID, encode_words, special_tokens, unique_texts
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.microworld import load_microworld
from atinuke_bench.tasks.srl.examples import FEATURES, example_id, groups_of, read_split, sentences_of, spans_of
from atinuke_bench.tasks.srl.files import Source, find_sources, fingerprints, read_located
from atinuke_bench.tasks.srl.floor import PlaceRule
from atinuke_bench.tasks.srl.metric import Counts, SrlScores, f1_from_counts, score, score_tables
from atinuke_bench.tasks.srl.model import SrlModule
from atinuke_bench.tasks.srl.props import read_aligned_props, write_props
from atinuke_bench.tasks.srl.props_table import read_props_tables
from atinuke_bench.tasks.srl.rows import Row
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.task import Evaluation, Prediction, Task, TaskOptions, require_all_ids, require_data_dir

#: Where files are looked for below the data folder; the first place with a train split is taken.
FOLDERS = ("srl/ewt/conll2012", "srl/ewt/conll2005", "srl/conll2012", "srl/conll2005", "srl", ".")

#: Predicates in the splits of CoNLL-2012 (OntoNotes 5) and of CoNLL-2005 (WSJ and Brown).
OFFICIAL_SIZES: tuple[Mapping[str, int], ...] = (
    {"train": 253_070, "dev": 35_297, "test": 24_462},
    {"train": 90_750, "dev": 3_248, "test": 5_267, "test_brown": 804},
)


class SrlOptions(TaskOptions):
    """Which predicates, and how they meet the core."""

    #: Only predicates whose part of speech begins with VB, the classic setting; needs CoNLL-2012 columns.
    verbs_only: bool = False
    #: `late`: a sentence is encoded once, and each predicate meets its words only after the core.
    #: `indicator`: the predicate is marked in the core's input, and a sentence is encoded once a predicate, which costs
    #: four times as much on EWT.
    predicate_feature: Literal["indicator", "late"] = "late"
    #: Whether words are told their signed distance to the predicate.
    distance_feature: bool = True
    #: How the pieces of a word become its vector. In a causal core its first piece has not seen the rest of it.
    pooling: Literal["first", "mean"] = "mean"
    #: Roles that can be tagged; those of the train split when not given.
    roles: tuple[str, ...] = ()


class SrlTask(Task):
    """The one task of its family."""

    name = "srl"
    family = "srl"
    summary = "spans and roles of the arguments of given predicates"
    features = FEATURES
    primary_metric = "f1"
    evaluation_splits = ("dev", "test", "test_brown")
    group_column = "sentence"
    options_class = SrlOptions
    protocol_options = ("verbs_only",)
    input_fields: ClassVar = {
        "words": "a list of words, or a text with spaces between them",
        "predicate": "the number of the predicate's word, from 0, or a list of such numbers",
    }
    gives_segments = False
    training: Mapping[str, Any] = {"max_epochs": 8, "batch_tokens": 1024, "learning_rate": 2e-3, "max_length": 256}

    def is_official(self, sizes: Mapping[str, int]) -> bool:
        return any(all(official.get(split) == size for split, size in sizes.items()) for official in OFFICIAL_SIZES)

    def load(self, source: SourceConfig, options: SrlOptions) -> Loaded:
        if source.kind == "microworld":
            return load_microworld(self.name, self.features, source)
        sources = self._find(source)
        splits = {split: read_split(split, files, verbs_only=options.verbs_only) for split, files in sources.items()}
        return Loaded(splits, fingerprints(sources))

    def resolve_options(self, options: SrlOptions, loaded: Loaded) -> SrlOptions:
        if options.roles:
            return options
        roles = {role for row in loaded.splits[self.train_split]["roles"][:] for role in row}
        return options.model_copy(update={"roles": tuple(sorted(roles))})

    def input_rows(self, record: Mapping[str, Any], key: str, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        words = words_of(record, "words")
        asked = record.get("predicate")
        numbers = asked if isinstance(asked, list) and asked else [asked]
        places = [place_of(number, "predicate", len(words)) for number in numbers]
        return [
            {
                "id": f"{key}-{number}",
                "sentence": key,
                "words": words,
                "lemma": words[place],
                "predicate": place,
                "starts": [],
                "ends": [],
                "roles": [],
            }
            for number, place in enumerate(places)
        ]

    def shown(self, prediction: list[Span]) -> list[list[Any]]:
        return [list(span) for span in prediction]

    def answer(self, record: Mapping[str, Any], shown: list[Any]) -> Any:
        return shown if isinstance(record["predicate"], list) else shown[0]

    def texts(self, examples: Dataset) -> Sequence[str]:
        return list(unique_texts([[" ".join(words) for words in examples["words"][:]]]))

    def encode(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        options = self.options(run)
        tags = BioTags(options.roles)
        words = examples["words"][:]
        pieces, specials = encode_words(tokenizer, (word for row in words for word in row)), special_tokens(tokenizer)
        predicates, spans = examples["predicate"][:], spans_of(examples)
        groups = groups_of(examples) if options.predicate_feature == "late" else [[row] for row in range(len(examples))]
        rows = [
            Row.build(
                [pieces[word] for word in words[group[0]]],
                [predicates[number] for number in group],
                [tags.encode(spans[number], len(words[group[0]]))[0] for number in group],
                run.training.max_length,
                specials,
            )
            for group in groups
        ]
        return Encoded(
            {
                "input_ids": Ragged.from_rows((row.input_ids for row in rows), padding=PAD_ID),
                "word": Ragged.from_rows((row.word for row in rows), padding=-1),
                "predicates": Ragged.from_rows((row.predicates for row in rows), padding=-1),
                "tags": Ragged.from_rows(row.tags for row in rows),
            },
            np.array([group[0] for group in groups], dtype=np.int64),
            {"first_word": np.array([row.first_word for row in rows], dtype=np.int64)},
        )

    def build_module(self, core: Core, run: RunConfig) -> TaskModule:
        options = self.options(run)
        return SrlModule(
            core,
            run,
            BioTags(options.roles),
            indicator=options.predicate_feature == "indicator",
            distance=options.distance_feature,
            pooling=options.pooling,
        )

    def decode(
        self, outputs: list[dict[str, np.ndarray]], encoded: Encoded, examples: Dataset, run: RunConfig
    ) -> dict[str, list[Span]]:
        tags = BioTags(self.options(run).roles)
        ids = examples["id"][:]
        num_predicates = encoded.ragged["predicates"].lengths
        predictions: dict[str, list[Span]] = {}
        for output in outputs:
            _, num_slots, width = output["tags"].shape
            flat = output["tags"].reshape(-1, width).astype(np.int64)
            spans = tags.decode_batch(flat, np.full(len(flat), width))
            for place, row in enumerate(output["rows"].tolist()):
                first = int(encoded.fixed["first_word"][row])
                for slot in range(num_predicates[row]):
                    found = spans[place * num_slots + slot]
                    id_ = ids[encoded.example_index[row] + slot]
                    predictions[id_] = [(start + first, end + first, role) for start, end, role in found]
        return predictions

    def floor(self, train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, list[Span]]:
        """The most frequent tag of each word at its distance to the predicate: see `srl_floor`."""
        rule = PlaceRule.learn(
            BioTags(self.options(run).roles), train["words"][:], train["predicate"][:], spans_of(train)
        )
        rows = zip(examples["id"][:], examples["words"][:], examples["predicate"][:], strict=True)
        return {id_: rule.answer(words, predicate) for id_, words, predicate in rows}

    def evaluate(self, examples: Dataset, predictions: Mapping[str, list[Span]], run: RunConfig) -> Evaluation:
        predicted = [[tuple(span) for span in spans] for spans in require_all_ids(examples, predictions)]
        gold = spans_of(examples)
        words, lemmas = examples["predicate"][:], examples["lemma"][:]
        groups = groups_of(examples)
        scores = score(
            tuple(
                [Predicate(words[row], lemmas[row], arguments=spans[row]) for row in group]
                for spans in (gold, predicted)
            )
            for group in groups
        )
        rows = [
            Prediction(id_, answer, truth, float(figure) / 100)
            for id_, answer, truth, figure in zip(
                examples["id"][:], predicted, gold, _proposition_f1(scores.proposition_counts), strict=True
            )
        ]
        counts = scores.sentence_counts
        return Evaluation(
            _metrics(scores),
            rows,
            resample=lambda picked: float(f1_from_counts(counts[picked].sum(axis=0))),
            num_scored=len(counts),
            slices=_slices(scores),
        )

    def write_outputs(
        self, folder: Path, split: str, examples: Dataset, predictions: Mapping[str, list[Span]], run: RunConfig
    ) -> None:
        """`<split>.response.props` and `<split>.gold.props`, all sentences of the split in both, for srl-eval.pl."""
        if run.source.kind == "microworld":
            gold = dict(zip(examples["id"][:], spans_of(examples), strict=True))
            write_props(folder / f"{split}.gold.props", sentences_of(examples, gold))
            write_props(folder / f"{split}.response.props", sentences_of(examples, predictions))
            return
        options = self.options(run)
        located = list(read_located(self._find(run.source)[split], verbs_only=options.verbs_only))
        answered = []
        for one in located:
            ids = [example_id(split, one, predicate) for predicate in one.sentence.predicates]
            if any(id_ not in predictions for id_ in ids):
                raise DataError("this file changed while the run was under way", path=one.path)
            answered.append(
                replace(
                    one.sentence,
                    predicates=tuple(
                        replace(predicate, arguments=tuple(Argument(*span) for span in predictions[id_]))
                        for predicate, id_ in zip(one.sentence.predicates, ids, strict=True)
                    ),
                )
            )
        write_props(folder / f"{split}.gold.props", (one.sentence for one in located))
        write_props(folder / f"{split}.response.props", answered)

    def score_files(self, gold: Path, predictions: Path) -> dict[str, Any]:
        tables = read_props_tables(gold, predictions)
        if tables is not None:
            return score_tables(*tables).rounded()
        pairs = read_aligned_props(gold, predictions)
        return score((ours.predicates, theirs.predicates) for ours, theirs in pairs).rounded()

    def _find(self, source: SourceConfig) -> dict[str, list[Source]]:
        if source.kind == "hub":
            raise ConfigError(
                "task 'srl' has no source 'hub', since its corpora are licensed or not there; "
                "nearest: --source local --data-dir DIR with CoNLL-2012 or CoNLL-2005 files"
            )
        folder = require_data_dir(source, self.name)
        for place in FOLDERS:
            sources = find_sources(folder / place)
            if self.train_split in sources:
                return sources
        raise DataError(
            "no train split; looked for files named train*_conll, or train*.props with train*.words, plain or .gz, in "
            + ", ".join(FOLDERS),
            path=folder,
        )


def _proposition_f1(counts: np.ndarray) -> np.ndarray:  # (N, 3) -> (N,)
    """F1 of each predicate; 100 where there was nothing to find and nothing was found."""
    return np.where(counts.sum(axis=1) == 0, 100.0, f1_from_counts(counts))


def _metrics(scores: SrlScores) -> dict[str, float | None]:
    overall, unlabelled = scores.overall, scores.unlabelled
    return {
        "f1": overall.f1,
        "precision": overall.precision,
        "recall": overall.recall,
        "unlabelled_f1": unlabelled.f1,
        "unlabelled_precision": unlabelled.precision,
        "unlabelled_recall": unlabelled.recall,
        "perfect_propositions": 100.0 * scores.num_perfect / len(scores.proposition_counts),
        "correct": overall.correct,
        "excess": overall.excess,
        "missed": overall.missed,
    }


def _slices(scores: SrlScores) -> dict[str, dict[str, dict[str, float | None]]]:
    return {
        "role": {role: _slice(counts) for role, counts in (scores.roles | scores.excluded).items()},
        "words between predicate and argument": {name: _slice(counts) for name, counts in scores.distances.items()},
    }


def _slice(counts: Counts) -> dict[str, float | None]:
    figures = {name: getattr(counts, name) for name in ("f1", "precision", "recall")}
    return {**figures, "num": counts.correct + counts.missed}


SRL = SrlTask()
