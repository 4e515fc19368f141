"""The table of several edits: one row a file, for spreadsheets and for the app."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

COLUMNS = (
    *("source", "output", "emotion", "intensity", "frames", "frames_edited", "before", "after", "weak"),
    *("lip_correlation", "lip_distance_percent", "closures_kept", "identity", "seconds", "error"),
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # of a text that a spreadsheet would take for a formula


def edit_row(source: str, output: str, report: dict[str, Any]) -> dict[str, Any]:
    """The row of a finished edit.

    Args:
        source: name of the source.
        output: name of the edited file.
        report: of the edit.

    Returns:
        Values by column; those that were not measured are None.
    """
    request, frames, speech, emotion = (report[key] for key in ("request", "frames", "speech", "emotion"))
    return {
        "source": source,
        "output": output,
        "emotion": request["emotion"],
        "intensity": request["intensity"],
        "frames": frames["total"],
        "frames_edited": frames["edited"],
        "before": _rounded(emotion["before"]),
        "after": _rounded(emotion["after"]),
        "weak": emotion.get("weak"),
        "lip_correlation": _rounded(speech["lip_gap_correlation"]),
        "lip_distance_percent": _rounded(speech["lip_distance_percent"]),
        "closures_kept": _rounded(speech["closures_kept"]),
        "identity": _rounded(report["identity"]["similarity"]),
        "seconds": _rounded(report["seconds"].get("total")),
        "error": None,
    }


def failed_row(source: str, error: str) -> dict[str, Any]:
    """The row of a file that could not be edited. source: its name. error: one line."""
    return {**dict.fromkeys(COLUMNS), "source": source, "error": error}


def table_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Write rows as CSV. A text that a spreadsheet would run as a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows([{key: _defuse(value) for key, value in row.items()} for row in rows])
    return text.getvalue()


def _defuse(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
