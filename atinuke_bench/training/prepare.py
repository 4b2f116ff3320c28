"""From a run's config to everything training needs: task, data, the cut for selection, tokenizer, features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from datasets import Dataset
from tokenizers import Tokenizer

from atinuke_bench import registry
from atinuke_bench.config import Pretraining, RunConfig
from atinuke_bench.data.addresses import where_from
from atinuke_bench.data.features import Encoded, cached_encoded
from atinuke_bench.data.hold_out import CUT_VERSION, hold_out, limit_rows
from atinuke_bench.data.sources import Loaded
from atinuke_bench.data.split_files import some_names
from atinuke_bench.data.tokenizer import CUT_WORDS_VERSION, cached_tokenizer, fingerprint, has_cut_words
from atinuke_bench.environment import cache_folder, gpu_has_bfloat16
from atinuke_bench.errors import ConfigError, DataError, MissingDataError
from atinuke_bench.files import sha256_json
from atinuke_bench.run_folder import MOST_UNKNOWN_PERCENT, identity
from atinuke_bench.source_code import SourceCode, code_of_run, digest_of_task
from atinuke_bench.training.initialise import Origin, open_origin, resolve_origin
from atinuke_bench.training.overlap import Overlap, find_overlap
from atinuke_bench.training.schedule import SCHEDULE_VERSION
from atinuke_bench.training.task import Task, task_of


@dataclass(frozen=True)
class PreparedRun:
    """A run whose names are resolved and whose data is read. Its identity is known before anything is trained."""

    run: RunConfig
    task: Task
    loaded: Loaded
    #: What the run's modules were made of when they were loaded.
    code: SourceCode
    #: Whether splits without labels are predicted too; no part of the identity, since no figure depends on it.
    predicts_unlabelled: bool = False

    @cached_property
    def identity(self) -> str:
        """Ten hexadecimal digits of everything that determines the result."""
        return identity_on(self.run, self.task, self.loaded.fingerprint, has_cut_words=self._has_cut_words())

    def _has_cut_words(self) -> bool:
        """Whether a tokenizer trained for this run reads a word of its data in parts."""
        if self.run.init_from is not None or self.run.core.has_tokenizer:
            return False
        splits = self.loaded.splits.values()
        return any(has_cut_words(self.task.data.texts(rows), self.run.tokenizer) for rows in splits)

    @cached_property
    def overlap(self) -> Overlap:
        """What the labelled examples of train share with evaluated splits, with labels or without."""
        splits = self.loaded.splits
        evaluated = {name: splits[name] for name in self.task.splits.evaluated if name in splits}
        train = self.task.data.labelled(splits[self.task.splits.train])
        return find_overlap(train, evaluated, self.task.data.example_columns)

    @cached_property
    def _cut(self) -> tuple[Dataset, Dataset, str]:
        training = self.run.training
        usable = self.task.data.labelled(self.loaded.splits[self.task.splits.train])
        if training.drop_overlap:
            usable = usable.select(np.flatnonzero(~self.overlap.in_train))
        if training.train_limit is not None:
            usable = usable.select(limit_rows(len(usable), training.train_limit))
        if len(usable) < 2:
            raise DataError(f"training needs at least two labelled examples; found {len(usable)}", path=self.task.name)
        if training.select_on == "dev":
            return usable, self.task.data.labelled(self.loaded.splits[self.task.splits.dev]), ""
        column = self.task.group_column
        groups = usable[column][:] if column is not None else None
        cut = hold_out(len(usable), training.held_out_fraction, training.held_out_limit, groups)
        return usable.select(cut.train), usable.select(cut.held_out), cut.note

    def sizes(self) -> str:
        """How many examples are learned from and how many decide between epochs, in one line.

        What the groups of the data did not allow is said too.
        """
        train, selection, note = self._cut
        origin = "dev" if self.run.training.select_on == "dev" else "train"
        line = f"{len(train):,} examples to learn from, {len(selection):,} of {origin} to select on"
        return f"{line} (warning: {note})" if note else line

    @property
    def train_examples(self) -> Dataset:
        """The examples to train on."""
        return self._cut[0]

    @property
    def selection_examples(self) -> Dataset:
        """The examples that decide between epochs."""
        return self._cut[1]

    @cached_property
    def evaluation_splits(self) -> dict[str, Dataset]:
        """The evaluated splits that the data has: those with labels, or all where asked for or none has any."""
        names = [name for name in self.task.splits.evaluated if name in self.loaded.splits]
        labelled = [name for name in names if self.task.is_labelled(self.loaded.splits[name])]
        return {name: self.loaded.splits[name] for name in (names if self.predicts_unlabelled else labelled or names)}

    def is_answered_by(self, result: Mapping[str, Any]) -> bool:
        """Whether a result of this run has predictions of every split that is evaluated."""
        # Results without the field are of versions that predicted every split.
        return self.evaluation_splits.keys() <= result.get("unknown_percent", self.evaluation_splits).keys()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was read and left, and which splits are not scored."""
        names = [name for name in self.task.splits.evaluated if name in self.loaded.splits]
        hidden = [name for name in names if not self.task.is_labelled(self.loaded.splits[name])]
        done = {name: "predicted" if name in self.evaluation_splits else "not predicted" for name in hidden}
        unscored = (f"{name}: has no labels; {done[name]}, not scored" for name in hidden)
        return (*self.loaded.notes, *unscored, *filter(None, [self._overlap_note]))

    @property
    def _overlap_note(self) -> str | None:
        note, num = self.overlap.note(), int(self.overlap.in_train.sum())
        if note is None:
            return None
        if self.run.training.drop_overlap:
            return f"{note}; {num:,} examples of train are left out (training.drop_overlap)"
        return f"{note}; --drop-overlap leaves {num:,} examples of train out"

    @cached_property
    def origin(self) -> Origin | None:
        """The run that this one starts from."""
        return None if self.run.init_from is None else open_origin(self.run.init_from)

    @cached_property
    def cache_problems(self) -> list[str]:
        """Why what was made of the data could not be kept; most likely the same each time."""
        return []

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The one of the run this one starts from, the core's own, or one made from the training examples."""
        if self.origin is not None:
            return self.origin.tokenizer
        own = registry.load_core(self.run.core.name).own_tokenizer(self.run.core)
        if own is not None:
            return own
        texts = self.task.data.texts(self.train_examples)
        return cached_tokenizer(cache_folder(), texts, self.run.tokenizer, self.cache_problems.append)

    def encode(self, part: str, examples: Dataset) -> Encoded:
        """Features of some examples, kept in the cache under everything they depend on.

        `part` names which examples of the data they are: `train`, `selection` or an evaluated split.
        """
        decisive = {"max_length", "select_on", "held_out_fraction", "held_out_limit", "train_limit"}
        if self.run.training.drop_overlap:
            decisive.add("drop_overlap")
        training = self.run.training.model_dump(include=decisive)
        key = {
            "task": [self.task.name, self.task.result_version, digest_of_task(self.task.name)],
            "part": part,
            "data": self.loaded.fingerprint,
            "tokenizer": fingerprint(self.tokenizer),
            "settings": training,
            "options": self.run.options,
            **_cut_version(self.run),
        }
        return cached_encoded(
            cache_folder(),
            sha256_json(key)[:24],
            lambda: self.task.data.rows(examples, self.tokenizer, self.run),
            self.cache_problems.append,
        )

    def protocol(self) -> dict[str, Any]:
        """Everything that makes two scores comparable."""
        task, splits = self.task, self.loaded.splits
        sizes = {name: len(task.data.labelled(rows)) or len(rows) for name, rows in splits.items()}
        return {
            "task": task.name,
            "result_version": task.result_version,
            "source": self.run.source.kind,
            "revision": self.loaded.revision,
            "data_fingerprint": self.loaded.fingerprint,
            "split_sizes": sizes,
            "train_size": len(self.train_examples),
            "is_cut": self._leaves_out or not self._is_official(sizes),
            "selection": self.run.training.select_on,
            "selection_size": len(self.selection_examples),
            "primary_metric": task.metric.name,
            "higher_is_better": task.metric.higher_is_better,
            "pretraining": self._pretraining().to_stored(),
            **({"drop_overlap": True} if self.run.training.drop_overlap else {}),
            **task.protocol_of(self.run),
        }

    @property
    def _leaves_out(self) -> bool:
        """Whether less is learned from than the train split has."""
        training = self.run.training
        return training.train_limit is not None or bool(training.drop_overlap and self.overlap.in_train.any())

    def _is_official(self, sizes: Mapping[str, int]) -> bool:
        """Whether the data is a published release: of the sizes declared, or from the Hub where none is declared."""
        kind, task = self.run.source.kind, self.task
        return kind != "microworld" and (task.is_official(sizes) or (kind == "hub" and not task.official_sizes))

    def _pretraining(self) -> Pretraining:
        own = registry.load_core(self.run.core.name).pretraining(self.run.core, self.task.name)
        if self.run.init_from is None or self.origin is None:
            return own
        return self.origin.pretraining(self.run.init_from, own)


