"""Teeth: the lips move over rows of teeth that stay in place.

The field that moves the skin is valid up to the lips. Between them, only the rim of a lip moves with it; further inside
the displacement fades to zero, so that the upper row stays with the skull and the lower one with the jaw. Revealed
pixels are stretched from their neighbourhood in the frame. The field depends on the landmarks of the frame alone and
changes as smoothly as they do.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box, face_size, upsample

# face sizes: lip gap at which this field begins to replace that of the skin, and at which it replaces it fully
MIN_LIP_GAP, FULL_LIP_GAP = 0.03, 0.09
LIP_RIM_WIDTH = 0.02  # face sizes inside the line of a lip that move with it: its wet rim, and its shadow on the teeth
# length over which a lip's displacement fades, over that displacement: teeth are stretched by half. In a narrow
# mouth the length is smaller and the stretch is larger.
FADE_FACTOR = 3.0
MIDDLE_MARGIN = 0.2  # lip openings: minimum distance of the static part from both lips
BORDER_WIDTH = 0.012  # face sizes: transition between the field of the skin and that of the mouth
LINE_SMOOTHING = 0.08  # face sizes: width of the box filter along the lines of the lips

UPPER = [mesh.INNER_LIP_CORNERS[0], *mesh.UPPER_INNER_LIP, mesh.INNER_LIP_CORNERS[1]]
LOWER = [mesh.INNER_LIP_CORNERS[0], *mesh.LOWER_INNER_LIP, mesh.INNER_LIP_CORNERS[1]]


class _Profile(NamedTuple):
    """The field at n positions along the mouth, in pixels, each (n, k) float32.

    upper, lower: of a lip, where its displacement ends, 1 / the distance over which it fades, and its displacement
    beyond that of the middle. middle: displacement of the middle down and along the mouth, and the weight of this
    field. lines: of both lips.
    """

    upper: np.ndarray
    lower: np.ndarray
    middle: np.ndarray
    lines: np.ndarray


def stabilize_teeth(field: np.ndarray, landmarks: np.ndarray, edited_landmarks: np.ndarray, box: Box) -> None:
    """Replace the displacement field between the edited lips, in place, so that the teeth stay in place.

    Args:
        field: displacement of each pixel of the box, (h, w, 2) float32 pixels, written to.
        landmarks: (478, 3) pixels of the frame.
        edited_landmarks: (468, 2+) pixels of the frame.
        box: part of the frame that the field covers.
    """
    size = face_size(landmarks)
    corner = np.array([box.x0, box.y0], np.float32)
    before, after = (p[[UPPER, LOWER], :2] - corner for p in (landmarks, edited_landmarks))
    if np.abs(after - before).max() < 0.1:
        return
    points = after.reshape(-1, 2)
    x0, y0 = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(points.max(0)).astype(int) + 2, field.shape[1::-1])
    mouth = Box(x0, y0, x1, y1, max(1.0, BORDER_WIDTH * size))
    if mouth.empty:
        return
    across = after[0, -1] - after[0, 0]
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    axes = np.stack([across, [-across[1], across[0]]])  # along the mouth and down
    mouth_field = upsample(_mouth_field(before @ axes.T, after @ axes.T, axes, mouth, size), mouth)
    part = field[y0:y1, x0:x1]
    part += mouth_field[..., 2:] * (mouth_field[..., :2] - part)


def _mouth_field(before: np.ndarray, after: np.ndarray, axes: np.ndarray, box: Box, size: float) -> np.ndarray:
    """Displacement (x, y) and its weight over a box, coarse (h, w, 3).

    before, after: lines of both lips, (2, 11, 2) along the mouth and down. axes: (2, 2) unit vectors of these.
    """
    h, w = box.grid_shape
    x, y = box.x0 + box.cell * np.arange(w), box.y0 + box.cell * np.arange(h)[:, None]
    u, v = ((axis[0] * x + axis[1] * y).astype(np.float32) for axis in axes)
    grid = np.arange(float(u.min()), float(u.max()) + 1, dtype=np.float32)
    column, zero = u - grid[0], np.zeros_like(u)
    upper, lower, middle, lines = (
        cv2.remap(values[None], column, zero, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for values in _profile(before, after, grid, size)
    )
    near_upper = np.clip((upper[..., 0] - v) * upper[..., 1], 0, 1)
    near_lower = np.clip((v - lower[..., 0]) * lower[..., 1], 0, 1)
    down = middle[..., 0] + near_upper * upper[..., 2] + near_lower * lower[..., 2]
    inside = np.minimum(v - lines[..., 0], lines[..., 1] - v) / box.cell
    along, weight = middle[..., 1], middle[..., 2] * np.clip(inside, 0, 1)
    dx, dy = axes.T.astype(np.float32)
    return cv2.merge([along * dx[0] + down * dx[1], along * dy[0] + down * dy[1], weight])


def _profile(before: np.ndarray, after: np.ndarray, grid: np.ndarray, size: float) -> _Profile:
    """Compute the field along the mouth, at positions `grid` (n,). before, after: as in `_mouth_field`."""
    width = 2 * max(1, round(0.5 * LINE_SMOOTHING * size)) + 1
    line, along, down = np.empty((3, 2, len(grid)), np.float32)
    for k in (0, 1):
        order = np.argsort(after[k, :, 0], kind="stable")
        knots = np.concatenate([after[k, :, 1:], after[k] - before[k]], 1)[order].T
        values = np.stack([np.interp(grid, after[k, order, 0], knot) for knot in knots]).astype(np.float32)
        line[k], along[k], down[k] = cv2.blur(values, (width, 1), borderType=cv2.BORDER_REPLICATE)
    old_line = line - down
    old_opening, new_opening = np.maximum(old_line[1] - old_line[0], 0), np.maximum(line[1] - line[0], 0)
    rim = np.minimum(LIP_RIM_WIDTH * size, 0.3 * np.minimum(old_opening, new_opening))
    inwards = np.array([[1.0], [-1.0]], np.float32)  # down from the upper lip, up from the lower one
    start = line + inwards * rim
    fade = np.maximum(rim, -inwards * FADE_FACTOR * down)
    fade *= np.minimum(1, (start[1] - start[0]) / np.maximum(fade.sum(0), 1e-3))  # both fit into the opening
    end = start + inwards * fade
    middle = end.mean(0)
    margin = MIDDLE_MARGIN * old_opening
    middle_down = middle - np.clip(middle, old_line[0] + margin, old_line[1] - margin)
    upper, lower = (np.stack([end[k], 1 / np.maximum(fade[k], 0.5), down[k] - middle_down], 1) for k in (0, 1))
    weight = np.clip((old_opening / size - MIN_LIP_GAP) / (FULL_LIP_GAP - MIN_LIP_GAP), 0, 1)
    return _Profile(upper, lower, np.stack([middle_down, along.mean(0), weight], 1), line.T.copy())
