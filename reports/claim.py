"""`claim "A > B by 0.7 % relative on TASK"`: what the runs of a store say to a sentence of a small grammar.

claim   A relation B [by|within amount] on TASK, TASK …
>       A is better, by more than the amount; better is lower where the metric is a loss
>=      A is no worse, but for less than the amount
=       A and B are equal within the amount, which must be given
amount  1 point, 0.5 points, 0.7 % relative
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atinuke_bench.config import is_floor
from atinuke_bench.errors import ConfigError, nearest
from atinuke_bench.formatting import number

from .pairwise import compare_sides
from .reading.across import across
from .reading.collect import read_frame
from .reading.named import named
from .statistics.claims import UNDECIDED, Contrast, make_contrast, verdict
from .statistics.comparison import Comparison
from .statistics.spread import LEVEL

_EXAMPLE = "'atinuke > bilstm by 0.7 % relative on squad-v1.1'"
_RELATIONS = (">", ">=", "=")
#: Run folders by task and side, and by seed.
Seeds = dict[tuple[str, str], dict[int, Path]]
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*(points?|%\s*relative)", re.ASCII)


@dataclass(frozen=True)
class Claim:
    """A sentence, taken apart. `amount` is in points, or a share of B's score where `is_relative`."""

    a: str
    relation: str
    b: str
    amount: float
    is_relative: bool
    tasks: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Claim:
        """Take a claim apart; ConfigError where it is none.

        >>> Claim.parse("atinuke > bilstm by 0.5 % relative on squad-v1.1")
        Claim(a='atinuke', relation='>', b='bilstm', amount=0.005, is_relative=True, tasks=('squad-v1.1',))
        """
        head, found, tasks = f" {text.strip()} ".rpartition(" on ")
        words = head.split()
        if not found or len(words) < 3:
            raise ConfigError(f"a claim is A > B on TASK, such as {_EXAMPLE}; found {text.strip()!r:.120}")
        a, relation, b, *rest = words
        if relation not in _RELATIONS:
            hint = nearest(relation, _RELATIONS) or f"one of {', '.join(_RELATIONS)}"
            raise ConfigError(f"a claim relates A and B by >, >= or =; found {relation!r:.40}; nearest: {hint}")
        if a == b:
            raise ConfigError(f"a claim is about two cores; found {a!r} twice")
        amount, is_relative = _amount(relation, rest)
        names = tuple(dict.fromkeys(name.strip() for name in tasks.split(",")))
        if not all(names):
            raise ConfigError(f"tasks are named with commas between them; found {tasks.strip()!r:.120}")
        return cls(a, relation, b, amount, is_relative, names)

    def contrasts(self, comparison: Comparison) -> list[Contrast]:
        """What must be above 0 on one task for the claim to hold there."""
        a, b, share = comparison.a, comparison.b, self.amount if self.is_relative else 0.0
        points = 0.0 if self.is_relative else self.amount
        shown = f"{100 * share:g} % of B" if self.is_relative else f"{points:g} points"
        if self.relation == ">":
            formula = "A better than B" + (f" by more than {shown}" if self.amount else "")
            return [make_contrast(a, b, relative=share, offset=points, formula=formula)]
        # No worse than by the amount; for equality both ways, each at 5 % on its side (Schuirmann 1987).
        one_sided = 1.0 if self.relation == "=" else 0.5
        no_worse = f"A worse than B by less than {shown}" if self.amount else "A no worse than B"
        below = make_contrast(a, b, relative=-share, offset=-points, formula=no_worse, one_sided=one_sided)
        if self.relation == ">=":
            return [below]
        no_better = f"A better than B by less than {shown}"
        # A's excess over the bound, turned around.
        above = make_contrast(a, b, relative=share, offset=points, formula=no_better, one_sided=one_sided)
        return [below, above.turned()]


def _amount(relation: str, words: Sequence[str]) -> tuple[float, bool]:
    if not words:
        if relation == "=":
            raise ConfigError("two cores are equal within an amount; nearest: 'A = B within 1 point on TASK'")
        return 0.0, False
    word = "by" if relation == ">" else "within"
    if words[0] != word:
        raise ConfigError(f"the amount of {relation!r} follows {word!r}; found {words[0]!r:.40}")
    text = " ".join(words[1:])
    match = _AMOUNT.fullmatch(text)
    if match is None:
        hint = "; a bare % is unclear" if text.endswith("%") else ""
        raise ConfigError(f"an amount is such as '1 point' or '0.7 % relative'; found {text!r:.60}{hint}")
    is_relative = match[2].startswith("%")
    value = float(match[1]) / (100 if is_relative else 1)
    if relation == "=" and not value:
        raise ConfigError("two cores are equal within an amount above 0; found 0")
    if is_relative and value >= 1:
        raise ConfigError(f"a relative amount is below 100 %; found {match[1]} %")
    return value, is_relative


