"""A study under fire: its process is killed at random moments, and the study must still come out whole.

    ATINUKE_DATA=/folder python benchmarks/sweep_kills.py --out /tmp/sweep-kills --kills 20 --trials 24
    … --racing --executor ray --longest 30 --storage postgresql://ada@host/studies

After the last kill the study is carried out to its end, and everything is checked: exactly the trials that were asked
for, none running, none lost, none told twice, every told score that of its runs' folders.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing.forkserver
import os
import random
import secrets
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atinuke_bench.config import SourceConfig
from atinuke_bench.run_folder import RunFolder, find_runs
from atinuke_bench.runs.jobs import preload  # noqa: F401 (so that nothing has to be imported after a fork)
from atinuke_bench.runs.jobs.factory import make_executor
from atinuke_bench.runs.jobs.types import Job
from atinuke_bench.sweeps.definition import StudyConfig
from atinuke_bench.sweeps.opening import create_or_join, open_study
from atinuke_bench.sweeps.parts import Scored, floor_of, value_of
from atinuke_bench.sweeps.planning import make_study_config
from atinuke_bench.sweeps.study import Study
from atinuke_bench.sweeps.sweep import Ended, Sweep
from atinuke_bench.sweeps.tallies import tally
from atinuke_bench.sweeps.trial_parts import folders_of, records_of

#: A study of two tasks whose trials race and whose best ones get a second seed.
RACING: dict[str, Any] = {"tasks": [("glue/wnli", None), ("glue/stsb", None)], "pruner": "race", "num_seeds": 2}
SPACE = {"training.learning_rate": {"float": [1e-4, 1e-2], "log": True}, "core.num_layers": {"int": [1, 2]}}


def start_forkserver() -> None:
    """Start the server of run processes, for all the sweep processes that are to come and go, unless it runs.

    Python's server ends when a process is killed while it asks for another one.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["atinuke_bench.runs.jobs.worker", "atinuke_bench.runs.jobs.preload"])
    multiprocessing.forkserver.ensure_running()


@dataclass(frozen=True)
class Way:
    """How a study is carried out: its database, or its own SQLite file, and `local` or `ray`, in a running cluster."""

    url: str | None = None
    executor: str = "local"
    workers: int = 2


@contextlib.contextmanager
def running_cluster(num_cores: int) -> Iterator[None]:
    """A Ray cluster on this machine that outlives the drivers that are killed, which find it by the environment.

    Ray lets nobody join without the cluster's token; this one is made for this cluster alone.
    """
    code = (
        f"import ray, sys; ray.init(num_cpus={num_cores}, include_dashboard=False, logging_level='ERROR');"
        "print(ray.get_runtime_context().gcs_address, flush=True); sys.stdin.read()"
    )
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    before = {name: os.environ.pop(name, None) for name in ("RAY_ADDRESS", *own)}
    os.environ |= own
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    os.environ["RAY_ADDRESS"] = process.stdout.readline().strip()
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            os.environ |= {} if value is None else {name: value}
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def serve(study: Study, way: Way) -> None:
    """What a sweep process does: carry out the study that it has joined."""
    executor = make_executor(way.executor, way.workers)
    template = Job("", study.config.make_run({}), study.store, wandb="disabled")
    try:
        Sweep(study, executor, template, _say).run()
    finally:
        executor.close()
        study.close()


def sweep_process(config: StudyConfig, store: Path, way: Way) -> int:
    """A sweep in a separate process, forked to save the imports; its pid.

    One on Ray is begun anew: what has spoken to a cluster cannot be forked.
    """
    if way.executor == "ray":
        create_or_join(config, store, way.url).close()
        storage = [] if way.url is None else ["--storage", way.url]
        serving = [__file__, "--out", str(store), "--executor", "ray", *storage, "--serve", config.name]
        return os.posix_spawn(sys.executable, [sys.executable, *serving], os.environ)
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        # The server is the parent's child, not ours, and is known to run.
        multiprocessing.forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]
        serve(create_or_join(config, store, way.url), way)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def wait_for_a_trial(config: StudyConfig, store: Path, way: Way, pid: int) -> None:
    """Wait until a process carries out a trial of the study, or has ended it."""
    study, latest = open_study(config.name, store, way.url), time.monotonic() + 300
    while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        running = [trial.user_attrs for trial in study.trials() if trial.state.name == "RUNNING"]
        if any("folder" in kept and f"-{pid}-" in kept["owner"]["worker"] for kept in running):
            break
        assert time.monotonic() < latest, "no trial has begun"
        time.sleep(0.1)
    study.close()


