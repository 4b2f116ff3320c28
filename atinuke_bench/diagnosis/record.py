"""A run as the rules see it: what its folder says, whether it is finished, under way, failed or of an older version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atinuke_bench.config import TrainingConfig, read_yaml
from atinuke_bench.errors import AtinukeBenchError, FailureClass, RunFolderError, first_line
from atinuke_bench.files import read_object
from atinuke_bench.records import EpochRecord, FailureRecord
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.step_record import Columns, read_steps

Numbers = NDArray[np.float64]
#: Epochs from which a course can be told.
FEWEST_EPOCHS = 4
#: Answers are a few labels where there are so many of them, and one of them is right so often.
FEWEST_LABELS, LABEL_SHARE = 20, 0.15


@dataclass(frozen=True)
class Answers:
    """How the answers of an epoch spread on the selection slice; NaN where it is not known."""

    num: float = np.nan
    entropy: float = np.nan
    commonest: float = np.nan
    commonest_right: float = np.nan
    floor: float = np.nan

    @classmethod
    def of(cls, record: Any) -> Answers:
        known = record if isinstance(record, Mapping) else {}
        return cls(**{name: _number(known.get(name)) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run. `losses` and `scores` have an entry an epoch (E), NaN where one is no number."""

    folder: str
    task: str = ""
    core: str = ""
    seed: int | None = None
    training: TrainingConfig = field(default_factory=TrainingConfig)
    losses: Numbers = field(default_factory=lambda: np.empty(0))  # [E]
    scores: Numbers = field(default_factory=lambda: np.empty(0))  # [E]
    answers: tuple[Answers, ...] = ()  # [E]
    steps: Columns = field(default_factory=dict)
    higher_is_better: bool = True
    is_percentage: bool = True
    is_finished: bool = False
    is_running: bool = False
    failure: FailureRecord | None = None
    #: Share of the train split's examples whose texts an earlier one has too.
    repeats: float = np.nan
    starts_trained: bool = False
    #: What could not be read of it.
    unread: tuple[str, ...] = ()

    @property
    def num_epochs(self) -> int:
        return len(self.losses)

    @property
    def gains(self) -> Numbers:  # [E]
        """The selection scores, turned so that more is better."""
        return self.scores if self.higher_is_better else -self.scores

    @property
    def best_epoch(self) -> int | None:
        """The epoch with the best selection score, the earliest of equals; None where none has one."""
        return None if not np.isfinite(self.gains).any() else int(np.nanargmax(self.gains))

    @property
    def last_answers(self) -> Answers:
        return self.answers[-1] if self.answers else Answers()

    @property
    def is_young(self) -> bool:
        """Whether a run that may go on has had too few epochs for a judgement on what it learned."""
        return not self.is_finished and self.num_epochs < FEWEST_EPOCHS

    @property
    def has_diverged(self) -> bool:
        return self.failure is not None and self.failure.failure_class is FailureClass.DIVERGED

    @property
    def num_planned_steps(self) -> float:
        """Steps of all epochs that the run may have, from those of the epochs that it had."""
        num_whole = max(1, int(self.steps["epoch"][-1]) + 1)
        return float(self.steps["step"][-1]) / num_whole * self.training.max_epochs

    def noise(self) -> float:
        """How far above the truth the best of the epochs' scores is by chance in at most 5 % of cases, in points.

        Of a share of `num` answers the standard error is at most 50 / sqrt(num). Where answers are not a few labels, an
        example is scored in many parts, and it is much less: 0 is given.
        """
        own = self.last_answers
        if not (self.is_percentage and own.num >= FEWEST_LABELS and own.commonest_right >= LABEL_SHARE):
            return 0.0
        return float(NormalDist().inv_cdf(1 - 0.05 / max(1, self.num_epochs)) * 50 / np.sqrt(own.num))

    def measured(self, prefix: str) -> dict[str, tuple[Numbers, Numbers]]:
        """Of the columns that begin so, by the rest of their name: the steps where one was measured, and its values."""
        found = {}
        for name, column in self.steps.items():
            if name.startswith(prefix) and (known := ~np.isnan(column)).any():
                found[name.removeprefix(prefix)] = self.steps["step"][known], column[known]
        return found

    def peak(self) -> NDArray[np.bool_]:
        """The rows of steps that were taken with at least half the largest learning rate."""
        rates = self.steps["learning_rate"]
        return rates >= 0.5 * np.nanmax(rates)


