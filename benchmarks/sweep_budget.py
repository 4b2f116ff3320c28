"""How much training a search with pruning needs to be as good as a random search without.

For each study seed: a random search of 24 trials without pruning, then TPE with ASHA over the same space until it
reaches the random search's best selection score. Printed is the share of the random search's training FLOPs that TPE
had used by then; the median over seeds should be at most a half.

    ATINUKE_DATA=/folder python benchmarks/sweep_budget.py --out /tmp/sweep-budget

The task is SNLI on its first examples; dev and test are cut to a few lines, since every run evaluates them and no
search looks at them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

from atinuke_bench.config import SourceConfig
from atinuke_bench.runs.jobs.factory import make_executor
from atinuke_bench.runs.jobs.types import Job
from atinuke_bench.sweeps.definition import Budget
from atinuke_bench.sweeps.insight import insight, write_insight
from atinuke_bench.sweeps.opening import create_or_join
from atinuke_bench.sweeps.planning import make_study_config
from atinuke_bench.sweeps.study import Study
from atinuke_bench.sweeps.sweep import Sweep
from atinuke_bench.training.execution import Execution

SPACE = {
    "core.num_layers": {"int": [1, 2]},
    "core.num_heads": {"categorical": [1, 2, 4]},
    "core.hidden_size": {"int": [16, 64], "log": True},
    "core.feedforward_size": {"categorical": [1, 2, 4], "times": "core.hidden_size"},
    "core.dropout": {"float": [0.0, 0.4]},
    "training.learning_rate": {"float": [1e-4, 1e-2], "log": True},
    "training.batch_tokens": {"int": [1024, 4096], "log": True},
}
#: As many examples to choose by as to learn from, so that the score is more than noise.
OVERRIDES = {
    "training.max_epochs": 9,
    "training.train_limit": 2400,
    "training.held_out_fraction": 0.45,
    "training.max_length": 48,
    "tokenizer.vocab_size": 2000,
}


def cut_data(source: Path, target: Path) -> Path:
    """SNLI with the first lines of dev and test."""
    (target / "snli").mkdir(parents=True, exist_ok=True)
    for split, lines in (("train", 4000), ("dev", 60), ("test", 60)):
        name = f"snli_1.0_{split}.jsonl"
        with open(source / "snli" / name, encoding="utf-8") as file:
            (target / "snli" / name).write_text("".join(islice(file, lines)), encoding="utf-8")
    return target


def make_study(data: Path, store: Path, seed: int, sampler: str, pruner: str, budget: dict[str, Any]) -> Study:
    config = make_study_config(
        name=f"{sampler}-{pruner}-{seed}",
        tasks=[("snli", None)],
        core="transformer",
        preset="nano",
        source=SourceConfig(data_dir=data),
        overrides=OVERRIDES,
        seed=seed,
        space=SPACE,
        sampler=sampler,
        pruner=pruner,
        budget=budget,
    )
    return create_or_join(config, store / config.name)


def carry_out(study: Study, workers: int) -> dict[str, Any]:
    executor = make_executor("local", workers)
    template = Job("", study.config.make_run({}), study.store, "disabled", execution=Execution(show_progress=False))
    try:
        Sweep(study, executor, template).run()
    finally:
        executor.close()
    return insight(study)


def flops_to_reach(record: dict[str, Any], score: float) -> float | None:
    """Training FLOPs of all trials up to the first that completed with at least `score`."""
    return next(
        (
            entry["training_flops"]
            for entry in record["history"]
            if entry["best"] is not None and entry["best"] >= score
        ),
        None,
    )


def compare(data: Path, store: Path, seed: int, num_trials: int, workers: int) -> float | None:
    """The share of the random search's FLOPs with which TPE reached its best; None if not with all of them."""
    started = time.monotonic()
    wide = make_study(data, store, seed, "random", "none", {"trials": num_trials})
    random = carry_out(wide, workers)
    best, total = random["history"][-1]["best"], random["spent"]["training_flops"]
    share = None
    for part in (0.25, 0.5, 0.75, 1.0):
        narrow = make_study(data, store, seed, "tpe", "asha", Budget(training_flops=part * total).model_dump())
        record = carry_out(narrow, workers)
        reached = flops_to_reach(record, best)
        if reached is not None:
            share = reached / total
            break
    for study in (wide, narrow):
        write_insight(study, insight(study))
        study.close()
    pruned = sum(trial["state"] == "pruned" for trial in record["trials"])
    print(
        f"seed {seed}: random best {best:.2f} with {total:.3g} FLOPs ({num_trials} trials); TPE with ASHA best "
        f"{record['history'][-1]['best']:.2f}, {len(record['trials'])} trials, {pruned} pruned, share "
        f"{'not reached' if share is None else f'{share:.3f}'} ({time.monotonic() - started:.0f} s)",
        flush=True,
    )
    return share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("ATINUKE_DATA"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    if options.data is None:
        sys.exit("set ATINUKE_DATA or --data to the folder that holds snli/")
    data = cut_data(Path(options.data), options.out / "data")
    shares = [compare(data, options.out, seed, options.trials, options.workers) for seed in range(1, options.seeds + 1)]
    median = statistics.median(float("inf") if share is None else share for share in shares)
    print(f"median share of FLOPs over {len(shares)} seeds: {median:.3f}")


if __name__ == "__main__":
    main()
