"""The command that tests a sentence: `claim`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atinuke_bench.cli.shared import (
    AcrossOption,
    CheckpointMinutesOption,
    DeviceBatchTokensOption,
    DevicesPerRunOption,
    JsonOption,
    WandbOption,
    WorkersOption,
    app,
    execution_of_many,
    on_device,
    print_json,
    say,
    wandb_mode,
)
from atinuke_bench.errors import ConfigError

if TYPE_CHECKING:
    from atinuke_bench.reports.claim import Claim, Judged
    from atinuke_bench.runs.jobs.types import Executor, WandbMode
    from atinuke_bench.training.execution import Execution

_HELP = """Say whether runs support a claim, refute it, or leave it undecided. Exit status 0: supported, 1: not.

\b
A > B on TASK                         A is better
A > B by 0.7 % relative on TASK       better by more than this share of B's score
A > B by 1 point on TASK, TASK        better by more than a point, on each task
A >= B within 0.5 points on TASK      no worse than by this
A = B within 1 point on TASK          equal within this

A and B are cores, presets or variants as reports name them. Better is lower where the metric is a loss.

--carry-out trains further seeds of both until the claim is decided: it looks at 3, 5, 8, 12 … seeds, at half the level
each time (2.5 %, 1.25 %, …), so that all looks together are wrong in under 5 % of claims that do not hold.
"""


@app.command(help=_HELP, epilog="Example: atinuke-bench claim 'atinuke > bilstm by 0.7 % relative on squad-v1.1'")
def claim(
    text: Annotated[str, typer.Argument(metavar="CLAIM", help="The sentence, in quotation marks.")],
    runs: Annotated[Path, typer.Option("--runs", help="Store of the runs.")] = Path("runs"),
    across: AcrossOption = None,
    carry_out: Annotated[bool, typer.Option("--carry-out", help="Train further seeds until it is decided.")] = False,
    max_seeds: Annotated[int, typer.Option("--max-seeds", min=3, help="Most seeds of each core.")] = 12,
    workers: WorkersOption = None,
    devices_per_run: DevicesPerRunOption = 1,
    device_tokens: DeviceBatchTokensOption = None,
    checkpoint_minutes: CheckpointMinutesOption = 30,
    wandb: WandbOption = "offline",
    as_json: JsonOption = False,
) -> None:
    from atinuke_bench.reports.claim import Claim, judge

    parsed = Claim.parse(text)
    if carry_out:
        from atinuke_bench.runs.jobs.factory import make_executor

        fields = on_device(device_tokens, checkpoint_minutes)
        training = Training(
            make_executor("local", workers, devices_per_run),
            execution_of_many(fields, devices_per_run),
            wandb_mode(wandb),
        )
        judged = _carry_out(parsed, runs, across or [], max_seeds, training)
    else:
        judged = judge(parsed, runs, across or [])
    if as_json:
        print_json({"claim": text, "verdict": judged.verdict, "level": judged.level, "contrasts": judged.records()})
    else:
        say(f"{judged.verdict}: {text}")
        for sentence in judged.sentences():
            say(f"  {sentence}")
    if judged.verdict != "supported":
        raise typer.Exit(1)


@dataclass(frozen=True)
class Training:
    """What further seeds are trained with."""

    executor: Executor
    execution: Execution
    wandb: WandbMode


def _carry_out(parsed: Claim, runs: Path, across: list[str], max_seeds: int, training: Training) -> Judged:
    from atinuke_bench.reports.claim import judge, seeds_there
    from atinuke_bench.reports.statistics.claims import LOOKS, UNDECIDED, level_of_look, next_look
    from atinuke_bench.runs.more_seeds import add_seeds

    sides = seeds_there(parsed, runs, across)
    if not sides:
        raise ConfigError(f"neither {parsed.a} nor {parsed.b} has seeds that change its score")
    # What is there already is looked at first, at the level of the look that it is enough for.
    look = next_look(max(map(len, sides.values())) - 1, max_seeds)
    if look is None:
        raise ConfigError(f"--max-seeds is at least the number of seeds there are; found {max_seeds}")
    try:
        while True:
            add_seeds(
                sides, look, runs, training.executor, wandb=training.wandb, execution=training.execution,
                say=lambda line: say(line, err=True),
            )  # fmt: skip
            judged = judge(parsed, runs, across, level_of_look(LOOKS.index(look)))
            say(f"{look} seeds: {judged.verdict} at a level of {100 * judged.level:.3g} %", err=True)
            following = next_look(look, max_seeds)
            if judged.verdict != UNDECIDED or following is None:
                return judged
            look, sides = following, seeds_there(parsed, runs, across)
    finally:
        training.executor.close()
