"""Coreference on CoNLL-2012 files: documents in, clusters of mentions out, scored as the shared task scores.

Mentions are not given. Every core gets the same head and the same lexical features, and the floor is a set of rules
that know no more words than these features.
"""

from __future__ import annotations

from atinuke_bench.config import Declaration
from atinuke_bench.tasks.coref.data import CorefData
from atinuke_bench.tasks.coref.documents import FEATURES
from atinuke_bench.tasks.coref.files import CorefFiles
from atinuke_bench.tasks.coref.floor import cluster_by_rules
from atinuke_bench.tasks.coref.inputs import CorefInputs
from atinuke_bench.tasks.coref.links import LINKS
from atinuke_bench.tasks.coref.metric import METRICS
from atinuke_bench.tasks.coref.model import CorefModel, CorefOptions
from atinuke_bench.tasks.coref.slices import by_type_and_distance
from atinuke_bench.training.task import Task, Unit, as_declared, require_unset

COREF = Task(
    name="coref",
    family="coref",
    summary="end-to-end coreference of CoNLL-2012 documents",
    features=FEATURES,
    metric=METRICS["coref"][0],
    data=CorefData(),
    model=CorefModel(),
    floor=cluster_by_rules,
    slices=by_type_and_distance,
    files=CorefFiles(),
    inputs=CorefInputs(),
    links=LINKS,
    group_column="name",
    unit=Unit("document", "name"),
    result_version=2,
    # Document parts of OntoNotes 5, the shared task's English data.
    official_sizes=({"train": 2_802, "dev": 343, "test": 348},),
    causal_view=(
        "a word has seen its segment up to itself, and so what a mention refers back to, but nothing behind it; the "
        "head compares the vectors of two mentions, each made so"
    ),
    options_class=CorefOptions,
    training={"max_length": 256, "batch_tokens": 2048, "max_epochs": 10, "patience": 4, "learning_rate": 1e-3},
)


def from_declaration(declaration: Declaration) -> Task:
    """A task of kind `coref`: the documents of CoNLL-2012 files."""
    require_unset(declaration, "fields", "where", "labels", "positive", "reader")
    return as_declared(COREF, declaration, "declared documents, end-to-end coreference", data=CorefData(declaration))
