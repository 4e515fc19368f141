"""From one video to one file of a prepared folder: the same function in this process, in others, and on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asccl import zoo
from asccl.data.clips import JPEG_QUALITY, write_clip
from asccl.data.manifest import CLIPS_FOLDER, units_digest
from asccl.data.pairing import N_MFCC, mfcc
from asccl.errors import InputError
from asccl.face.crop import warp_crop
from asccl.face.tracker import FaceMeshTracker
from asccl.morphable.anny_head import load_anny_head
from asccl.morphable.fit import Fitter
from asccl.morphable.reconstruct import FittedClip, reconstruct
from asccl.renderers.neural.head_crop import WeakPerspectiveView, head_crops
from asccl.types import Image, Motion, Progress
from asccl.video import Limits, Reader, probe
from asccl.video.waveform import read_sound

MADE_WITH = ("asccl", "av", "mediapipe", "numpy", "opencv-contrib-python", "torch")


class ClipJob(NamedTuple):
    """video: the file. source: its name in the manifest. folder: where the result goes. size: pixels of a picture's
    side. longest: seconds of a video."""

    video: Path
    source: str
    folder: Path
    size: int
    max_seconds: float


def prepare_clip(job: ClipJob) -> dict[str, Any]:
    """Track, fit, crop, listen, write; the fields of the clip's `Row` that do not come from labels.

    Raises InputError where the video cannot be used, OutputError where nothing can be written.
    """
    fitter, limits = _fitter(), Limits(max_seconds=job.max_seconds)
    if probe(job.video, limits).is_still:
        raise InputError(f"{job.video.name} is a picture", "give videos")
    tracker = FaceMeshTracker(zoo.load_embedder().embed)
    try:
        clip = reconstruct(job.video, tracker, fitter, Progress(), limits)
    finally:
        tracker.close()
    with clip:
        crop = crop_matrices(clip.motion, clip.track.shot, job.size)
        tensors = {**_moved(clip), "crop": crop, "cepstra": _cepstra(job.video)}
        file = f"{CLIPS_FOLDER}/{Path(job.source).with_suffix('.safetensors').as_posix()}"
        size, digest = write_clip(job.folder / file, _pictures(job, crop, clip.motion.weight > 0, limits), tensors)
        return {
            "file": file, "source": job.source, "source_bytes": job.video.stat().st_size, "sha256": digest,
            "bytes": size, "frames": len(clip.times), "valid": int((clip.motion.weight > 0).sum()),
            "rate": float(clip.info.frame_rate), "size": job.size, "error": round(clip.error, 4),
            "units": units_digest(fitter.head.names), "settings": clip_settings(job.size), "versions": versions(),
        }  # fmt: skip


def clip_settings(size: int) -> dict[str, Any]:
    """What decides the bytes of a clip, beside the video and the versions."""
    return {"size": size, "quality": JPEG_QUALITY}


def versions() -> dict[str, str]:
    from asccl import __version__

    return {name: __version__ if name == "asccl" else version(name) for name in MADE_WITH}


def crop_matrices(motion: Motion, shot: np.ndarray, size: int) -> np.ndarray:
    """(T, 2, 3) video -> square around the head, as the renderer wants it; steady within each stretch of frames that
    have a face."""
    views = [
        WeakPerspectiveView(float(s), r, t)
        for s, r, t in zip(motion.scale, motion.rotation, motion.translation, strict=True)
    ]
    seen = motion.weight > 0
    stretch = np.cumsum(np.r_[False, (np.diff(shot) != 0) | (np.diff(seen.astype(np.int8)) != 0)])
    return head_crops(views, size, stretch)


def _moved(clip: FittedClip) -> dict[str, np.ndarray]:
    motion, track = clip.motion, clip.track
    return {
        "coefficients": motion.coefficients, "scale": motion.scale, "rotation": motion.rotation,
        "translation": motion.translation, "identity": motion.identity, "presence": track.presence,
        "shot": track.shot, "times": clip.times, "landmarks": clip.landmarks.read(0, len(clip.times)),
    }  # fmt: skip


def _pictures(job: ClipJob, crop: np.ndarray, seen: np.ndarray, limits: Limits) -> Iterator[Image | None]:
    with Reader(job.video, limits) as reader:
        for frame, matrix, there in zip(reader, crop, seen, strict=False):
            yield warp_crop(frame.image, matrix, job.size) if there else None


def _cepstra(video: Path) -> np.ndarray:
    sound = read_sound(video)
    if sound is None or not len(sound):
        return np.zeros((0, N_MFCC), np.float32)
    return mfcc(sound).astype(np.float32)


@cache
def _fitter() -> Fitter:
    return Fitter(load_anny_head())
