"""From videos to a folder of clips: whole, killed, broken, in several processes and on Ray, the same bytes."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from media import ROOT, astronaut, write_clip

from asccl.data.clips import ClipFolder
from asccl.data.manifest import read_manifest
from asccl.errors import InputError, SettingError
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from tests.training.jobs import job
from training.datasets import portraits
from training.preprocess.run import PrepareSettings, main
from training.preprocess.workers import WorkerDiedError, here, in_processes

FRAMES = 10
SIZE = 64


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MEAD's names: one person, two emotions, the first with sound."""
    folder = tmp_path_factory.mktemp("videos")
    for number, emotion in enumerate(("happy", "neutral", "contempt")):
        path = folder / f"W009/video/front/{emotion}/level_1/00{number + 1}.mp4"
        path.parent.mkdir(parents=True)
        write_clip(path, [astronaut(number + i) for i in range(FRAMES)], sound=number == 0)
    return folder


@pytest.fixture(scope="module")
def prepared(videos, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    assert main(PrepareSettings((videos,), folder, SIZE, workers=0)) == 0
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def start(videos: Path, folder: Path, *options: str, **more: object) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "training.prepare",
        str(videos),
        "-o",
        str(folder),
        "--size",
        str(SIZE),
        *options,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, **more)


def test_a_clip_knows_who_says_what_with_which_face(prepared):
    head = load_anny_head()
    rows = read_manifest(prepared)
    assert [(row.person, row.emotion, row.words, row.level, row.view) for row in rows] == [
        ("W009", "happy", "001", 1, "front"), ("W009", "neutral", "002", 1, "front"),
    ]  # fmt: skip  # contempt is none of ours
    assert rows[0].source == "W009/video/front/happy/level_1/001.mp4"
    assert rows[0].file == "clips/W009/video/front/happy/level_1/001.safetensors"
    assert all(row.frames == row.valid == FRAMES and row.rate == pytest.approx(29.97, abs=0.01) for row in rows)
    assert all(0 < row.error < 8 for row in rows) and rows[0].settings == {"size": SIZE, "quality": 95}
    loud, silent = ClipFolder(prepared, head.names).clips
    assert loud.has_sound and not silent.has_sound and len(loud.read("cepstra")) >= FRAMES - 1
    assert loud.images(range(FRAMES)).shape == (FRAMES, SIZE, SIZE, 3)
    surface = FaceSurface(head)
    assert np.allclose(Scene.tracked(surface, loud.motion(), SIZE).crops, loud.read("crop"))
    window = portraits.prepared(prepared, surface)[0].window(2, 7)  # what a renderer learns from
    assert window.conditions.shape == (5, 10, SIZE, SIZE) and window.frames.shape == (5, 3, SIZE, SIZE)
    x, y = loud.landmarks(np.array([2]))[0, 13].round().astype(int)
    mask = window.conditions[0, 9]
    assert mask[y, x] == 1 and mask[0].max() == 0


def test_ray_makes_the_same_bytes(videos, prepared, tmp_path):
    pytest.importorskip("ray")
    assert main(PrepareSettings((videos,), tmp_path, SIZE, ray="local")) == 0
    assert everything(tmp_path) == everything(prepared)


def test_killed_in_two_processes_it_goes_on_to_the_same_bytes(videos, prepared, tmp_path):
    run = start(videos, tmp_path, "--workers", "2")
    while not list(tmp_path.glob("clips/**/*.safetensors")) and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    shutil.copy(next(tmp_path.glob("clips/**/*.safetensors")), tmp_path / "clips/.x.safetensors.12.part")
    with (tmp_path / "manifest.jsonl").open("a") as file:
        file.write('{"bytes": 12')  # as if it had died while it wrote a line
    assert main(PrepareSettings((videos,), tmp_path, SIZE, workers=0)) == 0
    assert everything(tmp_path) == everything(prepared)


def test_what_is_done_is_not_done_again_and_what_is_broken_is(videos, prepared, tmp_path, capsys):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    broken, whole = (tmp_path / row.file for row in read_manifest(tmp_path))
    before = whole.stat().st_mtime_ns
    broken.write_bytes(broken.read_bytes()[:-1] + b"?")
    assert main(PrepareSettings((videos,), tmp_path, SIZE, workers=0)) == 0
    assert "2 clips, 1 of them new, left out: contempt" in capsys.readouterr().out
    assert everything(tmp_path) == everything(prepared) and whole.stat().st_mtime_ns == before


