"""A loopback server that speaks as much of the Hugging Face Hub's API as reading a data set or a model needs.

Start it, publish repositories as dicts of file contents, and point `HF_ENDPOINT` of a subprocess at its `endpoint`
(huggingface_hub reads that variable once, at import).
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Files = dict[str, bytes]

_API = re.compile(r"/api/(?:datasets|models)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?$")
_RESOLVE = re.compile(r"(?:/datasets)?/([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


@dataclass
class Repository:
    """Commits in order, newest last, and tags."""

    commits: dict[str, Files] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def resolve(self, revision: str) -> str | None:
        newest = list(self.commits)[-1]
        commit = newest if revision == "main" else self.tags.get(revision, revision)
        return commit if commit in self.commits else None


class HubServer:
    """Serves published repositories at `endpoint` until closed; use it as a context manager."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[str] = []
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def publish(self, name: str, files: Files, *, tag: str | None = None) -> str:
        """Add a commit that holds exactly `files`; its hash."""
        repository = self.repositories.setdefault(name, Repository())
        digest = hashlib.sha1(f"{name}{len(repository.commits)}".encode(), usedforsecurity=False)
        for path, content in sorted(files.items()):
            digest.update(path.encode() + content)
        commit = digest.hexdigest()
        repository.commits[commit] = dict(files)
        if tag is not None:
            repository.tags[tag] = commit
        return commit

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _is_lfs(path: str) -> bool:
    return path.endswith((".parquet", ".safetensors"))


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _etag(path: str, content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if _is_lfs(path) else _blob_id(content)


def _lfs(path: str, content: bytes, key: str) -> dict[str, Any]:
    if not _is_lfs(path):
        return {}
    return {"lfs": {key: hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}}


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        if match := _RESOLVE.match(path):
            self._file(*match.groups())
        elif match := _API.match(path):
            self._api(*match.groups(), body=body)
        else:
            self._error("EntryNotFound")

    def _commit(self, name: str, revision: str) -> str | None:
        """The commit, or None after an error has been sent."""
        if name not in self.hub.repositories:
            self._error("RepoNotFound")
            return None
        commit = self.hub.repositories[name].resolve(revision)
        if commit is None:
            self._error("RevisionNotFound")
        return commit

    def _file(self, name: str, revision: str, path: str) -> None:
        commit = self._commit(name, revision)
        if commit is None:
            return
        content = self.hub.repositories[name].commits[commit].get(path)
        if content is None:
            self._error("EntryNotFound", {"X-Repo-Commit": commit})
            return
        headers = {"ETag": f'"{_etag(path, content)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        status = 200
        if match := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(match[1]), int(match[2] or len(content) - 1)
            headers["Content-Range"] = f"bytes {start}-{min(end, len(content) - 1)}/{len(content)}"
            content, status = content[start : end + 1], 206
        self._send(status, content, headers)

    def _api(self, name: str, kind: str | None, revision: str | None, folder: str | None, *, body: bytes) -> None:
        commit = self._commit(name, revision or "main")
        if commit is None:
            return
        files = self.hub.repositories[name].commits[commit]
        if kind in (None, "revision"):
            siblings = [
                {"rfilename": path, "size": len(content), "blobId": _blob_id(content), **_lfs(path, content, "sha256")}
                for path, content in files.items()
            ]
            self._json({"id": name, "sha": commit, "private": False, "tags": [], "siblings": siblings})
        elif kind == "tree":
            recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() in ("true", "1")
            self._tree(files, folder or "", recursive)
        else:
            wanted = self._wanted_paths(body)
            self._json([entry for path in wanted for entry in _entries(files, path)])

    def _wanted_paths(self, body: bytes) -> list[str]:
        if "json" in self.headers.get("Content-Type", ""):
            paths = json.loads(body)["paths"]
        else:
            paths = parse_qs(body.decode())["paths"]
        return [paths] if isinstance(paths, str) else paths

    def _tree(self, files: Files, folder: str, recursive: bool) -> None:
        prefix = f"{folder.strip('/')}/" if folder else ""
        below = [path for path in files if path.startswith(prefix)]
        if prefix and not below:
            self._error("EntryNotFound")
            return
        parts = [path.removeprefix(prefix).split("/") for path in below]
        depth = max(map(len, parts), default=1) if recursive else 1
        paths = {prefix + "/".join(part[: n + 1]) for part in parts for n in range(min(depth, len(part)))}
        self._json([entry for path in sorted(paths) for entry in _entries(files, path)])

    def _json(self, record: Any) -> None:
        self._send(200, json.dumps(record).encode(), {"Content-Type": "application/json"})

    def _error(self, code: str, headers: dict[str, str] | None = None) -> None:
        self._send(404, b'{"error": "not found"}', {"X-Error-Code": code, **(headers or {})})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _entries(files: Files, path: str) -> list[dict[str, Any]]:
    """What the Hub lists for a path: a file, a folder, or nothing."""
    if path in files:
        content = files[path]
        return [
            {
                "type": "file",
                "path": path,
                "size": len(content),
                "oid": _blob_id(content),
                **_lfs(path, content, "oid"),
            }
        ]
    if any(name.startswith(f"{path}/") for name in files):
        return [{"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(path.encode()).hexdigest()}]
    return []
