"""How long a report takes: `python benchmarks/report_speed.py [RUNS] [PREDICTIONS]` on synthetic run folders.

Prints seconds and peak memory. Targets: 1,000 runs of 1,000 predictions under 60 s and 2 GB; 10,000 of 50 under 5 min.
"""

from __future__ import annotations

import importlib.util
import resource
import sys
import tempfile
import time
from pathlib import Path

from atinuke_bench.reports.render import write_report

TASKS, CORES = 10, 4


def main(num_runs: int, num_predictions: int) -> None:
    """Write the folders, then report on them and print what it took."""
    helper = Path(__file__).parent.parent / "tests" / "reports" / "conftest.py"
    spec = importlib.util.spec_from_file_location("synthetic_runs", helper)
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    with tempfile.TemporaryDirectory() as folder:
        store, out = Path(folder) / "runs", Path(folder) / "out"
        for number in range(num_runs):
            seed, cell = divmod(number, TASKS * CORES)
            core, task = divmod(cell, TASKS)
            synthetic.write_run(store, f"core{core}", task=f"task{task}", seed=seed, num=num_predictions)
        started = time.perf_counter()
        report = write_report([store], out)
        seconds = time.perf_counter() - started
        size = (out / "report.html").stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(report.frame.runs)} runs: {seconds:.1f} s, peak {peak:.0f} MB, page {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(*(int(text) for text in sys.argv[1:] or ("1000", "1000")))
