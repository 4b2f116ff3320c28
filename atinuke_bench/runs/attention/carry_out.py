"""Looks at the attention heads of finished runs, one after the other; what is there and current is not repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from atinuke_bench import environment
from atinuke_bench.attention_file import attention_file, read_attention, weights_of, write_attention
from atinuke_bench.errors import AtinukeBenchError, RunFolderError
from atinuke_bench.files import file_stem, finite
from atinuke_bench.metrics.metric import Floats
from atinuke_bench.metrics.units import FEWEST_UNITS, too_few, unit_noun
from atinuke_bench.run_folder import RunFolder

from .curve import curve_record, num_passes, order_of
from .gradients import gradients
from .importance import head_records, pattern_records, slice_records
from .losses import loss_increases
from .opened import Opened, Part, open_run
from .patterns import patterns
from .scores import Scorer

#: Raised when a record of the same run, settings and data would hold other numbers.
_VERSION = 1


@dataclass(frozen=True)
class Wish:
    """What is asked: the split (None: that of the run's score), where its data is, how much of it, how many orders."""

    split: str | None = None
    data_dir: Path | None = None
    limit: int | None = None
    num_orders: int = 5
    #: Where records go in place of the runs' own folders.
    out: Path | None = None
    rerun: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one run: its record, or why it has none."""

    run: RunFolder
    record: dict[str, Any] | None = None
    is_new: bool = False
    path: Path | None = None
    error: AtinukeBenchError | None = None


#: What is being done for a run, and how many of its passes over the examples are done.
Told = Callable[[RunFolder, int, int], None]


def _quiet(run: RunFolder, num_done: int, num_passes: int) -> None:
    return None


def look_at_heads(runs: Iterable[RunFolder], wish: Wish, told: Told = _quiet) -> Iterator[Outcome]:
    """The record of each run; one that cannot be looked at is an outcome with its error."""
    for folder in runs:
        try:
            yield _look(folder, wish, told)
        except AtinukeBenchError as error:
            yield Outcome(folder, error=error)


def _look(folder: RunFolder, wish: Wish, told: Told) -> Outcome:
    opened = open_run(folder, wish.split, wish.data_dir, wish.limit)
    path = _path(opened, wish)
    determinants = finite(_determinants(opened, wish))
    if not wish.rerun and (there := _current(path, determinants)) is not None:
        return Outcome(folder, there, path=path)
    record = look(opened, wish.num_orders, lambda done, number: told(folder, done, number))
    write_attention(path, {**record, "determinants": determinants, "versions": environment.package_versions()})
    return Outcome(folder, read_attention(path), is_new=True, path=path)


def _path(opened: Opened, wish: Wish) -> Path:
    if wish.out is None:
        return attention_file(opened.folder, opened.on.name)
    result = opened.result
    name = f"{result['task']}-{result['core']}-seed-{result['seed']}-{result['identity']}-{opened.on.name}"
    return wish.out / f"{file_stem(name)}.json"


def _determinants(opened: Opened, wish: Wish) -> dict[str, Any]:
    """All that decides a record beside the run's identity."""
    return {
        "version": _VERSION,
        "weights": weights_of(opened.folder, opened.result),
        "limit": wish.limit,
        "num_orders": wish.num_orders,
    }


def _current(path: Path, determinants: dict[str, Any]) -> dict[str, Any] | None:
    try:
        found = read_attention(path)
    except RunFolderError:  # none, or damaged: it is made again
        return None
    return found if found["determinants"] == determinants else None


def look(
    opened: Opened, num_orders: int, told: Callable[[int, int], None] = lambda done, number: None
) -> dict[str, Any]:
    """Everything that a record says of a run's attention heads on one split."""
    num_heads = len(opened.heads)
    count = _Count(1 + 2 * num_heads + 2 + num_passes(num_heads, num_orders), told)
    scorer = Scorer(opened, count.add)
    heads = head_records(scorer, _gradients(opened, opened.on, count))
    seen = patterns(opened, lambda num_rows: None)
    count.add()
    notes = list(_notes(opened, scorer))
    found_patterns = []
    if seen is None:
        notes.append("what heads look at is not known: this core computes attention in a way that cannot be watched")
    else:
        found_patterns = pattern_records(opened, seen)
        means = zip(heads, seen.distance.tolist(), seen.entropy.tolist(), strict=True)
        heads = [{**record, "distance": distance, "entropy": entropy} for record, distance, entropy in means]
    slices = slice_records(scorer)
    curve = None
    if opened.selection is not None:
        selecting = Scorer(replace(opened, on=opened.selection), count.add)
        order = order_of(selecting, loss_increases(opened, opened.selection))
        curve = {"selected_on": opened.selection.name, **curve_record(scorer, order, num_orders)}
    return {**_about(opened, scorer), "heads": heads, "patterns": found_patterns, "curve": curve, "slices": slices,
            "notes": notes}  # fmt: skip


def _gradients(opened: Opened, part: Part, count: _Count) -> Floats:
    found = gradients(opened, part, lambda num_rows: None)
    count.add()
    return found


def _about(opened: Opened, scorer: Scorer) -> dict[str, Any]:
    """Which run this is, on what it was looked at, and what it scores there with all heads."""
    result, task, whole = opened.result, opened.predictor.task, scorer.with_all()
    return {
        **{name: result[name] for name in ("task", "core", "core_label", "seed", "identity")},
        "split": opened.on.name,
        "metric": task.metric.name,
        "higher_is_better": task.metric.higher_is_better,
        "score": whole.sample.value(),
        "num_examples": len(opened.on.examples),
        "unit": _noun(opened),
        "num_units": len(whole.sample.units),
        "layers": [layer.num_heads for layer in opened.layers],
    }


def _noun(opened: Opened) -> str:
    task = opened.predictor.task
    return unit_noun(task.metric, task.units(opened.on.examples), None if task.unit is None else task.unit.noun)


def _notes(opened: Opened, scorer: Scorer) -> Iterator[str]:
    whole, number = scorer.with_all(), len(scorer.with_all().sample.units)
    if number < FEWEST_UNITS:
        yield f"neither intervals nor tests: {too_few(_noun(opened), number)}"
    recorded = opened.result["scores"].get(opened.on.name, {}).get(opened.result["metric"])
    score = whole.measured.figures.get(opened.result["metric"])
    if opened.on.is_whole and None not in (recorded, score) and abs(recorded - score) > 1e-4:
        yield f"with all heads the score is {score:.4f} here; the run recorded {recorded:.4f}"
    if opened.selection is None:
        yield (
            f"no pruning curve: the run was selected on {opened.on.name}, and heads may not be chosen on the examples "
            "that the curve is scored on"
        )


@dataclass
class _Count:
    """Passes that are done, told as they are."""

    num_passes: int
    told: Callable[[int, int], None]
    num_done: int = 0

    def add(self) -> None:
        self.num_done += 1
        self.told(min(self.num_done, self.num_passes), self.num_passes)
