"""What the rules of `diagnosis` say of the runs of a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from atinuke_bench.config import TrainingConfig
from atinuke_bench.diagnosis.diagnose import diagnose
from atinuke_bench.diagnosis.finding import Finding, Severity
from atinuke_bench.diagnosis.record import Answers, RunRecord, numbers_of, repeats_of
from atinuke_bench.errors import RunFolderError, first_line
from atinuke_bench.formatting import one_short_line
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.step_record import Columns, read_steps

from .frame import Frame, Gap


@dataclass(frozen=True)
class Diagnosed:
    """The findings of the runs that recorded their steps, by run, and what could not be read."""

    findings: Mapping[int, list[Finding]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    records: Mapping[int, RunRecord] = field(default_factory=dict, repr=False)

    def serious(self, runs: tuple[int, ...]) -> dict[str, list[int]]:
        """Which of some runs have each serious finding, by its name."""
        found: dict[str, list[int]] = {}
        for run in runs:
            for finding in self.findings.get(run, ()):
                if finding.severity is Severity.SERIOUS:
                    found.setdefault(finding.name, []).append(run)
        return found


def diagnosed(frame: Frame) -> Diagnosed:
    """What is wrong with the runs of a frame; those of older versions and of W&B, without steps, are left out."""
    findings, records, gaps = {}, {}, []
    for run in frame.runs.index:
        if frame.value(run, "is_remote"):
            continue
        folder = RunFolder(Path(frame.value(run, "folder")))
        if not folder.steps.exists():
            continue
        try:
            steps = read_steps(folder.steps)
        except RunFolderError as error:
            gaps.append(Gap(str(folder.steps), f"damaged record of steps: {one_short_line(first_line(error))}"))
            continue
        records[run] = _record(frame, run, folder, steps)
        findings[run] = diagnose(records[run])
    return Diagnosed(findings, tuple(gaps), records)


def _record(frame: Frame, run: int, folder: RunFolder, steps: Columns) -> RunRecord:
    history = frame.history(run)
    is_better = bool(frame.value(run, "higher_is_better"))
    config = frame.config(run)
    return RunRecord(
        folder=str(folder.path),
        task=frame.value(run, "task"),
        core=frame.value(run, "label"),
        seed=frame.value(run, "seed"),
        training=_training(config),
        losses=numbers_of(history, "loss"),
        scores=numbers_of(history, "score"),
        answers=tuple(Answers.of(record.get("answers")) for record in history),
        steps=steps if np.size(steps["step"]) else {},
        higher_is_better=is_better,
        is_percentage=is_better,
        is_finished=True,
        repeats=repeats_of(folder),
        starts_trained=frame.value(run, "core") == "pretrained"
        or any(name.startswith("init_from.") for name in config),
    )


def _training(config: Mapping[str, object]) -> TrainingConfig:
    own = {name.removeprefix("training."): value for name, value in config.items() if name.startswith("training.")}
    try:
        return TrainingConfig.model_validate({name: own[name] for name in own if name in TrainingConfig.model_fields})
    except ValueError:  # a config that another version wrote: the rules go by its defaults
        return TrainingConfig()
