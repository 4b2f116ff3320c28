"""SQuAD v1.1 (Rajpurkar et al. 2016) and v2.0 (Rajpurkar, Jia, Liang 2018): the answer to a question as a span of text.

Windows of long contexts are in `atinuke_bench.tasks.squad.rows`, decoding in `atinuke_bench.tasks.squad.decode`, the
head in `atinuke_bench.tasks.squad.model`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import datasets
import numpy as np
from datasets import Dataset
from tokenizers import Tokenizer

from atinuke_bench.config import RunConfig, SourceConfig
from atinuke_bench.core.base import Core
from atinuke_bench.data.features import Encoded, Ragged
from atinuke_bench.data.inputs import text_of
from atinuke_bench.data.sources import HubDataset, Loaded, load_hub, load_local
from atinuke_bench.data.table import Table
from atinuke_bench.data.tokenizer import PAD_ID, unique_texts
from atinuke_bench.errors import ConfigError
from atinuke_bench.microworld import load_microworld
from atinuke_bench.tasks.squad.decode import (
    SquadDecoded,
    always_unanswerable,
    choose_null_threshold,
    decode_spans,
    sliding_window_answer,
)
from atinuke_bench.tasks.squad.files import (
    Columns,
    read_null_odds,
    read_predictions,
    read_squad,
    references,
    repair_answers,
    require_squad_file,
    squad_from_rows,
    write_null_odds,
    write_predictions,
)
from atinuke_bench.tasks.squad.metric import examples_v1, examples_v2, missing_ids, squad_v1, squad_v2
from atinuke_bench.tasks.squad.model import SquadModule, SquadOptions
from atinuke_bench.tasks.squad.rows import SquadWindows, build_windows
from atinuke_bench.tasks.squad.slices import slice_scores
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.task import Evaluation, Prediction, Task, require_all_ids, require_data_dir

log = logging.getLogger(__name__)

#: Windows shorter than this would hold little more than the question, and be very many.
MIN_LENGTH = 32

_TEXT = datasets.Value("string")
FEATURES = datasets.Features(
    {
        "id": _TEXT,
        "title": _TEXT,
        "context": _TEXT,
        "question": _TEXT,
        "answers": {"text": datasets.List(_TEXT), "answer_start": datasets.List(datasets.Value("int32"))},
    }
)


@dataclass(frozen=True)
class SquadAnswer:
    """What is answered to one question; "" leaves it unanswered.

    `best_text` is the best span, whatever was decided about answering at all, and `null_odds` how much more the model
    believes in no answer than in it; a rule has no odds.
    """

    text: str
    best_text: str
    null_odds: float | None = None


class SquadTask(Task):
    """One version of SQuAD. v2.0 has questions that its text does not answer."""

    family = "squad"
    result_version = 2
    features = FEATURES
    primary_metric = "f1"
    evaluation_splits = ("dev",)
    headline_splits = ("dev",)
    #: Paragraphs of one article share their subject, so that a model is selected on articles it has not seen.
    group_column = "title"
    options_class = SquadOptions
    input_fields: ClassVar = {"question": "a text", "context": "the text that may answer it"}
    plain_fields = ("question", "context")

    def __init__(
        self,
        version: str,
        hub: tuple[str, str],
        *,
        unanswerable: bool,
        summary: str,
        training: Mapping[str, Any],
        official_sizes: Mapping[str, int],
    ) -> None:
        self.name = f"squad-v{version}"
        self.version = version
        self.unanswerable = unanswerable
        self.summary = summary
        self.training = training
        self.official_sizes = official_sizes
        self.score_options = ("null_odds",) if unanswerable else ()
        self.hub = HubDataset(*hub, splits={"train": "train", "dev": "validation"}, reader=self._read_rows)

    # --- data ---------------------------------------------------------------------------------------------------------

    def load(self, source: SourceConfig, options: SquadOptions) -> Loaded:
        if source.kind == "hub":
            return load_hub(self.hub, self.features, source.revision)
        if source.kind == "microworld":
            return load_microworld(self.name, self.features, source)
        folder = require_data_dir(source, self.name)
        files = {split: require_squad_file(folder, split, self.version) for split in ("train", "dev")}
        readers = {split: partial(self._read_file, split) for split in files}
        return load_local({split: (path, readers[split]) for split, path in files.items()}, self.features)

    def _read_file(self, split: str, path: Path) -> Table:
        return repaired(read_squad(path, unanswerable=self.unanswerable), training=split == self.train_split)

    def _read_rows(self, rows: Dataset, split: str, place: str) -> Table:
        columns = squad_from_rows(rows, unanswerable=self.unanswerable, name=place)
        return repaired(columns, training=split == self.train_split)

    def texts(self, examples: Dataset) -> Sequence[str]:
        return list(unique_texts(examples[name][:] for name in ("context", "question")))

    def encode(self, examples: Dataset, tokenizer: Tokenizer, run: RunConfig) -> Encoded:
        if run.training.max_length < MIN_LENGTH:
            raise ConfigError(
                f"training.max_length: {self.name} needs at least {MIN_LENGTH} tokens for a question and a part of its "
                f"text; found {run.training.max_length}"
            )
        windows = build_windows(
            tokenizer,
            examples["question"][:],
            examples["context"][:],
            examples["answers"][:],
            max_length=run.training.max_length,
            stride=self.options(run).stride,
        )
        log.info(
            "%d questions make %d windows; %d questions were cut, %d answers fit no window",
            len(examples),
            windows.num_windows,
            windows.num_truncated_questions,
            windows.num_lost_answers,
        )
        return encoded_windows(windows)

    def input_rows(self, record: Mapping[str, Any], key: str, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        texts = {name: text_of(record, name) for name in self.input_fields}
        return [{"id": key, "title": "", **texts, "answers": {"text": [], "answer_start": []}}]

    def shown(self, prediction: SquadAnswer) -> str:
        return prediction.text

    # --- model --------------------------------------------------------------------------------------------------------

    def build_module(self, core: Core, run: RunConfig) -> TaskModule:
        return SquadModule(core, run, self.options(run))

    def decode(
        self, outputs: list[dict[str, np.ndarray]], encoded: Encoded, examples: Dataset, run: RunConfig
    ) -> dict[str, SquadAnswer]:
        decoded = self.decode_spans(outputs, encoded, examples["context"][:], self.options(run))
        odds = decoded.null_odds.tolist() if self.unanswerable else [None] * len(examples)
        return {
            id_: SquadAnswer(text, text, null_odds)
            for id_, text, null_odds in zip(examples["id"][:], decoded.texts, odds, strict=True)
        }

    def decode_spans(
        self,
        outputs: list[dict[str, np.ndarray]],
        encoded: Encoded,
        contexts: Sequence[str],
        options: SquadOptions,
    ) -> SquadDecoded:
        """The n-best answers of every question from the module's padded logits, in any order of batches."""
        windows = windows_of(encoded)
        logits = {name: np.empty(len(windows.input_ids), dtype=np.float32) for name in ("start", "end")}
        for output in outputs:
            rows = output["rows"]
            columns = np.arange(output["start"].shape[1])
            inside = columns < encoded.lengths[rows][:, None]  # (B, L)
            places = (windows.offsets[rows][:, None] + columns)[inside]
            for name, flat in logits.items():
                flat[places] = output[name][inside]
        return decode_spans(
            windows,
            logits["start"],
            logits["end"],
            contexts,
            max_answer_length=options.max_answer_length,
            num_best=options.num_best,
        )

    def calibrate(self, examples: Dataset, predictions: Mapping[str, SquadAnswer], run: RunConfig) -> dict[str, float]:
        """The threshold on null odds with the best F1 (v2.0)."""
        if not self.unanswerable:
            return {}
        truth = references(_columns(examples))
        scores = examples_v2(truth, {id_: answer.best_text for id_, answer in predictions.items()})
        threshold, _ = choose_null_threshold(
            np.array([score.f1 for score in scores.values()]),
            np.array([bool(texts) for texts in truth.values()]),
            np.array([predictions[id_].null_odds for id_ in truth]),
        )
        return {"null_threshold": threshold}

    def apply_calibration(
        self, predictions: dict[str, SquadAnswer], calibration: Mapping[str, float]
    ) -> dict[str, SquadAnswer]:
        if "null_threshold" not in calibration:
            return predictions
        threshold = calibration["null_threshold"]
        return {
            id_: replace(answer, text="" if answer.null_odds > threshold else answer.best_text)
            for id_, answer in predictions.items()
        }

    def floor(self, train: Dataset, examples: Dataset, run: RunConfig) -> dict[str, SquadAnswer]:
        """Word overlap in a sliding window (v1.1), or no answer to any question (v2.0)."""
        if self.unanswerable:
            texts = always_unanswerable(examples["id"][:])
        else:
            texts = {row["id"]: sliding_window_answer(row["question"], row["context"]) for row in examples}
        return {id_: SquadAnswer(text, text) for id_, text in texts.items()}

    # --- scores -------------------------------------------------------------------------------------------------------

    def evaluate(self, examples: Dataset, predictions: Mapping[str, SquadAnswer], run: RunConfig) -> Evaluation:
        columns = _columns(examples)
        truth = references(columns)
        answers = dict(zip(columns["id"], require_all_ids(examples, predictions), strict=True))
        texts = {id_: answer.text for id_, answer in answers.items()}
        scores = (examples_v2 if self.unanswerable else examples_v1)(truth, texts)
        f1 = np.array([score.f1 for score in scores.values()])
        return Evaluation(
            self._metrics(truth, answers),
            [Prediction(id_, texts[id_], list(dict.fromkeys(truth[id_])), score.f1) for id_, score in scores.items()],
            resample=lambda picked: 100.0 * float(f1[picked].mean()),
            num_scored=len(f1),
            slices=slice_scores(scores, columns["question"], columns["context"], list(truth.values())),
        )

    def _metrics(
        self, truth: Mapping[str, Sequence[str]], answers: Mapping[str, SquadAnswer]
    ) -> dict[str, float | None]:
        texts = {id_: answer.text for id_, answer in answers.items()}
        if not self.unanswerable:
            return squad_v1(truth, texts)
        # The final answers are scored as they are. With odds the official default threshold of 1.0, meant for
        # probabilities, would empty answers, so that odds serve for the `best_` figures alone.
        metrics = squad_v2(truth, texts)
        odds = {id_: answer.null_odds for id_, answer in answers.items() if answer.null_odds is not None}
        if odds:
            possible = squad_v2(truth, {id_: answer.best_text for id_, answer in answers.items()}, odds)
            metrics |= {name: value for name, value in possible.items() if name.startswith("best_")}
        return metrics

    def write_outputs(
        self, folder: Path, split: str, examples: Dataset, predictions: Mapping[str, SquadAnswer], run: RunConfig
    ) -> None:
        write_predictions(folder / "predictions.json", {id_: answer.text for id_, answer in predictions.items()})
        odds = {id_: answer.null_odds for id_, answer in predictions.items() if answer.null_odds is not None}
        if odds:
            write_null_odds(folder / "null_odds.json", odds)

    def score_files(self, gold: Path, predictions: Path, null_odds: Path | None = None) -> dict[str, Any]:
        truth = references(read_squad(gold, unanswerable=self.unanswerable))
        answers = read_predictions(predictions)
        if self.unanswerable:
            return squad_v2(truth, answers, None if null_odds is None else read_null_odds(null_odds))
        if unanswered := missing_ids(truth, answers):
            log.warning(
                "%d of %d questions have no prediction and count as wrong, first %r",
                len(unanswered),
                len(truth),
                unanswered[0],
            )
        return squad_v1(truth, answers)


