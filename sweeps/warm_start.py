"""A study that begins with what others found (`sweep TASK --from STUDY`).

A finished trial of another study is *known* where its run is one of this study's own, setting by setting and on the
same data: it is told with its outcome, costs nothing and is no part of the budget. Where its run is another one, only
the values that both spaces have are of use: the best such *points* are tried first, and trained and judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from atinuke_bench.errors import ConfigError, RunFolderError, StudyError
from atinuke_bench.files import read_json
from atinuke_bench.run_folder import RunFolder
from atinuke_bench.sweeps.definition import StudyConfig, first_difference
from atinuke_bench.sweeps.fields import values_without_search
from atinuke_bench.sweeps.finals import confirms
from atinuke_bench.sweeps.limits import is_untrained, may_be_best
from atinuke_bench.sweeps.opening import open_study, study_folder
from atinuke_bench.sweeps.origins import BEGUN, KNOWN, POINT
from atinuke_bench.sweeps.spaces import suggested
from atinuke_bench.sweeps.study import COST_FACTS, Study
from atinuke_bench.training.task import task_of

#: Points that are tried first, of each study.
NUM_POINTS = 5
#: What may differ between two studies whose runs are the same.
_FREE = {"name", "space", "sampler", "pruner", "against", "comparison", "at_most", "warm_start", "num_seeds"}
#: Values in the terms of a study's space, and which trial of another study they are of.
_Point = tuple[dict[str, Any], dict[str, Any]]
#: Samplers that learn from trials which they did not draw; others get the best known ones as points, at no cost.
_READS_KNOWN = ("tpe", "random", "grid")


@dataclass(frozen=True)
class Taken:
    """What a study took from another one."""

    source: str
    num_known: int
    num_points: int
    #: Why no trial is known, where none is.
    reason: str | None

    def __str__(self) -> str:
        trials = "trial" if self.num_known == 1 else "trials"
        why = "" if self.reason is None else f" ({self.reason})"
        return f"from {self.source}: {self.num_known} {trials} known{why}, {self.num_points} of its best points first"


@dataclass(frozen=True)
class _Found:
    """What another study has for a study: trials of its own, and values with the trials that they are of."""

    taken: Taken
    known: list[FrozenTrial]
    points: list[_Point]


def require_sources(config: StudyConfig, store: Path, url: str | None = None) -> None:
    """Refuse, before it is made, a study that would begin from what is not there or of no use; StudyError."""
    if study_folder(store, config.name).is_dir():  # it has what it began from
        return
    ours = [parameter.path for parameter in config.space.parameters]
    for source in _open_sources(config, store, url):
        name, theirs = source.config.name, [parameter.path for parameter in source.config.space.parameters]
        if not any(map(may_be_best, source.trials())):
            raise StudyError(f"--from {name}: it has no complete trial to begin from")
        if not set(ours) & set(theirs):
            raise StudyError(
                f"--from {name}: a study begins from one that searches some of its fields; it searches "
                f"{', '.join(theirs)}, and this one {', '.join(ours)}"
            )


def warm_start(study: Study, url: str | None = None) -> list[Taken]:
    """Put what other studies found into a study, once, whichever process comes first; what was taken from each."""
    if not study.config.warm_start or _is_done(study):
        return []
    # Read before the database is locked, since it takes long: the data, and the runs of the other studies.
    found = [_find(study, source) for source in _open_sources(study.config, study.store, url)]
    with study.storage.exclusive():
        if _is_done(study):
            return []
        # What an earlier attempt has put in.
        there = [trial.user_attrs.get(name) for trial in study.trials() for name in (KNOWN, POINT)]
        for one in found:
            _put(study, one, there)
        study.optuna.set_user_attr(BEGUN, [one.taken.source for one in found])
    return [one.taken for one in found]


def _is_done(study: Study) -> bool:
    with study.storage.errors():
        return BEGUN in study.optuna.user_attrs


def _open_sources(config: StudyConfig, store: Path, url: str | None) -> list[Study]:
    if config.name in config.warm_start:
        raise StudyError(f"--from {config.name}: a study does not begin from itself; --name names the new one")
    if len(set(config.warm_start)) < len(config.warm_start):
        raise StudyError(f"--from names each study once; found {', '.join(config.warm_start)}")
    return [open_study(name, store, None if study_folder(store, name).is_dir() else url) for name in config.warm_start]


def _find(study: Study, source: Study) -> _Found:
    known = list(_known(study, source))
    numbers = {trial.user_attrs[KNOWN]["number"] for trial in known}
    points = [] if study.config.sampler == "grid" else _points(study, source, numbers)
    reason = None if known else _why_none(study, source)
    return _Found(Taken(source.config.name, len(known), len(points), reason), known, points)


def _put(study: Study, found: _Found, there: list[Any]) -> None:
    for trial in found.known:
        if trial.user_attrs[KNOWN] not in there:
            study.optuna.add_trial(trial)
    for params, origin in found.points:
        if origin not in there:
            study.optuna.enqueue_trial(params, user_attrs={POINT: origin})


def _known(study: Study, source: Study) -> Iterator[FrozenTrial]:
    """The other study's finished trials whose runs are this one's too, each run once, as trials of this study."""
    if _difference(study.config, source.config) is not None:
        return
    prunes_alike, data = study.config.pruner == source.config.pruner, _fingerprint(study.config)
    found: list[dict[str, Any]] = []
    for trial in source.trials():
        is_of_use = trial.state.name == "COMPLETE" or (trial.state.name == "PRUNED" and prunes_alike)
        # What confirms another trial has another seed.
        is_of_use = is_of_use and confirms(trial) is None and not is_untrained(trial)
        if not is_of_use or _data_of(trial, source) != data:
            continue
        params = _same_run(study.config, source.config, source.draw_of(trial).overrides)
        if params is not None and params not in found:
            found.append(params)
            yield _as_known(trial, params, study, source)


def _as_known(trial: FrozenTrial, params: Mapping[str, Any], study: Study, source: Study) -> FrozenTrial:
    domains = {parameter.path: parameter.domain for parameter in study.config.space.parameters}
    kept = {name: trial.user_attrs[name] for name in ("folder", *COST_FACTS) if name in trial.user_attrs}
    origin = {KNOWN: {"study": source.config.name, "number": trial.number}}
    free = {"reuses": True, "training_flops": 0, "seconds": 0.0}
    is_complete, has_one_objective = trial.state.name == "COMPLETE", study.config.against is None
    judged: dict[str, Any] = {"score": trial.values[0] if is_complete else None, **kept}
    copied = create_trial(
        state=TrialState.COMPLETE if is_complete else TrialState.PRUNED,
        params=dict(params),
        distributions={path: domains[path] for path in params},
        values=[judged[name] for name in study.config.objectives] if is_complete else None,
        intermediate_values=dict(trial.intermediate_values) if has_one_objective else {},
        # Trials to come are compared with it, rung by rung.
        system_attrs={name: value for name, value in trial.system_attrs.items() if name.startswith("completed_rung_")}
        if study.config.pruner == source.config.pruner == "asha"
        else {},
        user_attrs={**kept, **free, **origin},
    )
    if is_complete:
        study.limits.tell(copied, _cost_of(trial, source))
    return copied


def _points(study: Study, source: Study, known: set[int]) -> list[_Point]:
    """The best points of the other study in the terms of this one's space, and which trials they are of."""
    sign = 1 if source.higher_is_better else -1
    complete = [trial for trial in source.trials() if may_be_best(trial) and confirms(trial) is None]
    if study.config.sampler in _READS_KNOWN:
        complete = [trial for trial in complete if trial.number not in known]
    found: list[_Point] = []
    for trial in sorted(complete, key=lambda trial: (-sign * trial.values[0], trial.number)):
        params = suggested(study.config.space, source.draw_of(trial).overrides)
        if params and params not in [other for other, _ in found]:
            found.append((params, {"study": source.config.name, "number": trial.number}))
    return found[:NUM_POINTS]


