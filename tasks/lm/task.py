"""Language modelling: the projection of the paper's architecture, and the pretraining of every core.

A causal core predicts the next token of held-out text, scored in bits per byte. A bidirectional one would see the
answer; it predicts tokens that are hidden from it (Devlin et al. 2019), scored by their mean loss. The two are figures
of different things, and the objective stands in the protocol: no table has both in one column.

Bits per byte divide the loss of every token, the end of the document included, by the bytes of the document as it is
written. What the tokenizer loses (case, accents, spaces, words that are [UNK]) costs nothing, so that the figure
compares models of one tokenizer; `unknown_percent` says how much [UNK] hides.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from datasets import Dataset, Features, Value
from pydantic import Field
from tokenizers import Tokenizer

from atinuke_bench.config import MicroworldConfig, RunConfig, SourceConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.inputs import text_of
from atinuke_bench.data.sources import HubDataset, Loaded, load_hub
from atinuke_bench.data.table import Table
from atinuke_bench.data.tokenizer import CLS_ID, SEP_ID, UNK_ID, cached_tokenizer
from atinuke_bench.environment import cache_folder
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.microworld import story_texts
from atinuke_bench.tasks.lm.files import (
    Corpus,
    TextDocument,
    cut_blocks,
    cut_documents,
    join_corpora,
    read_litbank_corpus,
    read_squad_corpus,
    read_text_corpus,
    without_repeats,
)
from atinuke_bench.tasks.lm.model import NOT_SCORED, LanguageModel
from atinuke_bench.tasks.lm.rows import evaluated_places, pack
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.task import Evaluation, Prediction, Task, TaskOptions, require_all_ids, require_data_dir

#: What is summed over the tokens of a document: loss, scored tokens, those predicted rightly, all tokens, [UNK]s.
SUMS = ("nats", "scored", "right", "tokens", "unknown")

Objective = Literal["causal", "masked"]


class LmOptions(TaskOptions):
    """What is read, and what is asked of the core."""

    #: `auto` is causal for a causal core and for the floor, masked for others.
    objective: Literal["auto", "causal", "masked"] = "auto"
    #: Whether the output projection is the token embedding.
    tied: bool = True
    #: Which local text: text files, or that of the official files of other tasks.
    corpus: Literal["text", "squad", "litbank", "squad+litbank"] = "text"
    #: What a document is: a block between blank lines, a file, or (Hub) a row. `auto` is a block, on the Hub a row.
    documents: Literal["auto", "blank-line", "file", "row"] = "auto"
    #: The data set on the Hub; source.revision pins it.
    hub_repo: str = "Salesforce/wikitext"
    hub_config: str = "wikitext-2-raw-v1"
    hub_column: str = "text"
    #: Split here -> split on the Hub. Of dev and test, what is not named is cut off train.
    hub_splits: dict[str, str] = Field({"train": "train", "dev": "validation", "test": "test"})


class LmTask(Task):
    """Causal and masked language modelling; `for_run` gives the one of the two that a run is."""

    name = "lm"
    family = "lm"
    result_version = 1
    features = Features({"id": Value("string"), "text": Value("string")})
    primary_metric = "bits_per_byte"
    higher_is_better = False
    options_class = LmOptions
    protocol_options = ("objective",)
    training: ClassVar = {"max_length": 128, "batch_tokens": 2048, "max_epochs": 10, "learning_rate": 2e-3}
    summary = "next token (causal cores) or hidden tokens (bidirectional cores) of running text"
    objective: Objective = "causal"

    def for_run(self, run: RunConfig) -> Self:
        if run.core.has_tokenizer:
            raise ConfigError(
                f"task 'lm' trains cores that take its own tokenizer; {run.core.label()} brings one of its own; "
                "nearest: another task, or core 'transformer'"
            )
        objective = self.options(run).objective
        is_causal = run.core.is_floor or bool(getattr(run.core, "causal", False))
        if objective == "causal" and not is_causal:
            raise ConfigError(
                f"options.objective: causal needs a core that sees no later token; {run.core.label()} sees the token "
                "it would predict; nearest: options.objective=masked"
                + (", or core.causal=true" if hasattr(run.core, "causal") else "")
            )
        chosen = copy.copy(self)
        chosen.objective = objective if objective != "auto" else "causal" if is_causal else "masked"
        chosen.primary_metric = "bits_per_byte" if chosen.objective == "causal" else "masked_loss"
        return chosen

    def resolve_options(self, options: LmOptions, loaded: Loaded) -> LmOptions:
        return options.model_copy(update={"objective": self.objective})

    # --- data ---------------------------------------------------------------------------------------------------------

    def load(self, source: SourceConfig, options: LmOptions) -> Loaded:
        if source.kind == "hub":
            return self._load_hub(source, options)
        read = _generate(source.microworld) if source.kind == "microworld" else _read_local(source, options)
        corpus = without_repeats(read)
        return Loaded(self._datasets(corpus), corpus.files, notes=corpus.notes)

    def _load_hub(self, source: SourceConfig, options: LmOptions) -> Loaded:
        if "train" not in options.hub_splits or options.hub_splits.keys() - {"train", "dev", "test"}:
            found = ", ".join(options.hub_splits) or "none"
            raise ConfigError(f"options.hub_splits: it names train and, if there are, dev and test; found {found}")
        declared = HubDataset(
            options.hub_repo, options.hub_config, splits=options.hub_splits, reader=_hub_reader(options)
        )
        loaded = load_hub(declared, self.features, source.revision)
        splits = {
            split: [TextDocument(*row) for row in zip(rows["id"][:], rows["text"][:], strict=True)]
            for split, rows in loaded.splits.items()
        }
        corpus = without_repeats(Corpus(cut_documents(splits), loaded.files, loaded.notes))
        return Loaded(self._datasets(corpus), loaded.files, revision=loaded.revision, notes=corpus.notes)

    def _datasets(self, corpus: Corpus) -> dict[str, Dataset]:
        return {
            split: Dataset.from_dict(
                {name: [getattr(document, name) for document in documents] for name in self.features},
                features=self.features,
            )
            for split, documents in corpus.splits.items()
        }

    # The texts that are read together are one stream, as the documents of a split are.
    input_fields: ClassVar = {"text": "a text"}
    plain_fields = ("text",)

    def input_rows(self, record: Mapping[str, Any], key: str, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{"id": key, "text": text_of(record, "text")}]

    def texts(self, examples: Dataset) -> Sequence[str]:
        return examples["text"][:]

    def encode(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        encodings = tokenizer.encode_batch_fast(examples["text"][:], add_special_tokens=False)
        overlap = 1 if self.objective == "causal" else 0
        return pack([encoding.ids for encoding in encodings], run.training.max_length, overlap)

    def build_module(self, core: Core, run: RunConfig) -> TaskModule:
        return LanguageModel(core, run, core.vocab_size, objective=self.objective, tied=self.options(run).tied)

    # --- predictions: the sums of each document -----------------------------------------------------------------------

    def decode(
        self, outputs: list[dict[str, np.ndarray]], encoded: Encoded, examples: Dataset, run: RunConfig
    ) -> dict[str, Any]:
        sums = {name: np.zeros(len(examples)) for name in SUMS}
        for output in outputs:
            self._add(sums, encoded, output["rows"], output["nats"], output["right"])
        return _by_document(examples, sums)

    def floor(self, train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, Any]:
        """Each token by its frequency in the train split, one added to every count."""
        tokenizer = cached_tokenizer(cache_folder(), self.texts(train), run.tokenizer)
        learned, encoded = self.encode(train, tokenizer, run), self.encode(examples, tokenizer, run)
        counts = np.bincount(learned.ragged["input_ids"].values, minlength=tokenizer.get_vocab_size()) + 1.0
        if self.objective == "causal":
            counts[CLS_ID] = 1e-9  # never asked for
        nats = -np.log(counts / counts.sum())
        sums = {name: np.zeros(len(examples)) for name in SUMS}
        for row in range(len(encoded)):
            ids = encoded.ragged["input_ids"][row].astype(np.int64)
            tensor = torch.from_numpy(ids)[None]
            mask = torch.ones_like(tensor, dtype=torch.bool)
            scored = evaluated_places(self.objective, tensor, mask, torch.tensor([row]))[0].numpy()
            self._add(
                sums,
                encoded,
                np.array([row]),
                np.where(scored, nats[ids], NOT_SCORED)[None],
                (ids == counts.argmax())[None].astype(float),
            )
        return _by_document(examples, sums)

    def _add(
        self, sums: dict[str, np.ndarray], encoded: Encoded, rows: np.ndarray, nats: np.ndarray, right: np.ndarray
    ) -> None:
        """Add a batch's tokens to the sums of their documents."""
        rows = rows.astype(np.int64)
        ids, documents = (encoded.ragged[name].pad(rows) for name in ("input_ids", "document"))
        is_text = (ids > SEP_ID) | (ids == UNK_ID)
        if self.objective == "causal":
            is_text[:, 0] = False  # a row's first token is the last of the row before it, or [CLS]
        scored = nats != NOT_SCORED  # not a number is a loss too, and must not go unseen
        parts = {
            "nats": np.where(scored, nats, 0.0),
            "scored": scored,
            "right": scored * right,
            "tokens": is_text,
            "unknown": is_text & (ids == UNK_ID),
        }
        for name, part in parts.items():
            sums[name] += np.bincount(documents.ravel(), part.ravel().astype(float), minlength=len(sums[name]))

    def evaluate(self, examples: Dataset, predictions: Mapping[str, Any], run: RunConfig) -> Evaluation:
        found = require_all_ids(examples, predictions)
        num_bytes = np.array([len(text.encode()) for text in examples["text"][:]], dtype=np.float64)
        table = np.array([[document[name] for name in SUMS] for document in found]).reshape(-1, len(SUMS))
        primary = self._primary(table, num_bytes)
        rows = [
            Prediction(id_, document, {"bytes": int(size)}, primary(np.array([place])))
            for place, (id_, document, size) in enumerate(zip(examples["id"][:], found, num_bytes, strict=True))
        ]
        sums = dict(zip(SUMS, table.sum(axis=0).tolist(), strict=True))
        return Evaluation(self._metrics(sums, float(num_bytes.sum())), rows, resample=primary, num_scored=len(rows))

    def _primary(self, table: np.ndarray, num_bytes: np.ndarray) -> Callable[[np.ndarray], float | None]:
        nats = table[:, SUMS.index("nats")]
        if self.objective == "causal":
            return lambda picked: _ratio(nats[picked].sum() / math.log(2), num_bytes[picked].sum())
        scored = table[:, SUMS.index("scored")]
        return lambda picked: _ratio(nats[picked].sum(), scored[picked].sum())

    def _metrics(self, sums: Mapping[str, float], num_bytes: float) -> dict[str, float | None]:
        loss = _ratio(sums["nats"], sums["scored"])
        perplexity = None if loss is None else math.exp(min(loss, 700.0))
        accuracy = _ratio(100 * sums["right"], sums["scored"])
        shared = {
            "num_scored_tokens": sums["scored"],
            "num_bytes": num_bytes,
            "unknown_percent": _ratio(100 * sums["unknown"], sums["tokens"]),
        }
        if self.objective == "masked":
            return {"masked_loss": loss, "masked_perplexity": perplexity, "masked_accuracy": accuracy, **shared}
        bits = _ratio(sums["nats"] / math.log(2), num_bytes)
        return {"bits_per_byte": bits, "perplexity": perplexity, "loss": loss, "accuracy": accuracy, **shared}


