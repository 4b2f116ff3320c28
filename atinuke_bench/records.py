"""What the JSON files of a store must hold to be used: results, failures, epochs, suites.

Those of studies are in `study_records.py`. What else they hold is kept, so that files of later versions are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from atinuke_bench.errors import FailureClass


def _as_place(text: str) -> str:
    if "\0" in text or any(len(part.encode()) > 255 for part in text.split("/")) or len(text) > 2000:
        raise ValueError("no name of a folder")
    return text


#: A folder as a text, which the system can look up.
Place = Annotated[str, AfterValidator(_as_place)]
#: A figure; null where it could not be computed.
Figure = float | None


class Record(BaseModel):
    """Base of records that programs wrote: numbers are numbers, and fields of later versions are no mistake."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False, protected_namespaces=())


class ProtocolRecord(Record):
    """What a result says of how it was measured; a task may add fields."""

    source: str
    is_cut: bool
    selection: str
    pretraining: str | dict[str, Any]


def cut_or_own(protocol: Mapping[str, Any]) -> str:
    """Which of the two data is that is no published release: cut, of which train is not learned from whole, or own.

    A protocol that lacks sizes, as those of trackers do, does not say which.

    >>> protocol = {"split_sizes": {"train": 100}, "train_size": 90, "selection": "held-out", "selection_size": 10}
    >>> cut_or_own(protocol), cut_or_own({**protocol, "train_size": 40}), cut_or_own({})
    ('own data', 'cut data', 'cut or own data')
    """
    sizes = protocol.get("split_sizes")
    num_train = sizes.get("train") if isinstance(sizes, Mapping) else None
    learned, held_out = protocol.get("train_size"), protocol.get("selection_size")
    if not (isinstance(num_train, int) and isinstance(learned, int) and isinstance(held_out, int)):
        return "cut or own data"
    # Selection on dev holds nothing out of train.
    used = learned + (held_out if protocol.get("selection") == "held-out" else 0)
    return "cut data" if used < num_train else "own data"


class SelectionRecord(Record):
    """How the epoch was chosen, and what was calibrated on the way."""

    score: Figure = None
    num_epochs: int | None = None
    calibration: dict[str, float] = Field({})


class CostRecord(Record):
    """What a run took; each where it could be measured."""

    parameters: Figure = None
    embedding_parameters: Figure = None
    forward_flops_per_token: Figure = None
    training_flops: Figure = None
    training_tokens: Figure = None
    training_seconds: Figure = None
    tokens_per_second: Figure = None
    peak_memory_bytes: Figure = None
    latency_seconds: Figure = None
    evaluation_seconds: Figure = None
    evaluation_tokens_per_second: Figure = None
    attention_kernel: str | None = None


class ResultRecord(Record):
    """A finished run. Scores are by split and figure; slices by split, slice, label and figure."""

    task: str
    core: str
    core_label: str
    seed: int
    identity: str
    split: str | None
    metric: str
    higher_is_better: bool
    score: Figure
    interval: list[float] | None = Field(min_length=2, max_length=2)
    scores: dict[str, dict[str, Figure]]
    slices: dict[str, dict[str, dict[str, dict[str, Figure]]]]
    protocol: ProtocolRecord
    causal_view: str | None = None
    selection: SelectionRecord | None
    cost: CostRecord
    seconds: float
    #: SHA-256 of each file by its name in the folder.
    artefacts: dict[str, str] = Field({})


class EvaluatedRunRecord(Record):
    """The run that was scored on other data, and the SHA-256 of the weights that it had."""

    task: str
    core: str
    core_label: str
    seed: int
    identity: str
    weights: str
    tokenizer: str


class EvaluationRecord(Record):
    """`evaluations/<name>/result.json`. Scores and slices are as those of a result."""

    name: str
    task: str
    identity: str
    determinants: dict[str, Any]
    run: EvaluatedRunRecord
    split: str
    metric: str
    higher_is_better: bool
    seed: int
    score: Figure
    interval: list[float] | None = Field(min_length=2, max_length=2)
    scores: dict[str, dict[str, Figure]]
    slices: dict[str, dict[str, dict[str, dict[str, Figure]]]]
    sizes: dict[str, int]
    artefacts: dict[str, str]


class FailureRecord(Record):
    """Why a run has no result."""

    # Its values are texts in a file.
    failure_class: FailureClass = Field(alias="class", strict=False)
    message: str


class NoteRecord(Record):
    """`.wandb.json`: what W&B is to know of a run and the run's own files do not say."""

    identity: str
    training: int
    project: str
    group: str | None
    is_under_way: bool


class EpochRecord(Record):
    """A line of `history.jsonl`."""

    epoch: int
    loss: Figure = None
    score: Figure = None


class HeadRecord(Record):
    """How much an attention head matters: gradient of the loss in its gate, and what the score loses without it."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)
    gradient: Figure
    gradient_low: Figure = None
    gradient_high: Figure = None
    drop: Figure
    low: Figure = None
    high: Figure = None
    p: Figure = None
    p_corrected: Figure = None
    distance: Figure = None
    entropy: Figure = None


class PatternRecord(Record):
    """How much an attention head looks at tokens in some relation to the one that asks."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)
    relation: str
    mass: float
    chance: float
    num: int
    p: Figure = None
    p_corrected: Figure = None


class HeadSliceRecord(Record):
    """What a slice loses without an attention head."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)
    slice: str
    label: str
    num: int
    score: Figure
    drop: Figure
    low: Figure = None
    high: Figure = None
    p: Figure = None
    p_corrected: Figure = None


class CurvePointRecord(Record):
    """The score with so many attention heads, by importance and in random orders, and what they cost."""

    kept: int
    score: Figure
    low: Figure = None
    high: Figure = None
    random: Figure
    random_low: Figure = None
    random_high: Figure = None
    parameters: int
    flops_per_token: float


class PruningRecord(Record):
    """A pruning curve; `gain` is how much better the order by importance is than random ones."""

    num_orders: int
    points: list[CurvePointRecord]
    gain: Figure = None
    gain_low: Figure = None
    gain_high: Figure = None


class AttentionRecord(Record):
    """`attention/<split>.json`."""

    task: str
    core: str
    core_label: str
    seed: int
    identity: str
    split: str
    metric: str
    higher_is_better: bool
    determinants: dict[str, Any]
    score: Figure
    num_examples: int
    unit: str
    num_units: int
    #: Attention heads of each layer.
    layers: list[int]
    heads: list[HeadRecord]
    patterns: list[PatternRecord]
    curve: PruningRecord | None
    slices: list[HeadSliceRecord]
    notes: list[str] = Field([])


class SuiteCellRecord(Record):
    """A run in the record of a suite; its folder is relative to the store."""

    task: str
    variant: str
    seed: int
    folder: Place | None
    in_grid: bool = True


class SuiteColumnRecord(Record):
    """A column of a suite: its level of each factor in a factorial, the column that it is on fewer examples."""

    levels: dict[str, str] = Field({})
    part_of: str | None = None


class SuiteAsReadRecord(Record):
    """The suite that a record is of, as it was read."""

    cores: dict[str, SuiteColumnRecord] = Field({})


class SuiteRecord(Record):
    """`suites/<name>.json`."""

    name: str
    suite: SuiteAsReadRecord = Field(SuiteAsReadRecord())
    cells: list[SuiteCellRecord]