def fire(config: StudyConfig, store: Path, way: Way, *, num_kills: int, longest: float, seed: int) -> int:
    """Kill sweep processes, each after up to `longest` seconds, then let the last one finish; kills that struck."""
    choose, struck = random.Random(seed), 0
    start_forkserver()
    for _ in range(num_kills):
        pid = sweep_process(config, store, way)
        if way.executor == "ray":  # which takes longer to begin than a trial lasts
            wait_for_a_trial(config, store, way, pid)
        time.sleep(choose.uniform(0.0, longest))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        struck += os.WIFSIGNALED(status)
        time.sleep(0.2)
        start_forkserver()
    _, status = os.waitpid(sweep_process(config, store, way), 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the last sweep failed"
    return struck


def broken_rules(study: Study) -> list[str]:
    """What is wrong with a study that is over; nothing, if it is whole."""
    trials = study.trials()
    now, wrong = tally(trials), []
    if now.counted != study.config.budget.trials:
        wrong.append(f"{now.counted} trials count, {study.config.budget.trials} were asked for")
    if now.running or now.waiting:
        wrong.append(f"{now.running} running, {now.waiting} waiting")
    told = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    for place, count in Counter(place for trial in told for place in folders_of(trial)).items():
        if count > 1:
            wrong.append(f"run {place} is told {count} times")
    complete = [trial for trial in told if trial.state.name == "COMPLETE"]
    for trial in complete:
        folders = [RunFolder(study.store / place) for place in folders_of(trial)]
        if len(folders) != len(study.config.parts):
            wrong.append(f"trial {trial.number} names {len(folders)} runs of {len(study.config.parts)}")
        elif _value(study, folders) != trial.values[0]:
            wrong.append(f"trial {trial.number} was told another score than its runs have")
    # Of a trial that was pruned in a later part the earlier ones are finished.
    known = {place for trial in told for place in folders_of(trial)}
    # So are those of one that was given up, since its process was killed twice at one place.
    known |= {part["folder"] for trial in trials for part in records_of(trial) if "score" in part}
    for folder in find_runs(study.store):
        if folder.is_finished() and str(folder.path.relative_to(study.store)) not in known:
            wrong.append(f"run {folder.path} finished and no trial tells it")
    if study.config.num_seeds > 1 and (study.finals().next is not None or study.finals().waits):
        wrong.append("the finals lack a trial")
    return wrong


def _value(study: Study, folders: list[RunFolder]) -> float | None:
    """What finished runs of all parts are worth to the study."""
    scored = [Scored(one.read_result()["selection"]["score"], floor_of(one.read_history())) for one in folders]
    whole = [place for place, part in enumerate(study.config.parts) if part.share is None]
    parts = study.config.parts
    return value_of([parts[place] for place in whole], [scored[place] for place in whole], study.config.aggregate)


def make_config(data: Path, num_trials: int, **settings: Any) -> StudyConfig:
    overrides = {"training.max_epochs": 2, "tokenizer.vocab_size": 500} | settings.pop("overrides", {})
    chosen: dict[str, Any]
    chosen = {"name": "kills", "tasks": [("glue/wnli", None)], "core": "transformer", "preset": "nano", "space": SPACE}
    chosen |= {"budget": {"trials": num_trials}, "source": SourceConfig(data_dir=data), "sampler": "random"}
    return make_study_config(**{**chosen, "overrides": overrides, **settings})


def _say(ended: Ended) -> None:
    print(f"  {'' if ended.number is None else f'trial {ended.number}: '}{ended.outcome} {ended.message}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("ATINUKE_DATA"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--longest", type=float, default=8.0, help="seconds up to a kill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--executor", choices=["local", "ray"], default="local")
    parser.add_argument("--racing", action="store_true", help="two tasks, trials that race, two seeds of the best")
    parser.add_argument("--storage", help="database URL; else an SQLite file in the store")
    parser.add_argument("--serve", metavar="STUDY", help="only carry out a study of --out; what is killed does this")
    options = parser.parse_args()
    if options.serve is not None:
        serve(open_study(options.serve, options.out, options.storage), Way(options.storage, options.executor))
        return
    if options.data is None:
        sys.exit("set ATINUKE_DATA or --data to the folder that holds glue/")
    settings = {**RACING, "overrides": {"training.train_limit": 600}} if options.racing else {}
    config = make_config(Path(options.data), options.trials, **settings)
    way = Way(options.storage, options.executor)
    with running_cluster(way.workers) if options.executor == "ray" else contextlib.nullcontext():
        struck = fire(config, options.out, way, num_kills=options.kills, longest=options.longest, seed=options.seed)
    study = create_or_join(config, options.out, options.storage)
    wrong, now = broken_rules(study), study.tally()
    print(f"{struck} of {options.kills} kills struck; {now}")
    print("\n".join(wrong) or "whole: none running, none lost, none told twice")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
