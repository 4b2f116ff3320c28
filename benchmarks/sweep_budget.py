"""How much training searches need to be as good as a random search, and how good what they choose is.

    ATINUKE_DATA=/folder python benchmarks/sweep_tables.py --out /tmp/sweep-tables     # hours, once
    python benchmarks/sweep_budget.py --tables /tmp/sweep-tables                       # minutes

Studies are carried out by the code that carries out real ones; an executor plays trainings from tables, each trial by
the nearest combination of its table. For each of some studies a random search of 24 trials says how much may be spent;
every arm has that many operations, or 60 trials. Printed are, over all studies:

share     of the random search's operations, until a trial had a selection score as good as the random search's best:
          median with a 95 % bootstrap interval; infinite where none had
truly     the same, until the configuration that the arm would have chosen was, on seeds that no search saw, as good as
          the random search's choice
quality   mean score over seeds that no search saw of what the arm chose in the end, less the random search's; the last
          lines have the default's less each other arm's, study by study
worse     how often what it chose is more than 1 point worse than the best configuration that it had trained whole, on
          fresh seeds; and how often the best by the search's own score would have been (plain). Six fresh seeds leave
          noise of the judging in both; `finals_planted.py` knows the truth
lost      by how much it is worse on average; and the best by the search's own score (plain)
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import math
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from sweep_tables import CORES, OVERRIDES, SPACE, TASKS, Entry, combinations, nearest_place, source_of

from atinuke_bench.errors import FailureClass
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.runs.jobs.types import EpochDone, Event, Failed, Finished, Job, Started
from atinuke_bench.selection_record import SelectionRecord, write_selection
from atinuke_bench.sweeps.definition import StudyConfig
from atinuke_bench.sweeps.finals import candidates
from atinuke_bench.sweeps.planning import make_study_config
from atinuke_bench.sweeps.study import Study
from atinuke_bench.sweeps.sweep import Ended, Sweep
from atinuke_bench.training.execution import Execution

NUM_TRIALS = 24
#: Of an arm that gives up nearly all of its trials early.
MOST_TRIALS = 60
#: Of a table's seeds, those that a study may see; the others judge.
SEARCH_SEEDS = 5
ARMS: dict[str, dict[str, Any]] = {
    "random": {"sampler": "random", "pruner": "none"},
    "tpe": {"sampler": "tpe", "pruner": "none"},
    "tpe, asha": {"sampler": "tpe", "pruner": "asha"},
    "tpe, median": {"sampler": "tpe", "pruner": "median"},
    "tpe, race": {"sampler": "tpe", "pruner": "race"},
    "default": {"sampler": "tpe", "pruner": "race", "num_seeds": SEARCH_SEEDS},
}


@dataclass
class Table:
    """The trainings of one task and one core."""

    task: str
    core: str
    entries: dict[tuple[int, int], dict[str, np.ndarray]]
    #: Where its runs are played from: `<root>/<name>/<place>-<seed>`.
    root: Path

    @property
    def name(self) -> str:
        return f"{self.task.replace('/', '-')}-{self.core}"

    def seeds(self) -> list[int]:
        """Seeds with which the whole table was trained."""
        found: dict[int, int] = {}
        for _, seed in self.entries:
            found[seed] = found.get(seed, 0) + 1
        return sorted(seed for seed, number in found.items() if number == len(combinations()))

    def folder(self, place: int, seed: int) -> RunFolder:
        """The run folder of a training, written when it is first asked for."""
        folder = RunFolder(self.root / self.name / f"{place}-{seed}")
        if not folder.selection.exists():
            entry = self.entries[place, seed]
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.write_history(self.history(place, seed))
            units = tuple(entry["units"].tolist())
            epochs = {epoch: values.astype(float) for epoch, values in enumerate(entry["contributions"])}
            write_selection(folder.selection, SelectionRecord(units, units, epochs))
        return folder

    def history(self, place: int, seed: int) -> list[dict[str, Any]]:
        entry = self.entries[place, seed]
        answers = {"floor": float(entry["floor"])}
        return [
            {"epoch": epoch, "score": float(score), "training_flops": float(flops), "seconds": 1.0, "answers": answers}
            for epoch, (score, flops) in enumerate(zip(entry["scores"], entry["flops"], strict=True))
        ]

    def fresh(self, place: int, seen: list[int]) -> list[float]:
        """The scores that trainings with all seeds but these ended with."""
        own = [entry for (other, seed), entry in self.entries.items() if other == place and seed not in seen]
        return [float(entry["scores"].max()) for entry in own]

    def quality(self, place: int, seen: list[int]) -> float:
        """The mean of these scores."""
        return float(np.mean(self.fresh(place, seen)))

    def best(self, places: Iterable[int], seen: list[int]) -> float:
        """The best of these means: of combinations that have several such scores, among which are the best of all."""
        known = [place for place in places if len(self.fresh(place, seen)) > 2]
        return max((self.quality(place, seen) for place in known), default=-math.inf)


def read_tables(folder: Path, root: Path) -> list[Table]:
    tables = []
    for task, core in itertools.product(TASKS, CORES):
        entries = {}
        for path in Entry(task, core, 0, 0).file(folder).parent.glob("*[0-9].npz"):
            place, seed = (int(part) for part in path.stem.split("-"))
            with np.load(path) as file:
                entries[place, seed] = dict(file)
        tables.append(Table(task, core, entries, root))
    return tables


@dataclass
class TableExecutor:
    """Plays jobs from a table, one epoch a call; a run's seed is one of those that the study may see."""

    table: Table
    seeds: list[int]
    slots: int = 1
    _jobs: dict[str, tuple[Job, int, int, int]] = field(default_factory=dict)
    _queue: list[Event] = field(default_factory=list)

    def start(self, job: Job) -> None:
        place, seed = nearest_place(job.run), self.seeds[job.run.seed % SEARCH_SEEDS]
        self._jobs[job.key] = job, place, seed, 0
        self._queue.append(Started(job.key, self.table.folder(place, seed).path))
        self._epoch(job.key)

    def events(self, timeout: float) -> list[Event]:
        found, self._queue = self._queue, []
        return found

    def answer(self, key: str, should_continue: bool) -> None:
        _, place, seed, done = self._jobs[key]
        if done == len(self.table.entries[place, seed]["scores"]):
            self._finish(key)
        elif should_continue:
            self._epoch(key)
        else:
            self._queue.append(Failed(key, FailureClass.PRUNED, "stopped"))

    def stop(self, key: str, *, at_once: bool = False) -> None:
        self._queue.append(Failed(key, FailureClass.KILLED, "stopped"))

    def close(self) -> None:
        self._jobs.clear()

    def _epoch(self, key: str) -> None:
        job, place, seed, done = self._jobs[key]
        self._jobs[key] = job, place, seed, done + 1
        history = self.table.history(place, seed)
        self._queue.append(EpochDone(key, history[done]))
        if not job.asks:
            self._epoch(key) if done + 1 < len(history) else self._finish(key)

    def _finish(self, key: str) -> None:
        job, place, seed, _ = self._jobs.pop(key)
        entry = self.table.entries[place, seed]
        cost = {"parameters": int(entry["parameters"]), "forward_flops_per_token": float(entry["forward_flops"])}
        cost["training_flops"] = float(entry["flops"][-1])
        metric = METRICS[job.run.task]
        self._queue.append(
            Finished(key, {"metric": metric, "selection": {"score": float(entry["scores"].max())}, "cost": cost})
        )


