"""SQuAD v1.1 (Rajpurkar et al. 2016) and v2.0 (Rajpurkar, Jia, Liang 2018): an answer is a span of a paragraph."""

from __future__ import annotations

from collections.abc import Mapping

from atinuke_bench.tasks.squad.data import FEATURES, SquadData
from atinuke_bench.tasks.squad.files import SquadFiles
from atinuke_bench.tasks.squad.floor import always_unanswerable, sliding_window
from atinuke_bench.tasks.squad.inputs import SquadInputs
from atinuke_bench.tasks.squad.metric import METRICS
from atinuke_bench.tasks.squad.model import SquadModel, SquadOptions
from atinuke_bench.tasks.squad.slices import by_question
from atinuke_bench.training.task import Splits, Task, Unit


def _squad(version: str, summary: str, official_sizes: Mapping[str, int]) -> Task:
    name = f"squad-v{version}"
    data = SquadData(name, version)
    return Task(
        name=name,
        family="squad",
        summary=summary,
        features=FEATURES,
        metric=METRICS[name][0],
        data=data,
        model=SquadModel(unanswerable=data.unanswerable),
        floor=always_unanswerable if data.unanswerable else sliding_window,
        slices=by_question,
        files=SquadFiles(unanswerable=data.unanswerable),
        inputs=SquadInputs(),
        splits=Splits(evaluated=("dev",), headline=("dev",)),
        # Paragraphs of one article share their subject, so that a model is selected on articles it has not seen.
        group_column="title",
        unit=Unit("article", "title"),
        official_sizes=(official_sizes,),
        options_class=SquadOptions,
        training={"max_length": 384, "max_epochs": 3},
        result_version=2,
    )


SQUAD_V1 = _squad(
    "1.1", "the answer to a question, a span of a paragraph", official_sizes={"train": 87_599, "dev": 10_570}
)
SQUAD_V2 = _squad(
    "2.0", "the same, and some questions have no answer", official_sizes={"train": 130_319, "dev": 11_873}
)
