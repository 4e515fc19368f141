"""A small Hub on loopback: one repository, someone/weights, as much of the protocol as hf_hub_download speaks."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

REPO = "someone/weights"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", COMMIT)


@dataclass
class Served:
    """A Hub that runs. asked: its log, "VERB path", with the range that was asked for, if any."""

    files: Mapping[str, bytes]
    stated: str | None
    missing: int
    times: int
    url: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(
    files: Mapping[str, bytes], stated: str | None = None, missing: int = 0, times: int = 10**6
) -> Iterator[Served]:
    """Serve these files until the end of the block.

    stated: sha256 that it claims for them all. missing: bytes at the end that it announces and does not send, the first
    `times` times.
    """
    served = Served(files, stated, missing, times)
    handler = type("Handler", (_Handler,), {"served": served})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Served

    def do_HEAD(self) -> None:
        if match := re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", self.path):
            wanted = self.headers.get("Range")
            self.served.asked.append(f"{self.command} {self.path}" + (f" {wanted}" if wanted else ""))
            self._resolve(*match.groups())
        elif match := re.fullmatch(rf"/api/models/{REPO}(/revision/.+)?", self.path):
            siblings = [{"rfilename": name} for name in self.served.files]
            self._send(json.dumps({"id": REPO, "sha": COMMIT, "siblings": siblings}).encode())
        else:
            self._fail("RepoNotFound")

    do_GET = do_HEAD

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        if repo != REPO:
            return self._fail("RepoNotFound")
        if revision not in REVISIONS:
            return self._fail("RevisionNotFound")
        if name not in self.served.files:
            return self._fail("EntryNotFound")
        data = self.served.files[name]
        digest = self.served.stated or hashlib.sha256(data).hexdigest()
        self._send(data, {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"})

    def _send(self, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(match[1]) if match else 0
        last = int(match[2]) if match and match[2] else len(data) - 1
        part = data[first : last + 1]
        self.send_response(206 if match else 200)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if match:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if self.command == "GET":
            cut = 0
            if self.served.missing and self.served.times > 0:
                cut, self.served.times = self.served.missing, self.served.times - 1
            self.wfile.write(part[: max(0, len(part) - cut)])
            self.close_connection = cut > 0

    def _fail(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""
