"""Crop two faces so that the same region lies at the same place in both: pose alignment, section 4.1 of the paper.

The head of an edit has not moved, so both frames are cropped where the face of the source is. The face of another take
is first transformed to the pose of the source by the affine transform of its rigid landmarks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from asccl.face.crop import CROP_SIZE, fit_similarity, warp_crop
from asccl.face.mesh import ALIGNMENT_LANDMARKS, ARCFACE_TEMPLATE, NOSE_TIP, RIGID_LANDMARKS, eye_distance
from asccl.face.pose import FRONTAL_HEAD
from asccl.metric.align import estimate_affine
from asccl.types import Image, MediaInfo

ALIGNMENTS = ("place", "landmarks")
MAX_HEAD_OFFSET = 0.1  # eye distances between the heads of a source and its edit
ASPECT_TOLERANCE = 0.01  # relative difference of the aspect ratios of two videos


class CropTransforms(NamedTuple):
    """Transforms of two frames to a common crop.

    Attributes:
        source: (2, 3), pixels of the source frame to pixels of the crop.
        generated: (2, 3), pixels of the generated frame to pixels of the crop.
        size: side of the crop in pixels.
    """

    source: np.ndarray
    generated: np.ndarray
    size: int = CROP_SIZE

    def enlarged(self, factor: int) -> CropTransforms:
        """Return the transforms to the same crop with `factor` times the pixels per side."""
        shift = (factor - 1) / 2  # pixel centres have integer coordinates
        source, generated = (m * factor + [[0, 0, shift], [0, 0, shift]] for m in (self.source, self.generated))
        return CropTransforms(source, generated, self.size * factor)

    def crop(self, source: Image, generated: Image) -> tuple[Image, Image]:
        """Crop both frames to (size, size, 3) uint8 RGB; beyond a frame its border is repeated, see `valid_mask`."""
        return warp_crop(source, self.source, self.size), warp_crop(generated, self.generated, self.size)

    def valid_mask(self, source: Image, generated: Image) -> np.ndarray:
        """Mark the pixels of the crop that lie inside both frames, (size, size) bool."""
        return _inside(self.source, source, self.size) & _inside(self.generated, generated, self.size)


def align_crops(
    source: np.ndarray, generated: np.ndarray, alignment: str, scale: float = 1.0, size: int = CROP_SIZE
) -> CropTransforms:
    """Compute the crop transforms of two frames from rigid landmarks, which emotions do not move.

    Args:
        source: landmarks of the source, (478, 3) pixels.
        generated: landmarks of the generated face, (478, 3) pixels.
        alignment: one of `ALIGNMENTS`.
        scale: pixels of the generated frame per pixel of the source; used for "place" only.
        size: side of the crop in pixels.
    """
    matrix = fit_similarity(source[list(RIGID_LANDMARKS), :2], TEMPLATE * (size / CROP_SIZE))
    if alignment == "place":
        scaled = matrix.copy()
        scaled[:, :2] /= scale
        return CropTransforms(matrix, scaled, size)
    return CropTransforms(matrix, _compose(matrix, estimate_affine(generated, source)), size)


def head_offset(source: np.ndarray, generated: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Measure the distance between two heads over time.

    Args:
        source: landmarks, (n, 478, 3) pixels.
        generated: landmarks, (n, 478, 3) pixels.
        scale: pixels of the generated frame per pixel of the source.

    Returns:
        (n,) mean distance of rigid landmarks in eye distances.
    """
    points = list(ALIGNMENT_LANDMARKS)
    difference = source[:, points, :2] - generated[:, points, :2] / scale
    return np.linalg.norm(difference, axis=-1).mean(-1) / eye_distance(source)


def relative_scale(source: MediaInfo, generated: MediaInfo) -> float | None:
    """Return the pixels of the generated video per pixel of the source; None if their aspect ratios differ."""
    horizontal, vertical = generated.width / source.width, generated.height / source.height
    return horizontal if abs(horizontal / vertical - 1) < ASPECT_TOLERANCE else None


def _crop_template() -> np.ndarray:
    """Place the rigid landmarks in a crop of `CROP_SIZE` with eyes and nose where ArcFace expects them, (30, 2)."""
    points = {point: FRONTAL_HEAD[row, :2] for row, point in enumerate(RIGID_LANDMARKS)}
    eyes_and_nose = np.stack([(points[33] + points[133]) / 2, (points[362] + points[263]) / 2, points[NOSE_TIP]])
    matrix = fit_similarity(eyes_and_nose, ARCFACE_TEMPLATE[:3])
    return FRONTAL_HEAD[:, :2] @ matrix[:, :2].T + matrix[:, 2]


TEMPLATE = _crop_template()


def _compose(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the transform (2, 3) that applies `first`, then `second`."""
    return second @ np.vstack([first, [0, 0, 1]])


def _inside(matrix: np.ndarray, image: Image, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    y, x = np.mgrid[:size, :size]
    position = np.linalg.solve(matrix[:, :2], np.stack([x.ravel(), y.ravel()]) - matrix[:, 2:])
    limit = np.array([[width - 0.5], [height - 0.5]])
    return ((position >= -0.5) & (position <= limit)).all(0).reshape(size, size)
