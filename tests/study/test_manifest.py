"""Folders and manifests of clips."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from asccl.errors import InputError
from asccl.study.manifest import read_items

ROW = {
    "item": "one",
    "emotion": "sad",
    "setting": "Inter-ID",
    "source": "sad-0/source.mp4",
    "reference": "",
    "NED": "sad-0/NED.mp4",
    "ours": "sad-0/ASCCL.mp4",
}


@pytest.fixture
def folder(clips: Path, tmp_path: Path) -> Path:
    """A copy of the clips with a link that leads out of it."""
    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "out.mp4").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "secret")
    return folder


def test_a_folder_is_read(clips):
    items = read_items(clips)
    assert [item.name for item in items] == ["happy-0", "happy-1", "happy-2", "sad-0", "sad-1", "sad-2"]
    assert [item.emotion for item in items] == ["happy"] * 3 + ["sad"] * 3
    assert all(set(item.outputs) == {"NED", "ASCCL"} and item.source and item.reference for item in items)


@pytest.mark.parametrize("ending", ["ts", "3gp", "gif", "MTS"])
def test_the_videos_of_cameras_and_phones_are_taken(tmp_path, ending):
    for method in ("A", "B"):
        (tmp_path / "sad-0").mkdir(exist_ok=True)
        (tmp_path / "sad-0" / f"{method}.{ending}").write_bytes(b"x")
    assert set(read_items(tmp_path)[0].outputs) == {"A", "B"}


def test_media_that_a_study_cannot_use_are_named_where_clips_are_missing(folder):
    (folder / "sad-0" / "NED.mp4").rename(folder / "sad-0" / "NED.heic")
    (folder / "sad-0" / "poster.png").write_bytes(b"x")
    message = r"item sad-0 has fewer than two methods; a study cannot use NED.heic, poster.png: convert them to MP4"
    with pytest.raises(InputError, match=message):
        read_items(folder)


def test_a_poster_beside_complete_clips_is_ignored(folder):
    (folder / "sad-0" / "poster.png").write_bytes(b"x")
    assert len(read_items(folder)) == 6


@pytest.mark.parametrize(
    ("name", "content"),
    [("m.jsonl", json.dumps(ROW) + "\n"), ("m.csv", ",".join(ROW) + "\n" + ",".join(ROW.values()) + "\n")],
)
def test_both_manifests_are_read_and_the_papers_word_for_a_setting_is_replaced(folder, name, content):
    (folder / name).write_text(content)
    (item,) = read_items(folder / name)
    assert (item.name, item.emotion, item.setting, item.reference) == ("one", "sad", "intra-ID", None)
    assert set(item.outputs) == {"NED", "ours"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"A": "sad-0/NED.mp4"}, "fewer than two"),
        ({"A": "sad-0/NED.mp4", "B": "gone.mp4"}, "is not in"),
        ({"A": "sad-0/NED.mp4", "B": "../" * 30 + "etc/passwd"}, "leads out"),
        ({"A": "sad-0/NED.mp4", "B": "/etc/passwd"}, "leads out"),
        ({"A": "sad-0/NED.mp4", "B": "link/out.mp4"}, "leads out"),
        ({"A": "sad-0/NED.mp4", "B": "sad-0/ASCCL.mp4", "emotion": "bored"}, "bored"),
        ({"A": "sad-0/NED.mp4", "B": "sad-0/ASCCL.mp4", "setting": "both"}, "both"),
        ({"A": "sad-0/NED.mp4", "=1+1": "sad-0/ASCCL.mp4"}, "spreadsheet"),
        ({"A": "sad-0/NED.mp4", "B": "x\0y.mp4"}, "is not in"),
        ({"A": "sad-0/NED.mp4", "B": 7}, "no text"),
    ],
)
def test_a_wrong_manifest_is_refused(folder, row, message):
    (folder / "m.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=message):
        read_items(folder / "m.jsonl")
