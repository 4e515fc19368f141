"""The app as a program."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from asccl.ui import address, lifetimes, program

APP = Path(__file__).parents[2] / "app.py"


def test_a_program_that_is_stopped_while_it_starts_ends_without_a_traceback(monkeypatch):
    stopped = []

    def stop(*arguments, **options):
        stopped.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["app.py", "--host", "127.0.0.1", "--port", "7999"])
    monkeypatch.setattr(lifetimes, "stop_on_signals", lambda: None)
    monkeypatch.setattr(address, "check_port", lambda host, port: None)
    monkeypatch.setattr(program, "run_app", stop)
    try:
        runpy.run_path(str(APP), run_name="__main__")
    except KeyboardInterrupt:  # it would end pytest
        pytest.fail("the program does not expect to be stopped")
    assert stopped == [("127.0.0.1", 7999)]
