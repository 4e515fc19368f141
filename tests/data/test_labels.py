"""Labels in file names and tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from asccl.data import mead, ravdess
from asccl.data.labels import Labels, read_labels
from asccl.errors import InputError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/MEAD/M003/video/front/angry/level_3/002.mp4", Labels("M003", "angry", "002", 3, "front")),
        ("W015/video/left_30/happy/level_2/017.mp4", Labels("W015", "happy", "happy-017", 2, "left_30")),
        ("M003/video/front/contempt/level_1/001.mp4", Labels("M003", "contempt", "001", 1, "front")),
        ("M003/audio/angry/level_3/002.m4a", None),
        ("videos/angry/002.mp4", None),
    ],
)
def test_labels_in_mead_paths(path, expected):
    assert mead.parse_labels(Path(path)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("01-01-05-02-01-02-06.mp4", Labels("06", "angry", "01", 2)),
        ("02-01-01-01-02-01-03.mp4", Labels("03", "neutral", "02", 1, "silent")),
        ("01-02-06-01-02-01-24.mp4", Labels("24", "fear", "sung-02", 1)),
        ("01-01-02-01-01-01-01.mp4", Labels("01", "calm", "01", 1)),
        ("03-01-05-02-01-02-06.wav", None),
        ("01-01-09-01-01-01-01.mp4", None),
        ("talk.mp4", None),
    ],
)
def test_labels_in_ravdess_names(name, expected):
    assert ravdess.parse_labels(Path("/anywhere") / name) == expected


def write_table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_may_lack_columns_and_values(tmp_path):
    path = write_table(tmp_path, "\ufefffile,emotion,person,level\na/1.mp4,happy,Ann,\na/2.mp4,,Ann,2\n")
    assert read_labels(path) == {
        "a/1.mp4": Labels("Ann", "happy"),
        "a/2.mp4": Labels("Ann", None, None, 2),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,emotion\n1.mp4,happy\n", "has the columns name, emotion: give it a first line with file"),
        ("file,emotion\n1.mp4,happy\n2.mp4,furious\n", "line 3: no emotion 'furious': choose from neutral, angry"),
        ("file,level\n1.mp4,high\n", "line 2: level 'high' is not a number"),
        ("", r"has the columns \(none\)"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, text, expected):
    with pytest.raises(InputError, match=expected):
        read_labels(write_table(tmp_path, text))


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing\.csv cannot be read"):
        read_labels(tmp_path / "missing.csv")
