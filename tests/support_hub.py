"""A small Hugging Face Hub on this machine: enough of its API for huggingface_hub and datasets.

Models and data sets are folders; each folder published under an id is one commit. Start one with
`with Hub() as hub:`, publish, and point clients at it with `hub.environment(cache)`.
"""

import hashlib
import json
import os
import re
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

RepoType = Literal["model", "dataset"]
#: Files that the Hub keeps as large files: served from another place, by redirection.
LARGE = (".safetensors", ".parquet", ".bin", ".pt", ".gz")
API = re.compile(
    r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?"
)
RESOLVE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Repo:
    """One repository: files by commit, commits by branch, and who may read it."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    gated: bool = False

    def find(self, revision: str) -> str | None:
        """Return the commit that a branch or a commit names."""
        return revision if revision in self.commits else self.branches.get(revision)


class Hub:
    """The server. `requests` lists what was asked: (method, path, Range header)."""

    def __init__(self) -> None:
        self.repos: dict[tuple[RepoType, str], Repo] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.blobs: dict[str, bytes] = {}
        #: Tokens that are known, and those of them that were let into gated repositories.
        self.tokens: set[str] = set()
        self.admitted: set[str] = set()
        #: Break the connection of the next so many downloads of large files (or of the one of this
        #: name) after half of the bytes.
        self.breaks, self.break_only = 0, ""
        #: Requests that carried a token to where large files lie.
        self.leaked: list[str] = []
        self.names: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def elsewhere(self) -> str:
        """Return where large files lie: another host to a client, which must not get its token."""
        return f"http://localhost:{self._server.server_port}"

    def environment(self, cache: Path, token: str | None = None) -> dict[str, str]:
        """Return the environment of a process that shall know no other Hub and no other cache."""
        ours = {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(cache),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1,localhost",
        } | ({"HF_TOKEN": token} if token else {})
        ignored = (
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "TRANSFORMERS_OFFLINE",
            "HF_DATASETS_OFFLINE",
        )
        return {k: v for k, v in os.environ.items() if k not in ignored} | ours

    def here(
        self, monkeypatch, cache: Path, token: str | None = None, offline: bool = False
    ) -> None:
        """Make this process know no other Hub, as `environment` does for a new one."""
        from huggingface_hub import constants

        path = "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {
            "ENDPOINT": self.endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": self.endpoint + path,
            "HF_HUB_CACHE": str(cache),
            "HF_HUB_OFFLINE": offline,
            "HF_TOKEN_PATH": str(cache / "token"),
        }.items():
            monkeypatch.setattr(constants, name, value)
        if token is None:
            monkeypatch.delenv("HF_TOKEN", raising=False)
        else:
            monkeypatch.setenv("HF_TOKEN", token)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")

    def publish(
        self,
        repo_id: str,
        folder: Path,
        repo_type: RepoType = "model",
        gated: bool = False,
        branch: str = "main",
    ) -> str:
        """Publish a folder as the newest commit of a branch; earlier commits stay.

        Returns:
            The commit.
        """
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        repo = self.repos.setdefault((repo_type, repo_id), Repo())
        digest = hashlib.sha1(f"{repo_id} {len(repo.commits)}".encode())
        for name, content in files.items():
            digest.update(name.encode() + content)
            large = hashlib.sha256(content).hexdigest()
            self.blobs[large], self.names[large] = content, name
        commit = digest.hexdigest()
        repo.commits[commit], repo.branches[branch], repo.gated = files, commit, gated
        return commit


def blob_id(content: bytes) -> str:
    """Return git's name of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def entry(path: str, content: bytes) -> dict:
    """Describe a file as the tree endpoints do."""
    facts = {"type": "file", "path": path, "size": len(content), "oid": blob_id(content)}
    if path.endswith(LARGE):
        oid = hashlib.sha256(content).hexdigest()
        facts["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 130}
    return facts


def sibling(path: str, content: bytes, detailed: bool) -> dict:
    """Describe a file as the information on a whole repository does."""
    return {"rfilename": path} | (
        {"size": len(content), "blobId": blob_id(content)} if detailed else {}
    )


def tree(files: dict[str, bytes], folder: str, recursive: bool) -> list[dict] | None:
    """List a folder; None where there is none."""
    inside = [name for name in files if not folder or name.startswith(folder + "/")]
    if not inside:
        return None
    start = len(folder) + 1 if folder else 0
    rows: dict[str, dict] = {}
    for name in inside:
        parents = [
            str(p) for p in PurePosixPath(name).parents if len(str(p)) > start and str(p) != "."
        ]
        for parent in reversed(parents):
            rows[parent] = {"type": "directory", "path": parent, "size": 0, "oid": blob_id(b"")}
        rows[name] = entry(name, files[name])
    return [row for row in rows.values() if recursive or "/" not in row["path"][start:]]


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Keep stderr to the code under test."""

        def do_HEAD(self) -> None:
            self._serve()

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            url = urlsplit(self.path)
            path, query = url.path, parse_qs(url.query)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.requests.append((self.command, path, self.headers.get("Range", "")))
            if path.startswith("/blobs/"):
                name = path.removeprefix("/blobs/")
                if self._token():
                    hub.leaked.append(hub.names[name])
                breakable = hub.break_only in ("", hub.names[name])
                self._bytes(hub.blobs[name], breakable=breakable)
            elif path.startswith("/html/"):
                self._send(200, b"<html>no hub</html>", {"Content-Type": "text/html"})
            elif found := API.fullmatch(path):
                kind, repo_id, verb, revision, rest = found.groups()
                form = parse_qs(body.decode()) if verb == "paths-info" else query
                repo_type: RepoType = "model" if kind == "models" else "dataset"
                self._api(repo_type, repo_id, verb, unquote(revision or "main"), rest or "", form)
            elif found := RESOLVE.fullmatch(path):
                dataset, repo_id, revision, name = found.groups()
                self._resolve(
                    "dataset" if dataset else "model", repo_id, unquote(revision), unquote(name)
                )
            else:
                self._refuse(404, "NotFound", f"no such page: {path}")

        def _token(self) -> str:
            return self.headers.get("Authorization", "").removeprefix("Bearer ")

        def _find(
            self, repo_type: RepoType, repo_id: str, revision: str
        ) -> tuple[Repo, str] | None:
            repo = hub.repos.get((repo_type, repo_id))
            if repo is None:
                known = self._token() in hub.tokens
                what = "Repository not found" if known else "Invalid username or password."
                self._refuse(404 if known else 401, "RepoNotFound", what)
                return None
            commit = repo.find(revision)
            if commit is None:
                self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
                return None
            return repo, commit

        def _api(
            self, repo_type: RepoType, repo_id: str, verb: str, revision: str, rest: str, form: dict
        ) -> None:
            found = self._find(repo_type, repo_id, revision)
            if found is None:
                return
            repo, commit = found
            files = repo.commits[commit]
            if verb == "tree":
                recursive = form.get("recursive", [""])[0].lower() in ("true", "1")
                rows = tree(files, unquote(rest), recursive)
                if rows is None:
                    self._refuse(404, "EntryNotFound", f"{rest} does not exist on {revision}")
                else:
                    self._json(rows)
            elif verb == "paths-info":
                rows = []
                for path in form.get("paths", []):
                    if path in files:
                        rows.append(entry(path, files[path]))
                    elif tree(files, path, recursive=False):
                        rows.append(
                            {"type": "directory", "path": path, "size": 0, "oid": blob_id(b"")}
                        )
                self._json(rows)
            else:
                self._json(
                    {
                        "id": repo_id,
                        "sha": commit,
                        "private": False,
                        "gated": "manual" if repo.gated else False,
                        "disabled": False,
                        "tags": [],
                        "downloads": 0,
                        "likes": 0,
                        "siblings": [sibling(n, c, "blobs" in form) for n, c in files.items()],
                    }
                )

        def _resolve(self, repo_type: RepoType, repo_id: str, revision: str, name: str) -> None:
            found = self._find(repo_type, repo_id, revision)
            if found is None:
                return
            repo, commit = found
            headers = {"X-Repo-Commit": commit}
            if repo.gated and self._token() not in hub.admitted:
                known = self._token() in hub.tokens
                self._refuse(
                    403 if known else 401, "GatedRepo", f"Access to {repo_id} is restricted"
                )
            elif name not in repo.commits[commit]:
                self._refuse(404, "EntryNotFound", "Entry not found", headers)
            elif name.endswith(LARGE):
                content = repo.commits[commit][name]
                oid = hashlib.sha256(content).hexdigest()
                headers |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(content))}
                headers |= {"Location": f"{hub.elsewhere}/blobs/{oid}"}
                self._send(302, b"", headers)
            else:
                content = repo.commits[commit][name]
                self._bytes(content, headers | {"ETag": f'"{blob_id(content)}"'})

        def _bytes(
            self, content: bytes, headers: dict[str, str] | None = None, breakable: bool = False
        ) -> None:
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            status, headers = 200, {"Accept-Ranges": "bytes"} | (headers or {})
            if wanted:
                start = int(wanted[1])
                end = min(int(wanted[2] or len(content) - 1), len(content) - 1)
                headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
                status, content = 206, content[start : end + 1]
            if breakable and self.command == "GET" and hub.breaks > 0:
                hub.breaks -= 1
                self._head(status, len(content), headers)
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
            else:
                self._send(status, content, headers)

        def _json(self, value: object) -> None:
            self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _refuse(
            self, status: int, code: str, message: str, headers: dict[str, str] | None = None
        ) -> None:
            named = {"X-Error-Code": code, "X-Error-Message": message}
            body = json.dumps({"error": message}).encode()
            self._send(status, body, {"Content-Type": "application/json"} | named | (headers or {}))

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self._head(status, len(content), headers)
            if self.command != "HEAD":
                self.wfile.write(content)

        def _head(self, status: int, n_bytes: int, headers: dict[str, str]) -> None:
            self.send_response(HTTPStatus(status))
            for name, value in ({"Content-Length": str(n_bytes)} | headers).items():
                self.send_header(name, value)
            self.end_headers()

    return Handler
