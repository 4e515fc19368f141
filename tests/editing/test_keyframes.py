"""Keyframes: what files may contain, what is refused in one line, and how the intensity changes between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asccl.editing.keyframes import (
    intensity_over_time,
    interpolate_keyframes,
    keyframes_csv,
    parse_keyframes,
    read_keyframes,
)
from asccl.errors import SettingError
from asccl.expression import Keyframe
from asccl.types import EditRequest

RAMP = (Keyframe(0.5, 0.0), Keyframe(1.5, 1.0), Keyframe(2.0, 1.0))


@pytest.mark.parametrize(
    "text",
    [
        "time,intensity\n0.5,0\n1.5,1\n2,1\n",
        "0.5,0\n1.5,1\n\n2,1",
        "time;intensity\r\n0.5;0\r\n1.5;1\r\n2;1\r\n",
        '[{"time": 0.5, "intensity": 0}, {"time": 1.5, "intensity": 1}, {"time": 2, "intensity": 1}]',
        '{"keyframes": [[0.5, 0], [1.5, 1], [2, 1]]}',
    ],
)
def test_the_formats_of_a_file(text):
    assert parse_keyframes(text, "curve") == RAMP


def test_written_keyframes_are_read_again():
    assert parse_keyframes(keyframes_csv(RAMP), "curve.csv") == RAMP


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "contains no keyframe"),
        ("time,intensity\n", "contains no keyframe"),
        ("time,intensity\n0,x\n", "line 2 of curve.csv contains '0' and 'x', not two numbers"),
        ("0,1,2\n", "line 1 of curve.csv has 3 columns instead of 2"),
        ("0,1\n-1,1\n", "line 2 of curve.csv: keyframe time -1.0 is not a time"),
        ("0,3\n", "line 1 of curve.csv: intensity 3.0 of the keyframe at 0 s is out of range"),
        ("0,nan\n", "line 1 of curve.csv: intensity nan"),
        ("1,1\n0.5,1\n", "the keyframe at 0.5 s does not lie after that at 1 s"),
        ("1,1\n1,0\n", "the keyframe at 1 s does not lie after that at 1 s"),
        ("[[0, true]]", "entry 1 of curve.csv contains 0 and True, not two numbers"),
        ("[[0]]", "entry 1 of curve.csv is not a time and an intensity"),
        ("[[0, 1]", "curve.csv is not valid JSON"),
        ('{"frames": []}', "curve.csv contains no list of keyframes"),
        ("[" * 100_000, "curve.csv is nested too deeply"),
        ("\n".join(f"{k},1" for k in range(1001)), "1001 keyframes are too many"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(text, problem):
    with pytest.raises(SettingError) as caught:
        parse_keyframes(text, "curve.csv")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path):
    path = tmp_path / "curve.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SettingError, match=r"curve\.csv contains no text"):
        read_keyframes(path)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(SettingError, match=r"gone\.csv cannot be read"):
        read_keyframes(tmp_path / "gone.csv")


def test_the_intensity_passes_through_the_keyframes():
    times = np.array([k.time for k in RAMP])
    np.testing.assert_allclose(interpolate_keyframes(RAMP, times), [0, 1, 1])


def test_the_intensity_is_constant_outside_of_the_keyframes():
    np.testing.assert_allclose(interpolate_keyframes(RAMP, np.array([0.0, 0.5, 2.0, 9.0])), [0, 0, 1, 1])


def test_the_intensity_does_not_overshoot():
    curve = interpolate_keyframes(
        (Keyframe(0, 0), Keyframe(1, 2), Keyframe(1.1, 0), Keyframe(3, 0)), np.arange(0, 3, 0.01)
    )
    assert (curve.min(), curve.max()) == (0.0, 2.0)


def test_the_intensity_changes_smoothly():
    curve = interpolate_keyframes(RAMP, np.arange(0, 2.5, 0.001))
    assert np.abs(np.diff(curve, 2)).max() < 1e-5


def test_one_keyframe_is_a_constant_intensity():
    np.testing.assert_array_equal(
        interpolate_keyframes((Keyframe(1, 0.4),), np.array([0.0, 1.0, np.nan])), [0.4, 0.4, 1]
    )


def test_the_intensity_of_the_request_multiplies_the_keyframes():
    request = EditRequest(Path("talk.mp4"), emotion="sad", intensity=0.5, keyframes=RAMP)
    np.testing.assert_allclose(intensity_over_time(request, np.array([0.0, 1.75])), [0, 0.5])


def test_a_product_above_the_range_is_refused():
    with pytest.raises(SettingError, match="asks for intensity 3 "):
        EditRequest(Path("talk.mp4"), emotion="sad", intensity=1.5, keyframes=(Keyframe(0, 2.0),))
