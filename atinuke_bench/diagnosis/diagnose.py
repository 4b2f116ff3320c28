"""All rules on one run: what is wrong, the likeliest cause first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atinuke_bench.run_folder import RunFolder

from . import data, ending, learning, optimisation, wiring
from .finding import Finding, Severity
from .record import RunRecord, read_run

#: Causes before what they lead to: a core that is masked wrongly never leaves the floor either.
RULES = (
    *wiring.RULES,
    *data.RULES,
    ending.interrupted,
    optimisation.exploding_gradients,
    optimisation.rate_too_high,
    optimisation.diverging,
    optimisation.rate_too_low,
    optimisation.warm_up_too_short,
    learning.collapsed,
    learning.never_left_the_floor,
    learning.overfitting,
    optimisation.spikes,
    learning.plateau,
    learning.still_improving,
    optimisation.clipped_always,
    ending.unrecorded,
)
_ORDER = list(Severity)


def diagnose(run: RunRecord) -> list[Finding]:
    """What the rules find, the most severe first and, among equals, causes before what they lead to."""
    found = [finding for rule in RULES for finding in rule(run)]
    return sorted(found, key=lambda finding: _ORDER.index(finding.severity))


def diagnose_folder(folder: RunFolder, result: Mapping[str, Any] | None = None) -> tuple[RunRecord, list[Finding]]:
    """A run folder as it is read, and what the rules find."""
    run = read_run(folder, result)
    return run, diagnose(run)
