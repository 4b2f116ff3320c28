"""What a shell is offered, as bash asks for it, and that it comes at once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from atinuke_bench.cli import app, completion


@pytest.fixture
def complete(monkeypatch, capfd):
    """`complete(*words)`: what is offered in place of the last word of a command."""

    def call(*words):
        monkeypatch.setenv("_ATINUKE_BENCH_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["atinuke-bench", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit):
            app(prog_name="atinuke-bench")
        out, err = capfd.readouterr()
        assert err == ""
        return out.split()

    return call


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["run", "--task", "glue/m"], ["glue/mrpc", "glue/mnli"]),
        (["run", "--task", "pawsx/k"], ["pawsx/ko"]),
        (["run", "--core", "b"], ["bilstm"]),
        (["run", "--core", "bilstm", "--preset", "m"], ["micro", "mini"]),
        (["run", "--preset", "b"], ["base"]),
        (["run", "--core", "a-plug-in-s", "--preset", ""], []),
        (["run", "--source", "m"], ["microworld"]),
        (["run", "--wandb", "o"], ["online", "offline"]),
        (["suite", "a"], ["ablation", "attribution"]),
        (["plan", "q"], ["quick"]),
        (["reproduce", "bilstm-g"], ["bilstm-glue"]),
        (["score", "squad-v1"], ["squad-v1.1"]),
        (["evaluate", "runs", "--on", "ha"], ["hans"]),
        (["sweep", "snli", "--space", "c"], ["components"]),
        (["sweep", "snli", "--core", "t"], ["transformer"]),
        (["run", "--task", "reviews.y"], []),  # a file, which the shell completes itself
    ],
    ids=" ".join,
)
def test_names_are_offered(complete, words, offered):
    assert complete(*words) == offered


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The store `runs` of the working directory, with runs of two tasks, one of them with an evaluation."""
    for place in ("snli/bilstm/seed-0-a", "snli/bilstm/seed-1-b", "glue/rte/bilstm/seed-0-c"):
        (tmp_path / "runs" / place / "evaluations/hans").mkdir(parents=True)
        (tmp_path / "runs" / place / "config.yaml").touch()
        (tmp_path / "runs" / place / "evaluations/hans/config.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


SNLI = ["runs/snli/bilstm/seed-0-a", "runs/snli/bilstm/seed-1-b"]


@pytest.mark.parametrize("command", [["show"], ["predict"], ["export"], ["run", "--init-from"]], ids=" ".join)
def test_run_folders_are_offered_by_the_start_of_their_path(complete, store, command):
    assert complete(*command, "runs/s") == SNLI


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", ["runs/glue/rte/bilstm/seed-0-c", *SNLI]),
        ("ru", ["runs/glue/rte/bilstm/seed-0-c", *SNLI]),
        ("runs/snli/bilstm/seed-1", SNLI[1:]),
        ("./runs/snli/bilstm/seed-1", [f"./{SNLI[1]}"]),
        ("elsewhere/", []),
    ],
)
def test_a_store_is_looked_through_from_what_is_typed(store, typed, offered):
    assert completion.runs(typed) == offered
    assert completion.runs(f"{store}/s") == [f"{store.parent}/{name}" for name in SNLI]


def test_studies_of_the_store_are_offered(complete, store):
    for place in ("runs/studies/snli-a", "runs/studies/snli-b", "other/studies/rte"):
        (store.parent / place).mkdir(parents=True)
        (store.parent / place / "study.yaml").touch()
    for command in (["sweep", "resume"], ["sweep", "show"], ["sweep", "best"], ["sweep", "snli", "--from"]):
        assert complete(*command, "snli-") == ["snli-a", "snli-b"]
    assert complete("sweep", "show", "--out", "other", "r") == ["rte"]


def test_too_many_folders_are_left_to_the_shell(store, monkeypatch):
    monkeypatch.setattr(completion, "_MOST_RUNS", 2)
    assert completion.runs("runs/") == []
    assert completion.runs("runs/s") == SNLI
    monkeypatch.setattr(completion, "_MOST_FOLDERS", 1)
    assert completion.runs("runs/s") == []


def test_completing_loads_nothing_slow():
    code = (
        "import sys\nfrom atinuke_bench.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert not {'torch', 'pandas', 'numpy', 'datasets', 'optuna'} & sys.modules.keys()"
    )
    asked = {"_ATINUKE_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": "atinuke-bench run --task sn", "COMP_CWORD": "3"}
    command = [sys.executable, "-c", f"import sys; sys.argv = ['atinuke-bench']\n{code}"]
    done = subprocess.run(command, env={**os.environ, **asked}, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["snli"]
