"""Where a mouth opens when the jaw drops: between its rows of teeth.

The upper row stays with the skull and the lower one goes down with the jaw, so that neither is stretched. They part
along the darkest line between the lips: the edges of the teeth, or the cavity between them. Where there is no such
line, as in a grin, the upper row fills the opening, and the mouth opens below it.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from asccl.face import mesh
from asccl.face.easing import smoothstep
from asccl.renderers.warp.field import face_size
from asccl.types import Image, LazyImage

UPPER, LOWER = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
MIN_GROWTH = 0.5  # pixels by which a mouth opens for its rows to part
FRACTIONS = np.linspace(-0.1, 1.1, 25, dtype=np.float32)  # of the opening, from the upper lip, that are read
SPLITS = slice(7, 22)  # of these, where the rows may part: above lies the shadow of the upper lip
NARROW_GAP, WIDE_GAP = 0.085, 0.1  # face sizes: lip gaps between which less and less of the teeth lies in this shadow
SHADOW_END = 0.4  # of a narrow opening: the shadow of the upper lip
SHADOW_BORDER = 0.1  # of the opening: transition at its end
BELOW_TEETH = 1.0  # likewise, for a mouth that shows the upper row alone
CONTRAST = 7.0  # how clearly the darkest line decides
MIN_LINE_DEPTH, FULL_LINE_DEPTH = 0.12, 0.35  # darkness of a line over what is bright on both of its sides
MIN_LINE_SHARE, FULL_LINE_SHARE = 0.3, 0.45  # of the mouth in which there is such a line, for the rows to part along it
CURVE_DEGREE = 2  # of the polynomial of the fraction along the mouth
MAX_SPLIT_CHANGE = 0.07  # of a split from frame to frame
FREE_SPLIT_GAP = 0.05  # face sizes: lip gap up to which it may change at once
MIN_OPENING = 0.5  # pixels, weight of a column of closed lips


class JawDrop(NamedTuple):
    """A mouth that opens with the jaw, at nine columns along it.

    growth: of its opening, (9,) pixels. split: where the rows part, fraction of the opening from the upper lip, (9,).
    """

    growth: np.ndarray
    split: np.ndarray


class SteadySplit:
    """Where the rows of a mouth part, steady over the frames of a clip: a faint line is not found in every frame."""

    def __init__(self) -> None:
        self._split: np.ndarray | None = None
        self._split_frame, self._frame = -1, -1

    def begin(self, frame: int) -> None:
        """Begin a frame. frame: its number; after a gap the split starts anew."""
        self._frame = frame

    def update(self, split: np.ndarray, gap: float) -> np.ndarray:
        """Limit the change of the split since the last frame.

        Args:
            split: as found in the frame, (9,).
            gap: of the lips in the frame, face sizes; in a narrow mouth a split may change at once.

        Returns:
            The split to part the rows along, (9,).
        """
        if self._split is not None and self._frame == self._split_frame + 1:
            step = float(np.interp(gap, [FREE_SPLIT_GAP, NARROW_GAP], [1.0, MAX_SPLIT_CHANGE]))
            split = self._split + np.clip(split - self._split, -step, step)
        self._split, self._split_frame = split, self._frame
        return split


def drop_of(
    growth: np.ndarray, image: LazyImage, landmarks: np.ndarray, steady: SteadySplit | None = None
) -> JawDrop | None:
    """Locate where a mouth opens; None if it does not.

    Args:
        growth: of its opening at nine columns, (9,) pixels.
        image: the frame, (H, W, 3).
        landmarks: of the frame, (478, 3) pixels.
        steady: split of the frames before; None for a frame alone.
    """
    if growth.max() <= MIN_GROWTH:
        return None
    split = row_split(image, landmarks)
    if steady is not None:
        split = steady.update(split, max_lip_gap(landmarks))
    return JawDrop(growth, split)


def max_lip_gap(landmarks: np.ndarray) -> float:
    """Largest gap between the lips, face sizes. landmarks: (478, 3) pixels."""
    upper, lower = landmarks[UPPER, :2], landmarks[LOWER, :2]
    return float(np.linalg.norm(lower - upper, axis=1).max()) / face_size(landmarks)


def row_split(image: LazyImage, landmarks: np.ndarray) -> np.ndarray:
    """Find where the rows of teeth part, fraction of the opening from the upper lip at nine columns, (9,).

    image: the frame, (H, W, 3). landmarks: (478, 3) pixels.
    """
    upper, lower = landmarks[UPPER, :2], landmarks[LOWER, :2]
    at = (upper + FRACTIONS[:, None, None] * (lower - upper)).astype(np.float32)  # (25, 9, 2)
    x0, y0 = np.maximum(np.floor(at.min((0, 1))).astype(int) - 1, 0)
    x1, y1 = np.maximum(np.ceil(at.max((0, 1))).astype(int) + 2, 0)
    part: Image = np.ascontiguousarray(image[y0:y1, x0:x1])
    if part.size == 0:
        return np.full(len(UPPER), BELOW_TEETH)
    gray = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    x, y = cv2.split(at - np.array([x0, y0], np.float32))
    brightness = cv2.remap(gray, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    shadow_end = np.interp(max_lip_gap(landmarks), [NARROW_GAP, WIDE_GAP], [SHADOW_END, FRACTIONS[SPLITS][0]])
    fractions, is_line = _darkest_lines(brightness, float(shadow_end))
    low, high = brightness.min(), brightness.max(0)
    teeth = (high - low + 1) / (high.max() - low + 1)  # of a column, which is dark beside the teeth
    weights = teeth * (np.linalg.norm(lower - upper, axis=1) + MIN_OPENING)
    line_share = (weights * is_line).sum(keepdims=True) / weights.sum()
    mean = float((weights * is_line * fractions).sum() / max((weights * is_line).sum(), 1e-6))
    column = np.linspace(-1, 1, len(UPPER))
    values = mean + is_line * (fractions - mean)
    curve = np.polynomial.Polynomial.fit(column, values, CURVE_DEGREE, domain=[-1, 1], w=weights)(column)
    has_line = smoothstep((line_share - MIN_LINE_SHARE) / (FULL_LINE_SHARE - MIN_LINE_SHARE))
    return np.clip(BELOW_TEETH + has_line * (curve - BELOW_TEETH), FRACTIONS[SPLITS][0], BELOW_TEETH)


def _darkest_lines(brightness: np.ndarray, shadow_end: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the darkest line across each column that has something bright on both of its sides.

    The shadow of a lip on the teeth has not: it is dark up to the lip.

    brightness: (25, 9) at `FRACTIONS`. shadow_end: fraction of the opening above which rows do not part. Returns the
    fraction of the opening of each line and how certainly it is one, (9,) each.
    """
    above = np.maximum.accumulate(brightness, axis=0)[SPLITS]
    below = np.maximum.accumulate(brightness[::-1], axis=0)[::-1][SPLITS]
    depth = np.clip(1 - brightness[SPLITS] / np.maximum(np.minimum(above, below), 1.0), 0, 1)
    depth *= np.clip((FRACTIONS[SPLITS, None] - shadow_end) / SHADOW_BORDER + 1, 0, 1)
    deepest = depth.max(0)
    weights = np.exp(CONTRAST * (depth / np.maximum(deepest, 1e-3) - 1))
    fractions = (weights * FRACTIONS[SPLITS, None]).sum(0) / weights.sum(0)
    return fractions, smoothstep((deepest - MIN_LINE_DEPTH) / (FULL_LINE_DEPTH - MIN_LINE_DEPTH))
