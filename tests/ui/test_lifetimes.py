"""Files of visitors: how long they exist, and what a program that died has left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from visitor import wait_until

from asccl.ui.lifetimes import FOLDER_PREFIX, mark_used, remove_dead_folders, sweep, swept, temporary_folder

HOLD_FOLDER = """
import os, sys
from pathlib import Path
from asccl.ui.lifetimes import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "face.mp4").write_bytes(b"a face")
    os.kill(os.getpid(), 9)
"""
HANG_UP = """
import os, signal, sys
from pathlib import Path
from asccl.ui.lifetimes import stop_on_signals, temporary_folder
stop_on_signals()
with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "face.mp4").write_bytes(b"a face")
    os.kill(os.getpid(), signal.SIGHUP)
"""
REMOVE_FOLDERS = """
import sys
from pathlib import Path
from asccl.ui.lifetimes import remove_dead_folders
remove_dead_folders(Path(sys.argv[1]))
"""


def write_old(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a face")
    os.utime(path, (1, 1))
    return path


def test_a_file_that_was_not_used_for_a_while_is_deleted(tmp_path):
    path = write_old(tmp_path / "upload" / "clip.mp4")
    sweep(tmp_path, 60)
    assert not path.exists()


def test_a_file_in_use_stays(tmp_path):
    path = write_old(tmp_path / "clip.mp4")
    mark_used(path)
    sweep(tmp_path, 60)
    assert path.exists()


def test_using_a_file_does_not_change_when_it_was_written(tmp_path):
    path = write_old(tmp_path / "clip.mp4")
    mark_used(path)
    assert path.stat().st_mtime == 1


def test_an_empty_folder_is_deleted(tmp_path):
    (tmp_path / "upload").mkdir()
    os.utime(tmp_path / "upload", (1, 1))
    sweep(tmp_path, 60)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_swept_again_and_again(tmp_path):
    with swept(tmp_path, max_age=60, interval=0.01):
        time.sleep(0.1)
        path = write_old(tmp_path / "clip.mp4")
        wait_until(lambda: not path.exists())


def test_the_folder_of_a_killed_program_is_deleted_at_the_next_start(tmp_path):
    subprocess.run([sys.executable, "-c", HOLD_FOLDER, str(tmp_path)], check=False)
    assert list(tmp_path.glob(f"{FOLDER_PREFIX}*/face.mp4")) != []
    remove_dead_folders(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
def test_a_program_whose_terminal_is_closed_leaves_no_folder(tmp_path):
    subprocess.run([sys.executable, "-c", HANG_UP, str(tmp_path)], check=False)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_running_program_stays(tmp_path):
    with temporary_folder(tmp_path) as folder:
        subprocess.run([sys.executable, "-c", REMOVE_FOLDERS, str(tmp_path)], check=True)
        assert folder.exists()
