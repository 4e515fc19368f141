"""Folders of clips that are being made or deleted, and what a killed process left of them.

A mark lies beside such a folder. The process that works on the folder holds a lock on the mark, and the lock ends with
the process: a mark without a lock was left by a process that was killed.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import select

from asccl.errors import OutputError, StudyError
from asccl.study.schema import studies
from asccl.study.store import Store

try:
    import fcntl
except ImportError:  # Windows lacks these locks: nothing is removed there
    fcntl = None  # type: ignore[assignment]  # a module elsewhere

log = logging.getLogger("asccl.study")
MARK_SUFFIX = ".unfinished"


@contextmanager
def unfinished_folder(store: Store, name: str) -> Iterator[Path]:
    """Mark a folder as unfinished while the block runs. The mark stays if the folder then belongs to no study.

    Args:
        store: whose clips the folder contains.
        name: of the folder; the id of a study for its clips.

    Yields:
        The folder, which this function neither creates nor removes.

    Raises:
        OutputError: the mark cannot be written.
    """
    mark, signature = _mark_path(store, name), store.signer.folder_mark(name).encode()
    try:
        descriptor = os.open(mark, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)
    except OSError as error:
        raise OutputError(
            f"{mark} cannot be written ({error.strerror})", "check ASCCL_STUDY_DIR and its disk"
        ) from None
    try:
        with suppress(OSError):  # a file system without locks: `remove_abandoned_folders` gets none there, either
            _lock(descriptor, wait=True)
        os.write(descriptor, signature)
        yield store.clip_path(name, "")
    finally:
        _remove_mark(store, name)
        os.close(descriptor)


def remove_abandoned_folders(store: Store) -> list[Path]:
    """Remove the folders that a killed process left unfinished, and no folder of a stored study or a running process.

    A mark of another database on the same folder of clips counts for nothing: its study may be stored there.

    Args:
        store: whose folders are checked.

    Returns:
        Folders without a mark that belong to no study of this store. They stay, because another database may have them.
    """
    folder = store.clip_path("", "")
    for mark in folder.glob(f"*{MARK_SUFFIX}"):
        with suppress(OSError):  # another process holds the lock, or has just removed the mark
            _remove_if_abandoned(store, mark)
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_dir() and not _mark_path(store, path.name).exists() and not _is_stored(store, path.name)
    ]


def _remove_if_abandoned(store: Store, mark: Path) -> None:
    name, descriptor = mark.name.removesuffix(MARK_SUFFIX), os.open(mark, os.O_RDWR)
    try:
        _lock(descriptor, wait=False)
        if os.read(descriptor, 100) != store.signer.folder_mark(name).encode():
            return
        if store.clip_path(name, "").exists() and not _is_stored(store, name):
            shutil.rmtree(store.clip_path(name, ""), ignore_errors=True)
            log.warning("removed the clips of an unfinished study: %s", store.clip_path(name, ""))
        _remove_mark(store, name)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> None:
    """Lock a mark until it is closed. Raises OSError where that is impossible."""
    if fcntl is None:
        raise OSError("there are no locks")
    fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _mark_path(store: Store, name: str) -> Path:
    return store.clip_path(f"{name}{MARK_SUFFIX}", "")


def _remove_mark(store: Store, name: str) -> None:
    """Remove the mark of a folder that is gone or belongs to a stored study."""
    with suppress(StudyError):  # the database cannot be reached: the mark stays until the next start
        if not store.clip_path(name, "").exists() or _is_stored(store, name):
            _mark_path(store, name).unlink(missing_ok=True)


def _is_stored(store: Store, study_id: str) -> bool:
    with store.read() as connection:
        return connection.scalar(select(studies.c.id).where(studies.c.id == study_id)) is not None
