"""Semantic role labelling: given a predicate, the spans of its arguments and their roles.

Data: CoNLL-2012 columns or CoNLL-2005 `.words` and `.props` files in a folder; role names are CoNLL-2005's (`A0`,
`AM-LOC`). An example is one predicate of one sentence. Scored as srl-eval.pl scores it.
"""

from __future__ import annotations

from atinuke_bench.config import Declaration
from atinuke_bench.tasks.srl.data import FEATURES, SrlData
from atinuke_bench.tasks.srl.files import SrlFiles
from atinuke_bench.tasks.srl.floor import most_frequent_roles
from atinuke_bench.tasks.srl.inputs import SrlInputs
from atinuke_bench.tasks.srl.links import LINKS
from atinuke_bench.tasks.srl.metric import METRICS
from atinuke_bench.tasks.srl.model import SrlModel, SrlOptions
from atinuke_bench.tasks.srl.slices import by_role_and_distance, roles_and_distances_of
from atinuke_bench.training.task import Splits, Task, Unit, as_declared, require_unset

SRL = Task(
    name="srl",
    family="srl",
    summary="spans and roles of the arguments of given predicates",
    features=FEATURES,
    metric=METRICS["srl"][0],
    data=SrlData(),
    model=SrlModel(),
    floor=most_frequent_roles,
    slices=by_role_and_distance,
    members=roles_and_distances_of,
    links=LINKS,
    files=SrlFiles(),
    inputs=SrlInputs(),
    splits=Splits(evaluated=("dev", "test", "test_brown")),
    group_column="sentence",
    unit=Unit("document", "document"),
    # Predicates of CoNLL-2012 (OntoNotes 5) and of CoNLL-2005 (WSJ and Brown).
    official_sizes=(
        {"train": 253_070, "dev": 35_297, "test": 24_462},
        {"train": 90_750, "dev": 3_248, "test": 5_267, "test_brown": 804},
    ),
    causal_view=(
        "a word has seen the sentence up to itself, so that an argument before its predicate has not seen it; the head "
        "reads a word's vector beside the predicate's and their distance"
    ),
    options_class=SrlOptions,
    protocol_options=("verbs_only",),
    training={"max_epochs": 8, "batch_tokens": 1024, "learning_rate": 2e-3, "max_length": 256},
    gives_segments=False,
    # 2: a sentence longer than a row gives several, so that all its predicates are learned and answered.
    result_version=2,
)


def from_declaration(declaration: Declaration) -> Task:
    """A task of kind `srl`: the predicates of CoNLL-2012 columns, or of `.props` files with their `.words`."""
    require_unset(declaration, "fields", "where", "labels", "positive", "reader")
    return as_declared(SRL, declaration, "declared predicates, spans and roles of arguments", data=SrlData(declaration))
