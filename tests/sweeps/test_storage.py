"""Databases of studies: made by two processes at once, shared by many, unreachable, damaged."""

from __future__ import annotations

import sys
import time

import pytest

from atinuke_bench.errors import AtinukeBenchError, ConfigError, MissingDependencyError, StorageError, StudyError
from atinuke_bench.files import make_folder
from atinuke_bench.sweeps.definition import default_url, write_definition
from atinuke_bench.sweeps.opening import create_or_join, open_study, study_folder
from atinuke_bench.sweeps.storage import Storage, without_password

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgres)
MYSQL = pytest.param("mysql", marks=pytest.mark.mysql)


# Python 3.12 warns of a fork beside threads; the forked processes use none of them.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_processes_that_begin_at_once_share_a_fresh_database(config, database, tmp_path, sweep, play, at_once):
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


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("database", [POSTGRESQL, MYSQL], indirect=True)
def test_four_processes_share_a_grid_on_a_server(config, database, tmp_path, sweep, play, at_once):
    space = {
        "core.num_layers": {"int": [1, 4]},
        "training.learning_rate": {"categorical": [1e-4, 1e-3, 1e-2]},
    }

    def slowly(run):
        time.sleep(0.03)
        return play.scores(run)

    for budget in (9, 12):  # a part of the grid, then all of it
        grid = config(space=space, budget={"trials": budget}, sampler="grid")

        def work(number, grid=grid):
            study = create_or_join(grid, tmp_path / f"runs{number}", database)
            sweep(study, play(slots=1, scores=slowly))
            study.close()

        study = create_or_join(grid, tmp_path / "runs0", database)
        study.close()
        assert at_once(4, work) == []
        study = create_or_join(grid, tmp_path / "runs0", database)
        trials, now = study.trials(), study.tally()
        study.close()
        assert (now.counted, now.running, now.waiting, now.failed) == (budget, 0, 0, 0)
        assert [trial.number for trial in trials] == list(range(budget))
        assert len({trial.user_attrs["grid"] for trial in trials}) == budget
        assert len({tuple(trial.params.values()) for trial in trials}) == budget
        assert len({trial.user_attrs["owner"]["worker"] for trial in trials}) > 1


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
        ("mysql://ada@127.0.0.1:1/studies", "study database mysql://ada@127.0.0.1:1/studies: "),
        ("nonsense", "--storage takes a database URL such as"),
        ("postgresql://ada:p@ss@host/studies", "an '@' in a password is written %40"),
        ("postgresql://ada:pass@host:port/studies", "--storage takes a database URL such as"),
        ("redis://host/0", "--storage takes SQLite, PostgreSQL or MySQL"),
        ("sqlite://", "an SQLite study is a file"),
        ("sqlite:////proc/studies/study.db", "/proc/studies"),
    ],
)
def test_a_database_that_cannot_be_reached_is_one_line(config, tmp_path, url, message):
    for scheme, driver in (("postgresql", "psycopg"), ("mysql", "pymysql")):
        if url.startswith(scheme):
            pytest.importorskip(driver, reason=f"needs the driver {driver}")
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


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql"])
def test_an_address_of_mysql_names_no_driver(scheme):
    assert without_password(f"{scheme}://ada@host/studies") == "mysql://ada@host/studies"


def test_a_driver_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymysql", None)
    monkeypatch.setattr("atinuke_bench.sweeps.storage.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"study on mysql needs the package 'pymysql', not installed; pip"):
        Storage("mysql://ada@host/studies")


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
