"""A file appears complete or not at all."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from asccl.errors import OutputError
from asccl.files import AtomicFile, write_atomic


def test_a_file_replaces_the_older_one_when_it_is_complete(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("older")
    with AtomicFile(path) as file:
        file.temporary_path.write_text("newer")
        assert path.read_text() == "older"
    assert path.read_text() == "newer"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_the_block_keeps_the_older_file(tmp_path, error):
    path = tmp_path / "report.json"
    path.write_text("older")

    def fail():
        with AtomicFile(path) as file:
            file.temporary_path.write_text("newer")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "no space is left for report.json: free some space"),
        (errno.EACCES, "report.json may not be written in .*: choose another folder"),
        (errno.EIO, r"report.json cannot be written \(.*\): choose another folder"),
    ],
)
def test_system_errors_in_the_block_name_the_remedy(tmp_path, number, message):
    def fail():
        with AtomicFile(tmp_path / "report.json"):
            raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError, match=message):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_write_atomic_creates_folders_and_replaces_files(tmp_path):
    path = tmp_path / "a" / "b" / "data.bin"
    write_atomic(path, b"older")
    write_atomic(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert list(path.parent.iterdir()) == [path]


def test_permissions_are_those_of_the_new_file(tmp_path):
    with AtomicFile(tmp_path / "secret", permissions=0o600):
        pass
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
