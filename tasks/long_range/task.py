"""Does a core keep what it has read? A question's one word that matters, and the answer many words later.

The examples come from `atinuke_bench.microworld.long_range`; model, decoding and metric are SQuAD's. The score
is also given for every distance, which is what the task is for. The paper under test (arXiv 2401.16736) asserts that
attention keeps such dependencies where recurrent networks lose them.
"""

from __future__ import annotations

from atinuke_bench.tasks.long_range.data import FEATURES, LongRangeData
from atinuke_bench.tasks.long_range.metric import METRICS
from atinuke_bench.tasks.long_range.slices import by_distance, distance_of
from atinuke_bench.tasks.squad.files import SquadFiles
from atinuke_bench.tasks.squad.floor import sliding_window
from atinuke_bench.tasks.squad.inputs import SquadInputs
from atinuke_bench.tasks.squad.model import SquadModel, SquadOptions
from atinuke_bench.tasks.squad.task import CAUSAL_VIEW
from atinuke_bench.training.task import Splits, Task

LONG_RANGE = Task(
    name="long-range",
    family="long-range",
    summary="answers 8 to 512 words after their question; microworld only",
    features=FEATURES,
    metric=METRICS["long-range"][0],
    data=LongRangeData("long-range", "1.1"),
    model=SquadModel(unanswerable=False),
    floor=sliding_window,
    slices=by_distance,
    members=distance_of,
    files=SquadFiles(unanswerable=False),
    inputs=SquadInputs(distance=0, kept=""),
    splits=Splits(evaluated=("dev",), headline=("dev",)),
    causal_view=CAUSAL_VIEW,
    options_class=SquadOptions,
    training={"max_length": 600, "max_epochs": 3, "batch_tokens": 2048, "learning_rate": 2e-3},
    result_version=2,
)
