"""A small Hub on loopback with one repository, for the part of the protocol that hf_hub_download uses."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from asccl.hub import WeightsFile

REPO = "someone/weights"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", COMMIT)
DATA = bytes(range(256)) * 1000
SMALL_FILE = WeightsFile(
    name="small",
    file="small.bin",
    sha256=hashlib.sha256(DATA).hexdigest(),
    licence="CC0-1.0",
    size=len(DATA),
    recipe="python -m training.small",
)


@dataclass
class HubServer:
    """A running Hub. requests: "METHOD path" of each request, followed by its range if it has one."""

    files: Mapping[str, bytes]
    claimed_sha256: str | None
    missing_bytes: int
    missing_times: int
    url: str = ""
    requests: list[str] = field(default_factory=list)


@contextmanager
def serve_hub(
    files: Mapping[str, bytes], claimed_sha256: str | None = None, missing_bytes: int = 0, missing_times: int = 10**6
) -> Iterator[HubServer]:
    """Serve these files until the end of the block.

    Args:
        files: name -> content.
        claimed_sha256: the checksum that the server states for every file; None states the right one.
        missing_bytes: bytes at the end of a file that the server announces and does not send.
        missing_times: number of answers that are cut short in this way.
    """
    hub = HubServer(files, claimed_sha256, missing_bytes, missing_times)
    handler = type("Handler", (HubHandler,), {"hub": hub})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield hub
        server.shutdown()
        thread.join()


class HubHandler(http.server.BaseHTTPRequestHandler):
    """Answers requests; `hub_account` has a handler that also accepts uploads."""

    protocol_version = "HTTP/1.1"
    hub: HubServer

    def do_HEAD(self) -> None:
        if match := re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", self.path):
            byte_range = self.headers.get("Range")
            self.hub.requests.append(f"{self.command} {self.path}" + (f" {byte_range}" if byte_range else ""))
            self._resolve(*match.groups())
        elif match := re.fullmatch(rf"/api/models/{REPO}(/revision/.+)?", self.path):
            siblings = [{"rfilename": name} for name in self.hub.files]
            self._send(json.dumps({"id": REPO, "sha": COMMIT, "siblings": siblings}).encode())
        else:
            self._fail("RepoNotFound")

    def do_GET(self) -> None:
        self.do_HEAD()

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        if repo != REPO:
            self._fail("RepoNotFound")
        elif revision not in REVISIONS:
            self._fail("RevisionNotFound")
        elif name not in self.hub.files:
            self._fail("EntryNotFound")
        else:
            data = self.hub.files[name]
            digest = self.hub.claimed_sha256 or hashlib.sha256(data).hexdigest()
            self._send(data, {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"})

    def _send(self, data: bytes, headers: Mapping[str, str] | None = None, status: int = 200) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(match[1]) if match else 0
        last = int(match[2]) if match and match[2] else len(data) - 1
        part = data[first : last + 1]
        self.send_response(206 if match else status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if match:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if self.command != "HEAD":
            cut = 0
            if self.hub.missing_bytes and self.hub.missing_times > 0:
                cut, self.hub.missing_times = self.hub.missing_bytes, self.hub.missing_times - 1
            self.wfile.write(part[: max(0, len(part) - cut)])
            self.close_connection = cut > 0

    def _fail(self, code: str, status: int = 404) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""
