"""Downloads from a Hub on loopback, each in a process of its own."""

from __future__ import annotations

import hashlib
import os
import pty
import subprocess
import sys
import termios
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import COMMIT, DATA, SMALL_FILE, serve_hub

from asccl import hub

ROOT = Path(__file__).parent.parent


@pytest.fixture
def start_hub(tmp_path):
    """Start a Hub on loopback: `start(data=..., ...)` -> (`locate` in a new process, its request log)."""
    with ExitStack() as stack:

        def start(data=DATA, **options):
            served = stack.enter_context(serve_hub({"small.bin": data, "model.safetensors": data}, **options))

            def locate(weight=SMALL_FILE, **environment):
                return call_in_new_process('hub.locate("small")', tmp_path, served.url, environment, weight)[0]

            locate.hub = served
            return locate, served.requests

        yield start


@pytest.fixture
def resolve(start_hub, tmp_path):
    """`start(data=..., ...)` -> (`resolve` in a new process, which returns its output and stderr; the request log)."""

    def start(**options):
        locate, requests = start_hub(**options)

        def run(arguments, **environment):
            return call_in_new_process(f"hub.resolve({arguments})", tmp_path, locate.hub.url, environment)

        return run, requests

    return start


def call_in_new_process(
    call: str, folder: Path, endpoint: str, environment: dict[str, str], weight: hub.WeightsFile = SMALL_FILE
) -> tuple[str, str]:
    """Run a call -> its output, and its stderr as a terminal shows it."""
    code = f"""
from pathlib import Path
from asccl import hub
from asccl.errors import WeightsError
from asccl.hub import WeightsFile
hub.BUNDLED_FOLDER, hub.WEIGHTS = Path({str(folder / "none")!r}), {{"small": {weight!r}}}
try:
    print({call})
except WeightsError as error:
    print("WeightsError", error)
"""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("HF_", "ASCCL_", "HTTP", "http", "ALL_PROXY"))
    }
    environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache"), "NO_PROXY": "*", **environment}
    command = [sys.executable, "-c", code]
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (25, 100))
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=inherited | environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        os.write(stderr, b"\n")  # so that there is something to read
        terminal_output = os.read(terminal, 1 << 16).decode()
    finally:
        os.close(terminal)
        os.close(stderr)
    assert done.returncode == 0, terminal_output
    return done.stdout.strip(), terminal_output


def test_hub_download_then_cache_then_offline(start_hub):
    locate, requests = start_hub()
    published = replace(SMALL_FILE, repo="someone/weights", revision=COMMIT)
    path = Path(locate(published))
    assert path.read_bytes() == DATA
    assert requests == [f"{verb} /someone/weights/resolve/{COMMIT}/model.safetensors" for verb in ("HEAD", "GET")]
    assert locate(published) == locate(published, HF_HUB_OFFLINE="1") == str(path)
    assert len(requests) == 2  # a pinned revision in the cache needs no request


def test_hub_repository_from_the_environment(start_hub):
    locate, requests = start_hub()
    assert Path(locate(ASCCL_HUB_REPO="someone/weights")).read_bytes() == DATA
    assert "/resolve/main/" in requests[0]
    locate(replace(SMALL_FILE, repo="else/where", revision=COMMIT), ASCCL_HUB_REPO=f"someone/weights@{COMMIT}")
    assert all("/someone/weights/" in line for line in requests)


def test_hub_offline_without_the_file(start_hub):
    locate, requests = start_hub()
    answer = locate(ASCCL_HUB_REPO="someone/weights", HF_HUB_OFFLINE="1")
    assert answer.startswith("WeightsError small.bin of someone/weights is not on this machine")
    assert "HF_HUB_OFFLINE" in answer
    assert not requests


def test_hub_with_another_file_of_that_name(start_hub):
    locate, _ = start_hub(data=DATA[::-1])
    assert "has sha256" in locate(ASCCL_HUB_REPO="someone/weights")


def test_hub_without_the_file_or_the_repository(start_hub):
    locate, _ = start_hub()
    missing = locate(replace(SMALL_FILE, file="other.bin"), ASCCL_HUB_REPO="someone/weights")
    assert missing.startswith("WeightsError there is no other.bin of someone/weights")
    assert locate(ASCCL_HUB_REPO="no/body").startswith("WeightsError the Hub refuses small.bin of no/body")
    assert locate(ASCCL_HUB_REPO="a/b/c").startswith("WeightsError small.bin of a/b/c could not be downloaded")


def test_an_interrupted_download_leaves_no_file(start_hub):
    locate, _ = start_hub(missing_bytes=5000)
    assert locate(ASCCL_HUB_REPO="someone/weights").startswith("WeightsError")
    locate, _ = start_hub()
    assert Path(locate(ASCCL_HUB_REPO="someone/weights")).read_bytes() == DATA


def test_hub_repository_in_place_of_a_name(resolve):
    run, requests = resolve()
    path, stderr = run(f'"someone/weights@{COMMIT}:small.bin"')
    assert Path(path).read_bytes() == DATA
    assert "small.bin: 100%" in stderr  # the progress bar
    count = len(requests)
    assert run(f'"someone/weights@{COMMIT}:small.bin"')[0] == path
    assert len(requests) == count
    assert Path(run('"someone/weights"', ASCCL_HUB_REPO="else/where")[0]).name == "model.safetensors"
    assert requests[count].endswith("/resolve/main/model.safetensors")


def test_hub_repository_offline(resolve):
    run, requests = resolve()
    answer, _ = run('"someone/weights:small.bin"', HF_HUB_OFFLINE="1")
    assert answer.startswith("WeightsError small.bin of someone/weights is not on this machine and the Hub cannot be")
    path, _ = run('"someone/weights:small.bin"')
    count = len(requests)
    assert run('"someone/weights:small.bin"', HF_HUB_OFFLINE="1")[0] == path
    assert len(requests) == count


def test_hub_repository_that_sends_other_bytes_than_it_states(resolve):
    run, _ = resolve(claimed_sha256=hashlib.sha256(DATA[::-1]).hexdigest())
    answer, _ = run('"someone/weights:small.bin"')
    assert "has sha256" in answer
    assert "but small.bin of someone/weights has" in answer


def test_hub_repository_with_a_sha256_of_ones_own(resolve):
    run, _ = resolve()
    assert Path(run(f'"someone/weights:small.bin", sha256="{SMALL_FILE.sha256}"')[0]).read_bytes() == DATA
    assert "but the requested file has 0000" in run(f'"someone/weights:small.bin", sha256="{"0" * 64}"')[0]


def test_hub_repository_without_the_file_or_the_revision(resolve):
    run, _ = resolve()
    missing, _ = run('"someone/weights:none.bin"')
    assert missing.startswith("WeightsError there is no none.bin of someone/weights: correct the repository's name")
    assert "the Hub refuses small.bin of someone/weights at v9" in run('"someone/weights@v9:small.bin"')[0]
    assert "the Hub refuses model.safetensors of no/body" in run('"no/body"')[0]


def test_a_download_continues_where_it_was_interrupted(resolve):
    data = DATA * 45  # the client keeps complete pieces of 10 MB
    run, requests = resolve(data=data, missing_bytes=5000, missing_times=1)
    path, _ = run('"someone/weights:small.bin"')
    assert Path(path).read_bytes() == data
    assert requests[-1].endswith("bytes=10485760-")
