"""What a study answers a process that asks for a trial, or says how one ended."""

from __future__ import annotations

from dataclasses import dataclass

from atinuke_bench.config import RunConfig
from atinuke_bench.sweeps.spaces import Draw


@dataclass(frozen=True)
class Assigned:
    """A trial that this process is to carry out."""

    number: int
    draw: Draw
    #: One a part of the study, in their order.
    runs: tuple[RunConfig, ...]
    #: Which of the study's seeds they have, counted from 0.
    seed_offset: int = 0


@dataclass(frozen=True)
class Refused:
    """A trial whose values make no run. It has been told as failed."""

    number: int
    reason: str


@dataclass(frozen=True)
class Infeasible:
    """A trial that would cost more than it may. It has been told, and nothing is trained for it."""

    number: int
    reason: str


@dataclass(frozen=True)
class Undefined:
    """Why what a trial came to is no value."""

    reason: str
