"""Commands that compute from what is there: `score`, `submit`, `report`, `compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli import completion
from atinuke_bench.cli.shared import (
    AcrossOption,
    JsonOption,
    WandbOption,
    app,
    finished_runs,
    print_code_note,
    print_json,
    print_parts,
    say,
    wandb_mode,
)
from atinuke_bench.errors import ConfigError, TrackerError

if TYPE_CHECKING:
    from atinuke_bench.reports.pairwise import Compared
    from atinuke_bench.reports.report import Report

MarginOption = Annotated[
    float | None,
    typer.Option("--margin", metavar="POINTS", help="Call what is not told apart equal within POINTS, or undecided."),
]


@app.command(epilog="Example: atinuke-bench score snli --gold snli_1.0_dev.jsonl --predictions predictions.jsonl")
def score(
    task: Annotated[
        str,
        typer.Argument(
            help="Task whose metrics are computed, or a YAML file that declares one.",
            autocompletion=completion.tasks,
        ),
    ],
    gold: Annotated[Path, typer.Option("--gold", help="Official gold file; of a declared task a table of its fields.")],
    predictions: Annotated[Path, typer.Option("--predictions", help="Predictions in the official format.")],
    null_odds: Annotated[
        Path | None, typer.Option("--null-odds", help="How likely each question is unanswerable (squad-v2.0).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the official metrics of a predictions file. Nothing is trained."""
    from atinuke_bench.config import find_task
    from atinuke_bench.registry import load_task

    name, declaration = find_task(task)
    scorer = load_task(name, declaration).require("files")
    extra = {} if null_odds is None else {"null_odds": null_odds}
    if unknown := extra.keys() - set(scorer.score_options):
        raise ConfigError(f"task {task!r} takes no --{unknown.pop().replace('_', '-')}")
    scores = scorer.score(gold, predictions, **extra)
    if as_json:
        print_json(scores)
        return
    from atinuke_bench.console import score_tables

    print_parts(*score_tables(name, scores))


@app.command(epilog="Example: atinuke-bench submit runs/glue --out submission.zip")
def submit(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold some.")],
    out: Annotated[Path, typer.Option("--out", help="Zip file to write.")] = Path("submission.zip"),
    seed: Annotated[int | None, typer.Option("--seed", help="Take only runs of this seed.")] = None,
    core: Annotated[str | None, typer.Option("--core", help="Take only runs of this core.")] = None,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", help="GLUE or SuperGLUE, where there are runs of both.")
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Write the files and rows there are.")] = False,
) -> None:
    """Write the official submission of GLUE or SuperGLUE from finished runs, one a task."""
    from atinuke_bench.runs.submission import benchmark_of, write_submission

    found = [
        (folder, result)
        for folder, result in finished_runs(runs)
        if (seed is None or result["seed"] == seed) and (core is None or result["core"] == core)
    ]
    folders = [folder for folder, _ in found]
    benchmark = benchmark or benchmark_of(folders)
    written = write_submission(benchmark, folders, out, partial=partial)
    say(f"{written.path}: {', '.join(written.files)}")
    for folder, result in written.runs:
        print_code_note(folder.path, folder.manifest, result["task"], result["core"])
    if written.missing:
        say(f"warning: partial submission; missing {', '.join(written.missing)}", err=True)
    for shortfall in written.shortfalls:
        say(f"warning: partial submission; {shortfall}", err=True)
    for name, average in written.dev_averages.items():
        shown = f"{average.score:.1f}" if average.score is not None else f"missing: {', '.join(average.missing)}"
        say(f"{benchmark} average of the dev sets, {name}: {shown}")