def _read_local(source: SourceConfig, options: LmOptions) -> Corpus:
    folder = require_data_dir(source, "lm")
    if options.corpus == "text":
        if options.documents == "row":
            raise ConfigError("options.documents: row is a row on the Hub; nearest: blank-line")
        return read_text_corpus(folder, "file" if options.documents == "file" else "blank-line")
    readers = {"squad": read_squad_corpus, "litbank": read_litbank_corpus}
    corpora = {name: readers[name](folder) for name in options.corpus.split("+")}
    corpus = join_corpora(corpora)
    return Corpus(cut_documents(corpus.splits), corpus.files, corpus.notes)


#: Stories of the microworld, where the source says no other number.
STORIES = {"train": 4000, "dev": 300, "test": 300}


def _generate(config: MicroworldConfig | None) -> Corpus:
    """Stories of the microworld: a document each, fingerprinted by their text."""
    config = config or MicroworldConfig()
    splits = {
        split: [
            TextDocument(id_, text)
            for id_, text in islice(story_texts(split, config), getattr(config, split) or number)
        ]
        for split, number in STORIES.items()
    }
    files = {
        f"{split}/stories": hashlib.sha256("\0".join(document.text for document in documents).encode()).hexdigest()
        for split, documents in splits.items()
    }
    return Corpus(splits, files)


