"""Rules about how a run ended: interrupted, failed, under way, or recorded by a version that kept less."""

from __future__ import annotations

from collections.abc import Iterator

from atinuke_bench.errors import FailureClass
from atinuke_bench.formatting import one_short_line

from .finding import Finding, Severity
from .record import RunRecord


def interrupted(run: RunRecord) -> Iterator[Finding]:
    """There is no result, and nobody is working on it."""
    if run.is_finished or run.is_running or run.has_diverged:
        return
    done = f"{run.num_epochs} of at most {run.training.max_epochs} epochs are done"
    evidence = {"epochs": run.num_epochs, "of at most": run.training.max_epochs}
    tries = ("the same command again: it goes on from the last state",)
    kind = None if run.failure is None else run.failure.failure_class
    if kind is None or kind in (FailureClass.KILLED, FailureClass.TIMEOUT):
        yield Finding("interrupted", Severity.SERIOUS, f"it was interrupted: {done}", evidence, tries)
    elif kind is not FailureClass.PRUNED:
        assert run.failure is not None
        text = f"it failed ({kind}): {one_short_line(run.failure.message)}; {done}"
        yield Finding("failed", Severity.SERIOUS, text, evidence, tries)


def unrecorded(run: RunRecord) -> Iterator[Finding]:
    """Older versions recorded no steps: most rules have nothing to go by."""
    if run.unread:
        yield Finding("unread", Severity.NOTE, f"not read: {'; '.join(run.unread)}")
    elif not run.steps and run.num_epochs:
        yield Finding("no-steps", Severity.NOTE, "no record of its steps: a version before this trained it")


RULES = (interrupted, unrecorded)
