"""GLUE (Wang et al. 2019): nine tasks, and the AX diagnostic, which is scored with the MNLI model.

The tasks at the end of this file are data; the official file layouts are in `atinuke_bench.tasks.glue.files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset

from atinuke_bench.config import SourceConfig
from atinuke_bench.data.sources import HubDataset, Loaded, LocalFile, load_hub, load_local
from atinuke_bench.metrics.classification import align, compute
from atinuke_bench.microworld import load_microworld
from atinuke_bench.sentences.task import SentenceTask
from atinuke_bench.tasks.glue.files import (
    LAYOUTS,
    GlueLayout,
    find_glue_file,
    read_glue,
    read_glue_predictions,
    require_glue_file,
    write_glue_predictions,
)
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


class GlueTask(SentenceTask):
    """One GLUE task: its layout, and where each canonical split comes from."""

    #: Splits that may be absent from a folder.
    optional_splits: tuple[str, ...] = ("test",)

    def __init__(
        self,
        key: str,
        *,
        metrics: tuple[str, ...],
        summary: str,
        training: Mapping[str, Any] | None = None,
        official_sizes: Mapping[str, int] | None = None,
    ) -> None:
        self.layout = LAYOUTS[key]
        self.key = key
        super().__init__(
            f"glue/{key}",
            self.layout.labels,
            pair=len(self.layout.text_columns) == 2,
            metrics=metrics,
            summary=summary,
            training=training,
            official_sizes=official_sizes,
        )

    @property
    def parts(self) -> dict[str, tuple[GlueLayout, str]]:
        """For each canonical split, the layout it is read with and its name there."""
        return {split: (self.layout, split) for split in ("train", "dev", "test")}

    @property
    def hub_parts(self) -> list[HubDataset]:
        """The configurations of the Hub's copy that the splits come from."""
        return [_hub(self.key, {"train": "train", "dev": "validation", "test": "test"})]

    def load(self, source: SourceConfig, options: Any) -> Loaded:
        if source.kind == "hub":
            return _merge([load_hub(part, self.features, source.revision) for part in self.hub_parts])
        if source.kind == "microworld":
            return load_microworld(self.name, self.features, source)
        return load_local(self._local_files(require_data_dir(source, self.name)), self.features)

    def score_files(self, gold: Path, predictions: Path) -> dict[str, Any]:
        # Ids are only compared with each other here, so that the name of the split does not matter.
        table = read_glue(self.layout, gold, "test")
        truth = dict(zip(table.columns["id"], table.columns["label"], strict=True))
        pairs = align(truth, read_glue_predictions(self.layout, predictions, "test"), where=str(predictions))
        return {**compute(self.metrics, pairs.gold, pairs.predicted), "total": len(pairs.ids)}

    def write_official(self, folder: Path, split: str, predictions: Mapping[str, str]) -> Path | None:
        layout, layout_split = self.parts[split]
        name = layout.submissions.get(layout_split)
        if name is None:
            return None
        labels = layout.labels
        values = {id_: float(answer) if labels is None else labels.index(answer) for id_, answer in predictions.items()}
        write_glue_predictions(layout, folder / name, values)
        return folder / name

    def _local_files(self, folder: Path) -> dict[str, LocalFile]:
        files: dict[str, LocalFile] = {}
        for split, (layout, layout_split) in self.parts.items():
            find = find_glue_file if split in self.optional_splits else require_glue_file
            path = find(layout, folder, layout_split)
            if path is not None:
                files[split] = (path, partial(_read, layout, layout_split))
        return files


class MnliTask(GlueTask):
    """MNLI has two dev and two test sets; its model also answers the AX diagnostic, where that is present."""

    dev_split = "dev_matched"
    evaluation_splits = ("dev_matched", "dev_mismatched", "test_matched", "test_mismatched", "ax")
    headline_splits = ("dev_matched",)
    optional_splits = ("dev_mismatched", "test_matched", "test_mismatched", "ax")

    @property
    def parts(self) -> dict[str, tuple[GlueLayout, str]]:
        own = ("train", "dev_matched", "dev_mismatched", "test_matched", "test_mismatched")
        return {**{split: (self.layout, split) for split in own}, "ax": (LAYOUTS["ax"], "test")}

    @property
    def hub_parts(self) -> list[HubDataset]:
        names = {"train": "train"} | {
            f"{split}_{domain}": f"{hub_split}_{domain}"
            for split, hub_split in (("dev", "validation"), ("test", "test"))
            for domain in ("matched", "mismatched")
        }
        return [_hub("mnli", names), _hub("ax", {"ax": "test"})]


