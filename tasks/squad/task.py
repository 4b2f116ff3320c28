"""SQuAD v1.1 (Rajpurkar et al. 2016) and v2.0 (Rajpurkar, Jia, Liang 2018): an answer is a span of a paragraph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from atinuke_bench.config import Declaration, RunConfig
from atinuke_bench.tasks.squad.data import FEATURES, SquadData
from atinuke_bench.tasks.squad.files import SquadFiles
from atinuke_bench.tasks.squad.floor import always_unanswerable, sliding_window
from atinuke_bench.tasks.squad.inputs import SquadInputs
from atinuke_bench.tasks.squad.metric import METRICS
from atinuke_bench.tasks.squad.model import SquadModel, SquadOptions
from atinuke_bench.tasks.squad.slices import by_question, slices_of_question
from atinuke_bench.tasks.squad.tables import SpanData, SpanOptions
from atinuke_bench.training.task import Splits, Task, Unit, as_declared, options_of, require_unset

#: What a causal core sees of a question and its text.
CAUSAL_VIEW = (
    "it reads the question before the text, so that a token of the text has seen the question and the text before it, "
    "and the question nothing of the text (with options.second_first a token of the text has seen no question); the "
    "head compares every token with the whole question"
)


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
        members=slices_of_question,
        files=SquadFiles(unanswerable=data.unanswerable),
        inputs=SquadInputs(),
        splits=Splits(evaluated=("dev",), headline=("dev",)),
        # Paragraphs of one article share their subject, so that a model is selected on articles it has not seen.
        group_column="title",
        unit=Unit("article", "title"),
        official_sizes=(official_sizes,),
        causal_view=CAUSAL_VIEW,
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


def from_declaration(declaration: Declaration) -> Task:
    """A task of kind `span`: questions whose answers are spans of a text; train says whether some have no answer."""
    require_unset(declaration, "labels", "positive", "reader")
    names_unit = "unit" in declaration.fields
    is_squad = not declaration.fields or "title" in declaration.fields
    return as_declared(
        SQUAD_V2,
        declaration,
        "declared questions, answered by a span of a text",
        data=SpanData(declaration.task, "2.0", declaration=declaration),
        model=SquadModel(unanswerable=True, options_class=SpanOptions),
        unit=Unit("unit" if names_unit else "article" if is_squad else "text", "title"),
        options_class=SpanOptions,
        variant=with_answers,
    )


def with_answers(task: Task, run: RunConfig) -> Task:
    """The task as its data is: of v1.1 where every question has an answer."""
    if options_of(run, SpanOptions).unanswerable in (None, True):
        return task
    data = task.data
    assert isinstance(data, SpanData), "a declared task of spans has their data"
    return replace(
        task,
        data=replace(data, version="1.1"),
        model=SquadModel(unanswerable=False, options_class=SpanOptions),
        floor=sliding_window,
        files=SquadFiles(unanswerable=False),
    )
