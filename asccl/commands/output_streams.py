"""Let a command finish its work and return its status where nothing can be printed.

Without this, Python raises an error at the first line that a closed pipe, a full disk or an ASCII terminal refuses.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NO_READER_ERRORS = (errno.EPIPE, errno.EBADF, errno.EIO)  # of a closed pipe, a closed stream, a terminal that is gone
STREAM_NAMES = {1: "stdout", 2: "stderr"}


class LenientFile(io.RawIOBase):
    """Writes to a file descriptor until that fails, and drops everything afterwards.

    Attributes:
        error: why writing failed.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self.error: OSError | None = None

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view, written = memoryview(data).cast("B"), 0
        while self.error is None and written < len(view):
            try:
                written += os.write(self._descriptor, view[written:])
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.error = error
        return len(view)


@contextmanager
def lenient_streams() -> Iterator[dict[str, LenientFile]]:
    """Replace the stdout and stderr of this process by streams that print what they can.

    A character that a stream cannot encode is printed as an escape sequence. A closed stream is opened on the null
    device, so that no other file gets its number. Streams that a program has replaced already are left alone.

    Yields:
        The files behind the streams by name.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    originals = {name: getattr(sys, name) for name in STREAM_NAMES.values()}
    files: dict[str, LenientFile] = {}
    for descriptor, name in STREAM_NAMES.items():
        if originals[name] is getattr(sys, f"__{name}__"):
            files[name] = LenientFile(descriptor)
            setattr(sys, name, _open_text(files[name], originals[name]))
    try:
        yield files
    finally:
        for name in files:
            getattr(sys, name).flush()
            setattr(sys, name, originals[name])


def describe_failure(file: LenientFile) -> str | None:
    """Why something could not be printed, in one line; None if nothing failed or nobody reads it."""
    if file.error is None or file.error.errno in NO_READER_ERRORS:
        return None
    return f"the output cannot be printed ({file.error.strerror}): free some space, or print it elsewhere"


def _open_text(file: LenientFile, original: Any) -> io.TextIOWrapper:
    if original is not None:
        original.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=getattr(original, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
