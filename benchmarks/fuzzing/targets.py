"""What reads which file: a target is one file of the materials and the call that must survive any content of it."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from atinuke_bench.config import SourceConfig, find_task, make_run_config, parse_override
from atinuke_bench.training.task import task_of


class LostRun(Exception):  # noqa: N818 (a finding, not an error of the product)
    """A run that is neither shown nor named as a gap."""


@dataclass(frozen=True)
class Target:
    """A file (a pattern below the materials) and its reader; `same` names the changes that must not matter to it."""

    name: str
    file: str
    call: Callable[[Path], Any]
    kind: str = "text"  # or parquet, gzip
    same: tuple[str, ...] = ()
    #: Whether the product opens the file, and so may find a folder or a pipe in its place.
    is_opened: bool = True

    def path(self, root: Path) -> Path:
        """The file in a copy of the materials; one that is packed is put beside the plain one's place."""
        found = sorted(root.glob(self.file))
        return found[0] if found else root / self.file


@cache
def _main() -> Callable[[], None]:
    """The command line, whose tree of commands is built once: that takes four times what most commands do."""
    import typer.main

    from atinuke_bench.cli import main

    typer.main.get_command = cache(typer.main.get_command)
    return main


def command(*arguments: object) -> str:
    """The standard output of a command; its lines of errors are checked like messages. SystemExit as it comes."""
    main, before, out, err = _main(), sys.argv, io.StringIO(), io.StringIO()
    sys.argv = ["atinuke-bench", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        if end.code not in (None, 0, 1, 2):
            raise AssertionError(f"exit status {end.code}") from end
    finally:
        sys.argv = before
    for line in err.getvalue().splitlines():
        require_readable(line)
    require_visible(out.getvalue())
    return out.getvalue()


def require_readable(message: str) -> None:
    """AssertionError for a message that is not one short line of visible characters."""
    if "Traceback" in message:
        raise AssertionError(f"a traceback among the output: {message[:100]}")
    if len(message.splitlines()) > 1:
        raise AssertionError("a message of several lines")
    if len(message) > 420:
        raise AssertionError("a message of over 420 characters")
    require_visible(message)


def require_visible(text: str) -> None:
    """AssertionError for characters that change a terminal, or that no output encoding takes."""
    bad = [letter for letter in text if (letter < " " and letter not in "\n\t") or "\x7f" <= letter < "\xa0"]
    bad += [letter for letter in text if "\ud800" <= letter <= "\udfff"]
    if bad:
        raise AssertionError(f"control character {bad[0]!r} in the output")


# --- readers ----------------------------------------------------------------------------------------------------------


def score(task: str, gold: str, predictions: str, root: Path, *more: str) -> str:
    return command("score", task, "--gold", root / gold, "--predictions", root / predictions, "--json", *more)


def score_with_odds(root: Path) -> str:
    odds = str(root / "data/squad/null-odds.json")
    return score(
        "squad-v2.0", "data/squad/v2.0/dev-v2.0.json", "data/squad/predictions-2.0.json", root, "--null-odds", odds
    )


def load(task: str, folder: str, root: Path) -> Any:
    """All splits of a task's official files, as training reads them."""
    from atinuke_bench import registry

    run = make_run_config(task, "majority", source=SourceConfig(data_dir=root / folder))
    bound = registry.load_task(task).for_run(run)
    loaded = bound.data.load(run.source, bound.options(run))
    return {split: list(rows) for split, rows in loaded.splits.items()}


def declared(name: str, root: Path) -> Any:
    """All splits of a declared task, as training reads them."""
    task, declaration = find_task(str(root / "declared" / name))
    run = make_run_config(task, "majority", declaration=declaration)
    bound = task_of(run)
    loaded = bound.data.load(run.source, bound.options(run))
    return {split: list(rows) for split, rows in loaded.splits.items()}


def suite(root: Path) -> Any:
    from atinuke_bench.runs.grid import expand, read_suite

    config = read_suite(str(root / "suite.yaml"))
    cells = expand(config, config.source or SourceConfig(kind="microworld"))
    return [cell.run.determinants() for cell in cells]


def space(root: Path) -> Any:
    from atinuke_bench.sweeps.fields import resolve_space
    from atinuke_bench.sweeps.spaces import read_space

    where = str(root / "space.yaml")
    run = make_run_config("snli", "atinuke", preset="nano")
    return repr(resolve_space(read_space(where), run, where))


def overrides(root: Path) -> Any:
    lines = (root / "overrides.txt").read_bytes().decode(errors="surrogateescape").splitlines()
    return make_run_config("snli", "atinuke", preset="nano", overrides=dict(map(parse_override, lines))).determinants()


def show(pattern: str, root: Path) -> str:
    command("show", next(root.glob(pattern)))
    return command("show", next(root.glob(pattern)), "--json")


def verify(root: Path) -> str:
    return command("verify", root / "store/snli", "--json")


def diagnose(root: Path) -> str:
    return command("diagnose", root / "store/snli", "--json")


def report(root: Path) -> Any:
    """The rows, cells and tables of a report, every run of the store among its rows or its gaps."""
    from atinuke_bench.reports.reading.collect import Collector, collect_folders
    from atinuke_bench.reports.reading.studies import read_studies
    from atinuke_bench.reports.reading.suites import read_suites
    from atinuke_bench.reports.report import make_report

    collector = Collector()
    store = root / "store"
    collect_folders([store], collector)
    frame = collector.frame()
    studies, suites = read_studies([store])[0], read_suites([store])[0]
    where = [str(folder) for folder in frame.runs["folder"]] if len(frame.runs) else []
    where += [gap.where for gap in frame.gaps]
    for folder in (*store.glob("*/*/seed-*"), *store.glob("glue/*/*/seed-*")):
        if not any(place.startswith(str(folder)) for place in where):
            raise LostRun(f"{folder.relative_to(store)} is neither in the report nor among its gaps")
    for gap in frame.gaps:
        require_readable(gap.reason)
    made = make_report(frame, studies, suites, None)
    from atinuke_bench.reports.writing.formats import to_markdown
    from atinuke_bench.reports.writing.latex import to_latex

    return [text for table in made.tables for text in (to_markdown(table), to_latex(table))]


def full_report(root: Path) -> str:
    return command("report", root / "store", "--out", root / "report")


def compare(root: Path) -> str:
    command("compare", "atinuke", "bilstm", "--runs", root / "store")
    return command("compare", "atinuke", "bilstm", "--runs", root / "store", "--json")


def shown_suite(root: Path) -> Any:
    """What `suite` shows of a finished grid, and the states it finds."""
    from atinuke_bench.config import SourceConfig
    from atinuke_bench.console import suite_table
    from atinuke_bench.runs.cells import CellState
    from atinuke_bench.runs.grid import read_suite
    from atinuke_bench.runs.suite_record import finished_results, open_record

    config = read_suite(str(root / "suite.yaml"))
    record = open_record(root / "store", "tiny")
    found = finished_results(record, config, config.source or SourceConfig(), root / "store")
    if found is not None:
        suite_table(found)
    for cell in record.cells:
        if cell.folder is not None:
            from atinuke_bench.run_folder import RunFolder

            state = CellState(cast(Any, None), cell.key)  # only the folder is looked at
            state.look_into(RunFolder(root / "store" / str(cell.folder)), retry_failed=False)
    return None


def predict(task: str, root: Path) -> str:
    folder = next((root / "store" / task).glob("atinuke/seed-0-*"))
    return command("predict", folder, "--input", root / f"inputs/{task.partition('-')[0]}.jsonl", "--jsonl")


def export(root: Path) -> str:
    import shutil

    shutil.rmtree(root / "exported", ignore_errors=True)
    folder = next((root / "store/snli/atinuke").glob("seed-0-*"))
    return command("export", folder, "--out", root / "exported")


def submit(root: Path) -> str:
    return command("submit", root / "store/glue", "--partial", "--out", root / "submission.zip")


def show_study(root: Path) -> str:
    return command("sweep", "show", "st", "--out", root / "store", "--json")


def model(root: Path) -> Any:
    """What `--core pretrained --model FOLDER` finds, and the module with its weights."""
    from atinuke_bench.core.build import build_core

    run = make_run_config("snli", "pretrained", overrides={"core.model": str(root / "model")})
    from atinuke_bench import registry

    core_class = registry.load_core("pretrained")
    config = core_class.resolve(run.core)
    tokenizer = core_class.own_tokenizer(config)
    tokenizer.encode("Ada sees Ben .")
    core = build_core(config, tokenizer.get_vocab_size())
    core.load_initial_weights()


_RUN = "store/snli/atinuke/seed-0-*"
_GLUE = ("CoLA", "STS-B")


def _kind(file: str) -> str:
    return "parquet" if file.endswith(".parquet") else "text"


def _of_runs() -> list[Target]:
    small = ("config.yaml", "manifest.json", "history.jsonl", "result.json", "predictions.parquet")
    readers: dict[str, Callable[[Path], Any]] = {
        "report": report,
        "compare": compare,
        "verify": verify,
        "show": partial(show, _RUN),
        "suite": shown_suite,
    }
    targets = [
        Target(f"{reader}:{file}", f"{_RUN}/{file}", call, _kind(file))
        for file in small
        for reader, call in readers.items()
        if (reader, file) != ("suite", "manifest.json")
    ]
    recorded = ("steps.parquet", "history.jsonl", "config.yaml", "manifest.json")
    targets += [Target(f"diagnose:{file}", f"{_RUN}/{file}", diagnose, _kind(file)) for file in recorded]
    targets += [Target("report:steps.parquet", f"{_RUN}/steps.parquet", report, "parquet")]
    weights = ("tokenizer.json", "checkpoints/best.safetensors", "config.yaml", "result.json", "manifest.json")
    targets += [Target(f"predict:{file}", f"{_RUN}/{file}", partial(predict, "snli")) for file in weights]
    targets += [Target(f"export:{file}", f"{_RUN}/{file}", export) for file in ("config.yaml", "result.json")]
    for place in ("half", "failed"):
        for file in ("config.yaml", "history.jsonl" if place == "half" else "failure.json"):
            name = f"{place}/{file}"
            targets += [Target(f"report:{name}", f"store/{name}", report)]
            targets += [Target(f"show:{name}", f"store/{name}", partial(show, f"store/{place}"))]
            targets += [Target(f"verify:{name}", f"store/{name}", lambda root: command("verify", root / "store"))]
    records = ("suites/tiny.json", "studies/st/insight.json", "studies/st/best.json")
    targets += [Target(f"report:{file}", f"store/{file}", report) for file in records]
    targets += [Target("suite:tiny.json", "store/suites/tiny.json", shown_suite)]
    targets += [Target(f"sweep:{file}", f"store/studies/st/{file}", show_study) for file in ("study.yaml", "study.db")]
    targets += [Target("submit:predictions.parquet", "store/glue/cola/*/*/predictions.parquet", submit, "parquet")]
    targets += [Target("submit:result.json", "store/glue/cola/*/*/result.json", submit)]
    targets += [Target("full-report:result.json", f"{_RUN}/result.json", full_report)]
    return targets


def _of_data() -> list[Target]:
    lines, text, as_json = ("text", "lines"), ("text",), ("text", "json")
    snli = partial(score, "snli", "data/snli/snli_1.0_dev.jsonl", "data/snli-predictions.jsonl")
    tabs = partial(score, "snli", "data/snli/snli_1.0_dev.jsonl", "data/snli-predictions.tsv")
    cola = partial(score, "glue/cola", "data/glue/CoLA/dev.tsv", "data/cola-predictions.tsv")
    stsb = partial(score, "glue/stsb", "data/glue/STS-B/dev.tsv", "data/stsb-predictions.tsv")
    squad = partial(score, "squad-v1.1", "data/squad/v1.1/dev-v1.1.json", "data/squad/predictions-1.1.json")
    coref = partial(score, "coref", "data/coref/dev.v4_gold_conll", "data/coref/test.v4_gold_conll")
    srl = partial(score, "srl", "data/srl/dev.props", "data/srl/test.props")
    targets = [
        Target("score:snli-gold", "data/snli/snli_1.0_dev.jsonl", snli, same=lines),
        Target("score:snli-predictions", "data/snli-predictions.jsonl", snli, same=lines),
        Target("score:snli-tabs", "data/snli-predictions.tsv", tabs, same=lines),
        Target("score:cola-gold", "data/glue/CoLA/dev.tsv", cola, same=text),
        Target("score:cola-predictions", "data/cola-predictions.tsv", cola, same=text),
        Target("score:stsb-gold", "data/glue/STS-B/dev.tsv", stsb, same=text),
        Target("score:stsb-predictions", "data/stsb-predictions.tsv", stsb, same=text),
        Target("score:squad-gold", "data/squad/v1.1/dev-v1.1.json", squad, same=as_json),
        Target("score:squad-predictions", "data/squad/predictions-1.1.json", squad, same=as_json),
        Target("score:squad2-gold", "data/squad/v2.0/dev-v2.0.json", score_with_odds, same=as_json),
        Target("score:squad2-predictions", "data/squad/predictions-2.0.json", score_with_odds, same=as_json),
        Target("score:null-odds", "data/squad/null-odds.json", score_with_odds, same=as_json),
        Target("score:coref-gold", "data/coref/dev.v4_gold_conll", coref, same=text),
        Target("score:coref-predictions", "data/coref/test.v4_gold_conll", coref, same=text),
        Target("score:srl-gold", "data/srl/dev.props", srl, same=text),
        Target("score:srl-predictions", "data/srl/test.props", srl, same=text),
    ]
    for task, folder, file in (
        ("snli", "data", "snli/snli_1.0_train.jsonl"),
        ("glue/cola", "data", "glue/CoLA/train.tsv"),
        ("glue/cola", "data", "glue/CoLA/test.tsv"),
        ("glue/stsb", "data", "glue/STS-B/train.tsv"),
        ("squad-v1.1", "data", "squad/v1.1/train-v1.1.json"),
        ("squad-v2.0", "data", "squad/v2.0/train-v2.0.json"),
        ("coref", "data/coref", "coref/train.v4_gold_conll"),
        ("srl", "data/srl", "srl/train.props"),
        ("srl", "data/srl", "srl/train.words"),
        ("srl", "data/srl12", "srl12/train.v4_gold_conll"),
        ("lm", "data/lm", "lm/train.txt"),
    ):
        call = partial(load, task, folder)
        targets.append(Target(f"load:{file}", f"data/{file}", call, same=text))
        targets.append(Target(f"load:{file}.gz", f"data/{file}", call, "gzip"))
    return targets


def all_targets() -> list[Target]:
    """Every kind of file that the product reads."""
    inputs = [
        Target(f"predict:{task}-input", f"inputs/{task.partition('-')[0]}.jsonl", partial(predict, task))
        for task in ("snli", "squad-v2.0", "srl", "coref", "lm")
    ]
    own = [
        Target(
            f"declared:{file}", f"declared/{file}", partial(declared, task), "parquet" if "parquet" in file else "text"
        )
        for task, files in (
            ("reviews.yaml", ("reviews.yaml", "train.csv", "dev.tsv", "test.jsonl")),
            ("scores.yaml", ("scores.yaml", "train.json", "dev.parquet", "test.csv")),
        )
        for file in files
    ]
    written = [
        Target("suite.yaml", "suite.yaml", suite, same=("text",)),
        Target("space.yaml", "space.yaml", space, same=("text",)),
        Target("overrides", "overrides.txt", overrides, is_opened=False),
    ]
    models = [
        Target(f"model:{file}", f"model/{file}", model)
        for file in ("config.json", "tokenizer.json", "model.safetensors")
    ]
    return [*_of_data(), *own, *written, *inputs, *models, *_of_runs()]
