"""Teeth: the lips move over rows of teeth that stay where they are.

The field that moves the skin ends at the lips. Between them only what lies next to a lip moves with it; further in the
field fades to nothing, so that the rows stay with the skull and the jaw. What a lip uncovers is stretched from what
the frame shows next to it. All of it follows from the landmarks of the frame alone and changes as
smoothly as they do.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box, face_size, upsample

PARTED = 0.03, 0.09  # lip opening over the face size: below the first all is the skin's field, above the second none
RIM = 0.02  # of the face size: this much inside the lip's line moves with the lip: its wet rim and its shadow on teeth
FADE = 3.0  # times what the lip uncovers: the way on which its motion fades. Teeth grow by half there, more where
# the mouth is too narrow for that
MIDDLE = 0.2  # of the lip opening: what lies still lies at least so far from both lips
LINE = 0.012  # of the face size: the width of the border between the skin's field and that of the mouth
SMOOTH = 0.08  # of the face size: the lips' lines are smoothed along the mouth by this

UPPER = [mesh.INNER_LIP_CORNERS[0], *mesh.UPPER_INNER_LIP, mesh.INNER_LIP_CORNERS[1]]
LOWER = [mesh.INNER_LIP_CORNERS[0], *mesh.LOWER_INNER_LIP, mesh.INNER_LIP_CORNERS[1]]


def stabilize_teeth(field: np.ndarray, landmarks: np.ndarray, moved: np.ndarray, box: Box) -> None:
    """Rewrite between the moved lips, in place, how far each pixel of the box moved.

    field: (h, w, 2) float32 pixels. landmarks: (478, 3), moved: (468, 2+) pixels of the frame.
    """
    size = face_size(landmarks)
    corner = np.array([box.x0, box.y0], np.float32)
    before, after = (p[[UPPER, LOWER], :2] - corner for p in (landmarks, moved))
    if np.abs(after - before).max() < 0.1:
        return
    ends = after.reshape(-1, 2)
    x0, y0 = np.maximum(np.floor(ends.min(0)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(ends.max(0)).astype(int) + 2, field.shape[1::-1])
    between = Box(x0, y0, x1, y1, max(1.0, LINE * size))
    if between.empty:
        return
    across = after[0, -1] - after[0, 0]
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    axes = np.stack([across, [-across[1], across[0]]])  # along the mouth and down
    h, w = between.grid_shape
    x, y = x0 + between.cell * np.arange(w), y0 + between.cell * np.arange(h)[:, None]
    u, v = ((axis[0] * x + axis[1] * y).astype(np.float32) for axis in axes)
    grid = np.arange(float(u.min()), float(u.max()) + 1, dtype=np.float32)
    column, zero = u - grid[0], np.zeros_like(u)
    upper, lower, middle, lines = (
        cv2.remap(values[None], column, zero, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for values in _columns(before @ axes.T, after @ axes.T, grid, size)
    )
    near_upper = np.clip((upper[..., 0] - v) * upper[..., 1], 0, 1)
    near_lower = np.clip((v - lower[..., 0]) * lower[..., 1], 0, 1)
    down = middle[..., 0] + near_upper * upper[..., 2] + near_lower * lower[..., 2]
    inside = np.minimum(v - lines[..., 0], lines[..., 1] - v) / between.cell
    dx, dy = axes.T.astype(np.float32)
    along = middle[..., 1]
    share = middle[..., 2] * np.clip(inside, 0, 1)
    held = upsample(cv2.merge([along * dx[0] + down * dx[1], along * dy[0] + down * dy[1], share]), between)
    part = field[y0:y1, x0:x1]
    part += held[..., 2:] * (held[..., :2] - part)


def _columns(before: np.ndarray, after: np.ndarray, grid: np.ndarray, size: float) -> tuple[np.ndarray, ...]:
    """What holds at each place along the mouth, (n,), all (n, k) float32 in pixels.

    before, after: (2, 11, 2) the lips' lines, upper and lower, along the mouth and down.
    Returns for each lip where its motion ends, 1 over the way on which it fades, and how much further it goes down than
    the middle; then how far the middle goes down, how far all goes along the mouth, and the share of this field; last
    the two lines.
    """
    wide = 2 * max(1, round(0.5 * SMOOTH * size)) + 1
    line, along, down = np.empty((3, 2, len(grid)), np.float32)
    for k in (0, 1):
        order = np.argsort(after[k, :, 0], kind="stable")
        knots = np.concatenate([after[k, :, 1:], after[k] - before[k]], 1)[order].T
        values = np.stack([np.interp(grid, after[k, order, 0], knot) for knot in knots]).astype(np.float32)
        line[k], along[k], down[k] = cv2.blur(values, (wide, 1), borderType=cv2.BORDER_REPLICATE)
    was = line - down
    opening, opened = np.maximum(was[1] - was[0], 0), np.maximum(line[1] - line[0], 0)
    rim = np.minimum(RIM * size, 0.3 * np.minimum(opening, opened))
    inwards = np.array([[1.0], [-1.0]], np.float32)  # down from the upper lip, up from the lower one
    start = line + inwards * rim
    way = np.maximum(rim, -inwards * FADE * down)
    way *= np.minimum(1, (start[1] - start[0]) / np.maximum(way.sum(0), 1e-3))  # where both meet, each its part
    end = start + inwards * way
    middle = end.mean(0)
    sunk = middle - np.clip(middle, was[0] + MIDDLE * opening, was[1] - MIDDLE * opening)
    rows = [np.stack([end[k], 1 / np.maximum(way[k], 0.5), down[k] - sunk], 1) for k in (0, 1)]
    share = np.clip((opening / size - PARTED[0]) / (PARTED[1] - PARTED[0]), 0, 1)
    return rows[0], rows[1], np.stack([sunk, along.mean(0), share], 1), line.T.copy()
