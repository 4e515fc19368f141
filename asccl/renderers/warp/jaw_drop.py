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
from asccl.types import Image, LazyImage

UPPER, LOWER = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
MIN_GROWTH = 0.5  # pixels by which a mouth opens for its rows to part
FRACTIONS = np.linspace(0.25, 0.8, 23, dtype=np.float32)  # of the opening, from the upper lip, where the rows may part
BELOW_TEETH = 1.0  # likewise, for a mouth that shows the upper row alone
CONTRAST = 7.0  # how clearly the darkest line decides
MIN_LINE_DEPTH, FULL_LINE_DEPTH = 0.12, 0.35  # darkness of a line between the rows over the brightness around it
CURVE_DEGREE = 2  # of the polynomial of the fraction along the mouth
MIN_OPENING = 0.5  # pixels, weight of a column of closed lips


class JawDrop(NamedTuple):
    """A mouth that opens with the jaw, at nine columns along it.

    growth: of its opening, (9,) pixels. split: where the rows part, fraction of the opening from the upper lip, (9,).
    """

    growth: np.ndarray
    split: np.ndarray


def drop_of(growth: np.ndarray, image: LazyImage, landmarks: np.ndarray) -> JawDrop | None:
    """Locate where a mouth opens; None if it does not.

    Args:
        growth: of its opening at nine columns, (9,) pixels.
        image: the frame, (H, W, 3).
        landmarks: of the frame, (478, 3) pixels.
    """
    return JawDrop(growth, row_split(image, landmarks)) if growth.max() > MIN_GROWTH else None


def row_split(image: LazyImage, landmarks: np.ndarray) -> np.ndarray:
    """Find where the rows of teeth part, fraction of the opening from the upper lip at nine columns, (9,).

    image: the frame, (H, W, 3). landmarks: (478, 3) pixels.
    """
    upper, lower = landmarks[UPPER, :2], landmarks[LOWER, :2]
    points = np.concatenate([upper, lower])
    x0, y0 = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
    x1, y1 = np.maximum(np.ceil(points.max(0)).astype(int) + 2, 0)
    part: Image = np.ascontiguousarray(image[y0:y1, x0:x1])
    if part.size == 0:
        return np.full(len(UPPER), BELOW_TEETH)
    gray = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    at = upper + FRACTIONS[:, None, None] * (lower - upper) - (x0, y0)  # (23, 9, 2)
    x, y = cv2.split(at.astype(np.float32))
    brightness = cv2.remap(gray, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    low, high = brightness.min(0), brightness.max(0)
    darkness = (high - brightness) / np.maximum(high - low, 8.0)
    weights = np.exp(CONTRAST * (darkness - 1))
    line = (weights * FRACTIONS[:, None]).sum(0) / weights.sum(0)
    line_depth = 1 - low / np.maximum(np.median(brightness, axis=0), 1.0)
    is_line = smoothstep((line_depth - MIN_LINE_DEPTH) / (FULL_LINE_DEPTH - MIN_LINE_DEPTH))
    fraction = BELOW_TEETH + is_line * (line - BELOW_TEETH)
    opening = np.linalg.norm(lower - upper, axis=1)
    column = np.linspace(-1, 1, len(UPPER))
    curve = np.polynomial.Polynomial.fit(column, fraction, CURVE_DEGREE, domain=[-1, 1], w=opening + MIN_OPENING)
    return np.clip(curve(column), FRACTIONS[0], BELOW_TEETH)
