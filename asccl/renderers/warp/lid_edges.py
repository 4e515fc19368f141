"""Move the lashes of the upper lids with the edge of the lid, and unfold the skin above them evenly.

The field of the skin is smoothed, and it changes fastest at a lid: a lid that comes down, or that stays below a brow
that rises, would stretch its lashes and the shadow of its fold to a dark smear. So a narrow band along the edge of the
lid moves like the edge, and the skin from there to the brow is stretched alike at every height.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.brow_hair import brow_axes
from asccl.renderers.warp.brows import BROWS_AND_LIDS
from asccl.renderers.warp.field import INVERSE_LINEAR, Box, face_size, upsample

# face sizes
LASH_BAND = 0.03  # above the edge of a lid, which moves like the edge
MIN_SKIN = 0.03  # height of the skin between the lashes and the brow
END_REACH = 0.06  # beside an eye, over which the band ends
INNER_REACH = 0.02  # below the edge of the lid, likewise
LINE_SMOOTHING = 0.04  # standard deviation, along the eye, of the movements of edge and brow
CELLS_PER_FACE_SIZE = 80  # resolution of the correction
MIN_SHIFT = 0.2  # pixels by which a lid and its brow move against each other, for a correction

UPPER_LIDS = tuple((eye[8], *eye[9:16], eye[0]) for eye in mesh.EYES)


def carry_lashes(
    field: np.ndarray, landmarks: np.ndarray, edited_landmarks: np.ndarray, box: Box, hair_margins: np.ndarray
) -> None:
    """Move the lashes of both upper lids with the edges of these, in place.

    Args:
        field: displacement of each pixel of the box, (h, w, 2) float32 pixels, written to.
        landmarks: (478, 3) pixels of the frame.
        edited_landmarks: (468, 2+) pixels of the frame.
        box: part of the frame that the field covers.
        hair_margins: of both brows, (2, n, 2); see `BrowModel.margins`.
    """
    size = face_size(landmarks)
    corner = np.array([box.x0, box.y0], np.float32)
    for lid, (top, low, _), margins in zip(UPPER_LIDS, BROWS_AND_LIDS, hair_margins, strict=True):
        edge, *brow = (edited_landmarks[list(row), :2].astype(np.float32) - corner for row in (lid, top, low))
        hair = brow[1] - size * margins[:, 1:].astype(np.float32) * brow_axes(*brow)[1].astype(np.float32)
        shift = (edited_landmarks[list(lid), :2] - landmarks[list(lid), :2]).astype(np.float32)
        points = np.concatenate([hair, edge])
        x0, y0 = np.maximum(np.floor(points.min(0) - END_REACH * size).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(points.max(0) + END_REACH * size).astype(int) + 1, field.shape[1::-1])
        part = Box(int(x0), int(y0), int(x1), int(y1), max(1.0, size / CELLS_PER_FACE_SIZE))
        if x1 - x0 < 4 or y1 - y0 < 4:
            continue
        scale, cells = np.array([[part.cell, 0, x0], [0, part.cell, y0]], np.float32), part.grid_shape[::-1]
        coarse = cv2.warpAffine(field, scale, cells, flags=INVERSE_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        edge, hair = (edge - (x0, y0)) / part.cell, (hair - (x0, y0)) / part.cell
        correction = _correction(coarse, edge, shift, hair, size / part.cell)
        if correction is not None:
            field[part.slices] += upsample(correction, part)


def _correction(
    field: np.ndarray, lid: np.ndarray, shift: np.ndarray, hair: np.ndarray, size: float
) -> np.ndarray | None:
    """Compute the change of a field (h, w, 2) around one lid, (h, w, 2) pixels; None for no change.

    lid: its edited edge from the inner to the outer corner, (9, 2) cells. shift: movement of that, (9, 2) pixels.
    hair: edited lower edge of the brow, (n, 2) cells. size: of the face, cells.
    """
    along = (lid[-1] - lid[0]) / max(float(np.linalg.norm(lid[-1] - lid[0])), 1e-6)
    up = np.array([along[1], -along[0]], np.float32)
    up = up if (hair.mean(0) - lid.mean(0)) @ up > 0 else -up
    axes = np.stack([along, up], 1).astype(np.float32)
    x, y = np.arange(field.shape[1], dtype=np.float32), np.arange(field.shape[0], dtype=np.float32)[:, None]
    u, v = (axis[0] * x + axis[1] * y for axis in axes.T)
    grid = np.arange(float(u.min()), float(u.max()) + 1, dtype=np.float32)
    lines, shifts = _columns(field, (lid @ axes, shift), hair @ axes, grid, axes, size)
    if np.abs(shifts[:, :2] - shifts[:, 2:]).max() < MIN_SHIFT:
        return None
    at, zero = u - grid[0], np.zeros_like(u)
    (edge, lashes, brow, fade), movements = (
        cv2.split(cv2.remap(values[None], at, zero, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        for values in (lines, shifts)
    )
    height = (v - lashes) / (brow - lashes)
    weight = fade * np.clip(1 + (v - edge) / np.float32(INNER_REACH * size), 0, 1) * (height < 1)
    height = np.clip(height, 0, 1)
    planes = zip(movements[:2], movements[2:], cv2.split(field), strict=True)
    return cv2.merge([weight * (low + height * (high - low) - current) for low, high, current in planes])


def _columns(
    field: np.ndarray,
    lid: tuple[np.ndarray, np.ndarray],
    hair: np.ndarray,
    grid: np.ndarray,
    axes: np.ndarray,
    size: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate the lines of a lid and its brow, and their movements, at `grid` (n,) along the eye.

    Args:
        field: (h, w, 2) pixels.
        lid: its edge along and across the eye, (9, 2) cells, and the movement of that, (9, 2) pixels.
        hair: lower edge of the brow along and across the eye, (m, 2) cells.
        grid: positions along the eye.
        axes: along and across the eye as columns, (2, 2).
        size: of the face, cells.

    Returns:
        Heights of the edge of the lid, of the end of its lashes and of the brow, and the weight of a column, (n, 4);
        movements of the lid and of the skin at the brow, (n, 4) pixels.
    """
    order = np.argsort(lid[0][:, 0], kind="stable")
    position, moved = lid[0][order, 0], lid[1][order]
    edge = np.interp(grid, position, lid[0][order, 1])
    lashes = edge + LASH_BAND * size
    order = np.argsort(hair[:, 0], kind="stable")
    brow = np.maximum(np.interp(grid, hair[order, 0], hair[order, 1]), lashes + MIN_SKIN * size)
    fade = np.clip(1 - np.maximum(position[0] - grid, grid - position[-1]) / (END_REACH * size), 0, 1)
    x, y = (axes @ np.stack([grid, brow])).astype(np.float32)
    above = cv2.remap(field, x[None], y[None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    shifts = np.column_stack([np.interp(grid, position, moved[:, 0]), np.interp(grid, position, moved[:, 1]), above])
    sigma = LINE_SMOOTHING * size
    kernel = (1, 2 * round(2 * sigma) + 1)
    shifts = cv2.GaussianBlur(shifts.astype(np.float32), kernel, sigma, borderType=cv2.BORDER_REPLICATE)
    return np.stack([edge, lashes, brow, fade], 1).astype(np.float32), shifts