METRICS = {"glue/sst2": "accuracy", "glue/cola": "matthews_correlation", "srl": "f1", "snli": "accuracy"}


class Memory:
    """A study's database for one process that nobody kills."""

    url = "memory"
    is_read_only = False

    def __init__(self) -> None:
        self.optuna = optuna.storages.InMemoryStorage()

    def exclusive(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    errors = exclusive

    def close(self) -> None:
        pass


@dataclass
class Played:
    """What became of a study."""

    #: After each trial: what was spent, the combination that it would have chosen, and the best selection score.
    path: list[tuple[float, int, float]]
    #: Combinations that it trained whole, with what the search's own seed said of them.
    trained: dict[int, float]

    @property
    def chosen(self) -> int:
        return self.path[-1][1]

    @property
    def spent(self) -> float:
        return self.path[-1][0]

    @property
    def best_of_selection(self) -> int:
        return max(self.trained, key=lambda place: self.trained[place])


def play(
    table: Table, data: Path, number: int, seeds: list[int], arm: dict[str, Any], budget: dict[str, Any]
) -> Played:
    """Carry out a study on a table."""
    config = _config(table, data, number, arm, budget)
    study = _study(config, table.root)
    path: list[tuple[float, int, float]] = []

    def on_end(ended: Ended) -> None:
        trials = study.trials()
        left = study.finals(trials).survivors
        if left:
            place = nearest_place(config.make_run(study.draw_of(left[0].trials[0]).overrides))
            known = max(one.values[0] for one in candidates(trials, higher_is_better=True))
            path.append((study.tally().training_flops, place, known))

    template = Job("", config.make_run({}), table.root, "disabled", execution=Execution(show_progress=False))
    Sweep(study, TableExecutor(table, seeds), template, on_end).run()
    trained: dict[int, float] = {}
    for one in candidates(study.trials(), higher_is_better=True):
        place = nearest_place(config.make_run(study.draw_of(one.trials[0]).overrides))
        trained[place] = max(trained.get(place, -math.inf), one.values[0])
    return Played(path, trained)


def _config(table: Table, data: Path, number: int, arm: dict[str, Any], budget: dict[str, Any]) -> StudyConfig:
    key = table.name
    if key not in _CONFIGS:
        _CONFIGS[key] = make_study_config(
            name="played",
            tasks=[(table.task, None)],
            core=table.core,
            preset="nano",
            source=source_of(table.task, data),
            overrides=OVERRIDES,
            space=SPACE,
            budget=budget,
        )
    record = _CONFIGS[key].model_dump(mode="json") | {"num_seeds": 1, **arm, "budget": budget}
    return StudyConfig.model_validate({**record, "seed": SEARCH_SEEDS * number})


_CONFIGS: dict[str, StudyConfig] = {}


def _study(config: StudyConfig, root: Path) -> Study:
    memory = Memory()
    found = optuna.create_study(storage=memory.optuna, direction="maximize")
    study = Study(config, root / "studies" / f"{os.getpid()}-{next(_NUMBERS)}", memory, found)  # type: ignore[arg-type]
    study.folder.mkdir(parents=True)
    return study


_NUMBERS = itertools.count()


@dataclass
class Judged:
    """One arm of one study, against the random search of it."""

    table: str
    arm: str
    share: float
    truly: float
    spent: float
    gain: float
    #: How much worse than the best that it had trained: its own choice, and the best by the search's own score.
    regret: float
    plain_regret: float


def judge(job: tuple[Table, Path, int, dict[str, dict[str, Any]]]) -> list[Judged]:
    table, data, number, arms = job
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    search = np.random.default_rng([number, 7]).permutation(table.seeds())[:SEARCH_SEEDS].tolist()
    random = play(table, data, number, search, ARMS["random"], {"trials": NUM_TRIALS})
    wanted = table.quality(random.chosen, search)
    found = []
    for name, arm in arms.items():
        same = name == "random"
        played = (
            random
            if same
            else play(table, data, number, search, arm, {"training_flops": random.spent, "trials": MOST_TRIALS})
        )
        seen = (spent for spent, _, known in played.path if known >= random.path[-1][2])
        reached = (spent for spent, place, _ in played.path if table.quality(place, search) >= wanted)
        best = table.best(played.trained, search)
        found.append(
            Judged(
                table.name,
                name,
                next(seen, math.inf) / random.spent,
                next(reached, math.inf) / random.spent,
                played.spent / random.spent,
                table.quality(played.chosen, search) - wanted,
                best - table.quality(played.chosen, search),
                best - table.quality(played.best_of_selection, search),
            )
        )
    return found


def report(judged: list[Judged], arms: list[str]) -> Iterator[str]:
    generator = np.random.default_rng(0)
    yield f"{'arm':<14}{'share':>20}{'truly':>20}{'spent':>8}{'quality':>22}" + "   worse   plain    lost   plain"
    for arm in arms:
        own = [one for one in judged if one.arm == arm]
        shares, truly = (np.array([getattr(one, name) for one in own]) for name in ("share", "truly"))
        gains = np.array([one.gain for one in own])
        drawn = generator.integers(0, len(own), (4000, len(own)))
        left, right = np.quantile(gains[drawn].mean(axis=1), [0.025, 0.975])
        regrets = [np.array([getattr(one, name) for one in own]) for name in ("regret", "plain_regret")]
        worse = "".join(f"{100 * np.mean(values > 1):>7.0f}%" for values in regrets)
        lost = "".join(f"{values.clip(0).mean():>8.2f}" for values in regrets)
        share, true = (_median(values, drawn) for values in (shares, truly))
        quality = f"{gains.mean():+.2f} [{left:+.2f}, {right:+.2f}]"
        spent = np.mean([one.spent for one in own])
        yield f"{arm:<14}{share:>20}{true:>20}{spent:>8.2f}{quality:>22}{worse}{lost}"


def against_default(judged: list[Judged], arms: list[str]) -> Iterator[str]:
    """What the default chose less what each other arm did; equivalent where the 90 % interval is within a point."""
    gains = {arm: np.array([one.gain for one in judged if one.arm == arm]) for arm in arms}
    generator = np.random.default_rng(1)
    for arm in arms:
        if arm != "default":
            apart = gains["default"] - gains[arm]
            drawn = apart[generator.integers(0, len(apart), (4000, len(apart)))].mean(axis=1)
            low, high = np.quantile(drawn, [0.05, 0.95])
            yield f"default less {arm}: {apart.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def _median(values: np.ndarray, drawn: np.ndarray) -> str:
    low, high = np.quantile(np.median(values[drawn], axis=1), [0.025, 0.975], method="nearest")
    return f"{np.median(values):.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=4, help="of each table")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as root:
        tables = [table for table in read_tables(options.tables, Path(root)) if table.seeds()]
        numbers = range(options.first, options.first + options.studies)
        # Each study draws its own trials.
        jobs = [
            (table, options.tables / "data", number * len(tables) + place, ARMS)
            for place, table in enumerate(tables)
            for number in numbers
        ]
        with multiprocessing.get_context("fork").Pool(options.workers) as pool:
            judged = list(itertools.chain.from_iterable(pool.imap_unordered(judge, jobs)))
    for table in ["", *(table.name for table in tables)]:
        own = [one for one in judged if not table or one.table == table]
        print(f"\n{table or 'all tables'}")
        print("\n".join(report(own, list(ARMS))))
    print("\n" + "\n".join(against_default(judged, list(ARMS))))
    print(f"\n{len(jobs)} studies of {len(tables)} tables in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
