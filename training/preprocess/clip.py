"""Prepare one video: one file of a prepared folder, by the same function in every process and on a cluster."""

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
from asccl.progress import Progress
from asccl.renderers.neural.head_crop import WeakPerspectiveView, head_crop_matrices
from asccl.types import Image, Motion
from asccl.video import Limits, Reader, probe
from asccl.video.waveform import read_sound

RECORDED_PACKAGES = ("asccl", "av", "mediapipe", "numpy", "opencv-contrib-python", "torch")


class ClipJob(NamedTuple):
    """A video to prepare.

    Attributes:
        video: the file.
        source: its name in the manifest.
        folder: the prepared folder.
        size: side of an image, pixels.
        max_seconds: largest length of a video.
    """

    video: Path
    source: str
    folder: Path
    size: int
    max_seconds: float


def prepare_clip(job: ClipJob) -> dict[str, Any]:
    """Track, fit and crop a video, analyze its sound, and write its file.

    Returns:
        The fields of the clip's `ClipRecord` that do not come from labels.

    Raises:
        InputError: the video cannot be used.
        OutputError: the file cannot be written.
    """
    fitter, limits = _fitter(), Limits(max_seconds=job.max_seconds)
    if probe(job.video, limits).is_still:
        raise InputError(f"{job.video.name} is an image", "give videos")
    tracker = FaceMeshTracker(zoo.load_embedder().embed)
    try:
        clip = reconstruct(job.video, tracker, fitter, Progress(), limits)
    finally:
        tracker.close()
    with clip:
        matrices = crop_matrices(clip.motion, clip.track.shot, job.size)
        valid = clip.motion.weight > 0
        tensors = {**_motion_tensors(clip), "crop": matrices, "cepstra": _cepstra(job.video)}
        file = f"{CLIPS_FOLDER}/{Path(job.source).with_suffix('.safetensors').as_posix()}"
        size, digest = write_clip(job.folder / file, _crop_images(job, matrices, valid, limits), tensors)
        return {
            "file": file,
            "source": job.source,
            "source_bytes": job.video.stat().st_size,
            "sha256": digest,
            "bytes": size,
            "frames": len(clip.times),
            "valid": int(valid.sum()),
            "rate": float(clip.info.frame_rate),
            "size": job.size,
            "error": round(clip.error, 4),
            "units": units_digest(fitter.head.names),
            "settings": clip_settings(job.size),
            "versions": package_versions(),
        }


def clip_settings(size: int) -> dict[str, Any]:
    """Return the settings that decide the bytes of a clip, beside the video and the package versions."""
    return {"size": size, "quality": JPEG_QUALITY}


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that a clip is made with."""
    from asccl import __version__

    return {name: __version__ if name == "asccl" else version(name) for name in RECORDED_PACKAGES}


def crop_matrices(motion: Motion, shot: np.ndarray, size: int) -> np.ndarray:
    """Compute the square around the head that the renderer works on, steady within each segment of frames with a face.

    Args:
        motion: of T frames.
        shot: (T,) index of the shot of each frame.
        size: side of the square, pixels.

    Returns:
        (T, 2, 3) matrices from pixels of the video to those of the square.
    """
    views = [
        WeakPerspectiveView(float(s), r, t)
        for s, r, t in zip(motion.scale, motion.rotation, motion.translation, strict=True)
    ]
    valid = motion.weight > 0
    segment = np.cumsum(np.r_[False, (np.diff(shot) != 0) | (np.diff(valid.astype(np.int8)) != 0)])
    return head_crop_matrices(views, size, segment)


def _motion_tensors(clip: FittedClip) -> dict[str, np.ndarray]:
    motion, track = clip.motion, clip.track
    return {
        "coefficients": motion.coefficients,
        "scale": motion.scale,
        "rotation": motion.rotation,
        "translation": motion.translation,
        "identity": motion.identity,
        "presence": track.presence,
        "shot": track.shot,
        "times": clip.times,
        "landmarks": clip.landmarks.read(0, len(clip.times)),
    }


def _crop_images(job: ClipJob, crop_matrices: np.ndarray, valid: np.ndarray, limits: Limits) -> Iterator[Image | None]:
    """Yield the square around the head of every frame, None for a frame without a face."""
    with Reader(job.video, limits) as reader:
        for frame, matrix, has_face in zip(reader, crop_matrices, valid, strict=False):
            yield warp_crop(frame.image, matrix, job.size) if has_face else None


def _cepstra(video: Path) -> np.ndarray:
    sound = read_sound(video)
    if sound is None or not len(sound):
        return np.zeros((0, N_MFCC), np.float32)
    return mfcc(sound).astype(np.float32)


@cache
def _fitter() -> Fitter:
    return Fitter(load_anny_head())
