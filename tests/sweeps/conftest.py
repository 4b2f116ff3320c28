"""A study on small files, and an executor that trains nothing: it plays runs from a function of their config."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from atinuke_bench.config import AttentionConfig, BiLSTMConfig, RunConfig, SourceConfig
from atinuke_bench.errors import FailureClass
from atinuke_bench.files import sha256_json, write_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.types import EpochDone, Event, Failed, Finished, Job, Started
from atinuke_bench.sweeps.opening import create_or_join
from atinuke_bench.sweeps.planning import make_study_config
from atinuke_bench.sweeps.study import Study
from atinuke_bench.sweeps.sweep import Sweep
from atinuke_bench.training.execution import Execution

SPACE = {
    "core.num_layers": {"int": [1, 4]},
    "training.learning_rate": {"float": [1e-4, 1e-2], "log": True},
}


def _num_layers(run: RunConfig) -> int:
    assert isinstance(run.core, AttentionConfig | BiLSTMConfig)
    return run.core.num_layers


def curve(run: RunConfig) -> list[float]:
    """Scores after each epoch: better with depth and with a learning rate near 1e-3."""
    peak = 60 + 5 * _num_layers(run) - 4 * abs(math.log10(run.training.learning_rate) + 3)
    return [peak - 10 / (epoch + 1) for epoch in range(run.training.max_epochs)]


@dataclass
class FakeExecutor:
    """Plays jobs epoch by epoch. `fails(job)` gives a Failed event's class instead, or None."""

    slots: int = 2
    scores: Callable[[RunConfig], list[Any]] = curve
    fails: Callable[[Job], str | None] = lambda job: None
    jobs: dict[str, Job] = field(default_factory=dict)
    queue: list[Event] = field(default_factory=list)
    epochs: dict[str, int] = field(default_factory=dict)
    #: Keys of all jobs ever started, and the most at once.
    started: list[str] = field(default_factory=list)
    most: int = 0
    #: How each of them was to be carried out.
    executions: list[Execution] = field(default_factory=list)

    def folder(self, job: Job) -> RunFolder:
        return RunFolder(job.store / "played" / sha256_json(job.run.determinants())[:10])

    def start(self, job: Job) -> None:
        self.jobs[job.key] = job
        self.started.append(job.key)
        self.executions.append(job.execution)
        self.most = max(self.most, len(self.jobs))
        failure = self.fails(job)
        if failure is not None:
            self._end(Failed(job.key, FailureClass(failure), f"it {failure}"))
            return
        folder = self.folder(job)
        folder.create()
        self.queue.append(Started(job.key, folder.path))
        self.epochs[job.key] = 0
        self._epoch(job)

    def events(self, timeout: float) -> list[Event]:
        events, self.queue = self.queue, []
        return events

    def answer(self, key: str, should_continue: bool) -> None:
        job = self.jobs[key]
        if self.epochs[key] >= job.run.training.max_epochs:
            self._finish(job)
        elif should_continue:
            self._epoch(job)
        else:
            self._end(Failed(key, FailureClass.PRUNED, "stopped"))

    def stop(self, key: str, *, at_once: bool = False) -> None:
        self._end(Failed(key, FailureClass.KILLED, "stopped"))

    def close(self) -> None:
        self.jobs.clear()

    def _epoch(self, job: Job) -> None:
        folder, epoch = self.folder(job), self.epochs[job.key]
        record = {"epoch": epoch, "score": self.scores(job.run)[epoch], "seconds": 1.0, "tokens": 10}
        record |= {"training_flops": 100 * (epoch + 1) * _num_layers(job.run)}
        if epoch == len(folder.read_history()):  # else it was trained before, and is told again
            folder.write_history([*folder.read_history(), record])
        self.epochs[job.key] += 1
        self.queue.append(EpochDone(job.key, record))
        if not job.asks:
            if self.epochs[job.key] < job.run.training.max_epochs:
                self._epoch(job)
            else:
                self._finish(job)

    def _finish(self, job: Job) -> None:
        folder = self.folder(job)
        known = [record["score"] for record in folder.read_history() if record["score"] is not None]
        result = {
            "task": job.run.task,
            "core": job.run.core.name,
            "core_label": job.run.core.label(),
            "seed": job.run.seed,
            "identity": "0",
            "higher_is_better": True,
            "scores": {},
            "slices": {},
            "protocol": {"source": "local", "is_cut": False, "selection": "held-out", "pretraining": "none"},
            "seconds": 1.0,
            "interval": None,
            "score": 0.0,
            "selection": {"score": max(known, default=None)},
            "cost": {
                "parameters": 1000 * _num_layers(job.run),
                "training_flops": folder.read_history()[-1]["training_flops"],
                "forward_flops_per_token": 10.0 * _num_layers(job.run),
                "peak_memory_bytes": 1_000_000 * _num_layers(job.run),
                "latency_seconds": 0.001 * _num_layers(job.run),
            },
            "split": "test",
            "metric": "accuracy",
        }
        write_json(folder.result, {"schema": 1, **result})
        self._end(Finished(job.key, result))

    def _end(self, event: Event) -> None:
        if self.jobs.pop(event.key, None) is not None:
            self.queue.append(event)


