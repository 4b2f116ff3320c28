"""`sweep` as a user meets it, over runs that are only played."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from types import SimpleNamespace

import pytest

from atinuke_bench.training.execution import Execution

pytestmark = pytest.mark.usefixtures("in_memory")

SMALL = ["--preset", "nano", "--seeds", "1", "--workers", "2", "--wandb", "disabled", "--set", "training.max_epochs=4"]


@pytest.fixture
def sweep(cli, monkeypatch, official, tmp_path, play):
    """`sweep(*arguments)`: status, output and executors of a command on a store of its own."""
    started = []

    def make_executor(kind, slots, devices_per_run, threads_per_run):
        started.append(play(slots=slots or 2))
        return started[-1]

    monkeypatch.setattr("atinuke_bench.runs.jobs.factory.make_executor", make_executor)
    # Drawing takes a second or two, and is tested with the insight.
    monkeypatch.setattr("atinuke_bench.reports.sections.studies.write_figures", lambda record, folder: None)
    monkeypatch.setenv("ATINUKE_DATA", str(official))
    monkeypatch.delenv("ATINUKE_STORAGE", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return SimpleNamespace(**vars(cli("sweep", *arguments)), executors=started)

    return call


def test_a_study_of_an_earlier_schedule_is_shown_and_not_gone_on_with(sweep, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("atinuke_bench.sweeps.definition.SCHEDULE_VERSION", 1)
        assert sweep("snli", *SMALL, "--trials", 3).status == 0
    for command in (("resume", "snli-atinuke", "--wandb", "disabled"), ("snli", *SMALL)):
        done = sweep(*command, "--trials", 5)
        assert done.status == 2
        assert "schedule version 1, not 2" in done.err
        assert len(done.err.splitlines()) == 1
    assert json.loads(sweep("show", "snli-atinuke", "--json").out)["spent"]["trials"] == 3


def test_all_commands_that_train_for_a_study_take_the_same_options():
    from typer.main import get_command

    from atinuke_bench.cli import app
    from atinuke_bench.cli.trials import TrialOptions

    commands = get_command(app).commands["sweep"].commands  # type: ignore[attr-defined]
    options = {name: {one.name: one for one in commands[name].params} for name in ("TASK", "resume", "best")}
    for name in (one.name for one in fields(TrialOptions)):
        own = [options[command][name] for command in options]
        assert len({(*one.opts, one.help, one.default, one.envvar) for one in own}) == 1
    assert all("how" not in own for own in options.values())


def test_a_task_is_searched_resumed_shown_and_retrained(sweep, tmp_path):
    first = sweep("snli", *SMALL, "--trials", 10, "--json")
    assert first.status == 0, first.err
    record = json.loads(first.out)
    assert record["study"] == "snli-atinuke"
    assert record["spent"]["trials"] == 10
    assert "[10/10] trial" in first.err

    folder = tmp_path / "runs" / "studies" / "snli-atinuke"
    assert json.loads((folder / "insight.json").read_text())["best"] == record["best"]

    more = sweep("resume", "snli-atinuke", "--trials", 12, "--wandb", "disabled", "--json")
    assert json.loads(more.out)["spent"]["trials"] == 12

    shown = sweep("show", "snli-atinuke")
    assert shown.status == 0
    assert "best trials" in shown.out

    best = sweep("best", "snli-atinuke", "--seeds", 3, "--rivals", 1, "--wandb", "disabled", "--json")
    entries = json.loads(best.out)["trials"]
    assert [entry["selection"]["count"] for entry in entries] == [3, 3]
    folders = {folder for entry in entries for folder in entry["folders"]}
    assert len(folders) == 6
    assert all((tmp_path / "runs" / folder / "result.json").is_file() for folder in folders)
    assert re.search(r"^\[6/6\] snli  rival-1  seed \d+: \d+\.\d\d accuracy$", best.err, re.MULTILINE)
    table = sweep("best", "snli-atinuke", "--seeds", 3, "--rivals", 1, "--wandb", "disabled")
    assert "fresh seeds" in table.out


def test_how_trials_are_carried_out_is_no_part_of_a_study(sweep, tmp_path):
    searched = sweep("snli", *SMALL, "--trials", 2, "--device-batch-tokens", 12345, "--checkpoint-minutes", 5)
    assert searched.status == 0, searched.err
    definition = (tmp_path / "runs/studies/snli-atinuke/study.yaml").read_text()
    ways = {
        "resume": ["--trials", 3, "--device-batch-tokens", "auto", "--threads", 2],
        "best": ["--seeds", 1, "--rivals", 0, "--checkpoint-minutes", 7],
    }
    for command, asked in ways.items():
        assert sweep(command, "snli-atinuke", "--wandb", "disabled", *asked).status == 0
    usual = Execution(show_progress=False, keeps_texts=False)
    assert [executor.executions for executor in searched.executors] == [
        [replace(usual, device_batch_tokens=12345, checkpoint_minutes=5)] * 2,
        [replace(usual, device_batch_tokens="auto", threads=2)],
        [replace(usual, checkpoint_minutes=7)],
    ]
    assert "minutes" not in definition
    assert "12345" not in definition
    # The same search with other settings is the same study, which is complete.
    again = sweep("snli", *SMALL, "--trials", 3, "--device-batch-tokens", 64)
    assert again.status == 0, again.err
    assert again.executors[-1].executions == []


def test_limits_and_the_studies_that_one_begins_from_are_said(sweep):
    space = ["--space", "optimisation"]
    assert sweep("snli", *SMALL, *space, "--name", "first", "--trials", 3, "--pruner", "none").status == 0
    limited = ["--at-most", "latency=0.001", "--pruner", "none"]
    done = sweep("snli", *SMALL, *space, *limited, "--name", "then", "--from", "first", "--trials", 6, "--seed", 1)
    assert done.status == 2, done.err  # every played run of two layers takes longer
    assert "study then: from first: 0 trials known (it has seed 0, not 1), 3 of its best points first" in done.err
    assert "latency_seconds at most 0.001" in done.err
    assert "infeasible: latency_seconds 0.002 where at most 0.001 are allowed" in done.err
    assert "infeasible" in done.out
    record = json.loads(sweep("show", "then", "--json").out)
    assert [trial["from"]["as"] for trial in record["trials"][:3]] == ["point"] * 3
    assert record["best"] is None
    shown = sweep("snli", *SMALL, *space, "--name", "last", "--from", "first", "--trials", 4, "--pruner", "none")
    assert shown.status == 0, shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--at-most", "parameter=5"], "no limit 'parameter'; nearest: 'parameters'"),
        (["--at-most", "parameters=-5"], "a limit is a number above zero; found '-5'"),
        (["--at-most", "parameters=5"], "nothing in the space is so small"),
        (["--from", "snli-a"], "no study 'snli-a' in runs/studies"),
        (["--name", "x", "--from", "x"], "a study does not begin from itself"),
    ],
)
def test_limits_and_studies_that_are_no_use_are_one_line_and_make_no_study(sweep, tmp_path, arguments, said):
    done = sweep("snli", *SMALL, *arguments)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert said in done.err
    assert not list(tmp_path.glob("runs/studies/*/study.yaml"))


def test_cores_get_studies_of_their_own_with_the_same_budget(sweep):
    done = sweep("snli", *SMALL, "--cores", "atinuke,bilstm", "--trials", 4, "--json")
    records = json.loads(done.out)["studies"]
    assert [record["core"] for record in records] == ["atinuke", "bilstm"]
    assert {record["comparison"] for record in records} == {"snli"}
    assert [record["budget"]["trials"] for record in records] == [4, 4]
    assert [record["spent"]["trials"] for record in records] == [4, 4]
    assert "core.num_heads" not in records[1]["parameters"]


def test_a_grid_without_a_budget_is_the_whole_grid(sweep, tmp_path):
    space = tmp_path / "switches.yaml"
    space.write_text("parameters: {core.norm: {categorical: [pre, post]}, core.causal: {categorical: [true, false]}}")
    done = sweep("snli", *SMALL, "--space", space, "--sampler", "grid", "--pruner", "none", "--json")
    record = json.loads(done.out)
    assert record["budget"]["trials"] == 4
    assert {tuple(trial["config"].values()) for trial in record["trials"]} == {
        (norm, causal) for norm in ("pre", "post") for causal in (True, False)
    }


@pytest.mark.parametrize("arguments", [["--help"], ["snli", "--help"], ["resume", "--help"], ["best", "--help"]])
def test_help_has_an_example(sweep, arguments):
    shown = sweep(*arguments)
    assert shown.status == 0
    assert "Example: atinuke-bench sweep" in shown.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["snil"], "no task 'snil'; nearest: 'snli'"),
        (["snli", "--core", "atinuk"], "no core 'atinuk'; nearest: 'atinuke'"),
        (["snli", "--cores", "atinuke,atinuke"], "--cores names each core once"),
        (["snli", "--space", "encode"], "no space 'encode'; nearest: 'encoder'"),
        (["snli", "--sampler", "tpo"], "no sampler 'tpo'; nearest: 'tpe'"),
        (["snli", "--pruner", "hyperban"], "no pruner 'hyperban'; nearest: 'hyperband'"),
        (["snli", "--against", "flop"], "no cost 'flop'; nearest: 'flops'"),
        (["snli", "--against", "flops", "--pruner", "asha"], "cannot prune"),
        (["snli", "--against", "flops", "--sampler", "cmaes"], "cmaes has one objective"),
        (["snli", "--name", "a/b"], "a study's name has letters, digits"),
        (["snli", "--flops", 0], "budget.training_flops"),
        (["snli", "--core", "majority"], "space 'encoder'"),
        (["snli", "--device-batch-tokens", "some"], "from 1 on, or 'auto'; found 'some'"),
        (["resume", "any", "--device-batch-tokens", "0"], "from 1 on, or 'auto'; found '0'"),
        (["best", "any", "--device-batch-tokens", "0"], "from 1 on, or 'auto'; found '0'"),
        (["snli", "--set", "training.select_on=dev"], "would tune on the dev set"),
        (["snli", "--set", "core.nm_layers=2"], "unknown field 'core.nm_layers'"),
        (["lm", "--space", "components"], "metric masked_loss with core.causal=false"),
        (["lm", "--cores", "atinuke,transformer"], "found atinuke by bits_per_byte, transformer by masked_loss"),
        (["resume", "nothing"], "no study 'nothing' in"),
        (["best", "nothing"], "no study 'nothing' in"),
    ],
)
def test_a_mistake_is_one_line_and_makes_nothing(sweep, tmp_path, arguments, message):
    done = sweep(*arguments)
    assert done.status == 2
    (line,) = done.err.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "runs").exists()


def test_a_study_without_a_complete_trial_says_so(sweep, play, monkeypatch):
    monkeypatch.setattr(
        "atinuke_bench.runs.jobs.factory.make_executor", lambda *settings: play(fails=lambda job: "diverged")
    )
    done = sweep("snli", *SMALL, "--trials", 2)
    assert done.status == 2
    assert "no trial is complete" in done.err
    assert "failed: diverged: it diverged" in done.err


def test_a_study_without_readable_data_is_not_made(sweep, tmp_path):
    ended = sweep("snli", *SMALL, "--trials", 2, "--data-dir", tmp_path / "nowhere", "--out", tmp_path / "new")
    assert ended.status == 2
    assert "no such folder" in ended.err
    assert not (tmp_path / "new" / "studies").exists()
