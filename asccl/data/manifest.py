"""The manifest of a prepared folder: one JSON line per clip."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asccl.errors import InputError
from asccl.types import EMOTIONS

MANIFEST = "manifest.jsonl"
CLIPS_FOLDER = "clips"
FORMAT_VERSION = 1  # grows when the meaning of a tensor or a field changes
PREPARE_MISSING = "run `python -m training.prepare` on its videos again, which makes what is missing"
PREPARE_AGAIN = "prepare the videos again with this version"


@dataclass(frozen=True)
class ClipRecord:
    """A line of the manifest.

    Attributes:
        file: path of the tensors in the folder.
        source: path of the video below the folder that was prepared.
        source_bytes: size of the video.
        sha256: digest of the file of tensors.
        bytes: size of the file of tensors.
        frames: T.
        valid: number of frames with a face that can be edited.
        rate: frames per second.
        size: side of a crop in pixels.
        error: of the fit, percent of the eye distance.
        person: see `Labels`.
        emotion: see `Labels`.
        words: see `Labels`.
        level: see `Labels`.
        view: see `Labels`.
        settings: settings of the preparation.
        versions: versions of the packages that prepared the clip.
        emotions: order of the emotions that indices refer to.
        units: digest of the names and the order of the coefficients, see `units_digest`.
        format: version of this format.
    """

    file: str
    source: str
    source_bytes: int
    sha256: str
    bytes: int
    frames: int
    valid: int
    rate: float
    size: int
    error: float
    person: str | None
    emotion: str | None
    words: str | None
    level: int | None
    view: str | None
    settings: dict[str, Any]
    versions: dict[str, str]
    emotions: tuple[str, ...] = EMOTIONS
    units: str = ""
    format: int = FORMAT_VERSION

    def to_json_line(self) -> str:
        """Return the line of the manifest."""
        return json.dumps(asdict(self), sort_keys=True) + "\n"


def read_manifest(folder: Path, partial: bool = False) -> list[ClipRecord]:
    """Read the clips of a folder; an empty list if it has no manifest.

    Args:
        folder: a prepared folder.
        partial: ignore an incomplete last line.

    Raises:
        InputError: a line is wrong; the error names it.
    """
    path = folder / MANIFEST
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if partial and lines and not lines[-1].endswith("\n"):
        lines.pop()
    return [_parse_line(f"{path} line {number}", line) for number, line in enumerate(lines, 1)]


def _parse_line(place: str, line: str) -> ClipRecord:
    try:
        fields = json.loads(line)
        if fields.get("format") != FORMAT_VERSION:
            raise InputError(f"{place} has format {fields.get('format')}, not {FORMAT_VERSION}", PREPARE_AGAIN)
        if tuple(fields["emotions"]) != EMOTIONS:
            order = ", ".join(fields["emotions"])
            raise InputError(f"{place} has the emotions in the order {order}, not {', '.join(EMOTIONS)}", PREPARE_AGAIN)
        record = ClipRecord(**fields | {"emotions": EMOTIONS})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{place} is damaged ({type(error).__name__}: {error})", f"delete the line, then {PREPARE_MISSING}"
        ) from error
    if record.emotion is not None and record.emotion not in EMOTIONS:
        raise InputError(f"{place} has no emotion {record.emotion!r}", f"choose from {', '.join(EMOTIONS)}")
    return record


def is_intact(folder: Path, record: ClipRecord) -> bool:
    """Return whether the file of a clip exists with the size and digest of its record."""
    path = folder / record.file
    try:
        if path.stat().st_size != record.bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == record.sha256
    except OSError:
        return False


def units_digest(units: tuple[str, ...]) -> str:
    """Return a digest of the names of coefficients and their order."""
    return hashlib.sha256(",".join(units).encode()).hexdigest()[:16]
