"""A Hub on loopback with accounts: repositories are created, filled, tagged and made public, with faults on request."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubHandler

OWNER = "someone"
TOKENS = {"hf_write": "write", "hf_read": "read"}
LARGE_SUFFIXES = (".safetensors", ".mp4", ".png", ".jpg")
PREFIXES = {"": "models", "datasets/": "datasets", "spaces/": "spaces"}


@dataclass
class Repository:
    """A repository. commits: the oldest first, each with its files."""

    private: bool
    sdk: str | None = None
    hardware: str | None = None
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[self.head]

    def commit(self, files: Mapping[str, bytes]) -> str:
        oid = hashlib.sha1(f"{len(self.commits)} {sorted(files)}".encode()).hexdigest()
        self.commits[oid] = dict(files)
        return oid


@dataclass
class HubAccount:
    """A running Hub.

    Attributes:
        url: of the server.
        repositories: "models/owner/name" -> repository.
        interrupted_uploads: number of uploads of large files whose connection is closed half-way.
        changed_file: name of a file that is returned with one changed byte.
        objects: uploaded large files by sha256.
        stages: what a Space reports, one after the other; the last one stays.
        requests: "METHOD path" of each request.
    """

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    interrupted_uploads: int = 0
    changed_file: str = ""
    stages: list[str] = field(default_factory=lambda: ["BUILDING", "RUNNING"])
    requests: list[str] = field(default_factory=list)
    missing_bytes: int = 0  # of downloads, see `hub_server.serve_hub`
    missing_times: int = 0

    def add(self, name: str, files: Mapping[str, bytes], private: bool = False) -> Repository:
        """Add a repository "models/owner/name" with one commit."""
        self.repositories[name] = Repository(private)
        self.repositories[name].commit(files)
        return self.repositories[name]


@contextmanager
def serve_account() -> Iterator[HubAccount]:
    """Serve an empty Hub until the end of the block."""
    hub = HubAccount()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield hub
        server.shutdown()
        thread.join()


def use_account(monkeypatch: pytest.MonkeyPatch, hub: HubAccount, cache: Path, token: str = "hf_write") -> None:
    """Let `huggingface_hub` in this process use this Hub, an empty cache and a token, without waiting between tries."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(_http.time, "sleep", lambda _seconds: None)
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setenv("NO_PROXY", "*")


