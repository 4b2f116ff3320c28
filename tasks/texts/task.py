"""Declared tasks of one text or two: classes (classification) or a score (regression)."""

from __future__ import annotations

from dataclasses import replace

from atinuke_bench import registry
from atinuke_bench.config import Declaration, RunConfig
from atinuke_bench.sentences.floor import most_frequent_label
from atinuke_bench.sentences.model import SentenceModel
from atinuke_bench.sentences.slices import by_gold_label, gold_label_of
from atinuke_bench.tasks.texts.data import TextData, text_fields
from atinuke_bench.tasks.texts.files import TextFiles
from atinuke_bench.tasks.texts.inputs import TextInputs
from atinuke_bench.training.slices import members_with_columns, with_columns
from atinuke_bench.training.task import Task, Unit, declared_splits, options_of


def from_declaration(declaration: Declaration) -> Task:
    """A task of a kind `classification` or `regression`; its labels are those of a run once the data is read."""
    has_classes, is_pair = declaration.kind == "classification", len(text_fields(declaration)) == 2
    labels = tuple(declaration.labels or ()) if has_classes else None
    data = TextData(labels, is_pair, declaration)
    metric = registry.declared_metric(declaration.kind, declaration.metric_name)
    return Task(
        name=declaration.task,
        family=declaration.kind,
        summary=declaration.summary or f"declared {declaration.kind}",
        features=data.features,
        metric=metric,
        data=data,
        model=SentenceModel(labels, is_pair, data.options_class),
        floor=most_frequent_label,
        slices=with_columns(by_gold_label if has_classes else None, metric, data.slices),
        members=members_with_columns(gold_label_of if has_classes else None, data.slices),
        # What a reader makes of a file has no ids that a user could name in an answer.
        files=TextFiles(declaration, metric) if declaration.reader is None else None,
        inputs=TextInputs(data),
        splits=declared_splits(declaration),
        group_column="unit",
        unit=Unit("unit" if "unit" in declaration.fields else "first text" if is_pair else "text", "unit"),
        causal_view=data.causal_view,
        options_class=data.options_class,
        training=declaration.training,
        variant=with_labels,
        result_version=declaration.result_version,
    )


def with_labels(task: Task, run: RunConfig) -> Task:
    """The task with the labels that a run's options name, once its data is read."""
    data = task.data
    assert isinstance(data, TextData), "a declared task of texts has their data"
    labels = options_of(run, data.options_class).labels
    if data.labels is None or labels is None or data.labels == labels:
        return task
    data = replace(data, labels=labels)
    model = SentenceModel(labels, data.is_pair, data.options_class)
    return replace(task, features=data.features, data=data, model=model, inputs=TextInputs(data))