@app.command(epilog="Example: atinuke-bench report runs --out report")
def report(
    out: Annotated[Path, typer.Option("--out", help="Folder of the report.")],
    runs: Annotated[list[Path] | None, typer.Argument(help="Folders that hold runs, or glob patterns.")] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="wandb:ENTITY/PROJECT", help="Also read the runs of a W&B project."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="CORE", help="Compare every other core with this one.")
    ] = None,
    margin: MarginOption = None,
    published: Annotated[
        list[Path] | None,
        typer.Option("--published", help="CSV file of published figures of your own, of the record's columns."),
    ] = None,
    wandb: WandbOption = "disabled",
    project: Annotated[str, typer.Option("--project", help="W&B project the report goes to.")] = "atinuke-bench",
    as_json: JsonOption = False,
) -> None:
    """Write report.html, tables and figures of finished runs. What cannot be read is listed in it."""
    from atinuke_bench.reports.reading.wandb_project import project_of
    from atinuke_bench.reports.writing.render import write_report

    mode = wandb_mode(wandb)
    projects = [project_of(source) for source in sources or ()]
    if not runs and not projects:
        raise ConfigError("a report needs runs; give a folder of runs, or --from wandb:ENTITY/PROJECT")
    written = write_report(runs or (), out, projects, reference, margin, published or ())
    if mode != "disabled":
        _record_in_wandb(written, out, project, upload=mode == "online")
    if as_json:
        print_json({"report": str(out / "report.html"), **written.summary()})
        return
    trials = f", {written.frame.num_trials} trials of studies" if written.frame.num_trials else ""
    say(f"{len(written.frame.runs)} finished runs{trials}, {len(written.gaps)} gaps", err=True)
    say(str(out / "report.html"))


def _record_in_wandb(written: Report, out: Path, project: str, *, upload: bool) -> None:
    from atinuke_bench.reports.writing.wandb_log import log_report

    try:
        record = log_report(written, out, project)
    except TrackerError as error:
        # The report itself is there, and a tracker may fail.
        say(f"warning: {error}", err=True)
        return
    if upload:
        from atinuke_bench.runs.wandb_upload import start_upload_of_record

        start_upload_of_record(record, out)
        say(f"W&B: {record} is being uploaded; see {out / 'wandb' / 'upload.txt'}", err=True)
    else:
        say(f"W&B: recorded in {record}; `wandb sync` uploads it", err=True)


@app.command(epilog="Example: atinuke-bench compare atinuke transformer --runs runs")
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A core, or a folder or pattern of runs.")],
    b: Annotated[str, typer.Argument(metavar="B", help="What to compare it with, named the same way.")],
    runs: Annotated[Path, typer.Option("--runs", help="Store of the runs, where A and B are cores.")] = Path("runs"),
    across: AcrossOption = None,
    margin: MarginOption = None,
    examples: Annotated[
        bool, typer.Option("--examples", help="Show examples that A and B answer differently, with their texts.")
    ] = False,
    examples_to: Annotated[
        Path | None,
        typer.Option(
            "--examples-to", metavar="FILE", help="Write all of them, with the answers of every seed, as JSON lines."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether A is better than B on each task they share: a paired test over what is resampled and seeds.

    Below are tests of the two models of each seed: McNemar's for accuracies, randomisation, bootstrap.
    """
    from atinuke_bench.reports.pairwise import BY_SEED_NOTE, compare_sides

    found = compare_sides(a, b, runs, across or [], margin, with_examples=examples)
    records = [comparison.record() for comparison in found.comparisons]
    if examples_to is not None:
        _write_examples(found, examples_to)
    if as_json:
        gaps = [vars(gap) for gap in found.gaps]
        beside: dict[str, Any] = {"test_sets": list(found.test_sets)} if found.test_sets else {}
        if examples:
            beside["examples"] = [{"task": one.task, **ex.record()} for one in found.examples for ex in one.examples]
        print_json({"comparisons": records, "by_seed": list(found.by_seed), "gaps": gaps, "note": found.note, **beside})
        return
    from atinuke_bench.console import comparison_rows, seed_rows

    for record, one in zip(records, found.comparisons, strict=True):
        record["verdict"] = one.finding
    print_parts(
        comparison_rows(records),
        f"{found.note}. Verdicts are from it, intervals are not corrected.",
        *filter(None, [found.margin_note, found.resampled]),
    )
    if found.by_seed:
        print_parts("", seed_rows(found.by_seed), BY_SEED_NOTE)
    for own in found.examples:
        say("")
        say(f"{own.task}, seed {own.seed}: A better on {own.num_a}, B on {own.num_b} of {own.num_examples} examples")
        for example in own.examples:
            say("")
            record = example.record()
            for name, text in {"id": record["id"], **record.pop("texts"), **record}.items():
                say(f"  {name}: {text}")
    if found.test_sets:
        say(f"scored on other test sets too, which `report` compares: {', '.join(found.test_sets)}", err=True)
    for gap in found.gaps:
        say(f"not compared: {gap.where}: {gap.reason}", err=True)


def _write_examples(found: Compared, place: Path) -> None:
    from atinuke_bench.files import write_text

    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in found.every_example()]
    write_text(place, "".join(lines))
    say(f"{place}: {len(lines):,} examples that A and B answer differently", err=True)