def repaired(columns: Columns, *, training: bool) -> Table:
    """The columns with misplaced answers mended, and a note of what was changed."""
    columns, report = repair_answers(columns, training=training)
    notes = []
    if report.num_repaired:
        notes.append(f"{report.num_repaired} answers stood beside their answer_start and were moved to their text")
    if report.num_dropped:
        notes.append(
            f"{report.num_dropped} answers are not at their answer_start and were dropped, "
            f"and with them {report.num_removed} questions; first: {report.dropped_ids[0]!r}"
        )
    return Table(columns, tuple(notes))


def encoded_windows(windows: SquadWindows) -> Encoded:
    """Windows as the harness keeps them: one row a window."""
    columns = {
        name: Ragged(getattr(windows, name), windows.offsets) for name in ("segment_ids", "char_starts", "char_ends")
    }
    return Encoded(
        {
            "input_ids": Ragged(windows.input_ids, windows.offsets, padding=PAD_ID),
            **columns,
            "context_mask": Ragged(windows.context_mask.astype(np.uint8), windows.offsets),
        },
        windows.example_index,
        {"start_label": windows.start_labels, "end_label": windows.end_labels},
    )


def windows_of(encoded: Encoded) -> SquadWindows:
    """The windows that `encoded_windows` was given, without its counts."""
    return SquadWindows(
        offsets=encoded.ragged["input_ids"].offsets,
        **{name: encoded.ragged[name].values for name in ("input_ids", "segment_ids", "char_starts", "char_ends")},
        context_mask=encoded.ragged["context_mask"].values.astype(bool),
        example_index=encoded.example_index,
        start_labels=encoded.fixed["start_label"],
        end_labels=encoded.fixed["end_label"],
        num_truncated_questions=0,
        num_lost_answers=0,
    )


def _columns(examples: Dataset) -> Columns:
    return {name: examples[name][:] for name in FEATURES}


_TRAINING = {"max_length": 384, "max_epochs": 3}

SQUAD_V1 = SquadTask(
    "1.1",
    ("rajpurkar/squad", "plain_text"),
    unanswerable=False,
    summary="the answer to a question, a span of a paragraph",
    training=_TRAINING,
    official_sizes={"train": 87_599, "dev": 10_570},
)
SQUAD_V2 = SquadTask(
    "2.0",
    ("rajpurkar/squad_v2", "squad_v2"),
    unanswerable=True,
    summary="the same, and some questions have no answer",
    training=_TRAINING,
    official_sizes={"train": 130_319, "dev": 11_873},
)
