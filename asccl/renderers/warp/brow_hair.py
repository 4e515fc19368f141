"""Measure how far the hair of a brow reaches beyond its landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from asccl.renderers.warp.field import face_size
from asccl.types import Image

# face sizes
PROFILE_REACH, PROFILE_STEPS = 0.18, 37  # brightness is read so far above and below the middle of a brow
MAX_HAIR_MARGIN = 0.07  # of hair above the upper row of landmarks; below the lower row it ends at the lid
LID_MARGIN = 0.02  # of the lashes above the line of the lid

MIN_CONTRAST = 0.08  # of hair to skin, relative, to be measured
EDGE_LEVEL = 0.6  # of the brightness from hair to skin, at which hair ends


def brow_axes(top: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors along a brow, from the inner to the outer end, and across, upwards. Rows (n, 2), outer end first."""
    middle = 0.5 * (top + low)
    along = middle[0] - middle[-1]
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    up = np.array([-along[1], along[0]])
    return along, up if (top - low).mean(0) @ up > 0 else -up


def interpolate_lid(along: np.ndarray, heights: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Interpolate the height of a lid along a brow.

    Args:
        along: positions of the landmarks of the lid along the brow, (n,).
        heights: of these landmarks, (n,).
        position: along the brow, (k,).

    Returns:
        The height at each position, (k,).
    """
    order = np.argsort(along)
    return np.interp(position, along[order], heights[order])


def hair_margins(
    image: Image, landmarks: np.ndarray, top_row: Sequence[int], low_row: Sequence[int], lid_row: Sequence[int]
) -> np.ndarray:
    """Measure how far hair reaches above and below the rows of a brow.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (478, 3) pixels.
        top_row: landmarks of the upper row, outer end first, n of them.
        low_row: of the lower row, likewise.
        lid_row: of the upper lid below.

    Returns:
        (n, 2) face sizes; 0 where it cannot be measured.
    """
    size = face_size(landmarks)
    top, low, lid = (landmarks[list(row), :2].astype(np.float64) for row in (top_row, low_row, lid_row))
    along, up = brow_axes(top, low)
    middle = 0.5 * (top + low)
    offsets = np.linspace(-PROFILE_REACH, PROFILE_REACH, PROFILE_STEPS)
    beside = np.array([-0.02, 0.0, 0.02])
    points = middle[:, None, None] + size * (offsets[:, None] * up + beside[:, None, None] * along)
    x0, y0 = np.maximum(np.floor(points.min((0, 1, 2))).astype(int) - 2, 0)
    x1, y1 = np.ceil(points.max((0, 1, 2))).astype(int) + 3
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    if min(part.shape[:2]) < 4:
        return np.zeros((len(middle), 2))
    gray = cv2.GaussianBlur(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), (0, 0), max(0.5, 0.008 * size))
    at = (points - (x0, y0)).reshape(-1, 1, 2).astype(np.float32)
    values = cv2.remap(gray, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    profiles = values.reshape(len(middle), len(beside), PROFILE_STEPS).mean(1)
    half = 0.5 * (top - low) @ up / size
    lid_offset = (interpolate_lid(lid @ along, lid @ up, middle @ along) - middle @ up) / size
    pairs = [_column_margins(*column, offsets) for column in zip(profiles, half, lid_offset + LID_MARGIN, strict=True)]
    return np.array(pairs)


def _column_margins(profile: np.ndarray, half: float, lid: float, offsets: np.ndarray) -> tuple[float, float]:
    """Margins of hair above and below one column of a brow, face sizes; 0 where no hair stands out.

    profile: brightness from below the brow to above it. half: height of the rows over the middle. lid: of the lid.
    """
    core = np.flatnonzero(np.abs(offsets) <= max(half, 0.02))
    darkest = core[np.argmin(profile[core])]
    above = _hair_edge(profile[darkest:], offsets[darkest:], half + MAX_HAIR_MARGIN)
    below = _hair_edge(profile[darkest::-1], -offsets[darkest::-1], -lid)
    if above is None:
        return 0.0, 0.0
    below = -lid if below is None else below  # hair down to the lid
    return float(np.clip(above - half, 0, MAX_HAIR_MARGIN)), max(below - half, 0.0)


def _hair_edge(values: np.ndarray, heights: np.ndarray, reach: float) -> float | None:
    """Height at which hair ends, on the way from its darkest place up to a height; None where it does not end.

    values: brightness (n,) from the darkest place on. heights: (n,), increasing.
    """
    values = values[: max(1, int((heights <= reach).sum()))]
    skin, hair = float(values.max()), float(values[0])
    if skin - hair < MIN_CONTRAST * max(skin, 1.0):
        return None
    return float(heights[np.argmax(values >= hair + EDGE_LEVEL * (skin - hair))])
