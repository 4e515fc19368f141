"""A file appears complete or not at all."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from asccl.errors import OutputError
from asccl.files import (
    AtomicFile,
    discard_unfinished,
    file_key,
    join_name,
    open_temporary_file,
    shorten_name,
    write_atomic,
)


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


@pytest.mark.parametrize("character", ["a", "\u00e4", "\u6c49", "\U0001f600", "\udc80"])
def test_names_are_shortened_by_bytes_and_between_characters(character):
    name = join_name(300 * character, "-happy.mp4")
    assert 250 < len(os.fsencode(name)) <= 255
    assert name == (len(name) - 10) * character + "-happy.mp4"


def test_a_short_name_stays():
    assert shorten_name("talk", 4) == "talk"


def test_a_long_name_is_written(tmp_path):
    path = tmp_path / ("\u6c49" * 85)  # 255 bytes
    with AtomicFile(path) as file:
        file.temporary_path.write_text("complete")
    assert path.read_text() == "complete"


def test_a_name_that_is_too_long_is_named_with_the_option(tmp_path):
    with pytest.raises(OutputError, match=r"the name aaaa.*\.\.\. is too long: give a shorter one with -o"):
        AtomicFile(tmp_path / ("a" * 256))


def test_temporary_data_are_kept_in_memory_where_no_folder_can_hold_them(monkeypatch):
    def refuse(**_options):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with open_temporary_file() as file:
        file.write(b"data")
        file.seek(0)
        assert file.read() == b"data"


def test_unfinished_files_are_removed_at_once(tmp_path):
    AtomicFile(tmp_path / "a.mp4").temporary_path.write_text("half")
    assert len(list(tmp_path.iterdir())) == 1
    discard_unfinished()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_has_another_key(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"short")
    before = file_key(path)
    path.write_bytes(b"longer")
    assert file_key(path) != before


def test_a_missing_file_has_a_key(tmp_path: Path):
    assert file_key(tmp_path / "missing") == (str(tmp_path / "missing"),)
