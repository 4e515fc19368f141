"""Measure the time of preparing videos with one process and with two, and the size of a frame on disk.

CPU time hardly depends on the load of the machine, wall-clock time does: the ratio of one process to two is meaningful
only on two free cores. Condition images are not stored; their size and the time to draw them are measured as well.

    python -m benchmarks prepare
    python -m benchmarks.prepare [--clips 4] [--seconds 4]
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
from benchmarks.edit import ElapsedTime
from benchmarks.report import print_rows
from benchmarks.talking import talking_clip
from training.preprocess.run import PrepareSettings
from training.preprocess.run import main as prepare

WIDTH, HEIGHT, SIZE = 640, 480, 256  # pixels of the videos and of the crops
CONDITION_FRAMES = 20  # frames whose condition images are drawn


def measure_preparation(videos: Path, folder: Path, workers: int) -> ElapsedTime:
    """Prepare the videos of a folder.

    Args:
        videos: their folder.
        folder: the prepared folder.
        workers: number of processes.
    """
    clock, cpu = time.perf_counter(), cpu_seconds_of_processes()
    assert prepare(PrepareSettings((videos,), folder, SIZE, workers=workers)) == 0
    return ElapsedTime(time.perf_counter() - clock, cpu_seconds_of_processes() - cpu)


def cpu_seconds_of_processes() -> float:
    """Return the processor time of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure_conditions(clip: PreparedClip, surface: FaceSurface) -> tuple[float, float]:
    """Return the CPU milliseconds and the kB as PNG of the condition images of a frame."""
    scene = Scene.tracked(surface, clip.motion(), SIZE)
    start = time.process_time()
    frames = [scene.frame_channels(clip.coefficients[t], t) for t in range(CONDITION_FRAMES)]
    seconds = time.process_time() - start
    size = 0
    for channels in frames:
        levels = np.rint(255 * channels).astype(np.uint8)
        images = [*levels[:9].reshape(3, 3, SIZE, SIZE).transpose(0, 2, 3, 1), levels[9]]
        size += sum(len(cv2.imencode(".png", image)[1]) for image in images)
    return 1000 * seconds / CONDITION_FRAMES, size / 1000 / CONDITION_FRAMES


def measure(folder: Path, clips: int, seconds: float) -> dict[str, float | str]:
    """Prepare clips with one process and with two.

    Args:
        folder: for videos and prepared folders.
        clips: number of clips.
        seconds: duration of a clip.
    """
    videos = folder / "videos"
    videos.mkdir()
    first = talking_clip(videos / "0.mp4", WIDTH, HEIGHT, seconds)
    for number in range(1, clips):
        shutil.copy(first, videos / f"{number}.mp4")
    one, two = (measure_preparation(videos, folder / f"by-{workers}", workers) for workers in (1, 2))
    records = read_manifest(folder / "by-1")
    assert records == read_manifest(folder / "by-2")
    head = load_anny_head()
    clip = ClipFolder(folder / "by-1", head.names).clips[0]
    frames = sum(record.frames for record in records)
    milliseconds, kilobytes = [measure_conditions(clip, FaceSurface(head)) for _ in range(2)][-1]
    return {
        "clips": f"{clips} of {WIDTH} x {HEIGHT}, {frames} frames in all, crops of {SIZE}",
        "one process, wall-clock seconds per clip": one.clock / clips,
        "two processes, wall-clock seconds per clip": two.clock / clips,
        "one process / two processes, wall clock": one.clock / two.clock,
        "CPU seconds to start another process": two.cpu - one.cpu,
        "CPU ms per frame, without that": 1000 * (2 * one.cpu - two.cpu) / frames,
        "kB per frame, all": sum(record.bytes for record in records) / 1000 / frames,
        "kB per frame, crop": float(clip.read("picture_end")[-1]) / 1000 / len(clip),
        "kB per frame of condition images as PNG (not stored)": kilobytes,
        "CPU ms per frame to draw condition images": milliseconds,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=4, help="number of clips; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=4.0, help="duration of a clip; default: %(default)s")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_rows("prepare", measure(Path(folder), arguments.clips, arguments.seconds), arguments.json)


if __name__ == "__main__":
    main()
