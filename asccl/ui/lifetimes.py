"""How long the files of visitors exist: an hour after their last use, and no longer than the program."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

MAX_AGE = 3600.0  # seconds since the last use of a file, after which it is deleted
SWEEP_INTERVAL = 300.0  # seconds
FOLDER_PREFIX = "asccl-app-"
LOCK_NAME = "in-use.lock"  # locked while the program of a folder runs; the system unlocks it when the program dies


def stop_on_signals() -> None:
    """Let a program that is stopped, or whose terminal is closed, clean up as after Ctrl-C."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)


def mark_used(path: Path) -> None:
    """Let the lifetime of a file begin anew. The time of its last change stays, because caches recognize it by that."""
    with suppress(OSError):
        os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


def sweep(folder: Path, max_age: float) -> None:
    """Delete the files that were not used for a while, and the folders that contain nothing.

    Args:
        folder: whose content is swept; it stays itself.
        max_age: seconds.
    """
    oldest = time.time() - max_age
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(parent, name)
            with suppress(OSError):  # another thread may have deleted it
                status = path.lstat()
                if max(status.st_mtime, status.st_atime) < oldest:
                    path.unlink()
        with suppress(OSError):  # a folder that is not empty stays
            if Path(parent) != folder and Path(parent).stat().st_mtime < oldest:
                Path(parent).rmdir()


@contextmanager
def swept(folder: Path, max_age: float = MAX_AGE, interval: float = SWEEP_INTERVAL) -> Iterator[None]:
    """Sweep a folder from time to time until the end of the block.

    Args:
        folder: whose content is swept; it need not exist yet.
        max_age: see `sweep`.
        interval: seconds between two times.
    """
    end = threading.Event()

    def run() -> None:
        while not end.wait(interval):
            sweep(folder, max_age)

    thread = threading.Thread(target=run, name="asccl-sweep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def temporary_folder(root: Path | None = None) -> Iterator[Path]:
    """Create the program's folder for files of visitors, and delete it at the end of the block.

    Folders of programs that died before they could delete theirs are deleted first.

    Args:
        root: where it is created; None takes the system's place.

    Yields:
        The folder.
    """
    root = Path(tempfile.gettempdir()) if root is None else root
    remove_dead_folders(root)
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=root, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with FileLock(folder / LOCK_NAME):
            yield folder


def remove_dead_folders(root: Path) -> None:
    """Delete the folders of programs that no longer run."""
    for folder in root.glob(f"{FOLDER_PREFIX}*"):
        with suppress(OSError, Timeout):  # in use, or of another user
            if (folder / LOCK_NAME).exists():
                with FileLock(folder / LOCK_NAME, blocking=False):
                    pass
                shutil.rmtree(folder, ignore_errors=True)
