"""Commands of tasks that files declare, `task new FILE` and `task check FILE`, and the schemas of files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from atinuke_bench.cli import completion
from atinuke_bench.cli.shared import (
    DataDirOption,
    JsonOption,
    ModelOption,
    SetOption,
    SourceOption,
    app,
    print_json,
    print_rows,
    say,
    short,
)
from atinuke_bench.formatting import visible

task = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Declare a task of your own data in YAML: `task new` writes a first file, `task check` shows what it reads.",
)
app.add_typer(task, name="task")


@task.command(epilog="Example: atinuke-bench task new reviews/train.csv --out reviews.yaml")
def new(
    data: Annotated[
        str, typer.Argument(metavar="FILE|OWNER/NAME", help="A data file, or a data set on the Hugging Face Hub.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="YAML file to write. [default: the task's name, in this folder]")
    ] = None,
    config: Annotated[str, typer.Option("--config", help="Configuration of the data set on the Hub.")] = "default",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at a data file and write a first YAML file with what was found and why; nothing is trained.

    Tables (csv, tsv, jsonl, json, parquet, .gz), CoNLL columns and SQuAD's JSON. Other splits are found by their names.
    """
    from atinuke_bench.config import find_task
    from atinuke_bench.data.first_declaration import write_first
    from atinuke_bench.data.survey import survey_file, survey_hub

    path = Path(data)
    is_hub = not path.exists() and data.count("/") == 1 and not path.suffix and not path.parent.is_dir()
    found = survey_hub(data, config) if is_hub else survey_file(path)
    place = out or Path(f"{found.name}.yaml")
    write_first(found, None if is_hub else path, place, replace=force)
    name, _ = find_task(str(place))
    if as_json:
        record = {"file": str(place), "task": name, "kind": found.kind, "splits": dict(found.splits)}
        print_json({**record, "fields": dict(found.fields), "reasons": list(found.reasons)})
        return
    for reason in found.reasons:
        say(reason)
    say(f"{place}: {name}; look at it, then: atinuke-bench task check {place}")


@task.command(epilog="Example: atinuke-bench task check reviews.yaml")
def check(
    task: Annotated[str, typer.Argument(metavar="FILE", help="A YAML file that declares a task, or a task's name.")],
    core: Annotated[str, typer.Option("--core", help="The core whose tokens are shown.")] = "transformer",
    model: ModelOption = None,
    source: SourceOption = "local",
    data_dir: DataDirOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a task's data and show it as a core will see it: examples, counts, labels, lengths, [UNK], repeats.

    Lengths are in tokens, of at most 10,000 examples of a split; "over" is the share that is cut or read in parts.
    """
    from atinuke_bench.config import find_task, make_run_config, parse_override
    from atinuke_bench.config.asked import model_override, source_config
    from atinuke_bench.training.examine import examine
    from atinuke_bench.training.prepare import prepare

    name, declaration = find_task(task)
    run = make_run_config(
        name,
        core,
        source=source_config(source, data_dir, declaration),
        overrides={**model_override(core, model), **dict(map(parse_override, overrides or []))},
        declaration=declaration,
    )
    record = examine(prepare(run, predicts_unlabelled=True))
    if as_json:
        print_json(record)
    else:
        _print_examined(record)


@app.command(epilog="Example: atinuke-bench schema suite > suite.schema.json")
def schema(
    kind: Annotated[
        str,
        typer.Argument(
            help="Kind of file: suite, space, task or recipe.",
            autocompletion=completion.one_of("suite", "space", "task", "recipe"),
        ),
    ],
    path: Annotated[bool, typer.Option("--path", help="Print where the schema lies, in place of itself.")] = False,
) -> None:
    """Print the JSON Schema of a kind of YAML file, by which editors complete and check it."""
    from atinuke_bench.config.schemas import schema_path

    found = schema_path(kind)
    typer.echo(str(found) if path else found.read_text(encoding="utf-8").rstrip())


def _print_examined(record: dict[str, Any]) -> None:
    for example in record["examples"]:
        say(f"{example['id']}: {example['answer']}")
        for row in example["rows"]:
            say(f"  {row}")
    say("")
    print_rows([_split_row(name, split, record) for name, split in record["splits"].items()], as_json=False)
    for name, split in record["splits"].items():
        if split["labels"]:
            shown = ", ".join(f"{label} {_count(num)}" for label, num in list(split["labels"].items())[:20])
            say(visible(f"{name}: {shown}"))
    for note in record["notes"]:
        say(note)


def _split_row(name: str, split: dict[str, Any], record: dict[str, Any]) -> dict[str, str]:
    tokens, shared = split["tokens"], record["overlap"]["splits"].get(name)
    return {
        "split": name,
        "examples": f"{split['examples']:,}",
        "labelled": f"{split['labelled']:,}",
        "tokens (median)": str(tokens["median"]),
        "95 %": str(tokens["95 %"]),
        f"over {record['max_length']}": f"{tokens['over max_length']:.1f} %",
        "[UNK]": "–" if split["unknown_percent"] is None else f"{split['unknown_percent']:.2f} %",
        "repeats": f"{split['repeats']:,}",
        "in train": "–" if shared is None else f"{shared['shared']:,}",
    }


def _count(num: float) -> str:
    return f"{num:,}" if isinstance(num, int) else short(num)