@dataclass(frozen=True)
class Judged:
    """A claim with what the runs say to it."""

    claim: Claim
    contrasts: tuple[Contrast, ...]
    level: float

    @property
    def verdict(self) -> str:
        return verdict(self.contrasts, self.level)

    @property
    def num_seeds(self) -> int:
        """The fewest seeds that a trained core has."""
        cells = [cell for one in self.contrasts for cell in (one.a, one.b) if not cell.scores.is_fixed]
        return min((cell.num_seeds for cell in cells), default=1)

    def records(self) -> list[dict[str, Any]]:
        """One record a contrast, as plain figures."""
        return [
            {
                "task": one.task,
                "a": one.a.variant,
                "b": one.b.variant,
                "score_a": one.a.mean,
                "score_b": one.b.mean,
                "seeds_a": one.a.num_seeds,
                "seeds_b": one.b.num_seeds,
                "holds where": one.formula,
                "distance": one.spread.value,
                "low": one.interval(2 * self.level * one.one_sided)[0],
                "high": one.interval(self.level / len(self.contrasts))[1],
                "verdict": one.verdict(self.level, len(self.contrasts)),
                "seeds needed": one.seeds_needed,
                "resampled": "" if one.a.drawn is None else str(one.a.drawn),
            }
            for one in self.contrasts
        ]

    def sentences(self) -> list[str]:
        """What may be said, for readers."""
        return [_sentence(record) for record in self.records()]


def _sentence(record: dict[str, Any]) -> str:
    sides = ", ".join(
        f"{record[side]} {number(record[f'score_{side}'])} ({record[f'seeds_{side}']} seeds)" for side in ("a", "b")
    )
    distance = f"{number(record['distance'])}, between {number(record['low'])} and {number(record['high'])}"
    text = f"{record['task']}: {sides}. {record['holds where']}: {record['verdict']}; distance {distance}"
    if record["verdict"] != UNDECIDED:
        return text
    needed = record["seeds needed"]
    if needed is None:
        return f"{text}. More seeds will not decide it: the test set is too small"
    return f"{text}. If the difference is what it seems, about {needed} seeds of each decide it"


def seeds_there(
    claim: Claim, store: str | Path, ignoring: Sequence[str] = ()
) -> dict[tuple[str, str], dict[int, Path]]:
    """The runs of each side on each task that a claim names, by seed; ConfigError where there is none.

    A core that is fixed, such as the floor, is not among them: further seeds of it say nothing.
    """
    frame = across(read_frame([store]), ignoring)
    found: Seeds = {}
    for side in (claim.a, claim.b):
        runs = frame.runs[named(frame, side)]
        for task in claim.tasks:
            own = runs[runs["task"] == task]
            if own.empty:
                raise ConfigError(f"no finished run of {side!r} on {task!r} in {store}; one is what further seeds copy")
            if not all(map(is_floor, own["core"])):
                folders = zip(own["seed"], own["folder"], strict=True)
                found[task, side] = {int(seed): Path(folder) for seed, folder in folders}
    return found


def judge(claim: Claim, store: str | Path, ignoring: Sequence[str] = (), level: float = LEVEL) -> Judged:
    """What the runs of a store say to a claim; ConfigError where they cannot be tested on each task that it names."""
    compared = compare_sides(claim.a, claim.b, store, ignoring)
    by_task: dict[str, list[Comparison]] = {}
    for comparison in compared.comparisons:
        by_task.setdefault(comparison.column.task, []).append(comparison)
    contrasts: list[Contrast] = []
    for task in claim.tasks:
        own = by_task.get(task, [])
        if not own:
            near = nearest(task, by_task)
            hint = f"nearest: {near!r}" if near else f"they are on {', '.join(by_task)}"
            raise ConfigError(f"no runs of {claim.a} and {claim.b} that can be compared on {task!r}; {hint}")
        if len(own) > 1:
            shown = "; ".join(str(one.column) for one in own)
            raise ConfigError(f"a claim is about one protocol; {task} has {len(own)}: {shown}"[:400])
        if own[0].note:
            raise ConfigError(f"{task}: {own[0].note}")
        contrasts += claim.contrasts(own[0])
    return Judged(claim, tuple(contrasts), level)
