"""What `runs` lists of a store."""

from __future__ import annotations

import json

import pytest

from atinuke_bench.files import write_json
from atinuke_bench.run_folder import find_runs


@pytest.fixture
def store(cli, official, tmp_path):
    """Two finished runs, of which one is damaged, one that failed, and one that was ended from outside."""
    for seed in range(4):
        asked = ("--task", "glue/wnli" if seed else "snli", "--core", "majority", "--seed", seed, "--wandb", "disabled")
        assert cli("run", *asked, "--data-dir", official, "--out", tmp_path).status == 0
    runs = {folder.read_config().seed: folder for folder in find_runs(tmp_path)}
    runs[1].result.write_text("{}")
    for seed, kind in ((2, "diverged"), (3, "killed")):
        runs[seed].result.unlink()
        write_json(runs[seed].failure, {"class": kind, "error": "E", "message": f"it was {kind}", "time": "now"})
    return tmp_path


def test_each_run_is_listed_with_its_state(cli, store):
    rows = {row["seed"]: row for row in json.loads(cli("runs", store, "--json").out)}
    found = {seed: (row["task"], row["state"]) for seed, row in rows.items()}
    assert found == {
        0: ("snli", "finished"), 2: ("glue/wnli", "failed"), 3: ("glue/wnli", "unfinished"), None: (None, "damaged"),
    }  # fmt: skip
    assert rows[0]["score"] is not None
    assert rows[2]["reason"] == "it was diverged"
    shown = cli("runs", store)
    assert "result.json" in shown.err
    assert shown.err.splitlines()[-1] == "1 finished, 1 unfinished, 1 failed, 1 damaged"


def test_runs_are_chosen_and_ordered(cli, store):
    def seeds(*options):
        return [row["seed"] for row in json.loads(cli("runs", store, "--json", *options).out)]

    assert seeds("--sort", "seed") == [0, 2, 3, None]
    assert seeds("--sort=-seed") == [3, 2, 0, None]
    assert seeds("--task", "sn*", "--state", "finished") == [0]
    assert seeds("--core", "atinuke*") == [None], "what cannot be read may be of it"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--state", "finsihed"), "no state 'finsihed'; nearest: 'finished'"),
        (("--sort", "scores"), "no field 'scores'; nearest: 'score'"),
        (("nowhere",), "nowhere: no such folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(cli, tmp_path, options, message):
    done = cli("runs", *([] if options[0] == "nowhere" else [tmp_path]), *options)
    assert (done.status, len(done.err.splitlines())) == (2, 1)
    assert message in done.err
