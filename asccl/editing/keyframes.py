"""Keyframes: the intensity of an edit over time, and the files that contain it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from asccl.editing.text_file import read_text_file
from asccl.errors import SettingError
from asccl.expression import Keyframe, check_keyframes
from asccl.types import EditRequest

MAX_FILE_BYTES = 1_000_000
COLUMNS = ("time", "intensity")
FORMAT_REMEDY = 'write CSV with the header time,intensity, or JSON such as [{"time": 0.5, "intensity": 1}]'


def interpolate_keyframes(keyframes: Sequence[Keyframe], times: np.ndarray) -> np.ndarray:
    """Interpolate keyframes smoothly and without overshoot (monotone cubic, Fritsch and Carlson 1980).

    Args:
        keyframes: at least one, in the order of their times.
        times: seconds, (T,); NaN for a frame without a time.

    Returns:
        Intensity at each time, (T,); that of the first keyframe before it, that of the last one behind it, 1 for NaN.
    """
    first, last = keyframes[0], keyframes[-1]
    knots = np.array([first.time - 1, *(k.time for k in keyframes), last.time + 1])  # the curve begins and ends level
    values = np.array([first.intensity, *(k.intensity for k in keyframes), last.intensity])
    curve = PchipInterpolator(knots, values)(np.clip(times, first.time, last.time))
    return np.where(np.isnan(times), 1.0, curve)


def intensity_over_time(request: EditRequest, times: np.ndarray) -> np.ndarray | float:
    """The intensity of a request: one number, or one of each frame, (T,), where it has keyframes.

    Args:
        request: with the intensity and its keyframes.
        times: seconds after the first frame, (T,); NaN for a frame that only gives context.
    """
    if not request.keyframes:
        return request.intensity
    return request.intensity * interpolate_keyframes(request.keyframes, times)


def read_keyframes(path: Path) -> tuple[Keyframe, ...]:
    """Read keyframes from a CSV or JSON file. Raises SettingError, which names the file and the line."""
    path = Path(path)
    return parse_keyframes(read_text_file(path, MAX_FILE_BYTES, "keyframes", FORMAT_REMEDY), path.name)


def parse_keyframes(text: str, name: str) -> tuple[Keyframe, ...]:
    """Parse the text of a CSV or JSON file with keyframes.

    Args:
        text: of the file.
        name: of the file, for errors.

    Returns:
        At least one keyframe, in the order of their times.

    Raises:
        SettingError: the text is malformed, or a value is out of range.
    """
    rows = _json_rows(text, name) if text.lstrip().startswith(("[", "{")) else _csv_rows(text, name)
    keyframes = []
    for place, time, intensity in rows:
        try:
            keyframes.append(Keyframe(_to_number(time), _to_number(intensity)))
        except (TypeError, ValueError, OverflowError):
            raise SettingError(
                f"{place} of {name} contains {time!r} and {intensity!r}, not two numbers", FORMAT_REMEDY
            ) from None
        except SettingError as error:
            raise SettingError(f"{place} of {name}: {error.problem}", error.remedy) from None
    if not keyframes:
        raise SettingError(f"{name} contains no keyframe", FORMAT_REMEDY)
    try:
        check_keyframes(keyframes, 1.0)
    except SettingError as error:
        raise SettingError(f"{name}: {error.problem}", error.remedy) from None
    return tuple(keyframes)


def keyframes_csv(keyframes: Iterable[Keyframe]) -> str:
    """Write keyframes as CSV, as `parse_keyframes` reads them."""
    return "\n".join([",".join(COLUMNS), *(f"{k.time:g},{k.intensity:g}" for k in keyframes)]) + "\n"


def _to_number(value: Any) -> float:
    """Convert text or a number. Raises TypeError or ValueError, also for True and False."""
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _csv_rows(text: str, name: str) -> list[tuple[str, Any, Any]]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    delimiter = ";" if lines and ";" in lines[0][1] else ","
    rows = [(f"line {number}", *next(csv.reader([line], delimiter=delimiter))) for number, line in lines]
    if rows and tuple(cell.strip().lower() for cell in rows[0][1:]) == COLUMNS:
        rows = rows[1:]
    for row in rows:
        if len(row) != 3:
            raise SettingError(f"{row[0]} of {name} has {len(row) - 1} columns instead of 2", FORMAT_REMEDY)
    return [(place, time, intensity) for place, time, intensity in rows]


def _json_rows(text: str, name: str) -> list[tuple[str, Any, Any]]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise SettingError(f"{name} is not valid JSON ({error})", FORMAT_REMEDY) from None
    except RecursionError:
        raise SettingError(f"{name} is nested too deeply", FORMAT_REMEDY) from None
    entries = data.get("keyframes") if isinstance(data, dict) else data
    if not isinstance(entries, list):
        raise SettingError(f"{name} contains no list of keyframes", FORMAT_REMEDY)
    rows = []
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, dict) and set(entry) == set(COLUMNS):
            entry = [entry["time"], entry["intensity"]]
        if not (isinstance(entry, list) and len(entry) == 2):
            raise SettingError(f"entry {number} of {name} is not a time and an intensity", FORMAT_REMEDY)
        rows.append((f"entry {number}", *entry))
    return rows
