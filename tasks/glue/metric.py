"""The official metric of each GLUE task; the first figure is the one that ranks."""

from __future__ import annotations

from atinuke_bench.metrics.classification import ClassMetric, CorrelationMetric
from atinuke_bench.metrics.metric import Metric

_ACCURACY = ClassMetric("accuracy")
_MATTHEWS = ClassMetric("matthews_correlation")
#: F1 is of the class 1: paraphrase, duplicate.
_F1 = ClassMetric("f1", ("accuracy",), positive="1")

METRICS: dict[str, tuple[Metric, ...]] = {
    "glue/cola": (_MATTHEWS,),
    "glue/sst2": (_ACCURACY,),
    "glue/mrpc": (_F1,),
    "glue/qqp": (_F1,),
    "glue/stsb": (CorrelationMetric("spearman", ("pearson",)),),
    "glue/mnli": (_ACCURACY,),
    "glue/qnli": (_ACCURACY,),
    "glue/rte": (_ACCURACY,),
    "glue/wnli": (_ACCURACY,),
    "glue/ax": (_MATTHEWS,),
}