def _same_run(config: StudyConfig, other: StudyConfig, overrides: Mapping[str, Any]) -> dict[str, Any] | None:
    """What this space suggests for the very run that another study's trial has; None where it holds no such run."""
    theirs = other.make_run(overrides)
    values = suggested(config.space, values_without_search(theirs))
    params: dict[str, Any] = {}

    def suggest(path: str, domain: Any) -> Any:
        params[path] = values[path]
        return values[path]

    try:
        ours = config.make_run(config.space.draw(suggest).overrides)
    except (KeyError, ConfigError):  # out of the space's range
        return None
    return params if ours.determinants() == theirs.determinants() else None


def _why_none(study: Study, source: Study) -> str:
    difference = _difference(study.config, source.config)
    if difference is not None:
        return f"it has {difference}"
    data, theirs = _fingerprint(study.config), [_data_of(trial, source) for trial in source.trials()]
    return "none of its runs is in this space" if data in theirs else "its runs are of other data, or are gone"


def _difference(config: StudyConfig, other: StudyConfig) -> str | None:
    """What keeps all runs of two studies apart, in words; None where nothing does."""
    if len(config.parts) > 1 or len(other.parts) > 1:
        return "trials of several runs" if len(other.parts) > 1 else "trials of one run"
    theirs, ours = (
        {name: value for name, value in one.definition().items() if name not in _FREE} for one in (other, config)
    )
    for record in (theirs, ours):
        record.get("declaration", {}).pop("folder", None)
        record.pop("versions", None)
        # A field that is fixed in one may be searched in the other: run by run it is compared later.
        for name in ("overrides", "max_epochs"):
            record.pop(name)
    return first_difference(ours, theirs) or config.changed_versions(other)


def _fingerprint(config: StudyConfig) -> str:
    """The fingerprint of the data that a study's trials are trained on; DataError."""
    run = config.make_run({})
    task = task_of(run)
    return task.data.load(run.source, task.options(run)).fingerprint


def _data_of(trial: FrozenTrial, source: Study) -> str | None:
    """The fingerprint of the data that a trial's run was trained on; None where its folder is gone."""
    try:
        fingerprint: str = read_json(_folder_of(trial, source).manifest)["data"]["fingerprint"]
    except (RunFolderError, KeyError, TypeError):
        return None
    return fingerprint


def _cost_of(trial: FrozenTrial, source: Study) -> dict[str, Any]:
    try:
        cost: dict[str, Any] = _folder_of(trial, source).read_result()["cost"]
    except RunFolderError:
        return {name: trial.user_attrs.get(name) for name in COST_FACTS}
    return cost


def _folder_of(trial: FrozenTrial, source: Study) -> RunFolder:
    folder = trial.user_attrs.get("folder")
    if folder is None:
        raise RunFolderError("the trial has no run folder")
    return RunFolder(source.store / folder)
