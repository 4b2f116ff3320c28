"""The command that says what is wrong with runs: `diagnose`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atinuke_bench.cli.shared import JsonOption, app, print_json, print_parts, say
from atinuke_bench.errors import ConfigError

if TYPE_CHECKING:
    from atinuke_bench.runs.rate_scan import RateScan


@app.command(epilog="Example: atinuke-bench diagnose runs/snli")
def diagnose(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold some.")],
    lr_scan: Annotated[
        bool, typer.Option("--lr-scan", help="Train the run, which must be one, shortly at seven learning rates.")
    ] = False,
    scan_out: Annotated[
        Path | None, typer.Option("--scan-out", help="Keep the trainings of --lr-scan in this folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what went wrong in the training of runs, since when, by which numbers, and what to try.

    Unfinished and failed runs are read too. No verdict of a report depends on it.
    """
    from atinuke_bench.diagnosis.diagnose import diagnose_folder
    from atinuke_bench.run_folder import find_runs

    folders = find_runs(*runs)
    if not folders:
        raise ConfigError(f"no run at or below {', '.join(map(str, runs))}")
    if scan_out is not None and not lr_scan:
        raise ConfigError("--scan-out is where --lr-scan keeps its trainings; nearest: --lr-scan")
    if lr_scan and len(folders) > 1:
        raise ConfigError(f"--lr-scan is of one run; found {len(folders)}; nearest: {folders[0].path}")
    found = [diagnose_folder(folder) for folder in folders]
    scan = _scanned(folders[0], scan_out) if lr_scan else None
    if as_json:
        records = [
            {"folder": run.folder, "task": run.task, "core": run.core, "seed": run.seed,
             "findings": [finding.record() for finding in own]}
            for run, own in found
        ]  # fmt: skip
        print_json({"runs": records, **({} if scan is None else {"lr_scan": _scan_record(scan)})})
        return
    from atinuke_bench.console import diagnosis_rows, rate_rows

    print_parts(diagnosis_rows(found))
    for run, own in found:
        for finding in own:
            since = f", since {finding.since}" if finding.since else ""
            say("")
            say(f"{run.folder}: {finding.name} ({finding.severity}{since})")
            say(f"  {finding.text}")
            if finding.tries:
                say(f"  try: {'; '.join(finding.tries)}")
    if scan is not None:
        print_parts("", rate_rows(scan.rates))
        say(_said_of(scan))


def _scanned(folder: Any, place: Path | None) -> RateScan:
    from atinuke_bench.runs.rate_scan import scan_rates

    config = folder.read_config()

    def tell(one: Any) -> None:
        say(f"rate {one.rate:.2g}: loss {one.first:.4g} to {one.last:.4g}", err=True)

    if place is not None:
        return scan_rates(config, place, tell)
    with tempfile.TemporaryDirectory(prefix="atinuke-rates-") as temporary:
        return scan_rates(config, Path(temporary), tell)


def _said_of(scan: RateScan) -> str:
    if scan.best is None:
        return f"at no rate around {scan.own:.2g} did the loss fall"
    return (
        f"the loss fell most at {scan.best:.2g}, and nearly as much from {scan.low:.2g} to {scan.high:.2g}; the run "
        f"has training.learning_rate={scan.own:.2g}. Long trainings bear somewhat less than these short ones."
    )


def _scan_record(scan: RateScan) -> dict[str, Any]:
    from dataclasses import asdict

    from atinuke_bench.files import finite

    return finite(asdict(scan))
