"""The app that a benchmark starts: it responds, its end is noticed, and a port that is taken is not the end."""

from __future__ import annotations

import psutil
import pytest

from benchmarks.app_process import START_ATTEMPTS, served_app

APP = """
import http.server, pathlib, sys

starts = pathlib.Path("starts")
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
if len(starts.read_text()) <= {failures}:
    raise SystemExit("the port is in use")
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[2]), bind="127.0.0.1")
"""


@pytest.fixture
def checkout(tmp_path):
    """checkout(failures) -> a folder whose app.py ends at once so many times, and then serves."""

    def write(failures: int):
        (tmp_path / "app.py").write_text(APP.format(failures=failures))
        return tmp_path

    return write


def test_an_app_that_ends_at_once_is_started_again_on_another_port(checkout) -> None:
    root = checkout(1)
    with served_app(root) as app:
        assert app.process.is_running()
    assert (root / "starts").read_text() == "xx"


def test_an_app_that_never_starts_is_an_error(checkout) -> None:
    root = checkout(START_ATTEMPTS)
    with pytest.raises(RuntimeError, match="ended with exit status 1"), served_app(root):
        pass


def test_the_app_ends_with_the_block(checkout) -> None:
    with served_app(checkout(0)) as app:
        number = app.process.pid
    assert not psutil.pid_exists(number)
