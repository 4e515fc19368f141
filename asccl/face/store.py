"""Store the landmarks of a clip on disk, so that memory does not grow with its length."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from asccl.face import mesh
from asccl.files import open_temporary_file, temporary_file_errors

ROW_SIZE = mesh.NUM_LANDMARKS * 3  # values
ROW_BYTES = ROW_SIZE * 4


class LandmarkStore:
    """Append-only rows of (478, 3) float32 in an unnamed temporary file, which is deleted with the object.

    Raises:
        OutputError: the disk is full.
    """

    def __init__(self) -> None:
        with temporary_file_errors():
            self._file = open_temporary_file()
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, landmarks: np.ndarray | None) -> None:
        """Append a row of (478, 3) pixels, or None for a frame without a face."""
        row = np.full(ROW_SIZE, np.nan, np.float32) if landmarks is None else np.asarray(landmarks, np.float32).ravel()
        with temporary_file_errors():
            self._file.seek(self._rows * ROW_BYTES)
            self._file.write(row.tobytes())
        self._rows += 1

    def read(self, first: int, last: int) -> np.ndarray:
        """Read rows first to last - 1, (n, 478, 3)."""
        with temporary_file_errors():  # buffered rows are written first
            self._file.seek(first * ROW_BYTES)
            data = self._file.read((last - first) * ROW_BYTES)
        return np.frombuffer(data, np.float32).reshape(-1, mesh.NUM_LANDMARKS, 3)

    def select(self, index: np.ndarray) -> np.ndarray:
        """Read the rows of an index, (n, 478, 3)."""
        return np.concatenate([self.read(int(i), int(i) + 1) for i in index])

    def close(self) -> None:
        """Delete the file."""
        with suppress(OSError):  # buffered rows that the disk has no space for are no longer needed
            self._file.close()

    def __enter__(self) -> LandmarkStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
