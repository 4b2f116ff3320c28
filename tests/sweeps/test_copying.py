"""Studies copied between stores and databases: whole, checked, and able to go on there."""

from __future__ import annotations

import contextlib
import json
import shutil

import optuna
import pytest

from atinuke_bench.errors import RunFolderError, StorageError, StudyError
from atinuke_bench.locks import held
from atinuke_bench.runs import copy as runs_copied
from atinuke_bench.runs.verify import verify_runs
from atinuke_bench.sweeps import copying
from atinuke_bench.sweeps.copying import copy_study
from atinuke_bench.sweeps.opening import open_study
from atinuke_bench.sweeps.warm_start import warm_start

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgres)
MYSQL = pytest.param("mysql", marks=pytest.mark.mysql)
QUIET = ("--wandb", "disabled", "--workers", "1")
CORE = ("--core", "bilstm", "--preset", "nano", "--name", "tiny")
SEARCH = ("sweep", "glue/wnli", *CORE, "--trials", "3", "--seeds", "1", "--pruner", "none", *QUIET)
SMALL = ("--set", "training.max_epochs=1", "--set", "tokenizer.vocab_size=200")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def store(place, cli, official, tmp_path, monkeypatch):
    """A store of this test's own with the study `tiny` of real runs, its best trial on a fresh seed included."""
    monkeypatch.delenv("ATINUKE_STORAGE", raising=False)
    if not (place / "runs").exists():
        space = place / "space.yaml"
        space.write_text("parameters: {training.learning_rate: {float: [1.0e-4, 1.0e-2], log: true}}")
        done = cli(*SEARCH, *SMALL, "--space", space, "--data-dir", official, "--out", place / "runs")
        assert done.status == 0, done.err
        best = ("sweep", "best", "tiny", "--seeds", "1", "--rivals", "0", *QUIET)
        assert cli(*best, "--data-dir", official, "--out", place / "runs").status == 0
    return shutil.copytree(place / "runs", tmp_path / "runs")


@pytest.fixture
def tiny(store):
    """The study."""
    opened = open_study("tiny", store)
    yield opened
    opened.close()


def facts(study):
    """All that a study's trials are, without what a database says of its own rows."""
    return [[getattr(trial, part) for part in copying._PARTS] for trial in study.trials()]


@pytest.mark.parametrize("database", ["sqlite", POSTGRESQL, MYSQL], indirect=True)
def test_a_copy_goes_on_in_another_place_and_back(store, tiny, database, cli, tmp_path, official):
    there, back = tmp_path / "there", tmp_path / "back"
    target = () if database is None else ("--to-storage", database)
    done = cli("sweep", "copy", "tiny", "--to", there, "--as", "moved", *target, "--out", store, "--json")
    assert done.status == 0, done.err
    said = json.loads(done.out)
    assert (said["study"], said["trials"], said["runs"]) == ("moved", 3, {"copied": 4, "kept": 0, "gone": 0})
    moved = open_study("moved", there, database)
    assert facts(moved) == facts(tiny)
    assert moved.config == tiny.config.model_copy(update={"name": "moved"})
    moved.close()
    verdicts = list(verify_runs([there]))
    assert [verdict.problems for verdict in verdicts if verdict.is_finished] == [[]] * 4

    where = ("--out", there, *(() if database is None else ("--storage", database)))
    shown = cli("sweep", "show", "moved", *where, "--json")
    assert json.loads(shown.out)["spent"]["trials"] == 3
    gone_on = cli("sweep", "resume", "moved", "--trials", "4", *QUIET, "--data-dir", official, *where, "--json")
    assert json.loads(gone_on.out)["spent"]["trials"] == 4
    known = cli("sweep", "best", "moved", "--seeds", "1", "--rivals", "0", *QUIET, *where, "--json")
    assert known.status == 0, known.err
    if database is not None:
        done = cli("sweep", "copy", "moved", "--to", back, *where, "--json")
        assert json.loads(done.out)["trials"] == 4
        assert json.loads(cli("sweep", "show", "moved", "--out", back, "--json").out)["spent"]["trials"] == 4
    assert len(facts(tiny)) == 3, "the study itself stays as it is"


def test_a_copy_goes_on_without_the_studies_that_it_began_from(study, sweep, tmp_path):
    sweep(study(name="first", pruner="none", budget={"trials": 2}))
    then = study(name="then", pruner="none", warm_start=("first",))
    assert len(warm_start(then)) == 1
    copied = copy_study(then, tmp_path / "there", None, "then").study
    assert warm_start(copied) == []
    assert facts(copied) == facts(then)
    copied.close()


def test_a_report_shows_a_copied_study_as_the_first(store, cli, tmp_path, monkeypatch):
    monkeypatch.setattr("atinuke_bench.reports.sections.studies.write_figures", lambda record, folder: None)
    assert cli("sweep", "copy", "tiny", "--to", tmp_path / "there", "--out", store).status == 0
    tables = {}
    for place in (store, tmp_path / "there"):
        done = cli("report", place, "--out", place / "report")
        assert done.status == 0, done.err
        tables[place] = [
            (place / "report" / "tables" / f"{name}.csv").read_text() for name in ("studies", "best-trials")
        ]
    assert tables[store] == tables[tmp_path / "there"]


