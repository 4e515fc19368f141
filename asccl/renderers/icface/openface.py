"""Read ICface's control values from a table of OpenFace 2, which `FeatureExtraction` writes for a video."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asccl.errors import InputError
from asccl.nets.icface_settings import ACTION_UNITS, MAX_ACTION_UNIT, POSE_CONTROLS
from asccl.renderers.icface.controls import MeasuredControls, person_offsets, scale_pose

POSE_COLUMNS = ("pose_Rx", "pose_Ry", "pose_Rz")  # radians
UNIT_COLUMNS = tuple(f"AU{number:02d}_r" for number in ACTION_UNITS)  # intensities, 0 to 5
VALUE_COLUMNS = (*POSE_COLUMNS, *UNIT_COLUMNS)
TIME_COLUMN = "timestamp"  # seconds
SUCCESS_COLUMN, FACE_COLUMN = "success", "face_id"
MAX_LISTED_COLUMNS = 3  # missing columns that an error names
MAX_MISSING_SECONDS = 0.5  # of a clip, before the first and after the last measured row
REMEDY = "give the table that OpenFace's FeatureExtraction writes for this video"


@dataclass(frozen=True)
class OpenFaceTable:
    """Measurements of one face over time.

    Attributes:
        path: the file.
        times: seconds of the rows, increasing, (N,).
        values: angles in radians, then intensities from 0 to 5, (N, 20) in the order of `VALUE_COLUMNS`.
        rows: rows of the file; N is the number of those with a measurement.
    """

    path: Path
    times: np.ndarray
    values: np.ndarray
    rows: int

    def resample(self, times: np.ndarray, pose_limit: float) -> MeasuredControls:
        """Convert the measurements to the control values of frames, whatever the frame rate of the table.

        Args:
            times: seconds of the frames, (T,); NaN for a frame that is not rendered.
            pose_limit: of the networks, radians.

        Raises:
            InputError: the table does not cover the frames.
        """
        first, last = float(np.nanmin(times)), float(np.nanmax(times))
        if first < self.times[0] - MAX_MISSING_SECONDS or last > self.times[-1] + MAX_MISSING_SECONDS:
            raise InputError(
                f"{self.path.name} measures a face from {self.times[0]:.2f} to {self.times[-1]:.2f} s, "
                f"but the video lasts from {first:.2f} to {last:.2f} s",
                "give the table of this video",
            )
        own = self._scale(self.values, pose_limit)
        known = np.where(np.isnan(times), self.times[0], times)
        values = np.stack([np.interp(known, self.times, column) for column in own.T], 1)
        return MeasuredControls(values.astype(np.float32), person_offsets(own, np.ones(len(own))))

    def report(self) -> dict[str, object]:
        """Describe the table for the report of an edit, JSON-able."""
        return {"file": self.path.name, "rows": self.rows, "rows_without_face": self.rows - len(self.times)}

    @staticmethod
    def _scale(values: np.ndarray, pose_limit: float) -> np.ndarray:
        pose = scale_pose(values[:, :POSE_CONTROLS], pose_limit)
        units = np.clip(values[:, POSE_CONTROLS:] / MAX_ACTION_UNIT, 0, 1)
        return np.concatenate([pose, units], 1).astype(np.float32)


def read_openface_table(path: Path) -> OpenFaceTable:
    """Read a table; its columns are recognized by their names, in any order and beside any others.

    Rows without success and rows with a value that is no number are left out.

    Raises:
        InputError: the file cannot be read, lacks columns, holds several faces or none, its times do not increase, or
            its angles are not radians.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            reader = csv.reader(file, skipinitialspace=True)
            header = [name.strip() for name in next(reader, [])]
            columns = _find_columns(path, header)
            rows = [row for row in reader if row]
    except (OSError, csv.Error) as error:
        raise InputError(f"{path} cannot be read ({error})", REMEDY) from error
    table = np.array([[_number(row, column) for column in columns.values()] for row in rows], np.float64)
    named = dict(zip(columns, table.reshape(-1, len(columns)).T, strict=True))
    values = np.stack([named[name] for name in VALUE_COLUMNS], 1)
    times, success = named[TIME_COLUMN], named.get(SUCCESS_COLUMN, np.ones(len(table)))
    usable = np.isfinite(values).all(1) & np.isfinite(times) & (success == 1)
    _check_rows(path, times[usable], values[usable], named.get(FACE_COLUMN, np.zeros(len(table)))[usable])
    return OpenFaceTable(path, times[usable], values[usable], len(table))


def _find_columns(path: Path, header: list[str]) -> dict[str, int]:
    """Name -> position of the needed columns, and of the optional ones that are present."""
    missing = [name for name in (TIME_COLUMN, *VALUE_COLUMNS) if name not in header]
    if missing:
        more = f" and {len(missing) - MAX_LISTED_COLUMNS} more" if len(missing) > MAX_LISTED_COLUMNS else ""
        names = ", ".join(missing[:MAX_LISTED_COLUMNS])
        raise InputError(f"{path.name} lacks the columns {names}{more}", f"{REMEDY}, with -pose and -aus")
    wanted_columns = (TIME_COLUMN, SUCCESS_COLUMN, FACE_COLUMN, *VALUE_COLUMNS)
    return {name: header.index(name) for name in wanted_columns if name in header}


def _number(row: list[str], column: int) -> float:
    try:
        return float(row[column])
    except (ValueError, IndexError):
        return float("nan")


def _check_rows(path: Path, times: np.ndarray, values: np.ndarray, faces: np.ndarray) -> None:
    if len(times) == 0:
        raise InputError(f"{path.name} has no row with a measured face", REMEDY)
    if len(np.unique(faces)) > 1:
        raise InputError(
            f"{path.name} measures {len(np.unique(faces))} faces", "keep the rows of the face to edit, by their face_id"
        )
    if (np.diff(times) <= 0).any():
        row = int(np.flatnonzero(np.diff(times) <= 0)[0])
        raise InputError(f"the times of {path.name} do not increase after {times[row]:.3f} s", REMEDY)
    if np.abs(values[:, :POSE_CONTROLS]).max() > 2 * np.pi:
        raise InputError(f"the angles of {path.name} are not radians", "convert pose_Rx, pose_Ry and pose_Rz")
