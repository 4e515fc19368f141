"""Labels of a clip: person, emotion and words."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

from asccl.errors import InputError
from asccl.types import EMOTIONS


@dataclass(frozen=True)
class Labels:
    """Labels of a clip; None for what is not known.

    Attributes:
        person: name of the speaker.
        emotion: one of `EMOTIONS`, or the data set's word for another emotion.
        words: name of the words, equal where the same person says the same words.
        level: intensity of the emotion, 1 is the weakest.
        view: name of the camera.
    """

    person: str | None = None
    emotion: str | None = None
    words: str | None = None
    level: int | None = None
    view: str | None = None


def read_labels(path: Path) -> dict[str, Labels]:
    """Read a CSV file with the column file and any of person, emotion, words, level and view, in any order.

    Returns:
        Labels by file, which is named as the manifest names a source.

    Raises:
        InputError: the file cannot be read, or a line is wrong; the error names the line.
    """
    columns = ("file", *(field.name for field in fields(Labels)))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            names = rows.fieldnames or ()
            if "file" not in names or any(name not in columns for name in names):
                raise InputError(
                    f"{path.name} has the columns {', '.join(names) or '(none)'}",
                    f"give it a first line with file and any of {', '.join(columns[1:])}",
                )
            return {row["file"]: _parse_row(f"{path.name} line {rows.line_num}", row) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error})", "give a CSV file in UTF-8") from error


def _parse_row(place: str, row: dict[str, str]) -> Labels:
    values = {field.name: (row.get(field.name) or "").strip() or None for field in fields(Labels)}
    emotion, level = values["emotion"], values["level"]
    if emotion is not None and emotion not in EMOTIONS:
        raise InputError(f"{place}: no emotion {emotion!r}", f"choose from {', '.join(EMOTIONS)}")
    if level is not None and not level.isdigit():
        raise InputError(f"{place}: level {level!r} is not a number", "give 1, 2, 3 or nothing")
    return Labels(values["person"], emotion, values["words"], None if level is None else int(level), values["view"])
