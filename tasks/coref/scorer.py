"""Coreference scores, equal to the official scorer.pl v8.01 to the printed digit; LEA as its authors' scorer has it.

Each document is counted by itself; the score of a corpus comes from the sums over its documents, as in scorer.pl.
Scores are percentages. A score whose denominator is 0 is 0, as scorer.pl prints it: MUC of singletons, BLANC of a
single mention, all of empty documents.

Sources: conll/reference-coreference-scorers v8.01; Pradhan et al. 2014; Moosavi and Strube 2016 for LEA.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, fields
from math import isclose
from typing import TypeVar

from atinuke_bench.errors import DataError, nearest
from atinuke_bench.tasks.coref import counts as coref_counts
from atinuke_bench.tasks.coref.clusters import Clustering
from atinuke_bench.tasks.coref.counts import Counts, Overlap, overlap_of, require_few_repeats

NAMES = ("muc", "bcub", "ceafm", "ceafe", "blanc", "lea", "mentions")
#: The mean of these F1 is the CoNLL-2012 shared task's score.
CONLL_METRICS = ("muc", "bcub", "ceafe")

_NOTHING = Counts()
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class DocumentCounts:
    """All that is needed to score a document, alone or with others. BLANC counts two kinds of mention pairs."""

    muc: Counts = _NOTHING
    bcub: Counts = _NOTHING
    ceafm: Counts = _NOTHING
    ceafe: Counts = _NOTHING
    lea: Counts = _NOTHING
    mentions: Counts = _NOTHING
    blanc_coreferent: Counts = _NOTHING
    blanc_distinct: Counts = _NOTHING

    def plus(self, other: DocumentCounts) -> DocumentCounts:
        """The counts of both together."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return DocumentCounts(*(ours.plus(theirs) for ours, theirs in pairs))


@dataclass(frozen=True)
class Score:
    """Recall, precision and F1, 0 to 100."""

    recall: float
    precision: float
    f1: float


@dataclass(frozen=True)
class CorefScores:
    """The seven metrics and the CoNLL F1, the mean of the F1 of MUC, B-cubed and CEAF-e; 0 to 100."""

    muc: Score
    bcub: Score
    ceafm: Score
    ceafe: Score
    blanc: Score
    lea: Score
    mentions: Score
    conll_f1: float

    def as_dict(self) -> dict[str, dict[str, float] | float]:
        """The metrics by name, each with recall, precision and f1; and conll_f1, a number."""
        metrics = {name: vars(getattr(self, name)).copy() for name in NAMES}
        return {**metrics, "conll_f1": self.conll_f1}


def count_document(key: Clustering, response: Clustering, *, name: Hashable = "") -> DocumentCounts:
    """The counts of one document, called `name` in errors.

    Raises DataError when the response repeats more mentions than scorer.pl drops.

    >>> count_document([["a", "b", "c"]], [["a", "b"], ["c"]]).muc
    Counts(recall_num=1, recall_den=2, precision_num=1, precision_den=1)
    """
    both = overlap_of(key, response, name=name)
    require_few_repeats([both])
    return counts_of(both)


def counts_of(both: Overlap) -> DocumentCounts:
    """The counts of a document, out of what key and response share."""
    return DocumentCounts(
        coref_counts.muc(both),
        coref_counts.b_cubed(both),
        coref_counts.ceaf_m(both),
        coref_counts.ceaf_e(both),
        coref_counts.lea(both),
        coref_counts.mentions(both),
        *coref_counts.blanc(both),
    )


def count_documents(key: Mapping[Name, Clustering], response: Mapping[Name, Clustering]) -> dict[Name, DocumentCounts]:
    """The counts of each document of the key, by name, in the order of the key.

    Raises DataError like `overlap_documents`, and when the response repeats more mentions than scorer.pl drops.

    >>> counts = count_documents({"d1": [[(0, 0), (4, 5)]], "d2": [[(1, 1)]]}, {"d1": [[(0, 0), (4, 5)]]})
    >>> [document.mentions.recall_num for document in counts.values()]
    [2, 0]
    """
    overlaps = overlap_documents(key, response)
    require_few_repeats(overlaps.values())
    return {name: counts_of(both) for name, both in overlaps.items()}


