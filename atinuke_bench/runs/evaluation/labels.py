"""The labels of a run as those of a test set: `entailment=entailment,non-entailment=neutral+contradiction`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from atinuke_bench.config import Declaration, parse
from atinuke_bench.errors import ConfigError, nearest

#: A label of the test set -> the labels of a run that mean it.
LabelMap = Mapping[str, Sequence[str]]


def parse_map(text: str) -> LabelMap:
    """A map as the command line has it; ConfigError.

    >>> parse_map("entailment=entailment,non-entailment=neutral+contradiction")
    {'entailment': ['entailment'], 'non-entailment': ['neutral', 'contradiction']}
    """
    found: dict[str, list[str]] = {}
    for part in text.split(","):
        label, equals, own = (piece.strip() for piece in part.partition("="))
        labels = [one.strip() for one in own.split("+")]
        if not (equals and label and all(labels)):
            raise ConfigError(f"--map is LABEL=RUN_LABEL+RUN_LABEL,LABEL=…; found {part.strip()[:60]!r} in it")
        if label in found:
            raise ConfigError(f"--map names each label of the test set once; found {label!r} twice")
        found[label] = labels
    return found


def join_labels(of_run: Sequence[str], declaration: Declaration, *, is_given: bool) -> dict[str, str]:
    """The label of the test set for each label of a run; ConfigError where either side is left out.

    Without a map the labels of both sides are the same. A map that was given for these runs (`is_given`) names no
    others; the one of a declaration may name those of several tasks.
    """
    mapped = declaration.map
    of_set = declaration.labels or (list(mapped) if mapped is not None else list(of_run))
    if mapped is None:
        mapped = {label: [label] for label in of_run}
        if missing := [label for label in of_run if label not in of_set]:
            raise ConfigError(_left_out("run", missing, of_set, "--map joins labels of other names"))
        if missing := [label for label in of_set if label not in of_run]:
            raise ConfigError(_left_out("test set", missing, of_run, "--map joins labels of other names"))
    joined: dict[str, str] = {}
    for label, own in mapped.items():
        for one in own:
            if joined.setdefault(one, label) != label:
                raise ConfigError(f"the map gives a label of the run once; {one!r} is in {joined[one]!r} and {label!r}")
    if missing := [label for label in of_run if label not in joined]:
        raise ConfigError(_left_out("run", missing, joined, "the map names each of them"))
    if missing := [label for label in of_set if label not in mapped]:
        raise ConfigError(_left_out("test set", missing, mapped, "the map names each of them"))
    if unknown := [label for label in mapped if label not in of_set]:
        raise ConfigError(_unknown("test set", unknown[0], of_set))
    if is_given and (unknown := [label for label in joined if label not in of_run]):
        raise ConfigError(_unknown("run", unknown[0], of_run))
    if empty := [label for label in of_set if not set(mapped[label]) & set(of_run)]:
        raise ConfigError(f"no label of the run means {empty[0]!r}; the run has {', '.join(of_run)[:200]}")
    return {label: joined[label] for label in of_run}


def with_map(declaration: Declaration, text: str | None) -> Declaration:
    """The declaration with the map that the command line gives in place of its own; ConfigError."""
    if text is None:
        return declaration
    # A built-in declaration has the whole name of its task, which no file may give itself.
    checked = parse(Declaration, {**declaration.model_dump(), "name": "x", "map": parse_map(text)}, "--map")
    return declaration.model_copy(update={"map": checked.map})


def _left_out(side: str, missing: Sequence[str], others: Collection[str], rule: str) -> str:
    near = nearest(missing[0], [label for label in others if label != missing[0]])
    found = f"nearest: {near!r}" if near else f"found {', '.join(others)[:200]}"
    return f"labels of the {side} are left out: {', '.join(map(repr, missing))[:200]}; {found}; {rule}"


def _unknown(side: str, label: str, labels: Sequence[str]) -> str:
    near = nearest(label, labels)
    return f"the map: the {side} has no label {label!r}; " + (
        f"nearest: {near!r}" if near else f"it has {', '.join(labels)[:200]}"
    )
