"""The guard that other tests start programs with, and a command under it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.offline import ATTEMPT, read_attempts, run_guarded


def test_the_guard_records_connections_to_other_machines(tmp_path: Path) -> None:
    run_guarded(["-c", ATTEMPT], tmp_path / "log", {})
    assert read_attempts(tmp_path / "log") == ["socket.connect 192.0.2.1", "socket.connect 2001:db8::1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0"])
def test_the_guard_lets_this_machine_be_looked_up(tmp_path: Path, host: str) -> None:
    run_guarded(["-c", f"import socket; socket.getaddrinfo({host!r}, 80)"], tmp_path / "log", {})
    assert read_attempts(tmp_path / "log") == []


def test_an_inspection_connects_to_nobody(tmp_path: Path, still: Path) -> None:
    run_guarded(["-m", "asccl", "inspect", still], tmp_path / "log", {})
    assert read_attempts(tmp_path / "log") == []
