from __future__ import annotations

import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from asccl import hub
from asccl.errors import WeightsError

ROOT = Path(__file__).parent.parent
DATA = bytes(range(256)) * 1000
TINY = hub.Weight(
    "tiny", "tiny.bin", None, None, hashlib.sha256(DATA).hexdigest(), "CC0-1.0", len(DATA), "python -m training.tiny"
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two empty local folders in the order of search, and `tiny` in the table."""
    own, bundled = tmp_path / "own", tmp_path / "bundled"
    own.mkdir()
    bundled.mkdir()
    monkeypatch.setenv("ASCCL_CHECKPOINTS", str(own))
    monkeypatch.delenv("ASCCL_HUB_REPO", raising=False)
    monkeypatch.setattr(hub, "BUNDLED", bundled)
    monkeypatch.setattr(hub, "WEIGHTS", {"tiny": TINY})
    return own, bundled


@pytest.mark.parametrize("name", sorted(hub.WEIGHTS))
def test_bundled_files_are_those_of_the_table_and_of_the_readme(name):
    weight = hub.WEIGHTS[name]
    path = hub.BUNDLED / weight.file
    assert path.stat().st_size == weight.size
    assert hub.sha256(path) == weight.sha256
    assert weight.sha256 in (hub.BUNDLED / "README.md").read_text()
    assert hub.locate(name) == path


def test_own_folder_comes_before_the_bundled_one(folders):
    own, bundled = folders
    (bundled / "tiny.bin").write_bytes(DATA)
    assert hub.locate("tiny") == bundled / "tiny.bin"
    (own / "tiny.bin").write_bytes(DATA)
    assert hub.locate("tiny") == own / "tiny.bin"


def test_missing_file_names_the_places_and_the_recipe(folders):
    with pytest.raises(
        WeightsError, match=r"tiny\.bin is not in .*own and .*bundled, and it is not published"
    ) as error:
        hub.locate("tiny")
    assert TINY.recipe in error.value.remedy


def test_unknown_name_lists_the_known(folders):
    with pytest.raises(WeightsError, match="choose one of tiny"):
        hub.locate("tinny")


def test_half_a_file_and_another_file_are_refused_although_the_next_folder_has_it(folders):
    own, bundled = folders
    (bundled / "tiny.bin").write_bytes(DATA)
    (own / "tiny.bin").write_bytes(DATA[:1000])
    with pytest.raises(WeightsError, match=r"own/tiny\.bin has 1000 bytes"):
        hub.locate("tiny")
    (own / "tiny.bin").write_bytes(DATA[::-1])
    with pytest.raises(WeightsError, match=r"own/tiny\.bin has sha256"):
        hub.locate("tiny")


def test_sha256_is_read_once_and_again_when_the_file_changes(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    opened = []
    original = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *args: opened.append(self) or original(self, *args))
    assert hub.sha256(path) == hub.sha256(path) == hashlib.sha256(b"one").hexdigest()
    assert len(opened) == 1
    with original(path, "wb") as file:
        file.write(b"two")
    os.utime(path, ns=(1, 1))  # another time, even where the clock is coarse
    assert hub.sha256(path) == hashlib.sha256(b"two").hexdigest()


def test_load_safetensors_is_strict(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(1)}, path)
    assert set(hub.load_safetensors(path, {"a": (2, 3), "b": (1,)})) == {"a", "b"}
    with pytest.raises(WeightsError, match=r"lacks c and has b too much"):
        hub.load_safetensors(path, {"a": (2, 3), "c": (1,)})
    with pytest.raises(WeightsError, match=r"a in .* is \(2, 3\), not \(3, 2\)"):
        hub.load_safetensors(path, {"a": (3, 2), "b": (1,)})
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        hub.load_safetensors(path, {"a": (2, 3), "b": (1,)})


def test_import_needs_neither_torch_nor_the_hub():
    code = "import sys, asccl.hub, asccl.zoo; print(*({'torch', 'huggingface_hub'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


class Stand(http.server.BaseHTTPRequestHandler):
    """Answers as the Hub does for one repository, someone/weights, that holds tiny.bin."""

    protocol_version = "HTTP/1.1"
    data = DATA  # what it sends ...
    announced = len(DATA)  # ... and how much it says that it will
    asked: list[str]

    def do_HEAD(self):
        if "/resolve/" in self.path:  # the client may ask about other things first
            self.asked.append(f"{self.command} {self.path}")
        known = re.fullmatch(r"/someone/weights/resolve/(main|[0-9a-f]{40})/tiny\.bin", self.path)
        self.send_response(200 if known else 404)
        self.send_header("X-Repo-Commit", COMMIT)
        if known:
            self.send_header("ETag", f'"{hashlib.sha256(self.data).hexdigest()}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound" if "/someone/" in self.path else "RepoNotFound")
        self.send_header("Content-Length", str(self.announced if known else 0))
        self.end_headers()
        if known and self.command == "GET":
            self.wfile.write(self.data)
            self.close_connection = True

    do_GET = do_HEAD

    def log_message(self, *_):
        pass


@pytest.fixture
def stand(tmp_path):
    """Starts a Hub on loopback: `start(data=..., announced=...)` -> (`locate` in a fresh process, its request log)."""
    servers = []

    def start(**options):
        handler = type("Stand", (Stand,), {"asked": [], **options})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)

        def locate(weight=TINY, **environment):
            return locate_in_new_process(weight, tmp_path, f"http://127.0.0.1:{server.server_port}", environment)

        return locate, handler.asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def locate_in_new_process(weight: hub.Weight, folder: Path, endpoint: str, environment: dict[str, str]) -> str:
    code = f"""
from pathlib import Path
from asccl import hub
from asccl.errors import WeightsError
from asccl.hub import Weight
hub.BUNDLED, hub.WEIGHTS = Path({str(folder / "none")!r}), {{"tiny": {weight!r}}}
try:
    print(hub.locate("tiny"))
except WeightsError as error:
    print("WeightsError", error)
"""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("HF_", "ASCCL_", "HTTP", "http", "ALL_PROXY"))
    }
    environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache"), "NO_PROXY": "*", **environment}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_hub_download_then_cache_then_offline(stand):
    locate, asked = stand()
    published = replace(TINY, repo="someone/weights", revision=COMMIT)
    path = Path(locate(published))
    assert path.read_bytes() == DATA
    assert asked == [f"{verb} /someone/weights/resolve/{COMMIT}/tiny.bin" for verb in ("HEAD", "GET")]
    assert locate(published) == locate(published, HF_HUB_OFFLINE="1") == str(path)
    assert len(asked) == 2  # a pinned revision in the cache needs no question


def test_hub_repository_from_the_environment(stand):
    locate, asked = stand()
    assert Path(locate(ASCCL_HUB_REPO="someone/weights")).read_bytes() == DATA
    assert "/resolve/main/" in asked[0]
    locate(replace(TINY, repo="else/where", revision=COMMIT), ASCCL_HUB_REPO=f"someone/weights@{COMMIT}")
    assert all("/someone/weights/" in line for line in asked)


def test_hub_offline_without_the_file(stand):
    locate, asked = stand()
    answer = locate(ASCCL_HUB_REPO="someone/weights", HF_HUB_OFFLINE="1")
    assert answer.startswith("WeightsError tiny.bin of someone/weights is not on this machine")
    assert "HF_HUB_OFFLINE" in answer
    assert not asked


def test_hub_with_another_file_of_that_name(stand):
    locate, _ = stand(data=DATA[::-1])
    assert "has sha256" in locate(ASCCL_HUB_REPO="someone/weights")


def test_hub_without_the_file_or_the_repository(stand):
    locate, _ = stand()
    missing = locate(replace(TINY, file="other.bin"), ASCCL_HUB_REPO="someone/weights")
    assert missing.startswith("WeightsError there is no other.bin of someone/weights")
    assert locate(ASCCL_HUB_REPO="no/body").startswith("WeightsError the Hub refuses tiny.bin of no/body")
    assert locate(ASCCL_HUB_REPO="a/b/c").startswith("WeightsError tiny.bin of a/b/c could not be fetched")


def test_hub_cut_off_leaves_nothing_that_counts(stand):
    locate, _ = stand(data=DATA[:-5000])
    assert locate(ASCCL_HUB_REPO="someone/weights").startswith("WeightsError")
    whole, _ = stand()
    assert Path(whole(ASCCL_HUB_REPO="someone/weights")).read_bytes() == DATA
