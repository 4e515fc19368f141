"""Landmarks of a long clip on disk, so that memory does not grow with its length."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from asccl.errors import OutputError
from asccl.face import mesh

ROW = mesh.NUM_LANDMARKS * 3


class LandmarkStore:
    """Append-only rows of (478, 3) float32 in an unnamed temporary file; it is gone with the object.

    Raises OutputError where the disk is full.
    """

    def __init__(self) -> None:
        with _space():
            self._file = tempfile.TemporaryFile(prefix="asccl-")  # noqa: SIM115
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, landmarks: np.ndarray | None) -> None:
        """(478, 3) pixels, or None for a frame without a face."""
        row = np.full(ROW, np.nan, np.float32) if landmarks is None else np.asarray(landmarks, np.float32).ravel()
        with _space():
            self._file.seek(self._rows * ROW * 4)
            self._file.write(row.tobytes())
        self._rows += 1

    def read(self, first: int, last: int) -> np.ndarray:
        """Rows first..last-1, (n, 478, 3)."""
        with _space():  # of rows that still wait to be written
            self._file.seek(first * ROW * 4)
            data = self._file.read((last - first) * ROW * 4)
        return np.frombuffer(data, np.float32).reshape(-1, mesh.NUM_LANDMARKS, 3)

    def select(self, index: np.ndarray) -> np.ndarray:
        """Chosen rows, (n, 478, 3)."""
        return np.concatenate([self.read(int(i), int(i) + 1) for i in index])

    def close(self) -> None:
        with suppress(OSError):  # rows that found no space; nobody will read them
            self._file.close()

    def __enter__(self) -> LandmarkStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@contextmanager
def _space() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"a temporary file cannot be written ({error.strerror})", "free some space, or set TMPDIR to another folder"
        ) from error
