"""Control values from a table of OpenFace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asccl.errors import InputError
from asccl.renderers.icface.controls import control_index
from asccl.renderers.icface.openface import UNIT_COLUMNS, VALUE_COLUMNS, read_openface_table

RATE = 25  # rows per second


def table_rows(count: int = 50) -> list[dict[str, float]]:
    """Rows of a face whose head turns from -0.5 to 0.5 radians, with a jaw that drops at half intensity."""
    return [
        {
            "frame": n + 1,
            "face_id": 0,
            "timestamp": n / RATE,
            "confidence": 0.98,
            "success": 1,
            **dict.fromkeys(VALUE_COLUMNS, 0.0),
            "pose_Ry": n / (count - 1) - 0.5,
            "AU26_r": 2.5,
            "AU26_c": 1.0,
        }
        for n in range(count)
    ]


def write_table(path: Path, rows: list[dict[str, float]], separator: str = ", ") -> Path:
    """Write rows as OpenFace does: with a space after each comma."""
    lines = [separator.join(rows[0]), *(separator.join(str(value) for value in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "controls.csv"


def test_columns_are_recognized_by_name_in_any_order(path):
    reversed_rows = [dict(reversed(row.items())) for row in table_rows()]
    for rows, separator in ((table_rows(), ", "), (reversed_rows, ",")):
        table = read_openface_table(write_table(path, rows, separator))
        values = table.resample(np.array([0.0]), 0.7).values[0]
        assert values[:3] == pytest.approx([0.5, 0.5 - 0.5 / 1.4, 0.5])
        assert values[control_index((26,))] == pytest.approx(0.5)
        assert values[3:].sum() == pytest.approx(0.5)


@pytest.mark.parametrize("frame_rate", [12.0, 25.0, 29.97, 60.0])
def test_any_frame_rate_is_resampled_by_the_time_stamps(path, frame_rate):
    times = np.arange(0, 1.9, 1 / frame_rate)
    values = read_openface_table(write_table(path, table_rows())).resample(times, 0.7).values
    angle = times * RATE / 49 - 0.5
    assert values[:, 1] == pytest.approx((angle + 0.7) / 1.4, abs=1e-5)


def test_rows_without_success_or_with_nan_are_bridged(path):
    rows = table_rows()
    rows[20] |= {"success": 0, "pose_Ry": 99.0}
    rows[21] |= {"pose_Ry": float("nan")}
    rows[22] |= {"AU26_r": "n/a"}
    table = read_openface_table(write_table(path, rows))
    assert table.report() == {"file": "controls.csv", "rows": 50, "rows_without_face": 3}
    values = table.resample(np.array([21 / RATE]), 0.7).values
    assert values[0, 1] == pytest.approx((21 / 49 - 0.5 + 0.7) / 1.4, abs=1e-5)


def test_frames_of_a_preview_that_give_context_need_no_measurement(path):
    table = read_openface_table(write_table(path, table_rows()))
    measured = table.resample(np.array([np.nan, np.nan, 1.0]), 0.7)
    assert np.isfinite(measured.values).all()
    assert measured.offsets.shape == (20,)


def broken(rows: list[dict[str, float]], **changes: float) -> list[dict[str, float]]:
    return [row | changes for row in rows]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{k: v for k, v in row.items() if k != "AU12_r"} for row in table_rows()], "lacks the columns AU12_r: "),
        (
            [{k: v for k, v in row.items() if k not in UNIT_COLUMNS} for row in table_rows()],
            "AU01_r, AU02_r, AU04_r and 14 more",
        ),
        ([{"x": 1.0}], "lacks the columns timestamp, pose_Rx, pose_Ry and 18 more"),
        (broken(table_rows(), success=0), "has no row with a measured face"),
        (broken(table_rows(), AU04_r=float("nan")), "has no row with a measured face"),
        (table_rows()[:25] + broken(table_rows()[25:], face_id=1), "measures 2 faces"),
        (table_rows()[::-1], "do not increase after 1.960 s"),
        (broken(table_rows(), pose_Rx=12.0), "are not radians"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_one_line(path, rows, words):
    with pytest.raises(InputError) as refused:
        read_openface_table(write_table(path, rows))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", ["", "\x00\x01\x02", "frame, timestamp\n"])
def test_a_file_that_is_no_table_is_refused(path, content):
    path.write_text(content)
    with pytest.raises(InputError, match=r"controls\.csv"):
        read_openface_table(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(InputError, match=r"controls\.csv cannot be read"):
        read_openface_table(path)


def test_a_table_of_another_video_is_refused(path):
    table = read_openface_table(write_table(path, table_rows()))
    with pytest.raises(InputError, match=r"measures a face from 0\.00 to 1\.96 s, but the video lasts from 0\.00 to 9"):
        table.resample(np.array([0.0, 9.0]), 0.7)
