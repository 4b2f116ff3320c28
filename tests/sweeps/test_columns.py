"""From studies to suites: the best trials written as one, and columns that name a trial of a study."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml

from atinuke_bench.config import SourceConfig
from atinuke_bench.config.asked import suite_source
from atinuke_bench.errors import AtinukeBenchError, StudyError
from atinuke_bench.runs.grid import expand, read_suite
from atinuke_bench.runs.suite_record import open_record
from atinuke_bench.sweeps.best import best_trials, fresh_seeds
from atinuke_bench.sweeps.columns import find_column
from atinuke_bench.sweeps.opening import open_study

QUIET = ("--wandb", "disabled", "--workers", "2")


@pytest.fixture
def call(cli, monkeypatch, official, play):
    """`call(*arguments)`: a command whose runs are only played."""
    monkeypatch.setattr("atinuke_bench.runs.jobs.factory.make_executor", lambda kind, slots=2, *more: play())
    monkeypatch.setenv("ATINUKE_DATA", str(official))
    monkeypatch.delenv("ATINUKE_STORAGE", raising=False)
    return cli


@pytest.fixture
def store(study, sweep, tmp_path):
    """A store with the study `tiny` of four trials."""
    sweep(study(pruner="none", sampler="random", budget={"trials": 4}))
    return tmp_path / "runs"


@pytest.fixture
def tiny(store):
    with contextlib.closing(open_study("tiny", store)) as opened:
        yield opened


@pytest.fixture
def suite(tmp_path, store):
    """`suite(columns, **fields)`: a suite as it is read from a file; what was said is in `suite.said`."""
    said: list[str] = []

    def find(*asked):
        return find_column(store, None, said.append, *asked)

    def read(cores, **fields):
        record = {"name": "tuned", "tasks": ["snli"], "seeds": [1, 2], "cores": cores, **fields}
        (tmp_path / "tuned.yaml").write_text(yaml.safe_dump(record))
        return read_suite(str(tmp_path / "tuned.yaml"), find_column=find)

    read.said = said  # type: ignore[attr-defined]
    return read


# --- sweep best -------------------------------------------------------------------------------------------------------


def test_the_best_trials_are_written_as_a_suite_that_any_store_carries_out(call, store, tiny, tmp_path):
    file = tmp_path / "tuned-snli.yaml"
    said = call("sweep", "best", "tiny", "--as-suite", file, "--seeds", "3", "--rivals", "1", "--out", store)
    assert said.status == 0, said.err
    text = file.read_text()
    first, second = best_trials(tiny, 2)
    for place, trial in enumerate((first, second), start=1):
        assert (
            f"  # trial {trial.number}, number {place} of study tiny: selection accuracy {trial.mean():.6g}\n" in text
        )
    record = yaml.safe_load(text)
    assert list(record["cores"]) == ["best", "rival-1"]
    assert (record["name"], record["tasks"], record["seeds"]) == ("tuned-snli", ["snli"], [1, 2, 3])
    elsewhere = tmp_path / "elsewhere"
    done = call("suite", file, *QUIET, "--out", elsewhere, "--json")
    assert done.status == 0, done.err
    assert [result["variant"] for result in json.loads(done.out)["results"]].count("best") == 3
    read = read_suite(str(file))
    for variant, trial in zip(read.cores.values(), (first, second), strict=True):
        wanted = tiny.config.make_run(tiny.draw_of(trial.trials[0]).overrides, seed=2)
        own = {"best": first, "rival-1": second}
        name = next(name for name, one in own.items() if one is trial)
        source = suite_source(read, None, wanted.source.data_dir)
        assert wanted in [cell.run for cell in expand(read, source) if cell.variant == name]
        assert variant.study is None

    again = call("sweep", "best", "tiny", "--as-suite", file, "--out", store)
    assert again.status == 2
    assert "there is such a file; give another name" in again.err
    other = call("sweep", "best", "tiny", "--as-suite", tmp_path / "x.json", "--out", store)
    assert f"found {tmp_path}/x.json; nearest: {tmp_path}/x.yaml" in other.err


def test_the_best_trials_go_on_where_they_were_stopped(call, store, tiny, monkeypatch, play):
    best = ("sweep", "best", "tiny", "--seeds", "2", "--rivals", "1", *QUIET, "--out", store, "--json")

    def fails(job):
        return "diverged" if job.run.seed == 2 else None

    monkeypatch.setattr("atinuke_bench.runs.jobs.factory.make_executor", lambda *given: play(fails=fails))
    done = call(*best)
    assert done.status == 1
    assert [entry["selection"]["count"] for entry in json.loads(done.out)["trials"]] == [1, 1]
    assert "2 runs failed; --retry-failed runs them again" in done.err
    started = play()
    monkeypatch.setattr("atinuke_bench.runs.jobs.factory.make_executor", lambda *given: started)
    done = call(*best, "--retry-failed")
    assert done.status == 0, done.err
    assert len(started.started) == 2, "what finished is not repeated"
    record = json.loads((store / "studies" / "tiny" / "best.json").read_text())
    assert record == json.loads(done.out)
    assert [entry["number"] for entry in record["trials"]] == [trial.number for trial in best_trials(tiny, 2)]
    assert not (store / "suites").exists(), "reports show these runs with their study alone"


def test_seeds_of_trials_are_never_fresh(config):
    assert fresh_seeds(config(seed=3), 3) == [4, 5, 6]
    assert fresh_seeds(config(seed=2**32 - 2), 3) == [2**32 - 1, 0, 1]


# --- columns ----------------------------------------------------------------------------------------------------------


def test_a_column_has_the_settings_of_a_trial_and_its_own(suite, tiny):
    read = suite(
        {
            "best": {"core": {"study": "tiny"}},
            "wide": {"core": {"study": "tiny", "rank": 2}, "overrides": {"core.dropout": 0.3}},
            "plain": {"core": "bilstm", "preset": "nano"},
        },
        overrides={"training.max_epochs": 1},
    )
    cells = expand(read, tiny.config.source)
    runs = {cell.variant: cell.run for cell in cells if cell.run.seed == 1}
    first, second = best_trials(tiny, 2)
    assert runs["best"] == tiny.config.make_run(tiny.draw_of(first.trials[0]).overrides, seed=1)
    changed = {**tiny.draw_of(second.trials[0]).overrides, "core.dropout": 0.3}
    assert runs["wide"] == tiny.config.make_run(changed, seed=1)
    assert runs["plain"].training.max_epochs == 1
    assert read.cores["wide"].study.trial == second.number
    assert suite.said == []


def test_a_study_that_goes_on_changes_nothing_of_a_suite_that_began(call, study, sweep, store, tmp_path, suite):
    file = tmp_path / "tuned.yaml"
    cores = {"best": {"core": {"study": "tiny"}}}
    before = suite(cores)
    assert call("suite", file, *QUIET, "--out", store).status == 0
    kept = open_record(store, "tuned").suite["cores"]
    with contextlib.closing(open_study("tiny", store)) as opened:
        # A trial that is better than all.
        values = {"core.num_layers": 4, "training.learning_rate": 1e-3}
        opened._study.enqueue_trial(values)
    sweep(study(pruner="none", sampler="random", budget={"trials": 5}))
    done = call("suite", file, *QUIET, "--out", store)
    assert done.status == 0, done.err
    began = before.cores["best"].study.trial
    assert f"column 'best' stays trial {began}, as it began; number 1 of study 'tiny' is trial 4" in done.err
    assert "a suite of another name takes that" in done.err
    assert open_record(store, "tuned").suite["cores"] == kept
    assert suite(cores) == before
    assert suite(cores, name="newer").cores["best"].study.trial == 4
    (store / "studies" / "tiny" / "study.yaml").unlink()
    assert suite(cores) == before
    assert "stays trial" in suite.said[-1]
    assert "no study 'tiny'" in suite.said[-1]


MISTAKES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"core": {"study": "tinny"}}, {}, "no study 'tinny' in .*; nearest: 'tiny'"),
    ({"core": {"study": "tiny", "rank": 20}}, {}, "'tiny' has no rank 20: 4 different trials .*; nearest: 4"),
    ({"core": {"study": "tiny", "rank": 0}}, {}, "cores.best.core.rank: at least 1; found 0"),
    ({"core": {"study": "tiny", "runk": 1}}, {}, "core.runk: unknown field; nearest: 'rank'"),
    ({"core": {"rank": 1}}, {}, "cores.best.core.study: the field is missing"),
    ({"core": {"study": "tiny"}, "preset": "nano"}, {}, "best.preset: the study has its own"),
    ({"core": "bilstm", "study": {}}, {}, r"best.study: filled when the suite is read; write `core: \{study"),
    (
        {"core": {"study": "tiny"}},
        {"tasks": ["snli", "glue/cola"]},
        r"on snli; found glue/cola; .*`tasks: \[snli\]`",
    ),
    ({"core": {"study": "tiny"}}, {"seeds": [0, 1]}, "whose trials had seed 0: .*; nearest: seed 2 in its place"),
    ({"core": {"study": "tiny"}, "overrides": {"core.nm": 1}}, {}, "unknown field 'core.nm'"),
]


def test_a_mistake_in_a_column_is_one_line(suite, tiny):
    for column, fields, message in MISTAKES:
        with pytest.raises(AtinukeBenchError, match=message) as caught:
            expand(suite({"best": column}, **fields), tiny.config.source)
        assert "\n" not in str(caught.value)


def test_a_study_on_other_data_or_of_another_version_is_refused(suite, tiny, monkeypatch):
    read = suite({"best": {"core": {"study": "tiny"}}})
    with pytest.raises(AtinukeBenchError, match=r"'tiny', on data from local; found microworld"):
        expand(read, SourceConfig(kind="microworld"))
    monkeypatch.setattr("atinuke_bench.runs.study_columns.SCHEDULE_VERSION", 99)
    with pytest.raises(AtinukeBenchError, match=r"whose trials are of schedule version 2, not 99; a new study finds"):
        expand(read, tiny.config.source)


def test_without_a_store_a_column_of_a_study_is_refused(suite, tmp_path):
    suite({"best": {"core": {"study": "tiny"}}})
    with pytest.raises(AtinukeBenchError, match="study 'tiny' is looked up in a store of runs, and there is none"):
        read_suite(str(tmp_path / "tuned.yaml"))


def test_a_study_without_a_complete_trial_has_no_columns(study, tmp_path):
    with pytest.raises(StudyError, match="no complete trial"):
        best_trials(study())


def test_a_study_of_several_tasks_and_seeds_is_retrained_on_all_of_them(call, study, sweep, tmp_path):
    tasks = [("snli", None), ("glue/rte", None)]
    settings = {"aggregate": "mean", "num_seeds": 2, "pruner": "none", "sampler": "random", "budget": {"trials": 3}}
    sweep(study(name="both", tasks=tasks, **settings))
    store = tmp_path / "runs"
    best = ("sweep", "best", "both", "--seeds", "2", "--rivals", "1", *QUIET, "--out", store)
    done = call(*best, "--json")
    assert done.status == 0, done.err
    record = json.loads(done.out)
    assert record["seeds"] == [2, 3], "the finals had seed 1"
    for entry in record["trials"]:
        assert len(entry["folders"]) == 4
        means = [entry["tasks"][task]["selection"] for task in ("snli", "glue/rte")]
        assert [one["count"] for one in [entry["selection"], *means]] == [2, 2, 2]
        assert entry["selection"]["mean"] == pytest.approx(sum(one["mean"] for one in means) / 2)
    shown = call(*best)
    assert "test accuracy of glue/rte" in shown.out
    file = tmp_path / "both.yaml"
    assert call("sweep", "best", "both", "--as-suite", file, "--out", store).status == 0
    assert read_suite(str(file)).tasks == ["snli", "glue/rte"]
