"""SNLI (Bowman et al. 2015): does a premise entail a hypothesis, contradict it, or neither?

Pairs without a consensus label (`-`) are neither learned from nor scored, as in the official evaluation.
"""

from __future__ import annotations

from atinuke_bench.sentences.data import SentenceInputs
from atinuke_bench.sentences.floor import most_frequent_label
from atinuke_bench.sentences.model import SentenceModel
from atinuke_bench.sentences.slices import by_gold_label, gold_label_of
from atinuke_bench.tasks.snli.data import SnliData
from atinuke_bench.tasks.snli.files import LABELS, SnliFiles
from atinuke_bench.tasks.snli.metric import METRICS
from atinuke_bench.training.task import Task, Unit

DATA = SnliData(LABELS, is_pair=True)

SNLI = Task(
    name="snli",
    family="snli",
    summary="entailment of sentence pairs, 3 classes",
    features=DATA.features,
    metric=METRICS["snli"][0],
    data=DATA,
    model=SentenceModel(LABELS, is_pair=True, options_class=DATA.options_class),
    floor=most_frequent_label,
    slices=by_gold_label,
    members=gold_label_of,
    files=SnliFiles(),
    inputs=SentenceInputs(DATA),
    group_column="sentence1",
    unit=Unit("premise", "sentence1"),
    # Pairs with a consensus label.
    official_sizes=({"train": 549_367, "dev": 9_842, "test": 9_824},),
    causal_view=DATA.causal_view,
    options_class=DATA.options_class,
    training={"max_epochs": 3},
)
