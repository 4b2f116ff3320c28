"""Where SNLI's pairs come from."""

from __future__ import annotations

from typing import Any

from atinuke_bench.config import SourceConfig
from atinuke_bench.data.sources import HubDataset, Loaded, load_hub, load_local
from atinuke_bench.microworld import load_microworld
from atinuke_bench.sentences.data import SentenceData
from atinuke_bench.tasks.snli.files import FILES, find_snli_file, read_snli, require_snli_file
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
        files = {"train": require_snli_file(folder, "train")}
        files |= {split: found for split in FILES if (found := find_snli_file(folder, split)) is not None}
        return load_local({split: (path, read_snli) for split, path in files.items()}, self.features)
