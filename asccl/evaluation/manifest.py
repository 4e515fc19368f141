"""The manifest of an evaluation: which generated videos are measured against which sources, references and real videos.

A manifest is a CSV file with a header, or a JSONL file with an object per line. Columns, of which `REQUIRED_COLUMNS`
must be there:

| column | content |
|---|---|
| id | name of the clip; the same in the rows of all methods, because their differences are paired by it |
| setting | intra-id (the reference shows the same person; the paper's "Inter-ID" means this) or cross-id |
| emotion | target emotion; may be empty |
| speaker | person in the source; rows of one speaker share the pool of real frames |
| method | what made the generated video; may be empty where there is none yet |
| source, generated, reference | videos; a relative path starts at the folder of the manifest |
| real | real videos of the speaker for FAD: files separated by ";" (JSONL: a list) |
| offset | generated frame t belongs to source frame t + offset: a whole number or `auto`; empty is 0 |

`FILE#0` to `FILE#3` name one of four square panels that stand side by side in one file.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from asccl.errors import InputError
from asccl.files import write_atomic

SETTINGS = ("intra-id", "cross-id")
SETTING_WORDS = {"intra": "intra-id", "inter": "intra-id", "cross": "cross-id"}  # "Inter-ID" is the paper's word
REQUIRED_COLUMNS = ("id", "setting", "source")
REAL_SEPARATOR = ";"
AUTO_OFFSET = "auto"
JSONL_SUFFIXES = (".jsonl", ".json", ".ndjson")


@dataclass(frozen=True)
class EvaluationRow:
    """A row of the manifest. A video is named by its path, or by `path#k` for a panel, see `FaceStream`.

    Attributes:
        id: name of the clip.
        setting: one of `SETTINGS`.
        source: video that is edited.
        emotion: target emotion, None where it is not known.
        speaker: person in the source.
        method: what made the generated video; empty for a row without one.
        generated: the edited video; None for a row that only lists source and reference.
        reference: video that gives the emotion.
        real: real videos of the speaker.
        offset: generated frame t belongs to source frame t + offset; None estimates it.
    """

    id: str
    setting: str
    source: str
    emotion: str | None = None
    speaker: str = ""
    method: str = ""
    generated: str | None = None
    reference: str | None = None
    real: tuple[str, ...] = ()
    offset: int | None = 0

    @property
    def file_stem(self) -> str:
        """Name for files of this clip."""
        return re.sub(r"[^A-Za-z0-9._-]+", "-", self.id).strip("-.") or "clip"

    @property
    def videos(self) -> tuple[str, ...]:
        """All videos that the row names, real ones excepted."""
        return tuple(video for video in (self.source, self.generated, self.reference) if video is not None)

    def to_record(self, folder: Path) -> dict[str, Any]:
        """Return the row as strings, with paths relative to `folder` where they lie in it."""
        return {
            "id": self.id,
            "setting": self.setting,
            "emotion": self.emotion or "",
            "speaker": self.speaker,
            "method": self.method,
            "source": _relative(self.source, folder),
            "generated": _relative(self.generated, folder),
            "reference": _relative(self.reference, folder),
            "real": [_relative(video, folder) for video in self.real],
            "offset": AUTO_OFFSET if self.offset is None else self.offset,
        }


@dataclass(frozen=True)
class LeftOut:
    """Something that an evaluation does without.

    Attributes:
        name: what it is: a line, a clip with its method, or a measure.
        reason: why, with a remedy.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True)
class EvaluationManifest:
    """The usable rows of a manifest.

    Attributes:
        path: the file.
        rows: in the order of the file.
        left_out: rows and columns that are not used.
    """

    path: Path
    rows: tuple[EvaluationRow, ...]
    left_out: tuple[LeftOut, ...] = field(default=())


COLUMNS = ("id", "setting", "emotion", "speaker", "method", "source", "generated", "reference", "real", "offset")
assert set(COLUMNS) == {column.name for column in fields(EvaluationRow)}


def parse_setting(text: str) -> str:
    """Return one of `SETTINGS` for a word such as "Cross-ID" or the paper's "Inter-ID". Raises InputError."""
    word = re.sub(r"[\s_-]*id$", "", text.strip().lower())
    if word not in SETTING_WORDS:
        raise InputError(f"no setting {text!r}", f"write {' or '.join(SETTINGS)}")
    return SETTING_WORDS[word]


def write_evaluation_manifest(path: Path, rows: Iterable[EvaluationRow]) -> None:
    """Write a manifest, JSONL where the name says so and CSV otherwise. Raises OutputError."""
    folder = path.parent.resolve()
    records = [row.to_record(folder) for row in rows]
    if path.suffix.lower() in JSONL_SUFFIXES:
        text = "".join(json.dumps(record) + "\n" for record in records)
    else:
        stream = io.StringIO()
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({**record, "real": REAL_SEPARATOR.join(record["real"])} for record in records)
        text = stream.getvalue()
    write_atomic(path, text.encode())


def _relative(name: str | None, folder: Path) -> str:
    if name is None:
        return ""
    return str(Path(name).absolute()).removeprefix(f"{folder}{os.sep}")
