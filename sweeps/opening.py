"""Studies are made, joined and opened by name: in a store, or from a database that other machines share."""

from __future__ import annotations

import contextlib
from pathlib import Path

import optuna
from optuna.study import Study as OptunaStudy
from optuna.study import StudyDirection
from sqlalchemy.exc import SQLAlchemyError

from atinuke_bench.config import SourceConfig, parse
from atinuke_bench.errors import MissingDependencyError, StudyError, nearest
from atinuke_bench.files import make_folder
from atinuke_bench.secrets import HIDDEN
from atinuke_bench.sweeps.constraints import require_reachable
from atinuke_bench.sweeps.definition import (
    StudyConfig,
    default_url,
    read_definition,
    write_definition,
)
from atinuke_bench.sweeps.kept_definition import keep_definition, kept_record
from atinuke_bench.sweeps.storage import Storage, without_password
from atinuke_bench.sweeps.study import COPYING, Study
from atinuke_bench.training.prepare import load_data
from atinuke_bench.training.task import task_of


def study_folder(store: Path, name: str) -> Path:
    return store / "studies" / name


def create_or_join(config: StudyConfig, store: Path, url: str | None = None) -> Study:
    """A new study, or the existing one of this name if it differs in nothing but its budget.

    Raises StudyError where the existing one differs in more, ConfigError or DataError where a new one's data cannot be
    read.
    """
    folder = study_folder(store, config.name)
    written = read_definition(folder)
    if written is not None:
        _require_same(config, written[0], folder)
    else:
        _require_data(config)
        require_reachable(config)
    storage = Storage(_database(folder, written[1] if written else None, url))
    with storage.exclusive():
        names = optuna.study.get_all_study_names(storage.optuna)
        if config.name in names:
            study = _load(config.name, storage)
            kept = _definition_in(study, storage)
            _require_same(config, kept, folder)
        else:
            study = _create(config, storage)
    make_folder(folder)
    opened = Study(config, folder, storage, study)
    opened.set_budget(config.budget)
    return opened


def _create(config: StudyConfig, storage: Storage) -> OptunaStudy:
    """The study as Optuna has it, with what it is; where that cannot be kept, nothing is left."""
    score = StudyDirection.MAXIMIZE if config.higher_is_better else StudyDirection.MINIMIZE
    directions = [score, *(StudyDirection.MINIMIZE for _ in config.objectives[1:])]
    study = optuna.create_study(storage=storage.optuna, study_name=config.name, directions=directions)
    try:
        keep_definition(study, config)
    except BaseException:
        # Where it cannot be removed either, as when the server is gone, the first error says why.
        with contextlib.suppress(optuna.exceptions.StorageInternalError, SQLAlchemyError):
            optuna.delete_study(study_name=config.name, storage=storage.optuna)
        raise
    return study


def open_study(name: str, store: Path, url: str | None = None, data_dir: Path | None = None) -> Study:
    """A study that is there already, by its folder in the store or by its database; StudyError."""
    folder = study_folder(store, name)
    written = read_definition(folder)
    if written is None and url is None:
        known = sorted(path.parent.name for path in folder.parent.glob("*/study.yaml"))
        near = nearest(name, known)
        hint = f"; nearest: {near!r}" if near else f"; it has {', '.join(known)}" if known else ""
        raise StudyError(f"no study {name!r} in {folder.parent}{hint}")
    storage = Storage(_database(folder, written[1] if written else None, url))
    study = _load(name, storage)
    config = _definition_in(study, storage)
    if written is not None:
        here = {name: getattr(written[0], name) for name in ("source", "declaration", "tasks")}
        config = config.model_copy(update=here)
    if data_dir is not None:
        config = config.model_copy(update={"source": SourceConfig(kind=config.source.kind, data_dir=data_dir)})
    make_folder(folder)
    if written is None:
        write_definition(config, folder, storage.url)
    return Study(config, folder, storage, study)


def _database(folder: Path, written: str | None, given: str | None) -> str:
    """The address to open: the given one, unless it is another database than the study was made in."""
    known = written or default_url(folder)
    if given is None:
        if HIDDEN in known:
            raise StudyError(f"study database {known}: give its address with the password, by --storage")
        return known
    if (folder / "study.yaml").exists() and without_password(given) != without_password(known):
        shown = without_password(known)
        raise StudyError(f"study {folder.name!r} of this store lies in {shown}, not in {without_password(given)}")
    return given


def _load(name: str, storage: Storage) -> OptunaStudy:
    with storage.errors():
        names = optuna.study.get_all_study_names(storage.optuna)
        if name not in names:
            near = nearest(name, names)
            raise StudyError(f"no study {name!r} in {storage.url}" + (f"; nearest: {near!r}" if near else ""))
        return optuna.load_study(study_name=name, storage=storage.optuna)


def _definition_in(study: OptunaStudy, storage: Storage) -> StudyConfig:
    attributes, where = study.user_attrs, f"study {study.study_name!r} in {storage.url}"
    if attributes.get(COPYING):
        raise StudyError(f"{where} is half a copy, which `sweep copy` once more finishes")
    record = kept_record(attributes, where)
    if record is None:
        raise StudyError(f"{where} is not of atinuke-bench; take another name")
    return parse(StudyConfig, record, f"study {study.study_name}")


def _require_data(config: StudyConfig) -> None:
    """Read the data once: a study of which every trial would fail is not made. ConfigError or DataError."""
    for part in config.parts:
        if part.share is None:
            run = config.make_run({}, part=part)
            load_data(run, task_of(run))


def require_current(study: Study) -> None:
    """Refuse to go on with a study whose trials trained otherwise than new ones would; StudyError."""
    config = study.config
    if changed := config.model_copy(update={"versions": config.current_versions()}).changed_versions(config):
        raise StudyError(
            f"study {config.name!r}: its trials are of {changed}; new ones would train otherwise, and their scores do "
            "not compare; begin a new study (--name), or look at this one by `sweep show`"
        )


def _require_same(config: StudyConfig, other: StudyConfig, folder: Path) -> None:
    difference = config.difference(other)
    if difference is not None:
        raise StudyError(
            f"study {config.name!r} exists and is another one: it has {difference}; "
            f"give --name for a new study, or resume it as it is ({folder})"
        )


def serve_dashboard(study: Study, host: str, port: int) -> None:
    """Serve optuna-dashboard on a study's database until interrupted; MissingDependencyError or StudyError."""
    try:
        from optuna_dashboard import run_server
    except ImportError as error:
        raise MissingDependencyError(
            "the dashboard needs the package optuna-dashboard: pip install 'atinuke-bench[dashboard]'"
        ) from error
    try:
        run_server(study.storage.optuna, host=host, port=port)
    except OSError as error:
        raise StudyError(f"the dashboard cannot be served on {host}:{port} ({error.strerror or error})") from error
