"""Suites whose columns start from other runs of the same suite: order, failure, selection, wrong input."""

from __future__ import annotations

from typing import Any

import pytest

from atinuke_bench.config import Pretraining, SourceConfig, SuiteConfig, parse
from atinuke_bench.errors import ConfigError, FailureClass
from atinuke_bench.runs.cells import cell_states
from atinuke_bench.runs.execute import execute
from atinuke_bench.runs.grid import expand, read_suite, select
from atinuke_bench.runs.jobs.types import Failed, Finished, Started
from atinuke_bench.runs.suite import Suite, SuiteOptions
from atinuke_bench.runs.suite_record import open_record
from atinuke_bench.training.train import Execution

CONFIG: dict[str, Any] = {
    "name": "trial",
    "tasks": ["glue/rte", "glue/wnli"],
    "cores": {
        "after wnli": {"core": "atinuke", "preset": "nano", "init_from": {"task": "glue/wnli", "column": "scratch"}},
        "after both": {
            "core": "atinuke",
            "preset": "nano",
            "init_from": {"task": "glue/rte", "column": "after wnli"},
            "tasks": ["glue/wnli"],
        },
        "scratch": {"core": "atinuke", "preset": "nano"},
    },
    "seeds": [0],
    "overrides": {"training.max_epochs": 1, "training.batch_tokens": 256, "tokenizer.vocab_size": 200},
}


class InProcess:
    """Carries out each job as it is started; those whose path `fails` names end without a result."""

    def __init__(self, fails=()):
        self.slots, self.fails = 2, fails
        self.started, self.queue = [], []

    def start(self, job):
        self.started.append(job)
        if job.run.task in self.fails:
            self.queue.append(Failed(job.key, FailureClass.DIVERGED, "the loss is nan"))
            return
        folder, result = execute(
            job.run, job.store, wandb="disabled", execution=Execution(show_progress=False, accelerator="cpu")
        )
        self.queue += [Started(job.key, folder.path), Finished(job.key, result)]

    def events(self, timeout):
        events, self.queue = self.queue, []
        return events

    def stop(self, key, *, at_once=False):
        raise AssertionError("nothing hangs")

    def close(self):
        pass


@pytest.fixture
def carry_out(tmp_path, official):
    def carry(executor, config=CONFIG, only=()):
        suite = parse(SuiteConfig, config, "suite")
        source = SourceConfig(data_dir=official)
        options = SuiteOptions(tmp_path, "disabled")
        cells = select(expand(suite, source), list(only))
        record = open_record(tmp_path, "trial")
        work = Suite("trial", cell_states(cells, suite, source, record), record, executor, options)
        work.run()
        return {state.cell.path: state for state in work.states}

    return carry


def test_runs_start_from_the_runs_they_name_once_these_are_finished(carry_out):
    executor = InProcess()
    states = carry_out(executor)
    assert len(executor.started) == 4
    assert {state.status for state in states.values()} == {"finished"}
    first, second, third = (
        states[path] for path in ("glue/wnli/scratch/0", "glue/rte/after wnli/0", "glue/wnli/after both/0")
    )
    assert second.folder.read_config().init_from.identity == first.result["identity"]
    assert third.folder.read_config().init_from.identity == second.result["identity"]
    pretraining = Pretraining.read(third.result["protocol"]["pretraining"])
    assert pretraining.earlier is not None
    assert (pretraining.task, pretraining.earlier.task) == ("glue/rte", "glue/wnli")
    again = InProcess()
    assert {state.status for state in carry_out(again).values()} == {"finished"}
    assert again.started == []


def test_what_would_start_from_a_failed_run_fails_and_says_so(carry_out):
    executor = InProcess(fails=("glue/wnli",))
    states = carry_out(executor)
    assert states["glue/rte/scratch/0"].status == "finished"
    assert states["glue/rte/after wnli/0"].failure == ("origin", "the run it starts from failed: glue/wnli/scratch/0")
    assert states["glue/wnli/after both/0"].failure == (
        "origin",
        "the run it starts from failed: glue/rte/after wnli/0",
    )
    assert sorted(job.run.task for job in executor.started) == ["glue/rte", "glue/wnli"]


def test_a_column_has_no_cell_of_the_task_it_starts_from_and_brings_its_origins(official):
    cells = expand(parse(SuiteConfig, CONFIG, "suite"), SourceConfig(data_dir=official))
    assert [cell.path for cell in cells] == [
        "glue/rte/after wnli/0",
        "glue/rte/scratch/0",
        "glue/wnli/after both/0",
        "glue/wnli/scratch/0",
    ]
    assert [cell.path for cell in select(cells, ["*/after both"])] == [
        "glue/rte/after wnli/0",
        "glue/wnli/after both/0",
        "glue/wnli/scratch/0",
    ]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            {"task": "glue/wnl", "column": "scratch"},
            "no task of column 'scratch'.*found 'glue/wnl'; nearest: 'glue/wnli'",
        ),
        ({"task": "glue/wnli", "column": "scrtch"}, "no column of the suite; found 'scrtch'; nearest: 'scratch'"),
        ({"task": "glue/rte", "column": "after both"}, "no task of column 'after both'"),
        ({"task": "glue/wnli", "column": "after both"}, "columns start from each other: after wnli <- after both"),
    ],
)
def test_origins_outside_the_grid_and_circles_are_refused(column, message):
    cores = {**CONFIG["cores"], "after wnli": {**CONFIG["cores"]["after wnli"], "init_from": column}}
    with pytest.raises(ConfigError, match=message):
        parse(SuiteConfig, {**CONFIG, "cores": cores}, "suite")


def test_the_built_in_transfer_suite_has_every_pair_of_tasks():
    suite = read_suite("transfer")
    cells = expand(suite, SourceConfig())
    targets = [task for task in suite.tasks if task != "lm"]
    assert len(targets) == 5
    pairs = {(cell.origin.rsplit("/", 2)[0], cell.run.task) for cell in cells if cell.origin is not None}
    assert pairs == {(origin, task) for origin in suite.tasks for task in targets if origin != task}
    assert len(cells) == 3 * (len(suite.tasks) + len(pairs))
