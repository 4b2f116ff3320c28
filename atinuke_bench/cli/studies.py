"""Commands on what studies came to: `sweep best` and `sweep copy`."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli.shared import (
    JsonOption,
    OutOption,
    RetryFailedOption,
    StorageOption,
    print_code_note_of_cells,
    print_json,
    print_parts,
    say,
    takes,
    wandb_mode,
)
from atinuke_bench.cli.suites import GridOptions, grid_results, show_failed
from atinuke_bench.cli.sweeps import StudyArgument, sweeps
from atinuke_bench.cli.trials import TrialOptions

if TYPE_CHECKING:
    from atinuke_bench.sweeps.study import Study


@sweeps.command(epilog="Example: atinuke-bench sweep best snli-atinuke --seeds 5")
@takes(TrialOptions)
def best(
    study: StudyArgument,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Fresh seeds of each.")] = 5,
    rivals: Annotated[int, typer.Option("--rivals", min=0, help="Next best trials that are retrained too.")] = 2,
    as_suite: Annotated[
        Path | None, typer.Option("--as-suite", metavar="FILE", help="Write them as a suite, and train nothing.")
    ] = None,
    retry_failed: RetryFailedOption = False,
    *,
    how: TrialOptions,
) -> None:
    """Retrain the best trial and its rivals on fresh seeds, and evaluate them on test.

    The best of many trials looks better than it is; fresh seeds show by how much, and whether it really is the best.
    They are a suite, which goes on where it was stopped. --as-suite FILE writes it as YAML, for `suite` and `plan`.
    """
    from atinuke_bench.sweeps.best import ROOM, write_suite
    from atinuke_bench.sweeps.opening import open_study

    started = time.process_time()
    grid = GridOptions(
        out=how.out,
        only=(),
        workers=how.workers,
        executor=how.executor,
        devices=how.devices,
        on_device=how.on_device(),
        timeout=None,
        retry_failed=retry_failed,
        rerun=False,
        predict_unlabelled=False,
        wandb=wandb_mode(how.wandb),
        dry_run=False,
        as_json=how.as_json,
        started=started,
        threads=how.threads,
        room=ROOM,
    )
    with contextlib.closing(open_study(study, how.out, how.storage, how.data_dir)) as opened:
        if as_suite is None:
            _retrain(opened, grid, seeds, rivals)
            return
        suite = write_suite(opened, as_suite, num_seeds=seeds, num_rivals=rivals)
    if how.as_json:
        print_json({"file": str(as_suite), "suite": suite.model_dump(mode="json", exclude={"declarations"})})
    else:
        say(f"{as_suite}: {len(suite.cores)} columns, {len(suite.seeds)} seeds; atinuke-bench suite {as_suite}")


def _retrain(study: Study, how: GridOptions, num_seeds: int, num_rivals: int) -> None:
    """Carry out the suite of the best trials and write what it says of them beside the study."""
    from atinuke_bench.files import require_writable, write_json
    from atinuke_bench.runs.suite_record import open_record
    from atinuke_bench.sweeps.best import FILE, best_record, best_suite

    require_writable(study.folder / FILE)
    suite = best_suite(study, name=f"{study.config.name}-best", num_seeds=num_seeds, num_rivals=num_rivals)
    found = grid_results(suite, study.config.source, f"the best trials of study {study.config.name!r}", how)
    assert found is not None, "it was no dry run"
    results, failed = found
    cells = open_record(how.out, suite.name, how.room).cells
    folders = {(cell.variant, cell.task, cell.seed): str(cell.folder) for cell in cells if cell.in_grid}
    record: dict[str, Any] = best_record(study, suite, results, folders)
    write_json(study.folder / FILE, record)
    if how.as_json:
        print_json(record)
    else:
        from atinuke_bench.study_tables import retrained_table

        print_parts(*retrained_table(record))
    print_code_note_of_cells(how.out, results)
    show_failed(failed)
    if failed:
        raise typer.Exit(1)


@sweeps.command(
    epilog="Example: atinuke-bench sweep copy snli-atinuke --to /shared --to-storage postgresql://ada@host/db"
)
def copy(
    study: StudyArgument,
    to: Annotated[Path, typer.Option("--to", metavar="STORE", help="Store that gets the study and its runs.")],
    to_storage: Annotated[
        str | None,
        typer.Option("--to-storage", metavar="URL", help="Its database; else an SQLite file in STORE."),
    ] = None,
    name: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Its new name. [default: the same]")] = None,
    storage: StorageOption = None,
    out: OutOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Copy a study with its trials and their runs to another store or database, where it can go on.

    Every file is checked by its checksum and every trial is read again. A copy that was interrupted is finished by the
    same command; the study itself stays as it is.
    """
    from atinuke_bench.sweeps.copying import copy_study
    from atinuke_bench.sweeps.insight import insight, write_insight
    from atinuke_bench.sweeps.opening import open_study

    with contextlib.closing(open_study(study, out, storage)) as opened:
        copied = copy_study(opened, to, to_storage, name or study, lambda line: say(line, err=True))
    place = copied.study
    with contextlib.closing(place):
        write_insight(place, insight(place))  # by which reports know its trials
    if as_json:
        record = {"study": place.config.name, "store": str(to), "storage": place.storage.url}
        print_json({**record, "trials": copied.num_trials, "runs": dict(copied.runs)})
        return
    runs = ", ".join(f"{count} {what}" for what, count in copied.runs.items() if count or what == "copied")
    say(f"{place.folder}: {copied.num_trials} trials in {place.storage.url}; runs: {runs}")
