"""A small suite on generated data, the store that it fills undisturbed, and what any other store of it must equal."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path

import yaml

from atinuke_bench.run_folder import RunFolder, find_runs
from atinuke_bench.training.checkpoint import load_checkpoint
from chaos.commands import finish, start

NUM_EPOCHS = 3
SUITE = {
    "name": "kills",
    "tasks": ["snli", "srl"],
    "cores": {
        "atinuke": {"core": "atinuke", "preset": "nano", "tasks": ["srl"]},
        "bilstm": {"core": "bilstm", "preset": "nano", "tasks": ["snli"]},
    },
    # Runs of two seeds have files that could be each other's.
    "seeds": [0, 1],
    "source": {"kind": "microworld", "microworld": {"train": 400, "dev": 60, "test": 60}},
    "overrides": {"training.max_epochs": NUM_EPOCHS, "training.batch_tokens": 128, "tokenizer.vocab_size": 200},
    "task_overrides": {"srl": {"training.batch_tokens": 256}},
}
NUM_RUNS = 4
#: What differs between two carryings-out of the same run.
_TIMES = ("seconds", "tokens_per_second")


@dataclass(frozen=True)
class Store:
    """A store of the suite, with its own cache, so that filling the cache is disturbed too."""

    root: Path
    #: Of the stand-in for W&B's server.
    wandb_url: str

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def log(self) -> Path:
        """All that its commands print on standard error."""
        return self.root / "said.txt"

    def start(self, *arguments: object) -> ForkProcess:
        self.root.mkdir(parents=True, exist_ok=True)
        own = {"ATINUKE_CACHE": str(self.cache), "WANDB_BASE_URL": self.wandb_url, "WANDB_API_KEY": "0" * 40}
        # Not the user's own settings and files of W&B.
        own |= {f"WANDB_{name}_DIR": str(self.root / "wandb") for name in ("DATA", "CACHE", "CONFIG")}
        return start(arguments, own, self.log)

    def start_suite(self) -> ForkProcess:
        path = self.root / "suite.yaml"
        self.root.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(SUITE))
        # A state within an epoch is due at every chance.
        return self.start("suite", path, "--out", self.runs, "--workers", 1, "--checkpoint-minutes", 0)

    def start_report(self) -> ForkProcess:
        return self.start("report", self.runs, "--out", self.root / "report")

    def start_sync(self) -> ForkProcess:
        return self.start("sync", self.runs)

    def said(self, since: int = 0) -> str:
        return self.log.read_text(errors="replace")[since:] if self.log.exists() else ""

    def parts(self) -> list[Path]:
        """Files that a writer began and did not finish."""
        return sorted(path for path in self.root.rglob("*.part") if path.is_file())


def settle(store: Store, reference: Store, attempts: int = 3) -> list[str]:
    """Carry the suite to its end, report and upload it; what is wrong with the store after that."""
    status = 1
    for _ in range(attempts):  # a run whose worker was killed goes on at the next start
        if (status := finish(store.start_suite())) == 0:
            break
    wrong = [] if status == 0 else [f"suite: status {status} at the last of {attempts} starts"]
    begin = len(store.said())
    commands = {"report": store.start_report, "sync": store.start_sync}
    wrong += [f"{name}: status {status}" for name, start in commands.items() if (status := finish(start()))]
    if status := finish(store.start("verify", store.runs)):
        wrong.append(f"verify: status {status}")
    if f"{NUM_RUNS} finished runs, 0 damaged; 0 not finished" not in store.said(begin):
        wrong.append(f"verify: {store.said(begin).splitlines()[-1:]}")
    return wrong + differences(store, reference)


def differences(store: Store, reference: Store) -> list[str]:
    """In what a store of the finished suite is not the undisturbed one; whatever was left behind."""
    wrong = [f"left behind: {path.relative_to(store.root)}" for path in store.parts()]
    if "Traceback (most recent call last)" in store.said():
        wrong.append(f"a traceback: see {store.log}")
    names, own = ({path.path.relative_to(place.runs) for path in find_runs(place.runs)} for place in (reference, store))
    wrong += [f"run {name} is not in the undisturbed store" for name in sorted(own - names)]
    for name in sorted(names):
        if name not in own:
            wrong.append(f"run {name} is lost")
        elif problem := _unlike(RunFolder(store.runs / name), RunFolder(reference.runs / name)):
            wrong.append(f"run {name}: {problem}")
    return wrong


def _unlike(run: RunFolder, undisturbed: RunFolder) -> str | None:
    if not run.is_finished():
        return "not finished"
    if run.predictions.read_bytes() != undisturbed.predictions.read_bytes():
        return "other predictions"
    if run.failure.exists():
        return "a failure is filed beside the result"
    histories = [
        [{name: value for name, value in record.items() if name not in _TIMES} for record in folder.read_history()]
        for folder in (run, undisturbed)
    ]
    if histories[0] != histories[1]:
        return "another history"
    weights, others = (load_checkpoint(folder.best_checkpoint)["state_dict"] for folder in (run, undisturbed))
    if weights.keys() != others.keys() or any(not weights[name].equal(others[name]) for name in weights):
        return "other weights"
    return None


@contextlib.contextmanager
def places(out: Path | None) -> Iterator[Path]:
    """The given folder, which stays, or one that goes."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        yield out
        return
    place = Path(tempfile.mkdtemp(prefix="suite-kills-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def make_reference(root: Path, wandb_url: str) -> Store:
    """The store of the suite that nothing disturbs."""
    store = Store(root / "undisturbed", wandb_url)
    began = time.monotonic()
    if status := finish(store.start_suite()):
        raise SystemExit(f"the suite ends with status {status} undisturbed; see {store.log}")
    print(f"undisturbed: {len(find_runs(store.runs))} runs in {time.monotonic() - began:.0f} s", flush=True)
    return store
