"""Where GLUE's examples come from: official files by their layout, the Hub's copy, or generated ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset

from atinuke_bench.config import SourceConfig
from atinuke_bench.data.sources import HubDataset, Loaded, LocalFile, load_hub, load_local
from atinuke_bench.data.split_files import official
from atinuke_bench.data.table import Table
from atinuke_bench.microworld import load_microworld
from atinuke_bench.sentences.data import SentenceData
from atinuke_bench.tasks.glue.files import GlueLayout, find_glue_files, read_glue, require_glue_file
from atinuke_bench.training.task import require_data_dir

HUB_REPOSITORY = "nyu-mll/glue"
#: Columns of the Hub's copy under other names than ours, by task; tasks not named have `sentence1` and `sentence2`.
HUB_COLUMNS: dict[str, dict[str, str]] = {
    "cola": {"sentence": "sentence1"},
    "sst2": {"sentence": "sentence1"},
    "qqp": {"question1": "sentence1", "question2": "sentence2"},
    "qnli": {"question": "sentence1", "sentence": "sentence2"},
    "mnli": {"premise": "sentence1", "hypothesis": "sentence2"},
    "ax": {"premise": "sentence1", "hypothesis": "sentence2"},
}


@dataclass(frozen=True)
class Part:
    """Where one canonical split comes from."""

    layout: GlueLayout
    #: Its name in the official files.
    split: str
    #: Configuration and split of the Hub's copy.
    hub: tuple[str, str]
    #: Whether it may be absent from a folder.
    is_optional: bool = False


@dataclass(frozen=True)
class GlueData(SentenceData):
    """The examples of one task; its splits may come from files of several."""

    task: str = ""
    parts: Mapping[str, Part] = field(default_factory=dict)

    def load(self, source: SourceConfig, options: Any) -> Loaded:
        if source.kind == "hub":
            return _merge([load_hub(part, self.features, source.revision) for part in self._hub_datasets()])
        if source.kind == "microworld":
            return load_microworld(self.task, self.features, source)
        return self._load_local(require_data_dir(source, self.task))

    def _load_local(self, folder: Path) -> Loaded:
        copies = {split: find_glue_files(part.layout, folder, part.split) for split, part in self.parts.items()}
        absent: dict[str, str] = {}
        for split, part in self.parts.items():
            if not copies[split] and part.is_optional:
                absent[split] = f"{' or '.join(part.layout.files[part.split])}, plain or .gz, in {folder}"
            elif not copies[split]:
                copies[split] = [require_glue_file(part.layout, folder, part.split)]
        files: dict[str, LocalFile] = {
            split: (paths[0], partial(_read, self.parts[split])) for split, paths in copies.items() if paths
        }
        return load_local(files, self.features, official(folder, copies, absent))

    def _hub_datasets(self) -> list[HubDataset]:
        splits: dict[str, dict[str, str]] = {}
        for split, part in self.parts.items():
            config, hub_split = part.hub
            splits.setdefault(config, {})[split] = hub_split
        return [
            HubDataset(HUB_REPOSITORY, config, own, {**HUB_COLUMNS.get(config, {}), "idx": "id"})
            for config, own in splits.items()
        ]


def _read(part: Part, path: Path) -> Table:
    return read_glue(part.layout, path, part.split)


def _merge(parts: list[Loaded]) -> Loaded:
    splits: dict[str, Dataset] = {}
    files: dict[str, str] = {}
    for part in parts:
        splits |= part.splits
        files |= part.files
    return Loaded(splits, files, parts[0].revision, tuple(note for part in parts for note in part.notes))