def identity_on(run: RunConfig, task: Task, data_fingerprint: str, *, has_cut_words: bool) -> str:
    """The identity that a resolved run has on some data. `has_cut_words`: its tokenizer reads a word of it in parts."""
    core_class = registry.load_core(run.core.name)
    versions = {"task": task.result_version, "core": core_class.result_version, **_cut_version(run)}
    derived = task.options_class.from_data
    options = {name: value for name, value in run.options.items() if name not in derived}
    if has_cut_words:
        versions["cut_words"] = CUT_WORDS_VERSION
    if not run.core.is_floor:
        versions["schedule"] = SCHEDULE_VERSION
    return identity(run.model_copy(update={"options": options}), data_fingerprint, versions)


def _cut_version(run: RunConfig) -> dict[str, int]:
    """The version of the rules that choose examples, where they choose."""
    chooses = run.training.select_on == "held-out" or run.training.train_limit is not None
    return {"cut": CUT_VERSION} if chooses else {}


def resolve_settings(run: RunConfig) -> RunConfig:
    """The run with its precision and its core as this machine and the core's files have them."""
    precision = run.training.precision
    if precision == "auto":
        # Not on processors, though some have it: a suite spread over several kinds would mix both, and small cores
        # lose (training on one Zen 5 thread, bfloat16 to float32: nano 0.6, micro 0.9, mini 1.7 times the speed).
        precision = "bfloat16" if gpu_has_bfloat16() else "float32"
    return run.model_copy(
        update={
            "training": run.training.model_copy(update={"precision": precision}),
            "core": registry.load_core(run.core.name).resolve(run.core),
        }
    )


