"""Runs read through the W&B API from a stand-in on this machine, and the report recorded without any network."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from matplotlib import get_configdir

from atinuke_bench.errors import UnknownNameError
from atinuke_bench.reports.reading.collect import Collector
from atinuke_bench.reports.reading.wandb_project import _collect, _result, project_of

_ACCOUNT = {"id": "u", "entity": "ada", "username": "ada", "email": "", "flags": "{}", "teams": {"edges": []}}
#: Runs each command of a list and prints what became of them as JSON, below what W&B itself may print.
_SEVERAL = """
import contextlib, io, json, sys
from atinuke_bench.cli import main
done = []
for command in json.loads(sys.argv[1]):
    sys.argv = ["atinuke-bench", *command]
    status, out, err = 0, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
    done.append([status, out.getvalue(), err.getvalue()])
print(json.dumps({"done": done, "has_torch": "torch" in sys.modules}))
"""
_PROTOCOL = {"task": "snli", "is_cut": True, "source": "local", "selection": "held-out", "pretraining": "none"}


def _node(name, *, seed=0, score=70.0, core="atinuke", state="finished", **summary):
    """A run as the W&B server answers it: config and summary as JSON texts."""
    config = {"task": "snli", "core": {"name": core, "hidden_size": 64}, "seed": seed, "identity": name}
    shown = {
        "score": score, "split": "test", "metric": "accuracy", "higher_is_better": True, "protocol": _PROTOCOL,
        "core_label": f"{core}-nano", "seconds": 3.0, "test/accuracy": score, "cost/parameters": 1000,
        "cost/training_flops": 1e9, **summary,
    }  # fmt: skip
    return {
        "id": name, "name": name, "displayName": name, "state": state, "tags": [], "sweepName": None, "group": None,
        "jobType": None, "commit": None, "readOnly": False, "createdAt": "2026-01-01T00:00:00", "notes": "",
        "heartbeatAt": "2026-01-01T00:00:00", "description": "", "systemMetrics": "{}", "historyKeys": {},
        "config": json.dumps({key: {"value": value} for key, value in config.items()}),
        "summaryMetrics": json.dumps({key: value for key, value in shown.items() if value is not None}),
        "historyLineCount": 2, "user": {"name": "ada", "username": "ada"}, "projectId": "1", "internalId": "1",
    }  # fmt: skip


class _StandIn(BaseHTTPRequestHandler):
    """Answers the queries that reading a project makes, two runs a page."""

    nodes: tuple = ()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        data = self._answer(json.loads(body)) if self.path == "/graphql" else {}
        text = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _answer(self, request):
        query, variables = request["query"], request.get("variables") or {}
        if "viewer" in query:
            return {"viewer": _ACCOUNT}
        if "history(" in query:
            lines = [{"epoch": n, "loss": 1.0 - n / 10, "selection_score": 50.0 + n} for n in (1, 0)]
            return {"project": {"run": {"history": [json.dumps(line) for line in lines]}}}
        if "runs(" in query and variables["project"] == "encoders":
            start = int(variables.get("cursor") or 0)
            page = self.nodes[start : start + 2]
            runs = {
                "totalCount": len(self.nodes),
                "edges": [{"node": node, "cursor": str(start + n)} for n, node in enumerate(page, start=1)],
                "pageInfo": {"endCursor": str(start + 2), "hasNextPage": start + 2 < len(self.nodes)},
            }
            project = {"internalId": "1", "id": "1", "readOnly": False, "runCount": len(self.nodes), "runs": runs}
            return {"project": project}
        return {"project": None}

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module", name="stand_in")
def _stand_in():
    _StandIn.nodes = (
        _node("a0", score=70.0),
        _node("a1", seed=1, score=72.0),
        _node("b0", core="bilstm", score=60.0),
        _node("b1", core="bilstm", seed=1, score=61.0),
        _node("other", protocol=None),
        _node("running", state="running"),
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), _StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _commands(folder, *commands, **environment):
    """Commands in a process of their own, since W&B keeps settings and threads in the one that imports it.

    Each one's status, output and error, and whether torch was loaded for any.
    """
    home = {
        name: str(folder) for name in ("HOME", "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR")
    }
    done = subprocess.run(
        [sys.executable, "-c", _SEVERAL, json.dumps([[str(part) for part in command] for command in commands])],
        env={
            "PATH": "",
            "OMP_NUM_THREADS": "1",
            "WANDB_ERROR_REPORTING": "false",
            "MPLCONFIGDIR": get_configdir(),
            **home,
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return [SimpleNamespace(status=status, out=out, err=err) for status, out, err in found["done"]], found["has_torch"]


@pytest.fixture(scope="module", name="read")
def _read(stand_in, tmp_path_factory):
    """A report of a project, another of one that is not there, the folder, and whether torch was loaded."""
    folder = tmp_path_factory.mktemp("projects")
    (of_one, of_none), has_torch = _commands(
        folder,
        ("report", "--from", "wandb:ada/encoders", "--out", folder / "out", "--json"),
        ("report", "--from", "wandb:ada/absent", "--out", folder / "out"),
        WANDB_BASE_URL=stand_in,
        WANDB_API_KEY="0" * 40,
    )
    return SimpleNamespace(of_one=of_one, of_none=of_none, folder=folder, has_torch=has_torch)


def test_a_report_of_a_project_holds_what_the_tracker_knows(read):
    assert read.of_one.status == 0, read.of_one.err
    assert not read.has_torch
    report = json.loads(read.of_one.out)
    assert report["num_runs"] == 4
    cells = {row["core"]: row for row in report["tables"]["headline-1"] if row["task"] == "snli"}
    assert (cells["atinuke-nano"]["mean"], cells["atinuke-nano"]["seeds"]) == (71.0, 2)
    assert cells["bilstm-nano"]["mean"] == 60.5
    assert report["tables"]["cost"][0]["cost.parameters"] == 1000
    # Without predictions nothing is tested, so that nobody is called better.
    assert {row["verdict"] for row in report["tables"]["comparisons"]} == {"not tested"}
    gaps = {gap["where"]: gap["reason"] for gap in report["gaps"]}
    assert "lacks protocol" in gaps["wandb:ada/encoders/other"]
    assert "W&B state: running" in gaps["wandb:ada/encoders/running"]
    assert "no predictions" in gaps["wandb:ada/encoders"]
    assert (read.folder / "out" / "figures" / "curves-snli.svg").exists()


def test_a_project_that_cannot_be_read_is_one_line(read):
    assert read.of_none.status == 2
    assert "wandb:ada/absent" in read.of_none.err
    assert "Traceback" not in read.of_none.err


def test_an_interval_is_no_split():
    summary = json.loads(_node("a0", **{"interval/low": 60.0, "interval/high": 80.0})["summaryMetrics"])
    config = {"task": "snli", "core": {"name": "atinuke"}, "seed": 0}
    assert set(_result(config, summary, "a0")["scores"]) == {"test"}


def test_an_epochs_score_is_that_of_selection():
    node = _node("a0")
    lines = [{"epoch": 1, "selection_score": 51.0}, {"epoch": 0, "score": 50.0}, {"predictions": {}}]
    run = SimpleNamespace(
        id="a0",
        state="finished",
        config={name: item["value"] for name, item in json.loads(node["config"]).items()},
        summary=json.loads(node["summaryMetrics"]),
        history=lambda **_: lines,
    )
    collector = Collector()
    _collect(run, "ada/encoders", collector)
    frame = collector.frame()
    assert not frame.gaps
    assert [record["score"] for record in frame.history(0)] == [50.0, 51.0]


@pytest.mark.parametrize("source", ["wandb:ada", "ada/encoders", "wandb:a/b/c", "wandb:/x"])
def test_a_source_of_another_form_is_refused(source):
    with pytest.raises(UnknownNameError, match="wandb:ENTITY/PROJECT"):
        project_of(source)


@pytest.mark.slow
def test_a_report_is_recorded_offline_with_its_tables_and_files(tmp_path, write_run):
    write_run(tmp_path / "runs")
    write_run(tmp_path / "runs", "bilstm")
    # A host that answers nothing: recording must not ask it.
    (done,), has_torch = _commands(
        tmp_path,
        ("report", tmp_path / "runs", "--out", tmp_path / "out", "--wandb", "offline"),
        WANDB_BASE_URL="http://ada:swordfish@127.0.0.1:9",
        WANDB_API_KEY="0" * 40,
    )
    assert done.status == 0, done.err
    assert not has_torch
    (record,) = (tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb")
    content = record.read_bytes()
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or b"swordfish" not in path.read_bytes(), path
    for name in (b"report/headline-1", b"report/cost", b"report/published", b"report.html", b"tables/cost.csv"):
        assert name in content, name
