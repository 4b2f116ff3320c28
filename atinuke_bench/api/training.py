"""`run`: one core trained and evaluated on one task with one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .cores import register_core
from .keywords import names_keywords
from .shared import Place, data_folder, torch_threads, warn_of_other_code

if TYPE_CHECKING:
    import pandas as pd

    from atinuke_bench.config import RunConfig
    from atinuke_bench.core.base import Core
    from atinuke_bench.training.execution import Execution

    from .predictor import Predictor


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and its `result.json` as it was written.

    `variant` is what its suite calls its core, or the core's label where it is of no suite.

    >>> from atinuke_bench import run
    >>> found = run("glue/sst2", "bilstm", preset="nano", source="microworld", overrides=TINY, wandb="disabled")
    >>> found.task, found.seed, found.split, found.metric
    ('glue/sst2', 0, 'test', 'accuracy')
    >>> found.score == found.scores["test"]["accuracy"]
    True
    """

    folder: Path
    result: Mapping[str, Any] = field(repr=False)
    variant: str

    @property
    def task(self) -> str:
        """The task's name."""
        return str(self.result["task"])

    @property
    def core(self) -> str:
        """The core's name."""
        return str(self.result["core"])

    @property
    def seed(self) -> int:
        """The seed of initialisation, order and dropout."""
        return int(self.result["seed"])

    @property
    def split(self) -> str | None:
        """The split that the score is of; None where the task has no labelled one."""
        split: str | None = self.result["split"]
        return split

    @property
    def metric(self) -> str:
        """The metric that the score is by."""
        return str(self.result["metric"])

    @property
    def score(self) -> float | None:
        """The figure of `metric` on `split` (percentages are 0 to 100); None where it could not be computed."""
        score: float | None = self.result["score"]
        return score

    @property
    def scores(self) -> Mapping[str, Mapping[str, float | None]]:
        """Every figure of every evaluated split."""
        scores: Mapping[str, Mapping[str, float | None]] = self.result["scores"]
        return scores

    @property
    def cost(self) -> Mapping[str, Any]:
        """What it took: parameters, FLOP, seconds, bytes."""
        cost: Mapping[str, Any] = self.result["cost"]
        return cost

    def predictions(self) -> pd.DataFrame:
        """Its scored answers, as `Runs.predictions` gives them."""
        from .frames import load_runs

        return load_runs(self.folder).predictions()

    def predictor(self) -> Predictor:
        """Its trained model, which answers new examples; as `load(run.folder)`."""
        from .predictor import load

        return load(self.folder)


@names_keywords
def run(
    task: Place,
    core: str | type[Core[Any]],
    *,
    preset: str = "micro",
    seed: int = 0,
    source: str = "local",
    data_dir: Place | None = None,
    model: str | None = None,
    overrides: Mapping[str, Any] = MappingProxyType({}),
    init_from: Place | None = None,
    drop_overlap: bool = False,
    predict_unlabelled: bool = False,
    keep_texts: bool = True,
    out: Place = "runs",
    wandb: Literal["online", "offline", "disabled"] = "offline",
    threads: int = 1,
    devices: int = 1,
    device_batch_tokens: int | Literal["auto"] | None = None,
    checkpoint_minutes: float = 30.0,
    progress: bool = False,
    rerun: bool = False,
) -> Run:
    """Train and evaluate one core on one task with one seed; a run that is finished in `out` is returned as it is.

    It is the command `run`: the same arguments give the same identity, folder and figures, and one goes on with what
    the other began. `task` is a name or the path of a YAML file that declares one, `core` a name or a class (as in
    `register_core`); `overrides` are fields of the config by their dotted paths; `data_dir` is $ATINUKE_DATA where it
    is not given; with `progress` a line on standard error says how far it is. Several `devices` are a process each, so
    that a script calls under `if __name__ == "__main__":`.

    Raises ConfigError for arguments that fit nothing, DataError for data that is missing or damaged, RunFailedError for
    a run of several processes that failed, and warns where a finished run was trained by other code.

    >>> from atinuke_bench import run
    >>> found = run("glue/sst2", "bilstm", preset="nano", source="microworld", overrides=TINY, wandb="disabled")
    >>> found.folder.parent.as_posix()
    'runs/glue/sst2/bilstm'
    >>> run("glue/sst", "bilstm")
    Traceback (most recent call last):
    atinuke_bench.errors.UnknownNameError: no task 'glue/sst'; nearest: 'glue/sst2'; ...
    """
    from atinuke_bench.config.asked import named_run, run_overrides
    from atinuke_bench.training.execution import Execution

    named: dict[str, Any] = {"model": model, "preset": preset, "source": source}
    core_name = core if isinstance(core, str) else register_core(core)
    changes = {**run_overrides(init_from, drop_overlap=drop_overlap), **overrides}
    config = named_run(str(task), core_name, data_dir=data_folder(data_dir), seed=seed, overrides=changes, **named)
    asked: dict[str, Any] = {"device_batch_tokens": device_batch_tokens, "checkpoint_minutes": checkpoint_minutes}
    execution = Execution(threads, devices=devices, show_progress=progress, keeps_texts=keep_texts, **asked)
    return _carry_out(config, Path(out), execution, wandb, rerun=rerun, predicts_unlabelled=predict_unlabelled)


def _carry_out(config: RunConfig, store: Path, execution: Execution, wandb: str, **asked: bool) -> Run:
    from atinuke_bench.config.asked import require_wandb_mode
    from atinuke_bench.runs.execute import execute

    mode = require_wandb_mode(wandb)
    with torch_threads(execution.threads):
        folder, result = execute(config, store, wandb=mode, execution=execution, **asked)
    warn_of_other_code(folder.path, folder.manifest, result["task"], result["core"])
    return Run(folder.path, result, result["core_label"])
