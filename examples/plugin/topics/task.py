"""Which of three topics is a sentence about?"""

from atinuke_bench.sentences.data import SentenceInputs
from atinuke_bench.sentences.floor import most_frequent_label
from atinuke_bench.sentences.model import SentenceModel, SentenceOptions
from atinuke_bench.sentences.slices import by_gold_label
from atinuke_bench.training.task import Splits, Task

from .data import LABELS, TopicData, TopicFiles
from .metric import METRICS

DATA = TopicData(LABELS, is_pair=False)

TOPICS = Task(
    name="topics",
    family="topics",
    summary="which of three topics a sentence is about",
    features=DATA.features,
    metric=METRICS["topics"][0],
    data=DATA,
    model=SentenceModel(LABELS, is_pair=False),
    floor=most_frequent_label,
    slices=by_gold_label,
    files=TopicFiles(),
    inputs=SentenceInputs(DATA),
    splits=Splits(dev="test", evaluated=("test",), headline=("test",)),
    options_class=SentenceOptions,
)
