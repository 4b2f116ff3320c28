"""GLUE (Wang et al. 2019): nine tasks, and the AX diagnostic, which is scored with the MNLI model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.sentences.data import SentenceInputs
from atinuke_bench.sentences.floor import most_frequent_label
from atinuke_bench.sentences.model import SentenceModel
from atinuke_bench.sentences.slices import by_gold_label, gold_label_of
from atinuke_bench.tasks.glue.data import GlueData, Part
from atinuke_bench.tasks.glue.files import LAYOUTS, GlueFiles
from atinuke_bench.tasks.glue.metric import METRICS
from atinuke_bench.tasks.glue.submission import GlueSubmission
from atinuke_bench.training.task import Splits, Task, Unit

# Tasks of a few thousand examples need more passes and more steps in each than tasks of a hundred thousand.
_SMALL = {"max_epochs": 10, "batch_tokens": 1024}
_LARGE = {"max_epochs": 3}

#: What the first sentence of a pair is.
_NOUNS = {"mnli": "premise", "ax": "premise", "rte": "premise", "qnli": "question", "qqp": "first question"}


def _glue(
    key: str,
    summary: str,
    training: Mapping[str, Any],
    official_sizes: Mapping[str, int],
    *,
    parts: Mapping[str, Part] | None = None,
    splits: Splits = Splits(),  # noqa: B008 (frozen)
) -> Task:
    """A GLUE task; `parts` where its splits are other than train, dev and test of its files."""
    name, layout = f"glue/{key}", LAYOUTS[key]
    labels, is_pair = layout.labels, len(layout.text_columns) == 2
    if parts is None:
        parts = {
            "train": Part(layout, "train", (key, "train")),
            "dev": Part(layout, "dev", (key, "validation")),
            "test": Part(layout, "test", (key, "test"), is_optional=True),
        }
    data = GlueData(labels, is_pair, name, parts)
    return Task(
        name=name,
        family="glue",
        summary=summary,
        features=data.features,
        metric=METRICS[name][0],
        data=data,
        model=SentenceModel(labels, is_pair, data.options_class),
        floor=most_frequent_label,
        slices=by_gold_label if labels is not None else None,
        members=gold_label_of if labels is not None else None,
        files=GlueFiles(name, layout),
        inputs=SentenceInputs(data),
        submission=GlueSubmission({split: (part.layout, part.split) for split, part in parts.items()}, official_sizes),
        splits=splits,
        group_column="sentence1",
        unit=Unit(_NOUNS.get(key, "first sentence" if is_pair else "sentence"), "sentence1"),
        official_sizes=(official_sizes,),
        causal_view=data.causal_view,
        options_class=data.options_class,
        training=training,
    )


def _sizes(train: int, dev: int, test: int) -> dict[str, int]:
    return {"train": train, "dev": dev, "test": test}


COLA = _glue("cola", "is a sentence acceptable English", _SMALL, _sizes(8_551, 1_043, 1_063))
SST2 = _glue("sst2", "sentiment of film reviews", _LARGE, _sizes(67_349, 872, 1_821))
MRPC = _glue("mrpc", "are two news sentences paraphrases", _SMALL, _sizes(3_668, 408, 1_725))
QQP = _glue("qqp", "are two questions duplicates", _LARGE, _sizes(363_846, 40_430, 390_965))
STSB = _glue("stsb", "similarity of two sentences, 0 to 5", _SMALL, _sizes(5_749, 1_500, 1_379))
QNLI = _glue("qnli", "does a sentence answer a question", _LARGE, _sizes(104_743, 5_463, 5_463))
RTE = _glue("rte", "entailment of news sentences, 2 classes", _SMALL, _sizes(2_490, 277, 3_000))
WNLI = _glue("wnli", "whom does a pronoun mean", _SMALL, _sizes(635, 71, 146))

_MNLI_SIZES = {
    "train": 392_702,
    "dev_matched": 9_815,
    "dev_mismatched": 9_832,
    "test_matched": 9_796,
    "test_mismatched": 9_847,
    "ax": 1_104,
}
_MNLI, _AX = LAYOUTS["mnli"], LAYOUTS["ax"]

#: MNLI has two dev and two test sets; its model also answers the AX diagnostic, where that is present.
MNLI = _glue(
    "mnli",
    "entailment across genres, matched and mismatched",
    _LARGE,
    _MNLI_SIZES,
    parts={
        "train": Part(_MNLI, "train", ("mnli", "train")),
        "dev_matched": Part(_MNLI, "dev_matched", ("mnli", "validation_matched")),
        "dev_mismatched": Part(_MNLI, "dev_mismatched", ("mnli", "validation_mismatched"), is_optional=True),
        "test_matched": Part(_MNLI, "test_matched", ("mnli", "test_matched"), is_optional=True),
        "test_mismatched": Part(_MNLI, "test_mismatched", ("mnli", "test_mismatched"), is_optional=True),
        "ax": Part(_AX, "test", ("ax", "test"), is_optional=True),
    },
    splits=Splits(
        dev="dev_matched",
        evaluated=("dev_matched", "dev_mismatched", "test_matched", "test_mismatched", "ax"),
        headline=("dev_matched",),
    ),
)

#: The diagnostic has no training data: the core is trained on MNLI and scored here.
AX = _glue(
    "ax",
    "diagnostic set, answered by the MNLI model",
    _LARGE,
    {"train": _MNLI_SIZES["train"], "dev_matched": _MNLI_SIZES["dev_matched"], "test": 1_104},
    parts={
        "train": Part(_MNLI, "train", ("mnli", "train")),
        "dev_matched": Part(_MNLI, "dev_matched", ("mnli", "validation_matched")),
        "test": Part(_AX, "test", ("ax", "test")),
    },
    splits=Splits(dev="dev_matched", evaluated=("test",), headline=("test",)),
)
