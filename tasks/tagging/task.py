"""Tags of words: named entities, parts of speech, chunks.

Data: CoNLL columns, CoNLL-U, or tables with lists of words and tags. An example is one sentence. Where tags name chunks
(`B-PER`), they are scored by F1 as conlleval and seqeval do it, others by accuracy.
"""

from __future__ import annotations

from dataclasses import replace

from atinuke_bench import registry
from atinuke_bench.config import Declaration, RunConfig
from atinuke_bench.tasks.tagging.data import FEATURES, TaggingData
from atinuke_bench.tasks.tagging.files import TaggingFiles
from atinuke_bench.tasks.tagging.floor import most_frequent_tags
from atinuke_bench.tasks.tagging.inputs import TaggingInputs
from atinuke_bench.tasks.tagging.metric import ACCURACY
from atinuke_bench.tasks.tagging.model import TaggingModel, TaggingOptions
from atinuke_bench.tasks.tagging.slices import by_type_and_words, types_and_length_of
from atinuke_bench.training.task import Task, Unit, declared_splits, options_of, require_unset

#: What tagging needs where neither the user nor the declaration says otherwise; as semantic roles, which are tags too.
TRAINING = {"max_epochs": 8, "batch_tokens": 1024, "learning_rate": 2e-3, "max_length": 256}


def from_declaration(declaration: Declaration) -> Task:
    """A task of kind `tagging`; without a metric, it is that of its tags, once the data is read."""
    require_unset(declaration, "positive", "reader")
    metric = registry.declared_metric(declaration.kind, declaration.metric_name)
    data = TaggingData(declaration)
    return Task(
        name=declaration.task,
        family=declaration.kind,
        summary=declaration.summary or "declared tagging",
        features=FEATURES,
        metric=metric,
        data=data,
        model=TaggingModel(),
        floor=most_frequent_tags,
        slices=by_type_and_words,
        members=types_and_length_of,
        files=TaggingFiles(metric, data.columns),
        inputs=TaggingInputs(),
        splits=declared_splits(declaration),
        group_column="group",
        unit=Unit("document", "document"),
        causal_view="a word has seen the sentence up to itself; what follows only decides which tags may follow",
        options_class=TaggingOptions,
        training={**TRAINING, **declaration.training},
        gives_segments=False,
        variant=None if declaration.metric else with_metric_of_tags,
        result_version=declaration.result_version,
    )


def with_metric_of_tags(task: Task, run: RunConfig) -> Task:
    """The task scored by F1 of chunks or, where tags name none, by accuracy."""
    if options_of(run, TaggingOptions).scheme != "plain":
        return task
    data = task.data
    assert isinstance(data, TaggingData), "tagging has its own data"
    return replace(task, metric=ACCURACY, files=TaggingFiles(ACCURACY, data.columns))