def prepare(run: RunConfig, *, predicts_unlabelled: bool = False) -> PreparedRun:
    """Resolve a run's names and defaults and read its data; ConfigError or DataError."""
    task = task_of(run)
    registry.load_core(run.core.name)
    code = code_of_run(run.task, run.core.name)  # now, since reading the data may take long
    options = task.options(run)
    run = resolve_origin(resolve_settings(run))
    limit = run.core.max_length
    if limit is not None and run.training.max_length > limit:
        raise ConfigError(
            f"training.max_length: {run.core.label()} reads at most {limit} tokens; found {run.training.max_length}; "
            f"nearest: {limit}"
        )
    loaded = load_data(run, task)
    _require_labels(task, run, loaded)
    options = task.data.resolve_options(options, loaded)
    run = run.model_copy(update={"options": options.model_dump(mode="json")})
    # Once more, since a task may be made of what its data has, such as its labels.
    return PreparedRun(run, task.for_run(run), loaded, code, predicts_unlabelled)


def load_data(run: RunConfig, task: Task) -> Loaded:
    """A run's data; where none is there, the DataError says where it comes from."""
    try:
        return task.data.load(run.source, task.options(run))
    except MissingDataError as error:
        raise MissingDataError(f"{error}{where_from(run.task)}") from error


def _require_labels(task: Task, run: RunConfig, loaded: Loaded) -> None:
    """Refuse data that leaves nothing to train or report on, or nothing to select on where dev is asked for."""
    train = task.splits.train
    if train not in loaded.splits:
        why = [_lack(loaded, train), *(note for note in loaded.notes if note.startswith(f"{train}:"))]
        raise DataError(f"a run needs a split to train on; {'; '.join(why)}", path=run.source.data_dir or task.name)
    names = tuple(dict.fromkeys((task.splits.dev, *task.splits.evaluated)))
    labelled = [name for name in names if name in loaded.splits and task.is_labelled(loaded.splits[name])]
    if not labelled or not any(name in loaded.splits for name in task.splits.evaluated):
        raise DataError(
            "a run needs a split with labels to report on; "
            + "; ".join(_lack(loaded, name) for name in dict.fromkeys((task.splits.dev, *task.splits.headline))),
            path=run.source.data_dir or task.name,
        )
    if run.training.select_on == "dev" and task.splits.dev not in labelled:
        raise ConfigError(
            f"training.select_on: dev needs a dev split with labels; {_lack(loaded, task.splits.dev)}; "
            "nearest: held-out"
        )


def _lack(loaded: Loaded, split: str) -> str:
    if split not in loaded.splits:
        return f"found no {split}" + (f", looked for {loaded.absent[split]}" if split in loaded.absent else "")
    files = [name.partition("/")[2] for name in loaded.files if name.startswith(f"{split}/")]
    return f"{split} has no labels" + (f" ({some_names(files)})" if files else "")


def unknown_warning(percents: Mapping[str, float | None]) -> str | None:
    """What to say of splits of whose tokens many are [UNK]; None where there is none."""
    high = [f"{percent:.1f} % of {name}" for name, percent in percents.items() if (percent or 0) > MOST_UNKNOWN_PERCENT]
    if not high:
        return None
    return (
        f"the tokenizer should know the text; of its tokens {', '.join(high)} are [UNK], over "
        f"{MOST_UNKNOWN_PERCENT} %: a word is unknown where the train split lacks one of its characters"
    )
