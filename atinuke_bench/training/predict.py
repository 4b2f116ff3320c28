"""A trained module that answers new examples, in pieces of a stream.

Letters: N examples of a piece, R rows made from them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer

from atinuke_bench.config import RunConfig
from atinuke_bench.core.build import build_core
from atinuke_bench.data.batching import TokenBudgetSampler, make_loader
from atinuke_bench.data.features import Encoded
from atinuke_bench.data.inputs import Record, read_records
from atinuke_bench.data.text import require_whole_text
from atinuke_bench.errors import ConfigError, DataError, RunFolderError
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.training.checkpoint import load_weights
from atinuke_bench.training.module import TaskModule
from atinuke_bench.training.parts import Parts
from atinuke_bench.training.task import Outputs, Task, task_of


@dataclass(frozen=True)
class Question:
    """A new example: its line, its fields, and the rows that its task makes of it."""

    number: int
    record: Record
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What is predicted for one new example, in the form that runs store."""

    id: str
    prediction: Any
    #: What the head gives to each answer, where it was asked for.
    probabilities: Any = None

    def as_record(self) -> dict[str, Any]:
        record = {"id": self.id, "prediction": self.prediction}
        return record if self.probabilities is None else {**record, "probabilities": self.probabilities}


@dataclass(frozen=True)
class Predictor:
    """A module with its weights, and all that its task must know to use it."""

    run: RunConfig
    task: Task
    module: TaskModule
    tokenizer: Tokenizer
    #: What was chosen on the selection slice, such as a threshold.
    calibration: Mapping[str, float]

    def stream(
        self, lines: Iterable[str], path: str | Path = "-", chunk: int = 64, *, probabilities: bool = False
    ) -> Iterator[Answer]:
        """One answer for every line that is not blank, in their order, with `probabilities` if asked for.

        `chunk` lines are read before they are answered together, so that memory does not grow with the input.
        ConfigError where the task has no probabilities.
        DataError names line and field of one that cannot be read, once those before it are answered.
        """
        if probabilities:
            self._require_probabilities()
        inputs = self.task.require("inputs")
        records = read_records(lines, path, inputs.plain_fields, inputs.column_names(), quotes=inputs.quotes)
        questions = self._questions(records, path)
        problem = None
        while problem is None:
            piece: list[Question] = []
            try:
                piece.extend(itertools.islice(questions, chunk))
            except DataError as error:
                problem = error
            if not piece:
                break
            yield from self._answer(piece, probabilities)
        if problem is not None:
            raise problem

    def predict(self, records: Iterable[Record], *, probabilities: bool = False) -> list[Answer]:
        """One answer for every record, all of them together; DataError names record and field.

        ConfigError where probabilities are asked for and the task has none.
        """
        if probabilities:
            self._require_probabilities()
        questions = list(self._questions(enumerate(records, start=1), "record"))
        return list(self._answer(questions, probabilities)) if questions else []

    def _require_probabilities(self) -> None:
        if not self.task.model.has_probabilities:
            raise ConfigError(
                f"task {self.task.name!r} has no probabilities of its answers; tasks with labels, choices, tags or "
                "spans of a text have them"
            )

    def _questions(self, numbered: Iterable[tuple[int, Record]], path: str | Path) -> Iterator[Question]:
        inputs, options = self.task.require("inputs"), self.task.options(self.run)
        for number, record in numbered:
            try:
                require_whole_text(record)
                yield Question(number, record, inputs.examples(record, str(number), options))
            except DataError as error:
                raise DataError(str(error), path=path, line=number) from error

    def _answer(self, questions: Sequence[Question], with_probabilities: bool) -> Iterator[Answer]:
        features = self.task.features
        rows = [row for question in questions for row in question.rows]
        examples = Dataset.from_dict({name: [row[name] for row in rows] for name in features}, features)
        encoded = self.encode(examples)
        outputs = self._outputs(encoded, gives_logits=with_probabilities)
        predicted = self._decoded(examples, encoded, outputs)
        given: dict[str, Any] = {}
        if with_probabilities:
            given = self.task.model.probabilities(outputs, encoded, examples, self.run, self.calibration)
        for question in questions:
            stored = [self.task.metric.to_stored(predicted[row["id"]]) for row in question.rows]
            id_ = str(question.record.get("id", question.number))
            own = [given.get(row["id"]) for row in question.rows]
            answer = self.task.require("inputs").answer
            yield Answer(id_, answer(question.record, stored), answer(question.record, own) if given else None)

    def encode(self, examples: Dataset) -> Encoded:
        """Examples in the task's features as rows of the core."""
        return self.task.data.rows(examples, self.tokenizer, self.run)

    def decode(
        self, examples: Dataset, encoded: Encoded, done: Callable[[int], None] = lambda num_rows: None
    ) -> dict[str, Any]:
        """The prediction for each id, as the task's metric takes it; `done` is told how many rows each batch had."""
        return self._decoded(examples, encoded, self._outputs(encoded, done))

    def _decoded(self, examples: Dataset, encoded: Encoded, outputs: Outputs) -> dict[str, Any]:
        predicted = self.task.model.decode(outputs, encoded, examples, self.run)
        return self.task.model.apply_calibration(predicted, self.calibration)

    @torch.inference_mode()
    def _outputs(
        self,
        encoded: Encoded,
        done: Callable[[int], None] = lambda num_rows: None,
        *,
        gives_logits: bool = False,
    ) -> Outputs:
        """The raw outputs of all rows, in the order of their batches."""
        self.module.gives_logits = gives_logits
        budget = 2 * self.run.training.batch_tokens
        sampler = TokenBudgetSampler(encoded.lengths, budget, seed=None, num_inputs=encoded.num_inputs)
        device = next(self.module.parameters()).device
        outputs: Outputs = []
        with torch.autocast(device.type, torch.bfloat16, enabled=self.run.training.precision == "bfloat16"):
            for batch in make_loader(encoded, sampler, device):
                outputs += self.module.raw_outputs(self.module.feed(batch))
                done(len(batch["rows"]))
        return outputs


def load_predictor(folder: RunFolder) -> Predictor:
    """The predictor of a finished run; RunFolderError or CheckpointError when a file is missing or damaged."""
    result = folder.read_result()
    run = folder.read_config()
    if run.core.is_floor:
        raise ConfigError(f"{folder.path}: a run of the floor has no trained core; give a run of another core")
    for path in (folder.tokenizer, folder.best_checkpoint):
        folder.require_whole(path, result)
    tokenizer = Tokenizer.from_file(str(folder.tokenizer))
    if (calibration := (result["selection"] or {}).get("calibration")) is None:
        raise RunFolderError(f"{folder.result}: selection.calibration: the field is missing")
    predictor = build_predictor(run, tokenizer, calibration)
    load_weights(folder.best_checkpoint, predictor.module)
    return predictor


def build_predictor(run: RunConfig, tokenizer: Tokenizer, calibration: Mapping[str, float]) -> Predictor:
    """A predictor with random weights, to be filled."""
    task = task_of(run)
    module = task.model.build(build_core(run.core, tokenizer.get_vocab_size(), is_shell=True), run)
    module.eval()
    module.parts = Parts(adapts=True)
    if torch.cuda.is_available():
        module.to("cuda")
    return Predictor(run, task, module, tokenizer, calibration)
