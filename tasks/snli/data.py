"""Where SNLI's pairs come from."""

from __future__ import annotations

from functools import partial
from typing import Any

from atinuke_bench.config import SourceConfig
from atinuke_bench.data.sources import HubDataset, Loaded, load_hub, load_local
from atinuke_bench.data.split_files import official
from atinuke_bench.microworld import load_microworld
from atinuke_bench.sentences.data import SentenceData
from atinuke_bench.tasks.snli.files import FILES, find_snli_files, read_snli, require_snli_file
from atinuke_bench.training.task import require_data_dir

HUB = HubDataset(
    "stanfordnlp/snli",
    "plain_text",
    splits={"train": "train", "dev": "validation", "test": "test"},
    columns={"premise": "sentence1", "hypothesis": "sentence2"},
)


class SnliData(SentenceData):
    """Official files, the Hub's copy, or generated pairs."""

    def load(self, source: SourceConfig, options: Any) -> Loaded:
        if source.kind == "hub":
            return load_hub(HUB, self.features, source.revision)
        if source.kind == "microworld":
            return load_microworld("snli", self.features, source)
        folder = require_data_dir(source, "snli")
        copies = {split: find_snli_files(folder, split) for split in FILES}
        copies["train"] = copies["train"] or [require_snli_file(folder, "train")]
        absent = {split: f"{FILES[split][0]}, plain or .gz, in {folder}" for split in FILES if not copies[split]}
        return load_local(
            {
                split: (paths[0], partial(read_snli, needs_label=split != "test"))
                for split, paths in copies.items()
                if paths
            },
            self.features,
            official(folder, copies, absent),
        )
