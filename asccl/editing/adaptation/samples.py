"""Sample frames of a face at the small size that the networks need, spread over visemes and head turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from asccl.morphable.speech import blink_amount
from asccl.renderers.warp.field import face_size
from asccl.types import Image, LazyImage, Motion

REDUCED_FACE_SIZE = 64  # pixels between the outer eye corners: an ArcFace crop of 112 pixels has about 52
PATCH_MARGIN = 0.35  # of the larger side of the box around the landmarks
MAX_BLINK = 0.3  # of a sample frame, in [0, 1]
VISEME_UNITS = (
    *("jawOpen", "mouthPucker", "mouthFunnel", "mouthClose"),
    *("mouthSmileLeft", "mouthStretchLeft", "mouthUpperUpLeft", "mouthLowerDownLeft"),
)
TURN_WEIGHT = 1.0  # of a head turn in radians beside the coefficients of the visemes


@dataclass(frozen=True)
class FacePatch:
    """The face in one frame, cut out and reduced: pixel p of the frame is (p - offset) * scale of the patch.

    Attributes:
        t: index of the frame in the motion.
        image: (h, w, 3) uint8 RGB.
        offset: pixels (x, y) of the frame.
        scale: pixels of the patch for one of the frame, at most 1.
    """

    t: int
    image: Image
    offset: np.ndarray
    scale: float

    @classmethod
    def cut(cls, t: int, image: LazyImage, landmarks: np.ndarray) -> FacePatch:
        """Cut the face out of a frame.

        Args:
            t: index of the frame.
            image: the frame, (H, W, 3).
            landmarks: (478, 3) pixels.

        Returns:
            The patch.
        """
        low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        margin = PATCH_MARGIN * (high - low).max()
        size = np.array(image.shape[1::-1])
        start = np.clip(np.floor(low - margin), 0, size - 2).astype(int)
        stop = np.clip(np.ceil(high + margin), start + 2, size).astype(int)
        part = image[start[1] : stop[1], start[0] : stop[0]]
        scale = min(1.0, REDUCED_FACE_SIZE / face_size(landmarks))
        if scale < 1:
            width, height = np.maximum(np.round(scale * (stop - start)), 2).astype(int)
            part = cv2.resize(part, (int(width), int(height)), interpolation=cv2.INTER_AREA)
        return cls(t, np.ascontiguousarray(part), start.astype(np.float64), scale)


@dataclass(frozen=True)
class AdaptationSample:
    """A patch with its landmarks.

    Attributes:
        patch: the face.
        landmarks: (478, 3) pixels of the patch.
    """

    patch: FacePatch
    landmarks: np.ndarray


def attach_landmarks(patch: FacePatch, landmarks: np.ndarray) -> AdaptationSample:
    """Attach the landmarks of a frame, (478, 3) pixels, to its patch."""
    moved = landmarks.astype(np.float64, copy=True)
    moved[:, :2] -= patch.offset
    return AdaptationSample(patch, (moved * patch.scale).astype(np.float32))


def patch_motion(motion: Motion, samples: Sequence[AdaptationSample]) -> Motion:
    """The motion of the sample frames in pixels of their patches; their weights count as 1.

    motion: of all frames. Returns n frames in the order of the samples.
    """
    frames = motion.select(np.array([s.patch.t for s in samples]))
    scales = np.array([s.patch.scale for s in samples], np.float32)
    translation = frames.translation.astype(np.float64, copy=True)
    translation[:, :2] -= np.stack([s.patch.offset for s in samples])
    return replace(
        frames,
        scale=frames.scale * scales,
        translation=(translation * scales[:, None]).astype(np.float32),
        weight=np.ones(len(samples), np.float32),
        shot=np.arange(len(samples), dtype=np.int32),
    )


def select_samples(
    samples: Sequence[AdaptationSample], motion: Motion, names: tuple[str, ...], count: int
) -> list[AdaptationSample]:
    """Choose frames whose visemes and head turns differ most, without blinks.

    The first is the most typical frame; each further one is the farthest from those chosen before.

    Args:
        samples: to choose from.
        motion: of the frames that the samples number.
        names: of the 52 units.
        count: of frames to choose.

    Returns:
        At most `count` samples, in the order of their frames.
    """
    if not samples:
        return []
    index = np.array([s.patch.t for s in samples])
    blink = blink_amount(motion, names)[index]
    usable = np.flatnonzero(blink < MAX_BLINK)
    if len(usable) == 0:
        usable = np.argsort(blink, kind="stable")[:1]
    units = [names.index(name) for name in VISEME_UNITS]
    turn = TURN_WEIGHT * motion.rotation[index][:, 2, :2]
    positions = np.concatenate([motion.coefficients[index][:, units], turn], 1)[usable]
    distance = np.linalg.norm(positions - np.median(positions, axis=0), axis=1)
    chosen = [int(distance.argmin())]
    nearest = np.linalg.norm(positions - positions[chosen[0]], axis=1)
    while len(chosen) < min(count, len(usable)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(positions - positions[chosen[-1]], axis=1))
    return [samples[usable[i]] for i in sorted(set(chosen))]