def overlap_documents(key: Mapping[Name, Clustering], response: Mapping[Name, Clustering]) -> dict[Name, Overlap]:
    """What key and response share in each document of the key, by name, in the order of the key.

    As in scorer.pl, a document that the response lacks has no response mentions, and documents that only the response
    has are ignored. Raises DataError when the two have no document in common, or the key is empty.
    """
    if not key:
        raise DataError("the key has no documents")
    if response and not key.keys() & response.keys():
        name = next(iter(response))
        near = nearest(str(name), map(str, key))
        hint = f"; nearest in the key: {near!r}" if near is not None else ""
        raise DataError(f"no document of the response is in the key; the first is {name!r}{hint}")
    return {name: overlap_of(clusters, response.get(name, ()), name=name) for name, clusters in key.items()}


def total(counts: Iterable[DocumentCounts]) -> DocumentCounts:
    """The sums over documents."""
    result = DocumentCounts()
    for document in counts:
        result = result.plus(document)
    return result


def score_of(counts: Counts) -> Score:
    """The score of one metric.

    >>> score_of(Counts(1, 2, 1, 1))
    Score(recall=50.0, precision=100.0, f1=66.66666666666666)
    """
    return _percent(*_shares_of(counts))


def scores(counts: DocumentCounts) -> CorefScores:
    """The scores of a document, or of a corpus when given the `total` of its documents.

    >>> scores(count_document([["a", "b", "c"]], [["a", "b"], ["c"]])).muc
    Score(recall=50.0, precision=100.0, f1=66.66666666666666)
    """
    by_metric = {name: _percent(*shares) for name, shares in _shares(counts).items()}
    return CorefScores(**by_metric, conll_f1=_conll_f1(by_metric))


def printed_scores(counts: DocumentCounts) -> CorefScores:
    """The scores as scorer.pl prints them: cut off, not rounded, after two decimals of a percentage.

    LEA is rounded, as by its authors' script. `conll_f1` is the mean of the three printed F1, rounded to four decimals.

    >>> printed_scores(count_document([["a", "b", "c"]], [["a", "b"], ["c"]])).muc
    Score(recall=50.0, precision=100.0, f1=66.66)
    """
    by_metric = {
        name: Score(*map(_rounded if name == "lea" else _cut_off, shares)) for name, shares in _shares(counts).items()
    }
    return CorefScores(**by_metric, conll_f1=round(_conll_f1(by_metric), 4))


Shares = tuple[float, float, float]  # recall, precision and F1, 0 to 1


def _shares(counts: DocumentCounts) -> dict[str, Shares]:
    simple = {name: _shares_of(getattr(counts, name)) for name in NAMES if name != "blanc"}
    return {**simple, "blanc": _blanc_shares(counts.blanc_coreferent, counts.blanc_distinct)}


def _shares_of(counts: Counts) -> Shares:
    recall = counts.recall_num / counts.recall_den if counts.recall_den else 0.0
    precision = counts.precision_num / counts.precision_den if counts.precision_den else 0.0
    # In the order of scorer.pl, since another order of the same operations can end one bit higher or lower.
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return recall, precision, f1


def _blanc_shares(coreferent: Counts, distinct: Counts) -> Shares:
    """The mean of both kinds of pairs; when the key has only one kind, that kind alone (Luo et al. 2014)."""
    if not coreferent.recall_den and not distinct.recall_den:
        return 0.0, 0.0, 0.0
    if not coreferent.recall_den:
        return _shares_of(distinct)
    if not distinct.recall_den:
        return _shares_of(coreferent)
    recall, precision, f1 = ((a + b) / 2 for a, b in zip(_shares_of(coreferent), _shares_of(distinct), strict=True))
    return recall, precision, f1


def _percent(*shares: float) -> Score:
    # Sums of fractions may end a bit above their denominator. A key that repeats mentions can give more than 100.
    return Score(*(100.0 if isclose(share, 1) else 100 * share for share in shares))


def _rounded(share: float) -> float:
    return round(100 * share, 2)


def _cut_off(share: float) -> float:
    return int(share * 10000) / 100


def _conll_f1(by_metric: Mapping[str, Score]) -> float:
    return sum(by_metric[name].f1 for name in CONLL_METRICS) / len(CONLL_METRICS)
