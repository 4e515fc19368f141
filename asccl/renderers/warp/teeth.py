"""Teeth: the lips move over rows of teeth that keep their length.

The field that moves the skin is valid up to the lips. Between them, only the rim of a lip moves with it; further inside
the displacement fades to that of the teeth, which is linear along the mouth: a row shifts and tilts as a whole. The
upper row stays with the skull, except that it follows a lip that rises by half: what the lip uncovers is stretched from
the teeth beside it, and would make them too long. The lower row stands on the jaw, and moves with the lip where the jaw
is open.

Where the jaw drops, the mouth opens between its rows of teeth, see `jaw_drop.py`: all below goes down with the jaw, and
the opening gets the colour of the cavity. Below a single row, it is dark down to the lip.

Lips that close cover the teeth: they are drawn before what lies behind them, which is neither moved nor squeezed. So
do corners that come in: a row of teeth hardly gets narrower with its mouth. The narrower the gap that is left, the
less light reaches the teeth in it, and where the lips meet they leave a dark line from corner to corner.

Where pixels would be stretched far, as at the corners of a mouth that opens wider, the frame shows nothing of what is
revealed: there the mouth gets the dark colour of its own cavity. The field depends on the landmarks of the frame alone
and changes as smoothly as they do.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.renderers.warp.cavity import TOP_LIGHT, Cavity
from asccl.renderers.warp.field import Box, face_size, upsample
from asccl.renderers.warp.jaw_drop import JawDrop
from asccl.renderers.warp.lip_edges import LOWER, UPPER, mouth_axes
from asccl.renderers.warp.mouth_profile import mouth_profile

BORDER_WIDTH = 0.012  # face sizes: transition between the field of the skin and that of the mouth
GAP_SHADE = 0.65  # by which a narrow gap between lips that close is darker than the line where they meet
LINE_WIDTH = 0.009  # face sizes: of that line
OPENING_EDGE = 0.014  # face sizes: transition at the edges of what the jaw opens
LIP_EDGE = 0.008  # face sizes: transition at the edge of a lip that comes over the teeth
LIP_SHADOW = 0.35  # coverage of the teeth by the shadow of an upper lip that comes down
SHADOW_WIDTH = 0.04  # face sizes
MIN_COVERAGE = 0.02  # less of the cavity is not drawn


def stabilize_teeth(
    field: np.ndarray, landmarks: np.ndarray, edited_landmarks: np.ndarray, box: Box, drop: JawDrop | None = None
) -> Cavity | None:
    """Replace the displacement field between the edited lips, in place, so that the teeth stay in place.

    Args:
        field: displacement of each pixel of the box, (h, w, 2) float32 pixels, written to.
        landmarks: (478, 3) pixels of the frame.
        edited_landmarks: (468, 2+) pixels of the frame.
        box: part of the frame that the field covers.
        drop: of the jaw; None for none.

    Returns:
        Where to shade the warped pixels of the box as the cavity of the mouth; None for nowhere.
    """
    size = face_size(landmarks)
    corner = np.array([box.x0, box.y0], np.float32)
    before, after = (p[[UPPER, LOWER], :2] - corner for p in (landmarks, edited_landmarks))
    if np.abs(after - before).max() < 0.1:
        return None
    points = after.reshape(-1, 2)
    x0, y0 = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(points.max(0)).astype(int) + 2, field.shape[1::-1])
    mouth = Box(x0, y0, x1, y1, max(1.0, BORDER_WIDTH * size))
    if mouth.empty:
        return None
    axes = mouth_axes(after)
    mouth_field = upsample(_mouth_field(before @ axes.T, after @ axes.T, axes, mouth, size, drop), mouth)
    part = field[y0:y1, x0:x1]
    weight, coverage, visible = mouth_field[..., 2:3], mouth_field[..., 3], mouth_field[..., 8:]
    opening = mouth_field[..., 4:6] if drop is not None else None
    inside = None
    if visible.max() > MIN_COVERAGE:
        inside = np.concatenate([part + weight * (mouth_field[..., 6:8] - part), visible], 2)
    part += weight * (mouth_field[..., :2] - part)
    if opening is None and inside is None and coverage.max() <= MIN_COVERAGE:
        return None
    return Cavity((slice(y0, y1), slice(x0, x1)), coverage, opening, inside)


def _mouth_field(
    before: np.ndarray, after: np.ndarray, axes: np.ndarray, box: Box, size: float, drop: JawDrop | None
) -> np.ndarray:
    """Compute the field over a box, coarse (h, w, 9).

    Displacement (x, y) of the lips, its weight, coverage and opening of a `Cavity`, displacement (x, y) of what lies
    behind the lips, and how far that is visible.

    before, after: lines of both lips, (2, 11, 2) along the mouth and down. axes: (2, 2) unit vectors of these.
    """
    axis_along, axis_down = axes.astype(np.float32)
    h, w = box.grid_shape
    x, y = box.x0 + box.cell * np.arange(w), box.y0 + box.cell * np.arange(h)[:, None]
    u, v = ((axis[0] * x + axis[1] * y).astype(np.float32) for axis in axes)
    grid = np.arange(float(u.min()), float(u.max()) + 1, dtype=np.float32)
    column, zero = u - grid[0], np.zeros_like(u)
    upper, lower, middle, lines, jaw = (
        cv2.remap(values[None], column, zero, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for values in mouth_profile(before, after, grid, size, drop)
    )
    inside = np.minimum(v - lines[..., 0], lines[..., 1] - v)
    gap = jaw[..., 1]
    dropped = gap * np.clip((v - jaw[..., 0]) / np.maximum(gap, 1e-3), 0, 1)
    edge = max(OPENING_EDGE * size, 1.0)
    opened = np.clip(np.minimum(v - jaw[..., 0], jaw[..., 3] - v) / edge + 0.5, 0, 1) * jaw[..., 2]
    opened = cv2.GaussianBlur(opened * np.clip(inside / edge + 0.5, 0, 1), (0, 0), 0.8)
    height = np.clip((v - lines[..., 0]) / np.maximum(lines[..., 1] - lines[..., 0], 1), 0, 1)
    light = TOP_LIGHT + (1 - TOP_LIGHT) * height
    v = v - dropped
    near_upper = np.clip((upper[..., 0] - v) * upper[..., 1], 0, 1)
    near_lower = np.clip((v - lower[..., 0]) * lower[..., 1], 0, 1)
    nearest = v < 0.5 * (upper[..., 0] + lower[..., 0])
    hides_upper, hides_lower = upper[..., 5] * nearest, lower[..., 5] * ~nearest
    fields = []
    for on_upper, on_lower in (
        (np.maximum(near_upper, hides_upper), np.maximum(near_lower, hides_lower)),
        (near_upper * (1 - upper[..., 5]), near_lower * (1 - lower[..., 5])),
    ):
        down = dropped + middle[..., 0] + on_upper * upper[..., 2] + on_lower * lower[..., 2]
        along = middle[..., 1] + on_upper * upper[..., 3] + on_lower * lower[..., 3]
        fields += [along * axis_along[0] + down * axis_down[0], along * axis_along[1] + down * axis_down[1]]
    soft = max(LIP_EDGE * size, 1.0)
    visible = np.maximum(upper[..., 5], lower[..., 5]) * np.clip((lower[..., 6] - upper[..., 6]) / soft, 0, 1)
    for hiding, beyond in ((upper[..., 5], v - upper[..., 6]), (lower[..., 5], lower[..., 6] - v)):
        visible *= 1 - hiding * (1 - np.clip(beyond / soft + 0.5, 0, 1))
    in_shadow = np.clip(1 - (v - upper[..., 6]) / (SHADOW_WIDTH * size), 0, 1)
    shadow = LIP_SHADOW * upper[..., 5] * visible * in_shadow
    weight = middle[..., 2] * np.clip(inside / box.cell, 0, 1)
    covered = (near_upper > 0) * upper[..., 4] + (near_lower > 0) * lower[..., 4]
    covered = middle[..., 3] + middle[..., 2] * (covered - middle[..., 3])
    covered = cv2.GaussianBlur(covered, (0, 0), 1.0) * np.clip(inside / lines[..., 2] - 0.5, 0, 1)
    on_line = np.exp(-np.square(np.minimum(inside, 0) / max(LINE_WIDTH * size, 0.5)))
    in_shade = 1 + GAP_SHADE * np.clip(inside / max(LINE_WIDTH * size, 0.5), 0, 1)
    covered = np.maximum(np.maximum(covered, middle[..., 4] * on_line * in_shade), shadow)
    return cv2.merge([*fields[:2], weight, covered, opened, light, *fields[2:], visible])