def read_run(folder: RunFolder, result: Mapping[str, Any] | None = None) -> RunRecord:
    """What a run's folder says. Nothing is raised for what is missing or damaged; `unread` names it."""
    unread: list[str] = []

    def tried(read: Any, instead: Any) -> Any:
        try:
            return read()
        except (AtinukeBenchError, ValueError) as error:
            unread.append(first_line(error))
            return instead

    if result is None and folder.result.exists():
        result = tried(folder.read_result, None)
    config = tried(lambda: read_yaml(folder.config), {})
    config = config if isinstance(config, dict) else {}
    history = tried(folder.read_history, [])
    epochs = [record for record in history if tried(lambda record=record: EpochRecord.model_validate(record), None)]
    steps = tried(lambda: read_steps(folder.steps), {}) if folder.steps.exists() else {}
    known = result or {}
    return RunRecord(
        folder=str(folder.path),
        task=str(known.get("task") or config.get("task") or ""),
        core=str(known.get("core_label") or _label(config)),
        seed=known.get("seed", config.get("seed")),
        training=tried(lambda: TrainingConfig.model_validate(config.get("training") or {}), TrainingConfig()),
        losses=numbers_of(epochs, "loss"),
        scores=numbers_of(epochs, "score"),
        answers=tuple(Answers.of(record.get("answers")) for record in epochs),
        steps=steps if steps and len(steps["step"]) else {},
        **_direction(known, epochs),
        is_finished=result is not None,
        is_running=result is None and folder.is_locked(),
        failure=None if result is not None else tried(folder.read_failure, None),
        repeats=repeats_of(folder),
        starts_trained=config.get("init_from") is not None or _name(config) == "pretrained",
        unread=tuple(unread),
    )


def _name(config: Mapping[str, Any]) -> str:
    core = config.get("core")
    return str(core.get("name", "")) if isinstance(core, dict) else ""


def _label(config: Mapping[str, Any]) -> str:
    core = config.get("core")
    preset = core.get("preset") if isinstance(core, dict) else None
    return f"{_name(config)}-{preset}" if preset else _name(config)


def _direction(result: Mapping[str, Any], epochs: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Whether more is better, and whether scores are percentages; of an unfinished run by what a floor is known of."""
    if result:
        is_better = bool(result.get("higher_is_better", True))
        return {"higher_is_better": is_better, "is_percentage": is_better}
    # Only scores that are better when they are higher have a floor beside them, and a loss has `answers` without one.
    answers = epochs[-1].get("answers") if epochs else None
    is_loss = isinstance(answers, Mapping) and answers.get("higher_is_better") is False
    return {"higher_is_better": not is_loss, "is_percentage": not is_loss}


def numbers_of(epochs: Sequence[Mapping[str, Any]], name: str) -> Numbers:  # [E]
    """A figure of each epoch, NaN where it is none."""
    return np.array([_number(record.get(name)) for record in epochs], dtype=np.float64)


def repeats_of(folder: RunFolder) -> float:
    """The share of train that repeats earlier examples, as the run's manifest counts them; NaN where it does not."""
    try:
        counts = read_object(folder.manifest)["data"]["overlap"]["within_train"]
        return float(counts["repeats"]) / max(1, int(counts["examples"]))
    except (RunFolderError, KeyError, TypeError, ValueError):  # an older run, or damage that `verify` names
        return np.nan


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan
