"""Studies copied to another store or database: definition, trials, and the runs that the trials name.

The runs come first, then the trials, then what names the study in its new store. Until all of it is there, the study
in the new database is marked as a copy, which is opened by nobody and made anew by the next attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
from filelock import Timeout
from optuna.study import Study as OptunaStudy
from optuna.trial import FrozenTrial

from atinuke_bench.config import parse
from atinuke_bench.errors import RunFolderError, StorageError, StudyError
from atinuke_bench.examples import FOLDER, find_examples
from atinuke_bench.files import make_folder, read_object, require_writable, write_bytes, write_json
from atinuke_bench.locks import held
from atinuke_bench.run_folder import RunFolder, read_record
from atinuke_bench.runs.copy import copy_run
from atinuke_bench.study_records import BestRecord
from atinuke_bench.sweeps.best import FILE as BEST
from atinuke_bench.sweeps.definition import StudyConfig, default_url, read_definition, write_definition
from atinuke_bench.sweeps.kept_definition import keep_definition
from atinuke_bench.sweeps.opening import open_study, study_folder
from atinuke_bench.sweeps.origins import BEGUN
from atinuke_bench.sweeps.storage import Storage, without_password
from atinuke_bench.sweeps.study import COPYING, Study
from atinuke_bench.sweeps.trial_parts import folders_of

#: What two copies of a trial share; its number in the database and the time that some databases cut do not count.
_PARTS = ("number", "state", "values", "params", "distributions", "user_attrs", "system_attrs", "intermediate_values")


@dataclass(frozen=True)
class CopiedStudy:
    """A study in its new place, and what became of the runs: how many were copied, kept there, or are gone."""

    study: Study
    num_trials: int
    runs: Mapping[str, int]


def copy_study(
    study: Study, store: Path, url: str | None, name: str, say: Callable[[str], None] = lambda line: None
) -> CopiedStudy:
    """Copy a study to a store, and to the database `url` or else a file there, under a name; `say` hears what is gone.

    StudyError where the name is taken or trials are running, RunFolderError or StorageError where something is damaged
    or cannot be written. A copy that was interrupted is finished by the same call.
    """
    config = parse(StudyConfig, {**study.config.model_dump(mode="json"), "name": name}, "--as")
    own = {field: getattr(study.config, field) for field in ("source", "declaration", "tasks")}
    config = config.model_copy(update=own)
    trials = _ended_trials(study)
    folder = study_folder(store, name)
    address = url or default_url(folder)
    if without_password(address) == study.storage.url and name == study.config.name:
        raise StudyError(f"study {name!r} lies in {study.storage.url} already; nearest: --as {name}-2")
    _require_free_folder(folder, address)
    storage = Storage(address)
    try:
        _require_free(name, storage)
        require_writable(make_folder(folder) / "study.yaml")
        with held(folder.parent / ".copying.lock", timeout=0):
            _require_free(name, storage)
            runs = Counter(_copy_runs(study, trials, store, say))
            copy = _copy_trials(study, config, trials, storage)
            write_definition(config, folder, storage.url)
            _copy_best(study, folder, name)
            with storage.exclusive():
                copy.set_user_attr(COPYING, None)
    except Timeout as error:
        raise StudyError(f"another process is copying a study to {store}; wait for it") from error
    finally:
        storage.close()
    return CopiedStudy(open_study(name, store, address), len(trials), {"copied": 0, "kept": 0, "gone": 0, **runs})


def _ended_trials(study: Study) -> list[FrozenTrial]:
    with study.storage.exclusive():
        trials = study.trials()
    running = [str(trial.number) for trial in trials if trial.state.name == "RUNNING"]
    if running:
        shown = f"trial {running[0]} is" if len(running) == 1 else f"{len(running)} trials are"
        raise StudyError(
            f"study {study.config.name!r}: {shown} running, and a study is copied when none is; wait, or, where the "
            f"process is dead, let `sweep resume {study.config.name}` settle what it left"
        )
    return trials


def _require_free_folder(folder: Path, address: str) -> None:
    """Refuse a folder that is another study's; that of an interrupted copy names the same database."""
    written = read_definition(folder)
    if written is not None and without_password(written[1] or default_url(folder)) != without_password(address):
        raise _taken(folder.name, str(folder.parent))


