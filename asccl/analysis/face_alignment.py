"""Cut two faces so that the same region of both lies at the same place: the paper's pose alignment, section 4.1.

An edit leaves the head where it was, so it is cut at the source's own place: nothing is closer than the same pixels.
Another take is first brought into the source's pose by the affine map of its stable landmarks.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from asccl.face.crop import CROP_SIZE, fit_similarity, warp_crop
from asccl.face.mesh import ALIGNMENT_LANDMARKS, ARCFACE_TEMPLATE, NOSE_TIP, RIGID_LANDMARKS, eye_distance
from asccl.face.pose import FRONTAL_HEAD
from asccl.metric.align import estimate_affine
from asccl.types import Image, MediaInfo

Alignment = Literal["place", "landmarks"]
MAX_HEAD_OFFSET = 0.1  # of the eye distance: the head of an edit lies closer to that of its source
ASPECT_TOLERANCE = 0.01  # by which the shapes of two pictures may differ


class CropPair(NamedTuple):
    """(2, 3) maps from pixels of the two frames to pixels of one crop of `size` x `size`."""

    source: np.ndarray
    generated: np.ndarray
    size: int = CROP_SIZE

    def enlarged(self, factor: int) -> CropPair:
        """The same cut with more pixels."""
        shift = (factor - 1) / 2  # pixel centres lie at whole numbers
        source, generated = (m * factor + [[0, 0, shift], [0, 0, shift]] for m in (self.source, self.generated))
        return CropPair(source, generated, self.size * factor)

    def crop(self, source: Image, generated: Image) -> tuple[Image, Image]:
        """Two crops (size, size, 3) uint8 RGB; what lies outside a frame repeats its border, see `valid`."""
        return warp_crop(source, self.source, self.size), warp_crop(generated, self.generated, self.size)

    def valid(self, source: Image, generated: Image) -> np.ndarray:
        """(size, size) bool: where both crops show what their frame shows."""
        return _inside(self.source, source, self.size) & _inside(self.generated, generated, self.size)


def align_crops(
    source: np.ndarray, generated: np.ndarray, alignment: Alignment, scale: float = 1.0, size: int = CROP_SIZE
) -> CropPair:
    """Where to cut. source, generated: landmarks (478, 3) pixels. scale: pixels of the generated frame to one of the
    source's; it counts for "place". The mouth has no say in where the face lies: emotions move it."""
    stable = list(RIGID_LANDMARKS)
    matrix = fit_similarity(source[stable, :2], TEMPLATE * (size / CROP_SIZE))
    if alignment == "place":
        other = matrix.copy()
        other[:, :2] /= scale
        return CropPair(matrix, other, size)
    return CropPair(matrix, _after(matrix, estimate_affine(generated, source)), size)


def head_offset(source: np.ndarray, generated: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """(n, 478, 3) twice -> (n,) how far the two heads lie apart, over the eye distance."""
    anchors = list(ALIGNMENT_LANDMARKS)
    off = source[:, anchors, :2] - generated[:, anchors, :2] / scale
    return np.linalg.norm(off, axis=-1).mean(-1) / eye_distance(source)


def relative_scale(source: MediaInfo, generated: MediaInfo) -> float | None:
    """Pixels of the generated picture to one of the source's; None where they have not the same shape."""
    across, down = generated.width / source.width, generated.height / source.height
    return across if abs(across / down - 1) < ASPECT_TOLERANCE else None


def _template() -> np.ndarray:
    """(30, 2) where the stable points lie in a 112-pixel crop that has eyes and nose where ArcFace wants them."""
    at = {point: FRONTAL_HEAD[row, :2] for row, point in enumerate(RIGID_LANDMARKS)}
    three = np.stack([(at[33] + at[133]) / 2, (at[362] + at[263]) / 2, at[NOSE_TIP]])
    matrix = fit_similarity(three, ARCFACE_TEMPLATE[:3])
    return FRONTAL_HEAD[:, :2] @ matrix[:, :2].T + matrix[:, 2]


TEMPLATE = _template()


def _after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The map (2, 3) that does one after the other."""
    return second @ np.vstack([first, [0, 0, 1]])


def _inside(matrix: np.ndarray, image: Image, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    y, x = np.mgrid[:size, :size]
    there = np.linalg.solve(matrix[:, :2], np.stack([x.ravel(), y.ravel()]) - matrix[:, 2:])
    most = np.array([[width - 0.5], [height - 0.5]])
    return ((there >= -0.5) & (there <= most)).all(0).reshape(size, size)