def test_bad_videos_are_named_and_the_others_go_on(videos, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(next(videos.rglob("*001.mp4")), folder / "good.mp4")
    (folder / "broken.mp4").write_bytes(b"no video")
    write_clip(folder / "empty.mp4", [np.full((128, 128, 3), 90, np.uint8)] * 4, sound=False)
    settings = PrepareSettings((folder,), tmp_path / "out", SIZE, workers=2)
    assert main(settings) == 3
    assert [row.source for row in read_manifest(settings.output)] == ["good.mp4"]
    failed = [json.loads(line) for line in (settings.output / "failed.jsonl").read_text().splitlines()]
    assert [(row["source"], row["error"]) for row in failed] == [
        ("broken.mp4", "UnreadableError"), ("empty.mp4", "NoFaceError"),
    ]  # fmt: skip
    assert "broken.mp4 is not a readable video or image" in failed[0]["reason"]
    for bad in ("broken.mp4", "empty.mp4"):
        (folder / bad).unlink()
    assert main(settings) == 0 and not (settings.output / "failed.jsonl").exists()


def test_a_full_disk_ends_it_and_nothing_half_written_counts(videos, prepared, tmp_path):
    """A file of a clip may be larger than this process may write."""
    least = min(row.bytes for row in read_manifest(prepared))
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (least - 1, least - 1))  # noqa: E731
    run = start(videos, tmp_path, "--workers", "0", preexec_fn=limit)
    error = run.communicate()[1]
    assert run.returncode == 1 and "no space is left for" in error and "free some space" in error
    assert "Traceback" not in error
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "manifest.jsonl"]
    assert read_manifest(tmp_path) == []
    assert main(PrepareSettings((videos,), tmp_path, SIZE, workers=0)) == 0
    assert everything(tmp_path) == everything(prepared)


def test_labels_of_a_table_can_come_later(videos, prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "out")
    table = tmp_path / "labels.csv"
    table.write_text("file,person,emotion,words\nW009/video/front/happy/level_1/001.mp4,Ann,surprised,w\n")
    assert main(PrepareSettings((videos,), tmp_path / "out", SIZE, table, workers=0)) == 0
    first, second = read_manifest(tmp_path / "out")
    assert (first.person, first.emotion, first.words) == ("Ann", "surprised", "w") and second.emotion == "neutral"
    table.write_text("file,emotion\n001.mp4,sad\n")
    with pytest.raises(InputError, match=r"names 001.mp4, which is not among the videos: names look like .*level_1"):
        main(PrepareSettings((videos,), tmp_path / "out", SIZE, table, workers=0))


def test_other_settings_and_other_videos_need_another_folder(videos, prepared, tmp_path):
    with pytest.raises(SettingError, match=r"holds clips made with .*: give the same settings, or another -o"):
        main(PrepareSettings((videos,), prepared, SIZE + 1, workers=0))
    other = tmp_path / "W009/video/front/happy/level_1/001.mp4"
    other.parent.mkdir(parents=True)
    shutil.copy(next(videos.rglob("*002.mp4")), other)
    with pytest.raises(SettingError, match=r"holds another video as W009/video/front/happy/level_1/001.mp4"):
        main(PrepareSettings((tmp_path,), prepared, SIZE, workers=0))
    with pytest.raises(InputError, match=r"there is no .*nowhere"):
        main(PrepareSettings((tmp_path / "nowhere",), prepared, SIZE))
    with pytest.raises(InputError, match="no videos in"):
        main(PrepareSettings((prepared,), tmp_path / "out", SIZE))


def test_a_dying_worker_costs_its_own_job_alone():
    done = {end.job: end for end in in_processes(job, range(6), 2)}
    assert {n: end.value for n, end in done.items() if end.error is None} == {0: 0, 1: 1, 2: 4, 4: 16}
    assert isinstance(done[3].error, WorkerDiedError) and "its worker died" in str(done[3].error)
    assert str(done[5].error) == "job 5 is no good: leave it out" and done[5].error.exit_status == 3
    assert [end.value for end in here(job, [5, 6])] == [None, 36]
