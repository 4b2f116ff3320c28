"""Train, evaluate, tune and compare encoder cores on SQuAD, GLUE, SNLI, coreference and SRL.

What is here is the Python API (docs/python.md). Importing it loads nothing: each name is looked up at its first use,
and torch, pandas and the tasks are loaded by the calls that need them.

>>> import atinuke_bench
>>> [name for name in atinuke_bench.__all__ if name.islower() and not name.startswith("_")]
['compare', 'evaluate', 'load', 'load_runs', 'predict', 'register_core', 'report', 'run', 'suite']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atinuke_bench.api.cores import register_core
    from atinuke_bench.api.frames import Runs, load_runs
    from atinuke_bench.api.predictor import Predictor, load, predict
    from atinuke_bench.api.results import Comparisons, Evaluations, Report, compare, evaluate, report
    from atinuke_bench.api.suites import Failed, SuiteRuns, suite
    from atinuke_bench.api.training import Run, run

__version__ = "0.1.0"

__all__ = [
    "Comparisons",
    "Evaluations",
    "Failed",
    "Predictor",
    "Report",
    "Run",
    "Runs",
    "SuiteRuns",
    "__version__",
    "compare",
    "evaluate",
    "load",
    "load_runs",
    "predict",
    "register_core",
    "report",
    "run",
    "suite",
]

#: The module of each name, below `atinuke_bench.api`.
_HOMES = {
    "Comparisons": "results",
    "Evaluations": "results",
    "Failed": "suites",
    "Predictor": "predictor",
    "Report": "results",
    "Run": "training",
    "Runs": "frames",
    "SuiteRuns": "suites",
    "compare": "results",
    "evaluate": "results",
    "load": "predictor",
    "load_runs": "frames",
    "predict": "predictor",
    "register_core": "cores",
    "report": "results",
    "run": "training",
    "suite": "suites",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.api.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