class MemoryStorage:
    """A study database in memory, one for each address; what is tested on it is not the database."""

    kept: ClassVar[dict[str, Any]] = {}

    def __init__(self, url: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.url = url
        self.optuna = self.kept.setdefault(url, optuna.storages.InMemoryStorage())

    def exclusive(self) -> Any:
        return contextlib.nullcontext()

    errors = exclusive

    def close(self) -> None:
        """What is closed is kept, as in a file."""


@pytest.fixture
def in_memory(monkeypatch):
    """Studies of this test lie in memory."""
    monkeypatch.setattr("atinuke_bench.sweeps.opening.Storage", MemoryStorage)
    yield
    MemoryStorage.kept.clear()


@pytest.fixture
def config(official):
    """`config(**settings)`: a study's config on the small files."""

    def make(**settings: Any) -> Any:
        overrides = {"training.max_epochs": 4, "tokenizer.vocab_size": 200} | settings.pop("overrides", {})
        chosen: dict[str, Any]
        chosen = {"name": "tiny", "tasks": [("snli", None)], "core": "atinuke", "preset": "nano", "space": SPACE}
        chosen |= {"budget": {"trials": 8}, "source": SourceConfig(data_dir=official)}
        return make_study_config(**{**chosen, "overrides": overrides, **settings})

    return make


@pytest.fixture
def study(config, tmp_path):
    """`study(**settings)`: a study in the test's own store; opened again when called again."""
    opened: list[Study] = []

    def make(url: str | None = None, store: Path | None = None, **settings: Any) -> Study:
        opened.append(create_or_join(config(**settings), store or tmp_path / "runs", url))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def sweep():
    """`sweep(study, executor)`: carry the study out; the trials' ends."""

    def run(study: Study, executor: Any = None) -> list[Any]:
        ends: list[Any] = []
        executor = executor or FakeExecutor()
        template = Job("", study.config.make_run({}), study.store, wandb="disabled")
        Sweep(study, executor, template, ends.append).run()
        return ends

    return run


@pytest.fixture
def play():
    """The class of the executor that plays runs."""
    return FakeExecutor


# --- databases --------------------------------------------------------------------------------------------------------


def _loaded(path: Path) -> ModuleType:
    """A file of Python that is in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where dataclasses look for their own
    spec.loader.exec_module(module)
    return module


servers = _loaded(Path(__file__).with_name("servers.py"))


@pytest.fixture(scope="session")
def kills() -> ModuleType:
    """The benchmark of kills, whose rules hold in tests too."""
    return _loaded(Path(__file__).parents[2] / "benchmarks" / "sweep_kills.py")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server."""
    pytest.importorskip("psycopg", reason="needs the driver psycopg")
    with servers.running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def mysql() -> Iterator[str]:
    """The address of a MariaDB server."""
    pytest.importorskip("pymysql", reason="needs the driver pymysql")
    with servers.running_mariadb() as url:
        yield url


POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgres)
MYSQL = pytest.param("mysql", marks=pytest.mark.mysql)


@pytest.fixture(params=["sqlite", POSTGRESQL, MYSQL])
def database(request, tmp_path) -> str | None:
    """The address of a fresh database: None for the study's own SQLite file."""
    if request.param == "sqlite":
        return None
    url = request.getfixturevalue("postgres" if request.param == "postgresql" else "mysql")
    return servers.fresh_database(url, f"fresh{abs(hash(str(tmp_path)))}")


@pytest.fixture
def at_once():
    """`at_once(count, work)`: do `work(n)` in processes that begin at the same instant; what went wrong in them."""
    return _at_once


def _at_once(count: int, work: Callable[[int], Any]) -> list[str]:
    """Do `work(n)` in `count` processes that begin at the same instant; what went wrong in them."""
    # Forked, so that nothing has to be imported again; nothing here has threads or open databases.
    context = multiprocessing.get_context("fork")
    barrier, wrong = context.Barrier(count), context.SimpleQueue()

    def begin(number: int) -> None:
        try:
            barrier.wait(60)
            work(number)
        except BaseException:
            wrong.put(traceback.format_exc())
            os._exit(1)
        os._exit(0)

    processes = [context.Process(target=begin, args=(number,)) for number in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    found = []
    while not wrong.empty():
        found.append(wrong.get())
    return found + [f"exit code {process.exitcode}" for process in processes if process.exitcode]
