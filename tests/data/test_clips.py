"""A prepared folder: what is written is what is read, and what is missing, altered or foreign is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recordings import HEAD, SIZE, word_coefficients, write_recording

from asccl.data.clips import ClipFolder, PreparedClip, read_manifest, write_clip
from asccl.data.labels import Labels
from asccl.errors import InputError, OutputError, UnreadableError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, (person, emotion) in enumerate((("Ann", "happy"), ("Bob", "sad"), ("Bob", None))):
        write_recording(tmp_path, Labels(person, emotion, "w"), word_coefficients(number), number, hidden=slice(12, 15))
    return tmp_path


def test_a_clip_is_read_piece_by_piece(folder):
    clip = ClipFolder(folder, HEAD.names).clips[0]
    assert len(clip) == 40 and clip.segments == [(0, 12), (15, 40)]
    assert clip.segment_index[[0, 11, 12, 15, 39]].tolist() == [0, 0, -1, 2, 2]
    frames = np.array([20, 3])
    pictures = clip.images(frames)
    assert pictures.shape == (2, SIZE, SIZE, 3) and np.abs(pictures[:, 9, 9, 0].astype(int) - 5 * frames).max() < 3
    assert np.array_equal(clip.read("coefficients", 4, 9), clip.coefficients[4:9])
    motion = clip.motion()
    assert motion.weight[13] == 0 and motion.rotation.shape == (40, 3, 3) and motion.shot.shape == (40,)
    points = clip.landmarks(np.array([3, 20]))
    assert points.shape == (2, 478, 2) and (points[:, 1] > 0.3 * SIZE).all() and (points[:, 1] < 0.7 * SIZE).all()


def test_people_can_be_chosen_and_left_out(folder):
    def people(which: str) -> list[str | None]:
        return [clip.record.person for clip in ClipFolder(folder, HEAD.names, which).clips]

    assert people("Ann") == people("!Bob") == ["Ann"] and people("") == ["Ann", "Bob", "Bob"]
    with pytest.raises(InputError, match="holds no clip of Eve"):
        people("Eve")


def test_the_same_clip_is_the_same_file(folder, tmp_path):
    row = read_manifest(folder)[0]
    clip = PreparedClip(folder, row)
    names = ("coefficients", "shot", "times")
    written = [write_clip(tmp_path / name, [None], {n: clip.read(n) for n in names}) for name in "ab"]
    assert written[0] == written[1] and (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_missing_and_altered_files_are_named(folder):
    rows = read_manifest(folder)
    (folder / rows[0].file).unlink()
    data = bytearray((folder / rows[1].file).read_bytes())
    data[-3] ^= 1
    (folder / rows[1].file).write_bytes(data)
    with pytest.raises(InputError) as caught:
        ClipFolder(folder, HEAD.names)
    assert f"lacks files or holds altered ones: {rows[0].file}, {rows[1].file}: run" in str(caught.value)
    assert rows[2].file not in str(caught.value)
    clip = ClipFolder(folder, HEAD.names, verify=False).clips[0]
    with pytest.raises(UnreadableError, match="is missing or damaged"):
        clip.read("coefficients")


def change(folder: Path, number: int, **fields: object) -> None:
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | fields)
    (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"emotions": ["neutral", "happy", "angry", "disgusted", "fear", "sad", "surprised"]},
         "line 2 has the emotions in the order neutral, happy, angry.*not neutral, angry"),
        ({"emotion": "joy"}, "line 2 has no emotion 'joy'"),
        ({"format": 7}, "line 2 is of format 7, not 1"),
        ({"units": "0123"}, "have other coefficients than this head"),
        ({"colour": "red"}, "line 2 is damaged"),
    ],
)  # fmt: skip
def test_a_manifest_of_another_make_is_refused(folder, fields, expected):
    change(folder, 1, **fields)
    with pytest.raises(InputError, match=expected):
        ClipFolder(folder, HEAD.names)


def test_an_unfinished_line_counts_only_where_it_may(folder):
    with (folder / "manifest.jsonl").open("a") as file:
        file.write('{"file": "clips/x')
    assert len(read_manifest(folder, partial=True)) == 3
    with pytest.raises(InputError, match="line 4 is damaged"):
        ClipFolder(folder, HEAD.names)


def test_an_empty_folder_says_how_to_fill_it(tmp_path):
    with pytest.raises(InputError, match=r"holds no clips: make them: python -m training.prepare"):
        ClipFolder(tmp_path, HEAD.names)


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "clips").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match="cannot be written"):
        write_clip(tmp_path / "clips" / "x.safetensors", [], {})
    assert [path.name for path in tmp_path.iterdir()] == ["clips"]
