"""Declared tasks of multiple choice: which of several texts is the right answer or the right continuation?"""

from __future__ import annotations

from atinuke_bench import registry
from atinuke_bench.config import Declaration
from atinuke_bench.sentences.model import SentenceOptions
from atinuke_bench.tasks.choice.data import FEATURES, ChoiceData
from atinuke_bench.tasks.choice.floor import most_frequent_number
from atinuke_bench.tasks.choice.inputs import ChoiceInputs
from atinuke_bench.tasks.choice.model import ChoiceModel
from atinuke_bench.tasks.choice.slices import by_number_of_choices, number_of_choices_of
from atinuke_bench.training.task import Task, Unit, declared_splits


def from_declaration(declaration: Declaration) -> Task:
    """A task of the kind `multiple-choice`; its examples may have different numbers of choices."""
    data = ChoiceData(declaration)
    return Task(
        name=declaration.task,
        family=declaration.kind,
        summary=declaration.summary or f"declared {declaration.kind}",
        features=FEATURES,
        metric=registry.declared_metric(declaration.kind, declaration.metric_name),
        data=data,
        model=ChoiceModel(),
        floor=most_frequent_number,
        slices=by_number_of_choices,
        members=number_of_choices_of,
        inputs=ChoiceInputs(data.texts_declared),
        splits=declared_splits(declaration),
        group_column="unit",
        unit=Unit(str(declaration.fields.get("unit", data.texts_declared[0])), "unit"),
        causal_view=(
            "it reads context and question before each choice, so that a choice's tokens have seen both, and none "
            "another choice; text and choice are pooled each over its own tokens, and compared after"
        ),
        options_class=SentenceOptions,
        training=declaration.training,
        result_version=declaration.result_version,
    )
