"""Commands that use a trained run: `predict`, `export`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from atinuke_bench.cli import completion
from atinuke_bench.cli.shared import app, print_code_note, print_json, say
from atinuke_bench.errors import ConfigError, DataError
from atinuke_bench.files import open_regular
from atinuke_bench.formatting import visible

_PREDICT_HELP = """Answer new examples with a trained run, one line each, as they come.

A line is a JSON object with the fields of the run's task, and an "id" if you like; other fields are ignored:

\b
snli, glue      sentence1, and sentence2 for pairs
squad-v1.1, 2.0 question, context
srl             words (a list, or a text with spaces), predicate (a word's
                number from 0, or a list of such)
coref           sentences (a list of lists of words, or of texts with spaces);
                speakers, name: optional
lm              text

A task that a YAML file declares takes the names that its `fields` or its data
have. For snli, glue, squad, lm and declared texts a line may also be the plain
texts, separated by tabs; one that begins with {" is read as JSON. A first line
that has the names of the fields is a header, by which columns are found; a
.csv file has one. RUN is a run folder, or one that `export` wrote.
"""


@app.command(
    help=_PREDICT_HELP,
    epilog="Example: atinuke-bench predict runs/snli/atinuke/seed-0-4909b0c4ad --input pairs.jsonl --jsonl",
)
def predict(
    run: Annotated[
        Path, typer.Argument(help="A finished run's folder, or an exported one.", autocompletion=completion.runs)
    ],
    source: Annotated[
        Path | None, typer.Option("--input", help="File of examples; standard input if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document: a list of answers.")] = False,
    as_lines: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a line.")] = False,
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="Give the probability of each label, choice, tag or span; JSON lines."),
    ] = False,
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Lines answered together; 1 answers each at once.")] = 64,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
) -> None:
    if as_json and as_lines:
        raise ConfigError("--json is one document, --jsonl one a line; give one of them")
    import torch

    from atinuke_bench.runs.export import code_record, open_predictor

    torch.set_num_threads(threads)
    predictor = open_predictor(run)
    # Weights answer what the code around them makes of them.
    print_code_note(run, code_record(run), predictor.run.task, predictor.run.core.name)
    with _lines(source) as lines:
        name = source or "standard input"
        answers = predictor.stream(_decoded(lines, name), name, chunk, probabilities=probabilities)
        form = _as_json if as_lines or probabilities else _as_line
        for text in _json_list(answers) if as_json else map(form, answers):
            typer.echo(text)
            sys.stdout.flush()


@app.command(epilog="Example: atinuke-bench export runs/snli/transformer/seed-0-4909b0c4ad --out model")
def export(
    run: Annotated[Path, typer.Argument(help="A finished run's folder.", autocompletion=completion.runs)],
    out: Annotated[Path, typer.Option("--out", help="New folder to write.")],
    form: Annotated[
        str,
        typer.Option(
            "--format", help="atinuke-bench: core, head, tokenizer; transformers: the core, and a tagger's head."
        ),
    ] = "atinuke-bench",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")] = False,
) -> None:
    """Write a run's weights, config and tokenizer to a new folder, as safetensors and JSON.

    `predict` answers from it. The transformers format is written for core transformer with the switches of BERT, and
    for pretrained cores; --core pretrained --model DIR starts from it.
    """
    from atinuke_bench.run_folder import RunFolder
    from atinuke_bench.runs.export import export_run, head_note

    folder = RunFolder(run)
    files = export_run(folder, out, form)
    result = folder.read_result()
    print_code_note(run, folder.manifest, result["task"], result["core"])
    note = head_note(folder, out)
    if as_json:
        print_json({"folder": str(out), "files": files, **({"note": note} if note else {})})
        return
    say(f"{out}: {', '.join(files)}")
    if note:
        say(note, err=True)


def _as_line(answer: Any) -> str:
    shown = (
        answer.prediction if isinstance(answer.prediction, str) else json.dumps(answer.prediction, ensure_ascii=False)
    )
    # One line an answer: an answer's text may span lines, as the text it was found in does.
    return f"{visible(answer.id)}\t{visible(' '.join(shown.split()))}"


def _as_json(answer: Any) -> str:
    return visible(json.dumps(answer.as_record(), ensure_ascii=False))  # escapes, as JSON writes them


def _json_list(answers: Iterator[Any]) -> Iterator[str]:
    """The lines of one JSON list, which is never in memory as a whole; it is ended before a DataError is raised."""
    yield "["
    last, problem = None, None
    try:
        for answer in answers:
            if last is not None:
                yield f" {_as_json(last)},"
            last = answer
    except DataError as error:
        problem = error
    if last is not None:
        yield f" {_as_json(last)}"
    yield "]"
    if problem is not None:
        raise problem


@contextmanager
def _lines(path: Path | None) -> Iterator[BinaryIO]:
    """The lines of a file or of standard input, read as they are needed; DataError."""
    try:
        file = sys.stdin.buffer if path is None else open_regular(path)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", path=path) from error
    with file:
        yield file


def _decoded(lines: Iterable[bytes], path: str | Path) -> Iterator[str]:
    """Each line as text, so that one that is not UTF-8 keeps none before it from being answered; DataError."""
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"must be UTF-8 ({error.reason})", path=path, line=number) from error
