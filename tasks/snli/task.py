"""SNLI (Bowman et al. 2015): does a premise entail a hypothesis, contradict it, or neither?

Pairs without a consensus label (`-`) are neither learned from nor scored, as in the official evaluation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atinuke_bench.config import SourceConfig
from atinuke_bench.data.sources import HubDataset, Loaded, load_hub, load_local
from atinuke_bench.metrics.classification import align, compute
from atinuke_bench.microworld import load_microworld
from atinuke_bench.sentences.task import SentenceTask
from atinuke_bench.tasks.snli.files import (
    FILES,
    LABELS,
    find_snli_file,
    read_snli,
    read_snli_predictions,
    require_snli_file,
)
from atinuke_bench.training.task import require_data_dir

HUB = HubDataset(
    "stanfordnlp/snli",
    "plain_text",
    splits={"train": "train", "dev": "validation", "test": "test"},
    columns={"premise": "sentence1", "hypothesis": "sentence2"},
)


class SnliTask(SentenceTask):
    """The one task of its family."""

    def load(self, source: SourceConfig, options: Any) -> Loaded:
        if source.kind == "hub":
            return load_hub(HUB, self.features, source.revision)
        if source.kind == "microworld":
            return load_microworld(self.name, self.features, source)
        folder = require_data_dir(source, self.name)
        files = {"train": require_snli_file(folder, "train")}
        files |= {split: found for split in FILES if (found := find_snli_file(folder, split)) is not None}
        return load_local({split: (path, read_snli) for split, path in files.items()}, self.features)

    def score_files(self, gold: Path, predictions: Path) -> dict[str, Any]:
        table = read_snli(gold)
        truth = dict(zip(table.columns["id"], table.columns["label"], strict=True))
        pairs = align(truth, read_snli_predictions(predictions), where=str(predictions))
        return {**compute(self.metrics, pairs.gold, pairs.predicted), "total": len(pairs.ids)}


SNLI = SnliTask(
    "snli",
    LABELS,
    pair=True,
    metrics=("accuracy",),
    summary="entailment of sentence pairs, 3 classes",
    training={"max_epochs": 3},
    # Pairs with a consensus label.
    official_sizes={"train": 549_367, "dev": 9_842, "test": 9_824},
)
