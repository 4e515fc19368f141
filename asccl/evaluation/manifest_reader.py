"""Read the manifest of an evaluation. A bad row is left out with its reason, and the others are read."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from asccl.errors import InputError
from asccl.evaluation.baselines import BASELINES
from asccl.evaluation.face_stream import parse_stream_name
from asccl.evaluation.manifest import (
    AUTO_OFFSET,
    COLUMNS,
    JSONL_SUFFIXES,
    REAL_SEPARATOR,
    REQUIRED_COLUMNS,
    EvaluationManifest,
    EvaluationRow,
    LeftOut,
    parse_setting,
)
from asccl.types import EMOTIONS


def read_evaluation_manifest(path: Path) -> EvaluationManifest:
    """Read a CSV or JSONL manifest. A bad row is left out, and the others are read.

    Raises:
        InputError: the file cannot be read, lacks a required column, or has no usable row.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text in UTF-8", "give a CSV or JSONL file") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", "correct the path") from error
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
