"""Rules about what was learned from: one answer to everything, examples that repeat."""

from __future__ import annotations

from collections.abc import Iterator

from .finding import Finding, Severity
from .record import RunRecord

#: Of fewer answers little is known.
FEWEST_ANSWERS = 8
#: Share of the commonest right answer from which nothing is to be learned.
ONE_ANSWER = 0.995
#: Share of examples whose texts came before. Released train splits have up to a tenth, generated ones of short
#: sentences a third.
MOSTLY_REPEATED = 0.5


def one_answer(run: RunRecord) -> Iterator[Finding]:
    """All right answers of the selection slice are the same: so are those of train, which it is cut from."""
    share = run.last_answers.commonest_right
    if not run.answers or run.last_answers.num < FEWEST_ANSWERS or not share >= ONE_ANSWER:
        return
    text = f"{100 * share:.1f} % of the right answers of the selection slice are one and the same"
    tries = ("look at the labels of the train split", "another field for the label in the declaration")
    yield Finding("one-answer-in-data", Severity.SERIOUS, text, {"commonest right answer": share}, tries)


def repeated(run: RunRecord) -> Iterator[Finding]:
    """Most of train is examples that it has already: fewer to learn from than it seems, and some are held out too."""
    if not run.repeats >= MOSTLY_REPEATED:
        return
    text = (
        f"{100 * run.repeats:.0f} % of the train examples have texts that earlier ones have; the selection slice, "
        "which is cut from train, has them too"
    )
    tries = ("remove repeated examples from the train split",)
    yield Finding("data-repeated", Severity.SERIOUS, text, {"repeated share": run.repeats}, tries)


RULES = (one_answer, repeated)
