"""A file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from asccl.errors import OutputError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class AtomicFile:
    """`part` is a hidden file beside `path`, renamed to it when whole. Raises OutputError where it cannot be made."""

    def __init__(self, path: Path):
        self.path = path
        self.part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
        with self.errors():
            if path.is_dir():
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            os.close(os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))

    def discard(self) -> None:
        """Removes the part. Harmless to repeat."""
        self.part.unlink(missing_ok=True)

    @contextmanager
    def kept(self, whole: bool) -> Iterator[None]:
        """For the last steps: renames the part afterwards if `whole`, else, and on any error, removes it."""
        try:
            with self.errors():
                yield
                if whole:
                    os.replace(self.part, self.path)
        finally:
            self.discard()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turns errors of the system and of FFmpeg into OutputError."""
        try:
            yield
        except (OSError, av.error.FFmpegError) as error:
            raise self.explain(self.path, error) from error

    @staticmethod
    def explain(path: Path, error: OSError | av.error.FFmpegError) -> OutputError:
        """What keeps a file or folder from being written, with its remedy."""
        name = path.name
        if error.errno in NO_SPACE:
            return OutputError(f"no space is left for {name}", "free some space or choose another disk")
        if error.errno in FORBIDDEN:
            return OutputError(f"{name} may not be written in {path.parent}", "choose another folder or name")
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return OutputError(f"the folder {path.parent} does not exist", "make it, or choose another")
        if error.errno == errno.EISDIR:
            return OutputError(f"{name} is a folder", "choose another name")
        return OutputError(f"{name} cannot be written ({error.strerror})", "choose another folder or disk")
