"""`load` and `predict`: a trained run that answers new examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shared import Place, torch_threads, warn_of_other_code

if TYPE_CHECKING:
    from torch import nn

    from atinuke_bench.training.predict import Predictor as Trained


@dataclass(frozen=True)
class Predictor:
    """A trained model with its tokenizer and head, which answers Python objects with Python objects.

    >>> from atinuke_bench import load, run
    >>> found = run("glue/sst2", "bilstm", preset="nano", source="microworld", overrides=TINY, wandb="disabled")
    >>> predictor = load(found.folder)
    >>> predictor.task
    'glue/sst2'
    >>> set(predictor.predict([{"sentence1": "A warm and lively film."}])) <= {"0", "1"}
    True
    """

    folder: Path
    trained: Trained = field(repr=False)

    @property
    def task(self) -> str:
        """The task whose examples it answers."""
        return self.trained.run.task

    @property
    def module(self) -> nn.Module:
        """The trained module, in evaluation mode; its `core` is the encoder."""
        return self.trained.module

    def predict(self, inputs: Iterable[Mapping[str, Any]], *, threads: int = 1) -> list[Any]:
        """The answer to each input, in their order: a label, a number, a text or a list, as the task's predictions are.

        An input has the fields that `atinuke-bench predict --help` names for its task, such as `question` and
        `context`; others are ignored. DataError names the number, from 1 on, and the field of one that cannot be read.
        """
        with torch_threads(threads):
            return [answer.prediction for answer in self.trained.predict(dict(one) for one in inputs)]

    def probabilities(self, inputs: Iterable[Mapping[str, Any]], *, threads: int = 1) -> list[Any]:
        """What the head gives to the answers of each input, in their order; ConfigError for a task that has none.

        Of a classification a probability for each label, of choices one for each, by its number, of tags one for each
        tag at each word, and of spans the most probable ones, as `text`, `start` and `probability`. What was chosen on
        the selection slice, such as SQuAD's threshold, is in them.

        >>> from atinuke_bench import load, run
        >>> found = run("glue/sst2", "bilstm", preset="nano", source="microworld", overrides=TINY, wandb="disabled")
        >>> (found,) = load(found.folder).probabilities([{"sentence1": "A warm and lively film."}])
        >>> sorted(found), round(sum(found.values()), 6)
        (['0', '1'], 1.0)
        """
        with torch_threads(threads):
            answers = self.trained.predict((dict(one) for one in inputs), probabilities=True)
            return [answer.probabilities for answer in answers]


def load(folder: Place) -> Predictor:
    """The model of a finished run's folder, or of one that `atinuke-bench export` wrote.

    RunFolderError or CheckpointError where a file is missing or damaged, ConfigError for a run of the floor; warns
    where the code around the weights has changed since.

    >>> from atinuke_bench import load
    >>> load("runs/no-run")
    Traceback (most recent call last):
    atinuke_bench.errors.RunFolderError: runs/no-run: not a finished run (it has no result.json)
    """
    from atinuke_bench.runs.export import code_record, open_predictor

    place = Path(folder)
    trained = open_predictor(place)
    warn_of_other_code(place, code_record(place), trained.run.task, trained.run.core.name)
    return Predictor(place, trained)


def predict(folder: Place, inputs: Iterable[Mapping[str, Any]], *, threads: int = 1) -> list[Any]:
    """The answers of a run to new examples; as `load(folder).predict(inputs)`, which loads once for many calls.

    >>> from atinuke_bench import predict, run
    >>> found = run("glue/sst2", "bilstm", preset="nano", source="microworld", overrides=TINY, wandb="disabled")
    >>> len(predict(found.folder, [{"sentence1": "A dull drama."}, {"sentence1": "I liked it."}]))
    2
    """
    return load(folder).predict(inputs, threads=threads)
