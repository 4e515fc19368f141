"""Videos become the same bytes in one process, in several, on Ray, and after a kill; broken videos are reported."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from media import astronaut, write_clip
from training_runs import run_killed_module, start_module

from asccl.data.clips import ClipFolder, PreparedClip
from asccl.data.manifest import MANIFEST, read_manifest
from asccl.errors import InputError, SettingError
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from training.datasets.recorded_portraits import load_prepared_portraits
from training.preprocess.run import PrepareSettings, main

FRAMES = 10
SIZE = 64


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MEAD's names: one person, three emotions, the first with sound."""
    folder = tmp_path_factory.mktemp("videos")
    for number, emotion in enumerate(("happy", "neutral", "contempt")):
        path = folder / f"W009/video/front/{emotion}/level_1/00{number + 1}.mp4"
        path.parent.mkdir(parents=True)
        write_clip(path, [astronaut(number + i) for i in range(FRAMES)], sound=number == 0)
    return folder


@pytest.fixture(scope="module")
def prepared(videos, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(videos, folder)
    return folder


def prepare(videos: Path, folder: Path, **options: object) -> None:
    assert main(PrepareSettings((videos,), folder, SIZE, **{"workers": 0, **options})) == 0


def prepare_arguments(videos: Path, folder: Path, *options: str) -> list[str]:
    return [str(videos), "-o", str(folder), "--size", str(SIZE), *options]


def start_prepare(videos: Path, folder: Path, *options: str, **process_options: object) -> subprocess.Popen:
    return start_module("training.prepare", *prepare_arguments(videos, folder, *options), **process_options)


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def load_clips(folder: Path) -> list[PreparedClip]:
    return ClipFolder(folder, load_anny_head().names).clips


def test_the_manifest_has_labels_and_facts_of_every_clip(prepared):
    records = read_manifest(prepared)
    labels = [(record.person, record.emotion, record.words, record.level, record.view) for record in records]
    assert labels == [("W009", "happy", "001", 1, "front"), ("W009", "neutral", "002", 1, "front")]
    assert records[0].source == "W009/video/front/happy/level_1/001.mp4"
    assert records[0].file == "clips/W009/video/front/happy/level_1/001.safetensors"
    assert records[0].settings == {"size": SIZE, "quality": 95}
    for record in records:
        assert record.frames == record.valid == FRAMES
        assert record.rate == pytest.approx(29.97, abs=0.01)
        assert 0 < record.error < 8


def test_a_clip_has_images_and_sound(prepared):
    with_sound, silent = load_clips(prepared)
    assert with_sound.has_sound
    assert not silent.has_sound
    assert len(with_sound.read("cepstra")) >= FRAMES - 1
    assert with_sound.images(range(FRAMES)).shape == (FRAMES, SIZE, SIZE, 3)


def test_the_stored_crop_is_that_of_the_renderer(prepared):
    clip = load_clips(prepared)[0]
    scene = Scene.tracked(FaceSurface(load_anny_head()), clip.motion(), SIZE)
    assert np.allclose(scene.crop_matrices, clip.read("crop"))


def test_a_renderer_can_be_trained_on_a_clip(prepared):
    window = load_prepared_portraits(prepared, FaceSurface(load_anny_head()))[0].window(2, 7)
    assert window.conditions.shape == (5, 10, SIZE, SIZE)
    assert window.frames.shape == (5, 3, SIZE, SIZE)
    x, y = load_clips(prepared)[0].landmarks(np.array([2]))[0, 13].round().astype(int)
    mask = window.conditions[0, 9]
    assert mask[y, x] == 1
    assert mask[0].max() == 0


def test_ray_makes_the_same_bytes(videos, prepared, tmp_path):
    pytest.importorskip("ray")
    prepare(videos, tmp_path, ray="local")
    assert read_all(tmp_path) == read_all(prepared)


def test_killed_with_two_workers_it_continues_to_the_same_bytes(videos, prepared, tmp_path):
    arguments = prepare_arguments(videos, tmp_path, "--workers", "2")
    assert run_killed_module("training.prepare", *arguments, file=MANIFEST, count=1) == -signal.SIGKILL
    shutil.copy(next(tmp_path.glob("clips/**/*.safetensors")), tmp_path / "clips/.x.safetensors.12.part")
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write('{"bytes": 12')  # as if it had died while it wrote a line
    prepare(videos, tmp_path)
    assert read_all(tmp_path) == read_all(prepared)


def test_altered_clips_are_made_again_and_the_others_are_kept(videos, prepared, tmp_path, capsys):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    altered, intact = (tmp_path / record.file for record in read_manifest(tmp_path))
    before = intact.stat().st_mtime_ns
    altered.write_bytes(altered.read_bytes()[:-1] + b"?")
    prepare(videos, tmp_path)
    assert "2 clips, 1 of them new, left out: contempt" in capsys.readouterr().out
    assert read_all(tmp_path) == read_all(prepared)
    assert intact.stat().st_mtime_ns == before


def test_bad_videos_are_listed_and_the_others_continue(videos, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(next(videos.rglob("*001.mp4")), folder / "good.mp4")
    (folder / "broken.mp4").write_bytes(b"no video")
    write_clip(folder / "empty.mp4", [np.full((128, 128, 3), 90, np.uint8)] * 4, sound=False)
    settings = PrepareSettings((folder,), tmp_path / "out", SIZE, workers=2)
    assert main(settings) == 3
    assert [record.source for record in read_manifest(settings.output)] == ["good.mp4"]
    lines = (settings.output / "failed.jsonl").read_text().splitlines()
    failures = {line["source"]: line for line in map(json.loads, lines)}
    assert {source: line["error"] for source, line in failures.items()} == {
        "broken.mp4": "UnreadableError",
        "empty.mp4": "NoFaceError",
    }
    assert failures["broken.mp4"]["reason"].startswith("broken.mp4 is not a")
    for name in failures:
        (folder / name).unlink()
    assert main(settings) == 0
    assert not (settings.output / "failed.jsonl").exists()


def test_a_full_disk_ends_it_and_leaves_nothing_incomplete(videos, prepared, tmp_path):
    limit = min(record.bytes for record in read_manifest(prepared)) - 1

    def limit_file_size() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start_prepare(videos, tmp_path, "--workers", "0", preexec_fn=limit_file_size)
    errors = process.communicate()[1]
    assert process.returncode == 1
    assert "no space is left for" in errors
    assert "free some space" in errors
    assert "Traceback" not in errors
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "manifest.jsonl"]
    assert read_manifest(tmp_path) == []
    prepare(videos, tmp_path)
    assert read_all(tmp_path) == read_all(prepared)


def test_labels_can_be_added_later(videos, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "out")
    table = tmp_path / "labels.csv"
    table.write_text("file,person,emotion,words\nW009/video/front/happy/level_1/001.mp4,Ann,surprised,w\n")
    prepare(videos, tmp_path / "out", labels=table)
    first, second = read_manifest(tmp_path / "out")
    assert (first.person, first.emotion, first.words) == ("Ann", "surprised", "w")
    assert second.emotion == "neutral"


def test_labels_of_an_unknown_video_are_refused(videos, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("file,emotion\n001.mp4,sad\n")
    with pytest.raises(InputError, match=r"names 001.mp4, which is not among the videos: names look like .*level_1"):
        prepare(videos, tmp_path / "out", labels=table)


def test_a_folder_of_other_settings_is_refused(videos, prepared):
    with pytest.raises(SettingError, match=r"holds clips made with .*: give the same settings, or another -o"):
        main(PrepareSettings((videos,), prepared, SIZE + 1, workers=0))


def test_another_video_of_the_same_name_is_refused(videos, prepared, tmp_path):
    other = tmp_path / "W009/video/front/happy/level_1/001.mp4"
    other.parent.mkdir(parents=True)
    shutil.copy(next(videos.rglob("*002.mp4")), other)
    with pytest.raises(SettingError, match=r"holds another video as W009/video/front/happy/level_1/001.mp4"):
        prepare(tmp_path, prepared)


def test_missing_videos_are_refused(prepared, tmp_path):
    with pytest.raises(InputError, match=r"there is no .*nowhere"):
        prepare(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(InputError, match="no videos in"):
        prepare(prepared, tmp_path / "out")
