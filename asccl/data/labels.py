"""Who is to be seen in a clip, with which emotion, and which words are said."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

from asccl.errors import InputError
from asccl.types import EMOTIONS


@dataclass(frozen=True)
class Labels:
    """What is known of a clip, None where it is not.

    emotion: of `EMOTIONS`, or a word for another one. words: of one person, equal where the same is said. level: how
    strong, 1 the weakest. view: the camera.
    """

    person: str | None = None
    emotion: str | None = None
    words: str | None = None
    level: int | None = None
    view: str | None = None


def read_labels(path: Path) -> dict[str, Labels]:
    """A CSV file with the columns file, person, emotion, words, level, view: the first and any of the others, in any
    order. file: as the manifest names a source. Raises InputError, which names the line.
    """
    known = ("file", *(field.name for field in fields(Labels)))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            strange = [name for name in rows.fieldnames or () if name not in known]
            if strange or "file" not in (rows.fieldnames or ()):
                raise InputError(
                    f"{path.name} has the columns {', '.join(rows.fieldnames or ()) or '(none)'}",
                    f"give it a first line with file and any of {', '.join(known[1:])}",
                )
            return {row["file"]: _labels(path, rows.line_num, row) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error})", "give a CSV file in UTF-8") from error


def _labels(path: Path, line: int, row: dict[str, str]) -> Labels:
    def told(name: str) -> str | None:
        return (row.get(name) or "").strip() or None

    emotion, level = told("emotion"), told("level")
    if emotion is not None and emotion not in EMOTIONS:
        raise InputError(f"{path.name} line {line}: no emotion {emotion!r}", f"choose from {', '.join(EMOTIONS)}")
    if level is not None and not level.isdigit():
        raise InputError(f"{path.name} line {line}: level {level!r} is no number", "give 1, 2, 3 or nothing")
    return Labels(told("person"), emotion, told("words"), None if level is None else int(level), told("view"))
