"""What of a run's training changes its result."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from atinuke_bench.config.base import Frozen
from atinuke_bench.config.written import number_in_text


def _count_or_part(limit: Any) -> int | float | None:
    """A count stays a whole number, so that runs keep their identities."""
    found = number_in_text(limit)
    if found is None:
        return None
    if isinstance(found, int | float) and not isinstance(found, bool):
        if found >= 2 and float(found).is_integer():
            return int(found)
        if 0 < found < 1:
            return float(found)
    raise ValueError(f"a number of examples, at least 2, or a part of them between 0 and 1; found {limit!r:.80}")


#: How many examples to train on: a number, or below 1 a part of those that there are.
TrainLimit = Annotated[int | float, BeforeValidator(_count_or_part, json_schema_input_type=int | float)]


class TrainingConfig(Frozen):
    """Everything about optimisation, selection and batching that changes a result."""

    max_epochs: int = Field(5, ge=1)
    batch_tokens: int = Field(2048, ge=16, description="tokens in a batch, padding included")
    batch_rows: int | None = Field(
        None, ge=1, description="rows in a batch of training at most, as most papers count; batch_tokens still holds"
    )
    max_length: int = Field(128, ge=8, description="tokens of an example; longer ones are cut by the task's rule")
    learning_rate: float = Field(1e-3, gt=0)
    core_learning_rate: float | None = Field(None, gt=0, description="of the core's weights; the same when not given")
    weight_decay: float = Field(0.01, ge=0)
    warmup_fraction: float = Field(0.1, ge=0, le=1)
    gradient_clip: float = Field(1.0, gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 autocast on GPUs that have it, float32 elsewhere"
    )
    select_on: Literal["held-out", "dev"] = "held-out"
    held_out_fraction: float = Field(0.1, gt=0, lt=0.5)
    held_out_limit: int = Field(2000, ge=1, description="most examples that the held-out slice takes")
    patience: int = Field(3, ge=1, description="epochs without improvement before training stops")
    train_limit: TrainLimit | None = Field(
        None, description="train on N examples only, or on a part (0.25: a quarter), drawn from all over the split"
    )
    drop_overlap: bool | None = Field(None, description="leave out of train what evaluated splits have too")

    @field_validator("drop_overlap")
    @classmethod
    def _unset_where_false(cls, drops: bool | None) -> bool | None:
        return drops or None  # so that a run has one identity, whether it is said or not
