"""Features of one video on disk: they are computed once, and memory does not grow with the length of the video."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import IO, NamedTuple

import numpy as np

from asccl.files import open_temporary_file, temporary_file_errors


class FeatureStore:
    """Arrays by name in an unnamed temporary file, which is deleted with the object."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None  # is opened with the first array
        self._entries: dict[str, _Entry] = {}

    def compute(self, name: str, function: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the array of a name, which `function` computes unless it is stored.

        Args:
            name: says everything that the array depends on beside the video.
            function: computes the array.

        Raises:
            OutputError: the disk is full.
        """
        if name in self._entries:
            return self._read(self._entries[name])
        array = function()
        self._entries[name] = self._write(array)
        return array

    def close(self) -> None:
        """Delete the file."""
        self._entries.clear()
        if self._file is not None:
            with suppress(OSError):  # buffered arrays that the disk has no space for are no longer needed
                self._file.close()
            self._file = None

    def _write(self, array: np.ndarray) -> _Entry:
        with temporary_file_errors():
            if self._file is None:
                self._file = open_temporary_file()
            start = self._file.seek(0, 2)
            self._file.write(array.tobytes())
        return _Entry(start, array.nbytes, array.shape, array.dtype)

    def _read(self, entry: _Entry) -> np.ndarray:
        assert self._file is not None
        with temporary_file_errors():  # buffered arrays are written first
            self._file.seek(entry.start)
            data = self._file.read(entry.size)
        return np.frombuffer(data, entry.dtype).reshape(entry.shape)


class _Entry(NamedTuple):
    """Where an array lies in the file: first byte, number of bytes, shape and type."""

    start: int
    size: int
    shape: tuple[int, ...]
    dtype: np.dtype
