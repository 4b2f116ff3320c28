"""How long a report takes: `python benchmarks/report_speed.py [RUNS] [PREDICTIONS]` on synthetic run folders.

Prints seconds (by the clock and of the processor), peak memory and the size of the page, with each one's share of its
target: 1,000 runs of 1,000 predictions under 15 s, 2 GB and 5 MB, and under 5 s for a second report after one more run;
10,000 runs of 50 under 300 s. Nothing is kept from earlier benchmarks.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from atinuke_bench.reports.report import Report
from atinuke_bench.reports.writing.render import write_report

TASKS = ("snli", "glue/mnli", "glue/qnli", "glue/rte", "glue/sst2")
#: Columns are tasks with two sizes of the training data each.
COLUMNS, CORES = 2 * len(TASKS), 4
MOST_MEGABYTES, MOST_PAGE_MEGABYTES = 2000, 5


def main(num_runs: int, num_predictions: int) -> None:
    """Write the folders, then report on them, and once more after another run, and print what it took."""
    helper = Path(__file__).parent.parent / "tests" / "reports" / "conftest.py"
    spec = importlib.util.spec_from_file_location("synthetic_runs", helper)
    assert spec is not None
    assert spec.loader is not None
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    target = 15 if num_runs <= 1000 else 300

    def write(number: int) -> None:
        seed, cell = divmod(number, COLUMNS * CORES)
        core, column = divmod(cell, COLUMNS)
        size, place = divmod(column, len(TASKS))
        synthetic.write_run(
            store / str(size), f"core{core}", task=TASKS[place], seed=seed, num=num_predictions, train_size=size,
            edit={"identity": str(number)},
        )  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        store, out = Path(folder) / "runs", Path(folder) / "out"
        os.environ["ATINUKE_CACHE"] = str(Path(folder) / "cache")
        for number in range(num_runs):
            write(number)
        report, seconds = _timed(store, out)
        page = (out / "report.html").stat().st_size / 1e6
        write(num_runs)
        _, again = _timed(store, out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(report.frame.runs)} runs of {num_predictions} predictions, {len(report.plots)} figures")
    for name, (wall, processor), most in (("report", seconds, target), ("after one more run", again, target / 3)):
        print(f"  {name}: {wall:.1f} s by the clock ({wall / most:.0%} of {most:.0f} s), ", end="")
        print(f"{processor:.1f} s of the processor ({processor / most:.0%})")
    print(f"  peak {peak:.0f} MB ({peak / MOST_MEGABYTES:.0%} of {MOST_MEGABYTES}), ", end="")
    print(f"page {page:.1f} MB ({page / MOST_PAGE_MEGABYTES:.0%} of {MOST_PAGE_MEGABYTES})")


def _timed(store: Path, out: Path) -> tuple[Report, tuple[float, float]]:
    """A report, and its seconds by the clock and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    report = write_report([store], out)
    return report, (time.perf_counter() - wall, time.process_time() - processor)


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:] or ("1000", "1000")))
