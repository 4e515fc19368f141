"""Fit a face on a few sampled frames of a file, for reference styles and previews."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asccl.directors.base import ReferenceStyle
from asccl.directors.reference import check_emotions
from asccl.editing.adaptation.measures import read_networks
from asccl.editing.models import Models
from asccl.errors import NoFaceError
from asccl.face.crop import expression_crop
from asccl.morphable.fit import Fitter
from asccl.types import DetectedFace, Image, Motion, Track
from asccl.video import Limits, sample_frames

SAMPLED_FRAMES = 16  # of a file


@dataclass(frozen=True)
class SampledFrames:
    """Frames of a file that show the face.

    Attributes:
        images: n images, (H, W, 3) uint8 RGB.
        landmarks: (n, 478, 3) pixels.
        motion: of n frames, each a shot of its own.
    """

    images: list[Image]
    landmarks: np.ndarray
    motion: Motion


def fit_sampled_frames(path: Path, models: Models, limits: Limits, face: DetectedFace | None = None) -> SampledFrames:
    """Detect and fit a face in `SAMPLED_FRAMES` frames of a file.

    Args:
        path: a video or still.
        models: to detect and fit with.
        limits: of the file.
        face: the face to follow; None takes the largest.

    Returns:
        The frames that show the face.

    Raises:
        NoFaceError: none of the sampled frames shows a face.
        UnreadableError, LimitError: the file cannot be read.
    """
    images, detections = [], []
    previous = None if face is None else _box_landmarks(face)
    for frame in sample_frames(path, SAMPLED_FRAMES, limits):
        landmarks = models.landmarker.detect(frame.image, previous)
        if landmarks is not None:
            images.append(frame.image)
            detections.append(landmarks)
            previous = landmarks
    if not detections:
        raise NoFaceError(f"{path.name} shows no face", "give a video or image with a clearly visible face")
    landmarks = np.stack(detections)
    crops = [expression_crop(i, p) for i, p in zip(images, landmarks, strict=True)]
    emotion_probabilities = models.expression.probabilities(np.stack(crops)).mean(0)
    identity = models.fitter.fit_identity(landmarks, emotion_probabilities)
    return SampledFrames(images, landmarks, fit_frames(landmarks, models.fitter, identity))


def reference_style(frames: SampledFrames, models: Models) -> ReferenceStyle:
    """Style of a reference from its sampled frames, as several networks and its own coefficients show it."""
    crops = np.stack([expression_crop(i, p) for i, p in zip(frames.images, frames.landmarks, strict=True)])
    features = models.expression.features(crops).sum(0)
    network_features, network_probabilities = read_networks(crops)
    coefficients = frames.motion.coefficients
    mean = coefficients.mean(0)
    probabilities = check_emotions(np.mean(network_probabilities, axis=0), mean, models.head.names)
    return ReferenceStyle(mean, probabilities, features, coefficients, network_features, network_probabilities)


def fit_frames(landmarks: np.ndarray, fitter: Fitter, identity: np.ndarray) -> Motion:
    """Fit frames that are unrelated in time: each is a shot of its own.

    Args:
        landmarks: (n, 478, 3) pixels.
        fitter: fits the 3DMM.
        identity: neutral landmarks of the person, see `Motion.identity`.
    """
    n = len(landmarks)
    track = Track(np.ones(n, np.float32), np.arange(n, dtype=np.int32))
    return fitter.fit_motion(track, lambda first, last: landmarks[first:last], identity)


def _box_landmarks(face: DetectedFace) -> np.ndarray:
    """Landmarks (478, 3) that only carry the box and the angle of a detected face, enough to look near it."""
    x0, y0, x1, y1 = face.box
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, 0], landmarks[:, 1] = (x0 + x1) / 2, (y0 + y1) / 2
    landmarks[0, :2], landmarks[1, :2] = (x0, y0), (x1, y1)
    across = 0.5 * (x1 - x0) * np.array([np.cos(face.angle), np.sin(face.angle)])
    landmarks[33, :2] -= across
    landmarks[263, :2] += across
    return landmarks