def _hub_reader(options: LmOptions) -> Callable[[Dataset, str, str], Table]:
    """Documents from the rows of a split: every row with text, or the blocks of all rows together."""
    if options.documents == "file":
        raise ConfigError("options.documents: on the Hub a document is a row or a blank-line block; nearest: row")

    def read(rows: Dataset, split: str, where: str) -> Table:
        if options.hub_column not in rows.column_names:
            found = ", ".join(rows.column_names)
            raise DataError(f"no such column; found {found}", path=where, field=options.hub_column)
        texts = [text or "" for text in rows[options.hub_column][:]]
        if options.documents == "blank-line":
            texts = cut_blocks("\n".join(text.removesuffix("\n") for text in texts))
        kept = [(f"{split}-{number}", text.strip()) for number, text in enumerate(texts) if text.strip()]
        return Table({"id": [id_ for id_, _ in kept], "text": [text for _, text in kept]})

    return read


def _by_document(examples: Dataset, sums: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    whole = [name for name in SUMS if name != "nats"]
    return {
        id_: {"nats": float(sums["nats"][place]), **{name: int(sums[name][place]) for name in whole}}
        for place, id_ in enumerate(examples["id"][:])
    }


def _ratio(numerator: float, denominator: float) -> float | None:
    """A quotient; None where it cannot be computed."""
    return float(numerator / denominator) if denominator and math.isfinite(numerator) else None


LM = LmTask()