def _require_free(name: str, storage: Storage) -> None:
    """Refuse a name that a study of the database has, unless it is the rest of an interrupted copy."""
    with storage.errors():
        if name in optuna.study.get_all_study_names(storage.optuna):
            found = optuna.load_study(study_name=name, storage=storage.optuna)
            if not found.user_attrs.get(COPYING):
                raise _taken(name, storage.url)


def _taken(name: str, where: str) -> StudyError:
    return StudyError(f"there is a study {name!r} in {where}; nearest: --as {name}-2")


def _copy_runs(study: Study, trials: Iterable[FrozenTrial], store: Path, say: Callable[[str], None]) -> Iterable[str]:
    """Copy the runs of trials and of the best ones on fresh seeds: what became of each."""
    places = {place: f"trial {trial.number}" for trial in trials for place in folders_of(trial)}
    for place in _best_folders(study):
        places.setdefault(place, "a best trial on a fresh seed")
    for place, whose in places.items():
        run, target = RunFolder(study.store / place), RunFolder(store / place)
        if Path(place).is_absolute() or not target.path.resolve().is_relative_to(store.resolve()):
            raise RunFolderError(
                f"{whose}: its run lies outside of the store, in {place}; a study is copied with its store"
            )
        if not run.path.is_dir():
            say(f"{whose}: its run {run.path} is gone; it is copied without")
            yield "gone"
        elif target.path.exists() and target.path.samefile(run.path):
            yield "kept"
        else:
            yield copy_run(run, target)
            _copy_examples(run, store)


def _copy_examples(run: RunFolder, store: Path) -> None:
    """Copy the texts that a run's manifest names, by which its name is their digest; nothing depends on them."""
    try:
        name = read_object(run.manifest).get("examples")
    except RunFolderError:
        return
    found = find_examples(run, name)
    if found is not None and not (store / FOLDER / found.name).exists():
        make_folder(store / FOLDER)
        write_bytes(store / FOLDER / found.name, found.read_bytes())


def _copy_trials(study: Study, config: StudyConfig, trials: list[FrozenTrial], storage: Storage) -> OptunaStudy:
    """The study in the new database, marked as a copy, with every trial read again and compared."""
    with study.storage.errors():
        original = optuna.load_study(study_name=study.config.name, storage=study.storage.optuna)
    with storage.exclusive():
        if config.name in optuna.study.get_all_study_names(storage.optuna):
            optuna.delete_study(study_name=config.name, storage=storage.optuna)
        copy = optuna.create_study(storage=storage.optuna, study_name=config.name, directions=original.directions)
        copy.set_user_attr(COPYING, f"{study.config.name} of {study.storage.url}")
        for name, value in study.storage.optuna.get_study_system_attrs(original._study_id).items():
            storage.optuna.set_study_system_attr(copy._study_id, name, value)
        copy.add_trials(trials)
        if (begun := original.user_attrs.get(BEGUN)) is not None:  # else it would look for its sources in the new store
            copy.set_user_attr(BEGUN, begun)
        keep_definition(copy, config)
        for ours, theirs in zip(trials, copy.get_trials(deepcopy=False), strict=True):
            for part in _PARTS:
                if getattr(ours, part) != getattr(theirs, part):
                    raise StorageError(
                        f"study database {storage.url}: trial {ours.number} has another {part} than was written"
                    )
    return copy


def _best_folders(study: Study) -> list[str]:
    best = study.folder / BEST
    if not best.exists():
        return []
    record = read_record(BestRecord, best)
    return [place for trial in record["trials"] for place in trial["folders"]]


def _copy_best(study: Study, folder: Path, name: str) -> None:
    best = study.folder / BEST
    if best.exists():
        write_json(folder / BEST, {**read_object(best), "study": name})
