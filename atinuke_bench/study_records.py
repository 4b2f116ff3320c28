"""What the JSON files of a study must hold to be used: what it learned, and its best trials on fresh seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from atinuke_bench.records import Figure, Place, Record

#: The low and the high end of an interval.
Ends = Annotated[list[float], Field(min_length=2, max_length=2)]


class TrialPartRecord(Record):
    """One run of a trial that has several."""

    part: str
    folder: Place
    score: Figure = None


class OriginRecord(Record):
    """The trial of another study that one has its outcome from (`as` "known"), or its values ("point")."""

    study: str
    number: int
    use: str = Field(alias="as")


class TrialRecord(Record):
    """A trial in `insight.json`."""

    number: int
    state: str
    score: Figure = None
    objectives: list[Figure] | None = None
    params: dict[str, Any] = Field({})
    config: dict[str, Any] = Field({})
    seconds: Figure = None
    training_flops: Figure = None
    parameters: Figure = None
    forward_flops_per_token: Figure = None
    folder: Place | None = None
    confirms: int | None = None
    parts: list[TrialPartRecord] = Field([])
    origin: OriginRecord | None = Field(None, alias="from")


class FinalistRecord(Record):
    """A configuration that took part in the finals of a study."""

    number: int
    scores: list[float]
    is_left: bool
    chance: Figure = None


class ChoiceRecord(Record):
    """The trial that a study chose."""

    number: int
    mean: float
    num_seeds: int
    is_over: bool
    chance: Figure = None
    shortfall: Figure = None
    finalists: list[FinalistRecord]


class StudyPoint(Record):
    """A trial in a study's history or front."""

    number: int
    score: Figure = None
    best: Figure = None
    cost: Figure = None
    trials: Figure = None
    seconds: Figure = None
    training_flops: Figure = None


class ContourRecord(Record):
    """Scores over two parameters."""

    x: str
    y: str
    points: list[list[Figure]]


class ObjectiveRecord(Record):
    """What a study optimises."""

    name: str


class PairRecord(Record):
    """The share that two parameters have together, beyond what each has alone."""

    x: str
    y: str
    share: float
    interval: Ends
    shown: bool


class ImportanceRecord(Record):
    """The share of each parameter in the variance of the score; older ones have no intervals."""

    values: dict[str, float]
    intervals: dict[str, Ends] = Field({})
    shown: dict[str, bool] = Field({})
    pairs: list[PairRecord] = Field([])
    unexplained: Figure = None
    resamples: int | None = None
    trials: int | None = None


class _Curve(Record):
    """Lists of the same length."""

    def lists(self) -> Iterator[list[Any]]:
        """Those that are drawn together."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _have_one_length(self) -> Self:
        if len({len(one) for one in self.lists()}) != 1:
            raise ValueError("lists of different lengths")
        return self


class EffectRecord(_Curve):
    """What one parameter does to the score."""

    values: list[Any]
    mean: list[float]
    low: list[float]
    high: list[float]
    is_good: list[bool]

    def lists(self) -> Iterator[list[Any]]:
        yield from (self.values, self.mean, self.low, self.high, self.is_good)


class AdviceRecord(Record):
    """What is said of a parameter."""

    parameter: str
    text: str


class ExpectedBestRecord(_Curve):
    """The best score to expect of so many trials; where the interval would be wrong it is null."""

    trials: list[int]
    training_flops: list[float]
    mean: list[float]
    low: list[Figure]
    high: list[Figure]
    of: int

    def lists(self) -> Iterator[list[Any]]:
        yield from (self.trials, self.training_flops, self.mean, self.low, self.high)


class InsightRecord(Record):
    """`studies/<name>/insight.json`."""

    study: str
    task: str
    core: str
    metric: str
    preset: str | None = None
    comparison: str | None = None
    higher_is_better: bool
    objectives: list[ObjectiveRecord] = Field([])
    parameters: dict[str, dict[str, Any]] | None = None
    trials: list[TrialRecord]
    best: int | None = None
    choice: ChoiceRecord | None = None
    spent: dict[str, float] | None = None
    history: list[StudyPoint]
    importance: ImportanceRecord | None = None
    importance_note: str | None = None
    effects: dict[str, EffectRecord] | None = None
    advice: list[AdviceRecord] = Field([])
    expected_best: ExpectedBestRecord | None = None
    expected_best_note: str | None = None
    notes: list[str] = Field([])
    slices: dict[str, list[list[Any]]]
    contours: list[ContourRecord] = Field([])
    pareto: list[StudyPoint]


class MeanRecord(Record):
    """Scores of fresh seeds."""

    mean: Figure
    deviation: Figure
    count: int


class RivalRecord(Record):
    """One of the best trials in `best.json`, on fresh seeds."""

    number: int
    score_in_study: Figure
    selection: MeanRecord
    evaluated: MeanRecord
    folders: list[Place]
    config: dict[str, Any] = Field({})


class BestRecord(Record):
    """`studies/<name>/best.json`."""

    trials: list[RivalRecord]


#: What is said of a trial that is from another study, by the use that was made of that.
ORIGINS = {"known": "known from", "point": "point of"}


def trial_name(trial: Mapping[str, Any]) -> str:
    """A trial's number, and where its outcome or its values are from.

    >>> trial_name({"number": 7}), trial_name({"number": 8, "from": {"study": "first", "number": 3, "as": "known"}})
    ('7', '8 (known from first #3)')
    """
    origin = trial.get("from")
    if origin is None:
        return str(trial["number"])
    return f"{trial['number']} ({ORIGINS.get(origin['as'], 'from')} {origin['study']} #{origin['number']})"
