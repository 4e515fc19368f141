"""Prepared folders: reading returns what was written, and wrong files are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recordings import HEAD, SIZE, word_coefficients, write_recording

from asccl.data.clips import ClipFolder, PreparedClip, write_clip
from asccl.data.labels import Labels
from asccl.data.manifest import read_manifest
from asccl.errors import InputError, OutputError, UnreadableError
from asccl.types import EMOTIONS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, (person, emotion) in enumerate((("Ann", "happy"), ("Bob", "sad"), ("Bob", None))):
        write_recording(tmp_path, Labels(person, emotion, "w"), word_coefficients(number), number, hidden=slice(12, 15))
    return tmp_path


@pytest.fixture
def clip(folder: Path) -> PreparedClip:
    return ClipFolder(folder, HEAD.names).clips[0]


def test_hidden_frames_separate_segments(clip):
    assert len(clip) == 40
    assert clip.segments == [(0, 12), (15, 40)]
    assert clip.segment_index[[0, 11, 12, 15, 39]].tolist() == [0, 0, -1, 2, 2]


def test_images_of_single_frames_are_decoded(clip):
    frames = np.array([20, 3])
    images = clip.images(frames)
    assert images.shape == (2, SIZE, SIZE, 3)
    assert np.abs(images[:, 9, 9, 0].astype(int) - 5 * frames).max() < 3


def test_rows_of_a_tensor_are_read(clip):
    assert np.array_equal(clip.read("coefficients", 4, 9), clip.coefficients[4:9])


def test_the_motion_is_read(clip):
    motion = clip.motion()
    assert motion.weight[13] == 0
    assert (motion.rotation.shape, motion.shot.shape) == ((40, 3, 3), (40,))


def test_landmarks_lie_in_the_crop(clip):
    points = clip.landmarks(np.array([3, 20]))
    assert points.shape == (2, 478, 2)
    assert 0.3 * SIZE < points[:, 1].min() <= points[:, 1].max() < 0.7 * SIZE


@pytest.mark.parametrize(
    ("people", "expected"), [("Ann", ["Ann"]), ("!Bob", ["Ann"]), ("", ["Ann", "Bob", "Bob"]), ("Bob", ["Bob", "Bob"])]
)
def test_people_can_be_selected_and_excluded(folder, people, expected):
    assert [clip.record.person for clip in ClipFolder(folder, HEAD.names, people).clips] == expected


def test_an_unknown_person_is_refused(folder):
    with pytest.raises(InputError, match="holds no clip of Eve: choose from Ann, Bob"):
        ClipFolder(folder, HEAD.names, "Eve")


def test_equal_clips_are_equal_files(clip, tmp_path):
    tensors = {name: clip.read(name) for name in ("coefficients", "shot", "times")}
    digests = [write_clip(tmp_path / name, [None], tensors) for name in "ab"]
    assert digests[0] == digests[1]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_missing_and_altered_files_are_named(folder):
    records = read_manifest(folder)
    (folder / records[0].file).unlink()
    data = bytearray((folder / records[1].file).read_bytes())
    data[-3] ^= 1
    (folder / records[1].file).write_bytes(data)
    with pytest.raises(InputError) as caught:
        ClipFolder(folder, HEAD.names)
    assert f"lacks files or holds altered ones: {records[0].file}, {records[1].file}: run" in str(caught.value)
    assert records[2].file not in str(caught.value)


def test_a_missing_file_is_named_when_it_is_read(folder):
    (folder / read_manifest(folder)[0].file).unlink()
    clip = ClipFolder(folder, HEAD.names, verify=False).clips[0]
    with pytest.raises(UnreadableError, match="is missing or damaged"):
        clip.read("coefficients")


def change_record(folder: Path, number: int, **fields: object) -> None:
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | fields)
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"emotions": EMOTIONS[::-1]}, "line 2 has the emotions in the order surprised, sad, .* not neutral, angry"),
        ({"emotion": "joy"}, "line 2 has no emotion 'joy'"),
        ({"format": 7}, "line 2 has format 7, not 1"),
        ({"units": "0123"}, "have other coefficients than this head"),
        ({"colour": "red"}, "line 2 is damaged"),
        ({"frames": 41}, r"has coefficients of shape \(40, 52\), not \(41, 52\)"),
    ],
)
def test_a_wrong_manifest_is_refused(folder, fields, expected):
    change_record(folder, 1, **fields)
    with pytest.raises(InputError, match=expected):
        ClipFolder(folder, HEAD.names)


def test_an_incomplete_last_line_is_ignored_only_on_request(folder):
    with (folder / "manifest.jsonl").open("a") as file:
        file.write('{"file": "clips/x')
    assert len(read_manifest(folder, partial=True)) == 3
    with pytest.raises(InputError, match="line 4 is damaged"):
        ClipFolder(folder, HEAD.names)


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(InputError, match=r"holds no clips: make them: python -m training.prepare"):
        ClipFolder(tmp_path, HEAD.names)


def test_a_failed_write_leaves_no_file(tmp_path):
    (tmp_path / "clips").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        write_clip(tmp_path / "clips" / "x.safetensors", [], {})
    assert [path.name for path in tmp_path.iterdir()] == ["clips"]
