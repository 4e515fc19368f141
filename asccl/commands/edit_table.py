"""The table of several edits (`--table`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asccl.editing.batch import edit_row, failed_row, table_csv


class TableWriter:
    """A context that collects a row of each input and writes them as one CSV file, complete or not at all.

    Entering raises OutputError where the file cannot be created.

    Args:
        path: the CSV file; None for no table.
    """

    def __init__(self, path: str | None):
        self.path = None if path is None else Path(path)
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> TableWriter:
        self._file = None
        if self.path is not None:
            from asccl.files import AtomicFile

            self._file = AtomicFile(self.path)
        return self

    def add_result(self, source: Path, output: Path, report: dict[str, Any]) -> None:
        """Add the row of a finished edit.

        Args:
            source: the input.
            output: the edited file.
            report: of the edit.
        """
        if self._file is not None:
            self._rows.append(edit_row(str(source), str(output), report))

    def add_error(self, source: Path, error: Exception) -> None:
        """Add the row of an input that failed."""
        self._rows.append(failed_row(str(source), str(error)))

    def __exit__(self, *exception: object) -> None:
        if self._file is None:
            return
        if not self._rows:
            self._file.discard()
            return
        with self._file as file:
            file.temporary_path.write_text(table_csv(self._rows), encoding="utf-8")