@pytest.mark.parametrize("end", ["after two runs", "in a run", "before the trials", "in the trials", "before its name"])
def test_an_interrupted_copy_is_finished_by_the_next(store, tiny, tmp_path, monkeypatch, end):
    there = tmp_path / "there"

    def interrupted(*given, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if end == "after two runs":
            calls = iter([runs_copied.copy_run, runs_copied.copy_run])
            patch.setattr(copying, "copy_run", lambda run, place: next(calls, interrupted)(run, place))
        elif end == "in a run":
            patch.setattr(runs_copied, "_move", interrupted)
        elif end == "before the trials":
            patch.setattr(copying, "_copy_trials", interrupted)
        elif end == "in the trials":
            add = optuna.Study.add_trials
            patch.setattr(optuna.Study, "add_trials", lambda study, trials: [add(study, trials[:2]), interrupted()])
        else:
            patch.setattr(copying, "write_definition", interrupted)
        with pytest.raises(KeyboardInterrupt):
            copy_study(tiny, there, None, "tiny")
    with pytest.raises(StudyError, match=r"no study 'tiny'|half a copy"):
        open_study("tiny", there)
    assert not list(there.glob("**/.copying-*"))
    copied = copy_study(tiny, there, None, "tiny")
    assert facts(copied.study) == facts(tiny)
    assert copied.runs["copied"] + copied.runs["kept"] == 4
    assert not any(verdict.problems for verdict in verify_runs([there]))
    copied.study.close()


def test_a_name_that_is_taken_is_refused_in_one_line(store, cli, tmp_path, config):
    there = tmp_path / "there"
    for arguments, message in (
        (("--to", store), "lies in sqlite:///"),
        (("--to", there), None),
        (("--to", there), "there is a study 'tiny' in"),
        (("--to", there, "--as", "a/b"), "a study's name has letters"),
        (("--to", store, "--as", "other"), None),
        (("--to", store, "--as", "tiny", "--to-storage", f"sqlite:///{tmp_path}/x.db"), "there is a study 'tiny' in"),
    ):
        done = cli("sweep", "copy", "tiny", *arguments, "--out", store)
        if message is None:
            assert done.status == 0, done.err
            continue
        assert done.status == 2
        (line,) = done.err.splitlines()
        assert message in line
        assert "; nearest: --as tiny-2" in line or "a/b" in line
    with contextlib.closing(open_study("other", store)) as other:
        assert len(other.trials()) == 3


def test_running_trials_and_a_copy_under_way_are_refused(store, tiny, tmp_path):
    there = tmp_path / "there"
    (there / "studies").mkdir(parents=True)
    with held(there / "studies" / ".copying.lock"), pytest.raises(StudyError, match="another process is copying"):
        copy_study(tiny, there, None, "tiny")
    tiny.set_budget(tiny.config.budget.model_copy(update={"trials": 9}))
    assert tiny.ask({"worker": "w", "host": "h", "folder": "f"}) is not None
    with pytest.raises(StudyError, match="trial 3 is running, and a study is copied when none is; wait, or"):
        copy_study(tiny, there, None, "tiny")
    assert not list(there.glob("*/*/study.yaml"))


def test_what_is_damaged_is_not_copied(store, tiny, tmp_path):
    folder = tiny.store / tiny.trials()[1].user_attrs["folder"]
    (folder / "predictions.parquet").write_bytes(b"torn")
    with pytest.raises(RunFolderError, match=r"damaged, so that it is not copied \(predictions.parquet: has changed"):
        copy_study(tiny, tmp_path / "there", None, "tiny")
    shutil.rmtree(folder)
    said: list[str] = []
    copied = copy_study(tiny, tmp_path / "there", None, "tiny", said.append)
    assert copied.runs["gone"] == 1
    assert said == [f"trial 1: its run {folder} is gone; it is copied without"]
    copied.study.close()


def test_runs_that_are_there_are_kept_and_halves_give_way(store, tiny, tmp_path):
    there = tmp_path / "there"
    first, second, third = (trial.user_attrs["folder"] for trial in tiny.trials())
    shutil.copytree(store / first, there / first)
    shutil.copytree(store / second, there / second)
    (there / second / "result.json").unlink()
    shutil.copytree(store / third, there / third)
    record = json.loads((there / third / "result.json").read_text())
    record["selection"]["score"] = 1.25
    del record["sha256"]
    (there / third / "result.json").write_text(json.dumps(record))
    with pytest.raises(RunFolderError, match="another result of this run is there; copy to a store of its own"):
        copy_study(tiny, there, None, "tiny")
    shutil.rmtree(there / third)
    copied = copy_study(tiny, there, None, "tiny")
    assert copied.runs == {"copied": 2, "kept": 2, "gone": 0}
    assert (there / second / ".earlier-1" / "config.yaml").exists()
    assert not any(verdict.problems for verdict in verify_runs([there]))
    copied.study.close()


def test_a_target_that_cannot_be_written_is_one_line(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="folder cannot be created"):
        copy_study(tiny, tmp_path / "file" / "store", None, "tiny")
    pytest.importorskip("psycopg", reason="needs the driver psycopg")
    with pytest.raises(StorageError, match="study database postgresql"):
        copy_study(tiny, tmp_path / "there", "postgresql://ada@127.0.0.1:1/studies", "tiny")
    assert not (tmp_path / "there").exists()
