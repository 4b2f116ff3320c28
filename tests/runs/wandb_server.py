"""A stand-in for the W&B server on this machine, which keeps what a run sends as the real one does: by line number."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_VIEWER = {"id": "u", "entity": "ada", "username": "ada", "email": "", "flags": "{}", "teams": {"edges": []}}
_ARTIFACT = {"id": "a", "state": "COMMITTED", "artifactSequence": {"latestArtifact": {"id": "a"}}}


@dataclass
class OnlineRun:
    """A run as the server holds it."""

    config: dict[str, Any] = field(default_factory=dict)
    group: str | None = None
    #: Lines of `wandb-history.jsonl` and `wandb-summary.json`, by their numbers.
    files: dict[str, dict[int, str]] = field(default_factory=dict)
    state: str = "running"
    is_preempting: bool = False
    num_uploads: int = 0

    @property
    def history(self) -> list[dict[str, Any]]:
        """The lines in their order, without W&B's own fields."""
        lines = self.files.get("wandb-history.jsonl", {})
        rows = [json.loads(line) for _, line in sorted(lines.items())]
        return [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows]

    @property
    def epochs(self) -> list[int]:
        return [row["epoch"] for row in self.history if "epoch" in row]

    @property
    def summary(self) -> dict[str, Any]:
        lines = self.files["wandb-summary.json"]
        return json.loads(lines[max(lines)])

    def take(self, request: dict[str, Any]) -> None:
        for name, chunk in (request.get("files") or {}).items():
            kept = self.files.setdefault(name, {})
            kept.update(enumerate(chunk["content"], start=chunk["offset"]))
        self.is_preempting |= bool(request.get("preempting"))
        if request.get("complete"):
            failed = "preempted" if self.is_preempting else "failed"
            self.state = failed if request["exitcode"] else "finished"


class WandbServer:
    """The runs that were sent, by their ids.

    Of an id that is `refused` no run is begun; of a `full` one no line is stored.
    """

    def __init__(self) -> None:
        self.runs: dict[str, OnlineRun] = {}
        self.refused: set[str] = set()
        self.full: set[str] = set()
        #: All that was received.
        self.received = b""

    def query(self, query: str, variables: dict[str, Any], host: str) -> tuple[int, dict[str, Any]]:
        if "upsertBucket" in query:
            return self._upsert(variables)
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"http://{host}/files/{name}"} for name in variables["files"]]
            return 200, {"data": {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": files}}}
        if "createArtifact" in query:
            return 200, {"data": {"createArtifact": {"artifact": _ARTIFACT}}}
        return 200, {"data": {"viewer": _VIEWER} if "viewer" in query else {}}

    def _upsert(self, variables: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = variables["name"]
        if name in self.refused:
            return 409, {"errors": [{"message": f"run {name} was deleted and cannot be written"}]}
        run = self.runs.setdefault(name, OnlineRun())
        if variables.get("host") is not None:  # what W&B's client sends first
            run.num_uploads += 1
            run.state, run.is_preempting, run.group = "running", False, variables["groupName"]
        if variables.get("config") is not None:
            run.config = {key: item["value"] for key, item in json.loads(variables["config"]).items()}
        project = {"id": "1", "name": variables["project"], "entity": {"id": "1", "name": "ada"}}
        bucket = {
            "id": "1", "name": name, "displayName": name, "description": "", "config": "{}", "sweepName": None,
            "historyLineCount": len(run.files.get("wandb-history.jsonl", ())), "project": project,
        }  # fmt: skip
        return 200, {"data": {"upsertBucket": {"bucket": bucket, "inserted": run.num_uploads == 1}}}


@contextmanager
def serve() -> Iterator[tuple[WandbServer, str]]:
    """The stand-in and its address."""
    kept = WandbServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self._body()
            if self.path == "/graphql":
                request = json.loads(body)
                answer = kept.query(request["query"], request.get("variables") or {}, self.headers["host"])
                self._send(*answer)
            elif self.path.endswith("/file_stream"):
                name = self.path.split("/")[-2]
                if name in kept.full:
                    self._send(403, {"error": "no room"})
                    return
                kept.runs[name].take(json.loads(body))
                self._send(200, {"exitcode": None, "limits": {}})
            else:
                self._send(200, {})

        def do_PUT(self) -> None:
            self._body()
            self._send(200, {})

        def _body(self) -> bytes:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            kept.received += body
            return body

        def _send(self, status: int, record: dict[str, Any]) -> None:
            text = json.dumps(record).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield kept, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