class _Handler(HubHandler, http.server.BaseHTTPRequestHandler):
    hub: Any

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_PUT(self) -> None:
        self._route()

    def _route(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append(f"{self.command} {path}")
        self.body = self._read_body() if self.command in ("POST", "PUT") else b""
        for pattern, method, answer in ROUTES:
            if self.command in method and (match := re.fullmatch(pattern, path)):
                answer(self, *match.groups())
                return
        self._refuse(404, "EntryNotFound")

    # Accounts and repositories

    def _role(self) -> str | None:
        return TOKENS.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def _whoami(self) -> None:
        role = self._role()
        if role is None:
            self._refuse(401)
        else:
            self._json({"name": OWNER, "type": "user", "orgs": [], "auth": {"accessToken": {"role": role}}})

    def _create(self) -> None:
        body = json.loads(self.body)
        owner = body.get("organization") or OWNER
        kind, repo = f"{body.get('type', 'model')}s", f"{owner}/{body['name']}"
        url = f"{self.hub.url}/{'' if kind == 'models' else f'{kind}/'}{repo}"
        if owner != OWNER or self._role() != "write":
            self._refuse(403)
        elif f"{kind}/{repo}" in self.hub.repositories:
            self._json({"error": "You already created this repo", "url": url}, 409)
        else:
            private = body.get("visibility") == "private" or bool(body.get("private"))
            repository = self.hub.add(f"{kind}/{repo}", {".gitattributes": b""}, private)
            repository.sdk, repository.hardware = body.get("sdk"), body.get("hardware")
            self._json({"url": url})

    def _repository(self, kind: str, repo: str) -> Repository | None:
        """The repository if the token may see it; otherwise the request is refused as the Hub does."""
        repository = self.hub.repositories.get(f"{kind}/{repo}")
        if repository is None or (repository.private and self._role() is None):
            self._refuse(404 if self._role() else 401, "RepoNotFound")
            return None
        return repository

    def _info(self, kind: str, repo: str, _revision: str | None = None) -> None:
        if repository := self._repository(kind, repo):
            self._json({"id": repo, "sha": repository.head, "private": repository.private})

    def _tree(self, kind: str, repo: str, revision: str) -> None:
        if repository := self._repository(kind, repo):
            files = repository.files if revision == "main" else repository.commits[revision]
            rows = [{"type": "file", "path": name, "size": len(data), "oid": name} for name, data in files.items()]
            self._json(rows)

    def _settings(self, kind: str, repo: str) -> None:
        if repository := self._repository(kind, repo):
            body = json.loads(self.body)
            repository.private = body.get("visibility") == "private" or bool(body.get("private"))
            self._json({})

    # Uploads

    def _preupload(self, kind: str, repo: str, _revision: str) -> None:
        if self._repository(kind, repo):
            names = [file["path"] for file in json.loads(self.body)["files"]]
            modes = ["lfs" if name.endswith(LARGE_SUFFIXES) else "regular" for name in names]
            files = [
                {"path": name, "uploadMode": mode, "shouldIgnore": False}
                for name, mode in zip(names, modes, strict=True)
            ]
            self._json({"files": files})

    def _batch(self, _prefix: str, _repo: str) -> None:
        objects = json.loads(self.body)["objects"]
        for entry in objects:
            if entry["oid"] not in self.hub.objects:
                entry["actions"] = {"upload": {"href": f"{self.hub.url}/objects/{entry['oid']}"}}
        self._json({"transfer": "basic", "objects": objects})

    def _store(self, digest: str) -> None:
        data = self.body
        if self.hub.interrupted_uploads > 0:
            self.hub.interrupted_uploads -= 1
            self.close_connection = True
            self.connection.close()
        elif hashlib.sha256(data).hexdigest() != digest:
            self._refuse(400)
        else:
            self.hub.objects[digest] = data
            self._json({})

    def _commit(self, kind: str, repo: str, _revision: str) -> None:
        repository = self._repository(kind, repo)
        if repository is None:
            return
        entries = [json.loads(line) for line in self.body.splitlines()]
        files = dict(repository.files)
        for entry in entries:
            value = entry["value"]
            if entry["key"] == "header" and value.get("parentCommit", repository.head) != repository.head:
                self._refuse(412)
                return
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
        oid = repository.commit(files)
        self._json({"commitOid": oid, "commitUrl": f"{self.hub.url}/{repo}/commit/{oid}", "pullRequestUrl": None})

    def _tag(self, kind: str, repo: str, revision: str) -> None:
        if repository := self._repository(kind, repo):
            tag = json.loads(self.body)["tag"]
            if tag in repository.tags:
                self._refuse(409)
            else:
                repository.tags[tag] = revision
                self._json({})

    def _refs(self, kind: str, repo: str) -> None:
        if repository := self._repository(kind, repo):
            tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": c} for t, c in repository.tags.items()]
            self._json({"branches": [], "converts": [], "tags": tags})

    # Spaces

    def _variable(self, repo: str, what: str) -> None:
        if repository := self._repository("spaces", repo):
            body = json.loads(self.body)
            getattr(repository, what)[body["key"]] = body["value"]
            self._json({})

    def _runtime(self, repo: str) -> None:
        if self._repository("spaces", repo):
            stage = self.hub.stages.pop(0) if len(self.hub.stages) > 1 else self.hub.stages[0]
            self._json({"stage": stage, "hardware": {"current": None, "requested": None}, "storage": None})

    # Downloads

    def _resolve_file(self, prefix: str | None, repo: str, revision: str, name: str) -> None:
        repository = self._repository(PREFIXES[prefix or ""], repo)
        if repository is None:
            return
        commit = repository.head if revision == "main" else repository.tags.get(revision, revision)
        files = repository.commits.get(commit)
        if files is None:
            self._refuse(404, "RevisionNotFound")
        elif name not in files:
            self._refuse(404, "EntryNotFound")
        else:
            data = files[name]
            digest = hashlib.sha256(data).hexdigest()
            if name == self.hub.changed_file:
                data = bytes([data[0] ^ 1]) + data[1:]
            self._send(data, {"ETag": f'"{digest}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"})

    def _valid(self) -> None:
        self._json({"errors": [], "warnings": []})

    # HTTP

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _json(self, content: object, status: int = 200) -> None:
        self._send(json.dumps(content).encode(), {"Content-Type": "application/json"}, status)

    def _refuse(self, status: int, code: str = "") -> None:
        self._fail(code, status)


REPO = r"([\w.-]+/[\w.-]+)"
KIND = r"/api/(models|datasets|spaces)/"
ROUTES: list[tuple[str, str, Callable[..., None]]] = [
    (r"/api/whoami-v2", "GET", _Handler._whoami),
    (r"/api/repos/create", "POST", _Handler._create),
    (r"/api/validate-yaml", "POST", _Handler._valid),
    (rf"/(datasets/|spaces/)?{REPO}\.git/info/lfs/objects/batch", "POST", _Handler._batch),
    (r"/objects/(\w+)", "PUT", _Handler._store),
    (rf"/api/spaces/{REPO}/(variables|secrets)", "POST", _Handler._variable),
    (rf"/api/spaces/{REPO}/runtime", "GET", _Handler._runtime),
    (rf"{KIND}{REPO}(/revision/[^/]+)?", "GET", _Handler._info),
    (rf"{KIND}{REPO}/tree/([^/]+)", "GET", _Handler._tree),
    (rf"{KIND}{REPO}/settings", "PUT", _Handler._settings),
    (rf"{KIND}{REPO}/preupload/([^/]+)", "POST", _Handler._preupload),
    (rf"{KIND}{REPO}/commit/([^/]+)", "POST", _Handler._commit),
    (rf"{KIND}{REPO}/tag/([^/]+)", "POST", _Handler._tag),
    (rf"{KIND}{REPO}/refs", "GET", _Handler._refs),
    (rf"/(datasets/|spaces/)?{REPO}/resolve/([^/]+)/(.+)", "GET HEAD", _Handler._resolve_file),
]
