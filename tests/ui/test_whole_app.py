"""`python app.py` with the real editor: a person clicks an example, chooses an emotion, and gets a video.

They do it again with ICface, whose small network is bundled.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from visitor import Visitor

from asccl.ui.examples import EXAMPLES
from asccl.video.reader import probe

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.browser


@pytest.fixture
def app(tmp_path: Path):
    """(URL, folder of its temporary files) of `python app.py`, stopped by SIGTERM."""
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port = probe_socket.getsockname()[1]
    command, environment = [sys.executable, "app.py", "--port", str(port)], {**os.environ, "TMPDIR": str(tmp_path)}
    output = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output) as process:
        url = f"http://127.0.0.1:{port}/"
        for _ in range(600):
            assert process.poll() is None, "app.py ended at once: run it by hand to see why"
            try:
                urllib.request.urlopen(url).close()
                break
            except OSError:
                time.sleep(0.2)
        yield url, tmp_path
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert list(tmp_path.glob("asccl-*")) == []


@pytest.mark.parametrize("options", [[], ["--study-only"]])
def test_a_port_in_use_is_reported_in_one_line(options):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        command = [sys.executable, "app.py", "--port", port, *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"app.py: cannot listen on port {port} of 127.0.0.1")
    assert done.stderr.count("\n") == 1
    assert "--port" in done.stderr


def test_an_example_becomes_sad(app, chromium):
    url, folder = app
    person = Visitor(chromium, url)
    person.page.set_default_timeout(300_000)
    person.page.locator(".examples button").first.click()
    person.page.wait_for_selector("#source-card img")
    person.page.wait_for_selector("#compare img")
    person.choose_emotion("Sad")
    person.render()
    person.page.wait_for_selector(".result-item:nth-child(2)")  # the first one is the finished result of the example
    person.page.wait_for_function("() => [...document.querySelectorAll('#player video')].every(v => v.readyState >= 3)")
    edited = probe(person.download("#download-video"))
    source = probe(EXAMPLES[0].path)
    assert (edited.width, edited.height, edited.frame_rate) == (source.width, source.height, source.frame_rate)
    assert (edited.frames, edited.audio_tracks) == (source.frames, source.audio_tracks)
    report = json.loads(person.download("#download-report").read_text())
    assert report["frames"]["edited"] > 0.9 * report["frames"]["total"]
    assert report["emotion"]["after"] > report["emotion"]["before"]
    person.page.click("#advanced > button")
    person.page.check("#generator input[value=icface]")
    person.render()
    person.page.wait_for_selector(".result-item:nth-child(3)")
    report = json.loads(person.download("#download-report").read_text())
    assert report["renderer"]["file"] == "icface-synthetic-128.safetensors"
    assert list(folder.glob("asccl-*/asccl-run-*")) == []
    assert person.errors == []
    assert person.foreign_requests == []
    person.close()
