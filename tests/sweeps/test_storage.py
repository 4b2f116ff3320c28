"""Databases of studies: made by two processes at once, shared by many, unreachable, damaged."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atinuke_bench.errors import AtinukeBenchError, ConfigError, StorageError, StudyError
from atinuke_bench.files import make_folder
from atinuke_bench.sweeps.definition import default_url, write_definition
from atinuke_bench.sweeps.opening import create_or_join, open_study, study_folder
from atinuke_bench.sweeps.storage import Storage, without_password


def at_once(count: int, work: Callable[[int], Any]) -> list[str]:
    """Do `work(n)` in `count` processes that begin at the same instant; what went wrong in them."""
    # Forked, so that nothing has to be imported again; nothing here has threads or open databases.
    context = multiprocessing.get_context("fork")
    barrier, wrong = context.Barrier(count), context.SimpleQueue()

    def begin(number: int) -> None:
        try:
            barrier.wait(60)
            work(number)
        except BaseException:
            wrong.put(traceback.format_exc())
            os._exit(1)
        os._exit(0)

    processes = [context.Process(target=begin, args=(number,)) for number in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    found = []
    while not wrong.empty():
        found.append(wrong.get())
    return found + [f"exit code {process.exitcode}" for process in processes if process.exitcode]


@contextlib.contextmanager
def running_postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of our own, reached through a socket in a folder of its own."""
    folders = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    search = os.pathsep.join([*folders, os.environ.get("PATH", "")])
    initdb, server = shutil.which("initdb", path=search), shutil.which("pg_ctl", path=search)
    if initdb is None or server is None:
        pytest.skip("needs PostgreSQL's own programs (Debian's package postgresql)")
    become: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if os.geteuid() == 0:
        # The server refuses to run as root.
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    quiet = {"stdout": subprocess.DEVNULL, "check": True, "cwd": folder, "timeout": 60}
    data = f"{folder}/data"
    subprocess.run([*become, initdb, "-D", data, "-U", "ada", "--auth=trust", "--no-sync"], **quiet)  # type: ignore[call-overload]
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    start = [*become, server, "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start"]
    subprocess.run(start, **quiet)  # type: ignore[call-overload]
    try:
        yield f"postgresql://ada@/postgres?host={folder}"
    finally:
        subprocess.run([*become, server, "-D", data, "-m", "immediate", "stop"], **quiet)  # type: ignore[call-overload]
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="needs the driver psycopg")
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request, tmp_path) -> str | None:
    """The address of a fresh database: None for the study's own SQLite file."""
    if request.param == "sqlite":
        return None
    import psycopg

    url = request.getfixturevalue("postgres")
    name = f"fresh{abs(hash(str(tmp_path)))}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url.replace("/postgres?", f"/{name}?")


# Python 3.12 warns of a fork beside threads; the forked processes use none of them.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_processes_that_begin_at_once_share_a_fresh_database(config, database, tmp_path, sweep, play):
    tiny = config(budget={"trials": 9}, sampler="random")

    def slowly(run):
        time.sleep(0.05)  # as a run lets others at the database
        return play.scores(run)

    def work(number):
        study = create_or_join(tiny, tmp_path / f"runs{number if database else ''}", database)
        (tmp_path / f"open{number}").touch()
        latest = time.monotonic() + 20  # without waiting, the first may do all before the last has begun
        while len(list(tmp_path.glob("open*"))) < 3 and time.monotonic() < latest:
            time.sleep(0.01)
        sweep(study, play(slots=1, scores=slowly))
        study.close()

    assert at_once(3, work) == []
    study = create_or_join(tiny, tmp_path / f"runs{0 if database else ''}", database)
    trials = study.trials()
    assert [trial.number for trial in trials] == list(range(9))
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "PRUNED"}
    assert len({trial.params["training.learning_rate"] for trial in trials}) == 9
    assert len({trial.user_attrs["owner"]["worker"] for trial in trials}) > 1
    study.close()


@pytest.mark.postgres
def test_a_study_is_joined_from_a_store_that_knows_nothing_of_it(config, postgres, tmp_path, sweep, play):
    first = create_or_join(config(name="far", budget={"trials": 3}), tmp_path / "here", postgres)
    sweep(first)
    there = open_study("far", tmp_path / "there", postgres)
    assert there.config.definition() == first.config.definition()
    assert len(there.trials()) == 3
    first.close()
    there.close()


def test_a_study_is_kept_with_its_own_database_only(config, tmp_path):
    study = create_or_join(config(), tmp_path / "runs")
    with pytest.raises(StudyError, match="lies in sqlite:"):
        open_study("tiny", tmp_path / "runs", f"sqlite:///{tmp_path}/other.db")
    assert not (tmp_path / "other.db").exists()
    study.close()
    (tmp_path / "runs").rename(tmp_path / "moved")
    moved = open_study("tiny", tmp_path / "moved")
    assert moved.trials() == []
    moved.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://ada@127.0.0.1:1/studies", "study database postgresql+psycopg://ada@127.0.0.1:1/studies: "),
        ("nonsense", "--storage takes a database URL such as"),
        ("postgresql://ada:p@ss@host/studies", "an '@' in a password is written %40"),
        ("postgresql://ada:pass@host:port/studies", "--storage takes a database URL such as"),
        ("redis://host/0", "--storage takes SQLite, PostgreSQL or MySQL"),
        ("sqlite://", "an SQLite study is a file"),
        ("sqlite:////proc/studies/study.db", "/proc/studies"),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_line(config, tmp_path, url, message):
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg", reason="needs the driver psycopg")
    with pytest.raises(AtinukeBenchError) as caught:
        create_or_join(config(), tmp_path / "runs", url)
    assert "ss@host" not in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_damaged_database_is_one_line(tmp_path):
    (tmp_path / "study.db").write_bytes(b"no database" * 200)
    with pytest.raises(StorageError, match=r"study\.db: file is not a database"):
        Storage(f"sqlite:///{tmp_path}/study.db")


def test_a_study_of_another_program_is_left_alone(config, tmp_path):
    import optuna

    storage = Storage(f"sqlite:///{tmp_path}/study.db")
    optuna.create_study(storage=storage.optuna, study_name="tiny")
    with pytest.raises(StudyError, match="is not of atinuke-bench"):
        create_or_join(config(), tmp_path / "runs", f"sqlite:///{tmp_path}/study.db")
    storage.close()


def test_passwords_are_neither_written_nor_shown(config, tmp_path):
    assert "secret" not in without_password("mysql://ada:secret@host/studies")
    assert without_password("mysql://ada@host/studies?password=secret").endswith("?password=***")
    folder = make_folder(study_folder(tmp_path, "tiny"))
    write_definition(config(), folder, without_password("postgresql://ada@host/studies?sslpassword=secret"))
    assert "secret" not in (folder / "study.yaml").read_text()
    with pytest.raises(StudyError, match="give its address with the password"):
        open_study("tiny", tmp_path)
    with pytest.raises(ConfigError) as caught:
        without_password("oracle://ada:secret@host/studies")
    assert "secret" not in str(caught.value)


def test_a_store_on_an_odd_path_has_its_database_there(tmp_path):
    folder = tmp_path / "a?b %41#\nc"
    folder.mkdir()
    Storage(default_url(folder)).close()
    assert {path.name for path in folder.iterdir()} >= {"study.db"}
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