class AxTask(GlueTask):
    """The diagnostic has no training data of its own: the core is trained on MNLI and scored here."""

    dev_split = "dev_matched"
    evaluation_splits = ("test",)
    headline_splits = ("test",)
    optional_splits = ()

    @property
    def parts(self) -> dict[str, tuple[GlueLayout, str]]:
        mnli = LAYOUTS["mnli"]
        return {"train": (mnli, "train"), "dev_matched": (mnli, "dev_matched"), "test": (self.layout, "test")}

    @property
    def hub_parts(self) -> list[HubDataset]:
        names = {"train": "train", "dev_matched": "validation_matched"}
        return [_hub("mnli", names), _hub("ax", {"test": "test"})]


def _read(layout: GlueLayout, split: str, path: Path) -> Any:
    return read_glue(layout, path, split)


def _hub(key: str, splits: Mapping[str, str]) -> HubDataset:
    return HubDataset(HUB_REPOSITORY, key, splits, {**HUB_COLUMNS.get(key, {}), "idx": "id"})


def _merge(parts: list[Loaded]) -> Loaded:
    splits: dict[str, Dataset] = {}
    files: dict[str, str] = {}
    for part in parts:
        splits |= part.splits
        files |= part.files
    return Loaded(splits, files, parts[0].revision, tuple(note for part in parts for note in part.notes))


def _sizes(train: int, dev: int, test: int) -> dict[str, int]:
    return {"train": train, "dev": dev, "test": test}


_MNLI_SIZES = {
    "train": 392_702,
    "dev_matched": 9_815,
    "dev_mismatched": 9_832,
    "test_matched": 9_796,
    "test_mismatched": 9_847,
    "ax": 1_104,
}

# Tasks of a few thousand examples need more passes and more steps in each than tasks of a hundred thousand.
_SMALL = {"max_epochs": 10, "batch_tokens": 1024}
_LARGE = {"max_epochs": 3}

COLA = GlueTask(
    "cola",
    metrics=("matthews_correlation",),
    summary="is a sentence acceptable English",
    training=_SMALL,
    official_sizes=_sizes(8_551, 1_043, 1_063),
)
SST2 = GlueTask(
    "sst2",
    metrics=("accuracy",),
    summary="sentiment of film reviews",
    training=_LARGE,
    official_sizes=_sizes(67_349, 872, 1_821),
)
MRPC = GlueTask(
    "mrpc",
    metrics=("f1", "accuracy"),
    summary="are two news sentences paraphrases",
    training=_SMALL,
    official_sizes=_sizes(3_668, 408, 1_725),
)
QQP = GlueTask(
    "qqp",
    metrics=("f1", "accuracy"),
    summary="are two questions duplicates",
    training=_LARGE,
    official_sizes=_sizes(363_846, 40_430, 390_965),
)
STSB = GlueTask(
    "stsb",
    metrics=("spearman", "pearson"),
    summary="similarity of two sentences, 0 to 5",
    training=_SMALL,
    official_sizes=_sizes(5_749, 1_500, 1_379),
)
MNLI = MnliTask(
    "mnli",
    metrics=("accuracy",),
    summary="entailment across genres, matched and mismatched",
    training=_LARGE,
    official_sizes=_MNLI_SIZES,
)
QNLI = GlueTask(
    "qnli",
    metrics=("accuracy",),
    summary="does a sentence answer a question",
    training=_LARGE,
    official_sizes=_sizes(104_743, 5_463, 5_463),
)
RTE = GlueTask(
    "rte",
    metrics=("accuracy",),
    summary="entailment of news sentences, 2 classes",
    training=_SMALL,
    official_sizes=_sizes(2_490, 277, 3_000),
)
WNLI = GlueTask(
    "wnli",
    metrics=("accuracy",),
    summary="whom does a pronoun mean",
    training=_SMALL,
    official_sizes=_sizes(635, 71, 146),
)
AX = AxTask(
    "ax",
    metrics=("matthews_correlation",),
    summary="diagnostic set, answered by the MNLI model",
    training=_LARGE,
    official_sizes={"train": _MNLI_SIZES["train"], "dev_matched": _MNLI_SIZES["dev_matched"], "test": 1_104},
)
