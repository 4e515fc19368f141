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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from asccl.errors import InputError
from asccl.evaluation.face_stream import parse_stream_name
from asccl.files import write_atomic
from asccl.types import EMOTIONS

SETTINGS = ("intra-id", "cross-id")
SETTING_WORDS = {"intra": "intra-id", "inter": "intra-id", "cross": "cross-id"}  # "Inter-ID" is the paper's word
REQUIRED_COLUMNS = ("id", "setting", "source")
REAL_SEPARATOR = ";"
AUTO_OFFSET = "auto"
BASELINES = ("copy", "shuffled")  # methods that the evaluation adds itself
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


def read_evaluation_manifest(path: Path) -> EvaluationManifest:
    """Read a CSV or JSONL manifest. A bad row is left out, and the others are read.

    Raises:
        InputError: the file cannot be read, lacks a required column, or has no usable row.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error})", "give a CSV or JSONL file in UTF-8") from error
    left_out: list[LeftOut] = []
    is_jsonl = path.suffix.lower() in JSONL_SUFFIXES
    records = _read_jsonl(text, left_out) if is_jsonl else _read_csv(text, path, left_out)
    rows: dict[tuple[str, str], EvaluationRow] = {}
    for line, record in records:
        try:
            row = _parse_row(record, path.parent)
            _check_row(row, rows)
        except InputError as error:
            left_out.append(LeftOut(f"{path.name} line {line}", str(error)))
        else:
            rows[row.id, row.method] = _drop_missing_real(row, left_out)
    if not rows:
        reason = f" ({left_out[0]})" if left_out else ""
        raise InputError(f"{path} has no usable row{reason}", f"give a header and rows with {', '.join(COLUMNS)}")
    return EvaluationManifest(path, tuple(rows.values()), tuple(left_out))


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


def _read_csv(text: str, path: Path, left_out: list[LeftOut]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    names = [name.strip() for name in reader.fieldnames or ()]
    missing = [name for name in REQUIRED_COLUMNS if name not in names]
    if missing:
        raise InputError(f"{path.name} lacks the column {', '.join(missing)}", f"give {', '.join(COLUMNS)}")
    reader.fieldnames = names
    _note_unknown_columns(names, left_out)
    try:
        for record in reader:
            yield reader.line_num, {name: value for name, value in record.items() if isinstance(name, str)}
    except csv.Error as error:
        left_out.append(LeftOut(f"{path.name} from line {reader.line_num} on", f"{error}: write it as CSV"))


def _read_jsonl(text: str, left_out: list[LeftOut]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    noted: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            left_out.append(LeftOut(f"line {number}", f"it is not JSON ({error}): write one object per line"))
            continue
        if not isinstance(record, dict):
            left_out.append(LeftOut(f"line {number}", "it is not an object: write one object per line"))
            continue
        _note_unknown_columns([name for name in record if name not in noted], left_out)
        noted.update(record)
        yield number, record


def _note_unknown_columns(names: Iterable[str], left_out: list[LeftOut]) -> None:
    left_out += [
        LeftOut(f"column {name!r}", f"it is unknown: choose from {', '.join(COLUMNS)}")
        for name in names
        if name not in COLUMNS
    ]


def _parse_row(record: Mapping[str, Any], folder: Path) -> EvaluationRow:
    """Parse a row. Raises InputError."""
    values = {name: _as_text(name, record.get(name)) for name in COLUMNS if name != "real"}
    for name in REQUIRED_COLUMNS:
        if not values[name]:
            raise InputError(f"{name} is empty", "fill it in")
    emotion = values["emotion"].lower() or None
    if emotion is not None and emotion not in EMOTIONS:
        raise InputError(f"no emotion {values['emotion']!r}", f"choose from {', '.join(EMOTIONS)}")
    if values["method"] in BASELINES:
        raise InputError(f"the method {values['method']!r} is a baseline", "leave it out: it is added to every table")
    if bool(values["method"]) != bool(values["generated"]):
        raise InputError("method and generated go together", "fill in both or none")
    videos = {name: _resolve(values[name], folder) if values[name] else None for name in ("generated", "reference")}
    return EvaluationRow(
        id=values["id"],
        setting=parse_setting(values["setting"]),
        emotion=emotion,
        speaker=values["speaker"],
        method=values["method"],
        source=_resolve(values["source"], folder),
        real=tuple(_resolve(text, folder) for text in _split_real(record.get("real"))),
        offset=_parse_offset(values["offset"]),
        **videos,
    )


def _as_text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict | bool):
        raise InputError(f"{name} is {json.dumps(value)}", "write a text")
    return str(value).strip()


def _split_real(value: Any) -> list[str]:
    parts = value.split(REAL_SEPARATOR) if isinstance(value, str) else value or []
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"real is {json.dumps(value)}", f'write files separated by "{REAL_SEPARATOR}", or a list')
    return [part.strip() for part in parts if part.strip()]


def _parse_offset(text: str) -> int | None:
    if text.lower() == AUTO_OFFSET:
        return None
    try:
        return int(text or 0)
    except ValueError:
        raise InputError(f"offset {text!r} is no whole number", f"write a number of frames or {AUTO_OFFSET}") from None


def _check_row(row: EvaluationRow, rows: Mapping[tuple[str, str], EvaluationRow]) -> None:
    """Check a row against the files on disk and the rows above. Raises InputError."""
    if (row.id, row.method) in rows:
        method = f" of {row.method}" if row.method else ""
        raise InputError(f"there is a clip {row.id}{method} already", "give every clip its own id")
    other = next((other for (name, _), other in rows.items() if name == row.id), row)
    if (other.setting, other.emotion, other.source, other.reference) != (
        row.setting,
        row.emotion,
        row.source,
        row.reference,
    ):
        raise InputError(
            f"{row.id} differs from its row for {other.method or 'no method'}",
            "rows of one id need the same setting, emotion, source and reference",
        )
    missing = [video for video in row.videos if not _exists(video)]
    if missing:
        raise InputError(f"there is no file {missing[0]}", "correct the path")


def _drop_missing_real(row: EvaluationRow, left_out: list[LeftOut]) -> EvaluationRow:
    missing = [video for video in row.real if not _exists(video)]
    left_out += [LeftOut(f"{row.id}, real", f"there is no file {video}: the pool does without it") for video in missing]
    return replace(row, real=tuple(video for video in row.real if video not in missing))


def _exists(name: str) -> bool:
    return parse_stream_name(name)[0].is_file()


def _resolve(text: str, folder: Path) -> str:
    return str(folder / Path(text).expanduser())


def _relative(name: str | None, folder: Path) -> str:
    if name is None:
        return ""
    return str(Path(name).absolute()).removeprefix(f"{folder}{os.sep}")
