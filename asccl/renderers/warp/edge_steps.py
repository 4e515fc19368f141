"""Smooth the steps along the inner edge of a lower lip that an edit bends.

A slanting edge of a frame is a staircase of pixels, which nobody sees. Where an edit turns the edge, as where a smile
goes, the warp turns each pixel on its own, and the steps become a comb. There the edge takes the mean of the pixels
along it. The upper lip goes over the teeth by an edge of its own, see `teeth.py`.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.lip_edges import LOWER, mouth_axes
from asccl.renderers.warp.mouth_profile import LINE_SMOOTHING
from asccl.types import Image

STEP = 0.02  # face sizes along an edge, between the three pixels of a mean
EDGE_WIDTH = 0.015  # face sizes, standard deviation: of what is smoothed around an edge
BELOW_WIDTH = 0.045  # likewise below it: in a wide smile the lip that is seen begins below the tracked edge
PAD = 2.0  # standard deviations of it that are drawn
MIN_TURN, FULL_TURN = 0.1, 0.35  # change of the slope of an edge at which it begins to be smoothed, and fully is
MIN_WEIGHT = 0.1  # fainter smoothing is not drawn


def smooth_lower_lip(warped: Image, landmarks: np.ndarray, edited_landmarks: np.ndarray, box: Box) -> None:
    """Smooth the inner edge of the lower lip along itself, in place, as far as an edit turns it.

    Args:
        warped: pixels of the box after the warp, (h, w, 3) uint8.
        landmarks: (478, 3) pixels of the frame.
        edited_landmarks: (468, 2+) pixels of the frame.
        box: part of the frame that the image shows.
    """
    size = face_size(landmarks)
    corner = np.array([box.x0, box.y0], np.float32)
    old, new = (p[LOWER, :2].astype(np.float32) - corner for p in (landmarks, edited_landmarks))
    axes = mouth_axes(new[None]).astype(np.float32)
    old, pad, step = old @ axes.T, PAD * BELOW_WIDTH * size, STEP * size
    x0, y0 = np.maximum(np.floor(new.min(0) - pad).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(new.max(0) + pad).astype(int) + 1, warped.shape[1::-1])
    if x1 - x0 < 4 or y1 - y0 < 4:
        return
    x, y = np.arange(x1 - x0, dtype=np.float32), np.arange(y1 - y0, dtype=np.float32)[:, None]
    u, v = (axis[0] * x + axis[1] * y for axis in axes)
    origin = axes @ np.array([x0, y0], np.float32)
    grid = np.arange(float(u.min()), float(u.max()) + 1, dtype=np.float32)
    edge = _along(old - origin, new @ axes.T - origin, grid, size)
    if edge[:, 1].max() < MIN_WEIGHT:
        return
    along = cv2.remap(edge[None], u - grid[0], np.zeros_like(u), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    line, weight, back, ahead = cv2.split(along)
    below = v - line
    weight *= np.exp(-0.5 * np.square(below / (size * np.where(below > 0, BELOW_WIDTH, EDGE_WIDTH))))
    part, (right, down) = warped[y0:y1, x0:x1], axes.T
    sides = [
        cv2.remap(
            part,
            x + (shift * right[0] + rise * right[1]),
            y + (shift * down[0] + rise * down[1]),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for shift, rise in ((-step, back), (step, ahead))
    ]
    mean = cv2.addWeighted(part, 1 / 3, cv2.addWeighted(sides[0], 0.5, sides[1], 0.5, 0), 2 / 3, 0)
    part[:] = cv2.blendLinear(mean, np.ascontiguousarray(part), weight, 1 - weight)


def _along(old: np.ndarray, new: np.ndarray, grid: np.ndarray, size: float) -> np.ndarray:
    """An edge at positions `grid` (n,) along the mouth: its line, weight, and rise one step back and ahead, (n, 4).

    old, new: points of the edge along the mouth and down, (11, 2) pixels. size: of the face, pixels.
    """
    order = np.argsort(new[:, 0], kind="stable")
    at = new[order, 0]
    width, step = 2 * max(1, round(0.5 * LINE_SMOOTHING * size)) + 1, STEP * size
    values = np.stack([np.interp(grid, at, new[order, 1]), np.interp(grid, at, (new - old)[order, 1])])
    line, down = cv2.blur(values.astype(np.float32), (width, 1), borderType=cv2.BORDER_REPLICATE)
    turn = cv2.blur(np.abs(np.gradient(down))[None], (width, 1), borderType=cv2.BORDER_REPLICATE)[0]
    weight = np.clip((turn - MIN_TURN) / (FULL_TURN - MIN_TURN), 0, 1)
    weight *= np.clip(np.minimum(grid - at[0], at[-1] - grid) / step, 0, 1)
    rises = [np.interp(grid + shift, grid, line) - line for shift in (-step, step)]
    return np.stack([line, weight, *rises], 1).astype(np.float32)
