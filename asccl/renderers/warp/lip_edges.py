"""Lip edges: the displacement at the inner edge of each lip, which a smoothed field cannot have.

Where lips part or close, they move against each other. The field of the skin is smoothed and moves both edges by
something in between: lips that close over teeth would squeeze the teeth to a strip instead of covering them. Around
each edge the field therefore gets what it lacks there, less and less with the distance. Where closed lips meet, the
field jumps from one lip to the other.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.face.easing import smoothstep
from asccl.renderers.warp.field import SMOOTHING, Box, face_size

MIXING = 1.35 * SMOOTHING  # face sizes: how far both lips mix in the field, and a little more, so that no tooth remains
REACH = 2.4  # standard deviations, within which a field is corrected
LINEAR, SQUARED = 0.717, 0.416  # exp(-(LINEAR x + SQUARED x^2)): 1 - erf(x / sqrt(2)), what a smoothed step lacks
MIN_ERROR = 0.2  # pixels by which the field is off at an edge, for a correction
COVER = 0.013  # face sizes by which lips go further over the teeth: the tracked edge often lies on these
MAX_MET_GAP = 0.03  # face sizes: lips with a smaller gap begin to meet
FULL_CHANGE = 0.03  # face sizes by which a gap changes for lips to go over the teeth as far as that

UPPER = [mesh.INNER_LIP_CORNERS[0], *mesh.UPPER_INNER_LIP, mesh.INNER_LIP_CORNERS[1]]
LOWER = [mesh.INNER_LIP_CORNERS[0], *mesh.LOWER_INNER_LIP, mesh.INNER_LIP_CORNERS[1]]


def mouth_axes(lips: np.ndarray) -> np.ndarray:
    """Unit vectors along the mouth and down, (2, 2). lips: edges of both lips from corner to corner, (2, 11, 2)."""
    across = lips[0, -1] - lips[0, 0]
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    return np.stack([across, [-across[1], across[0]]])


def sharpen_lip_edges(field: np.ndarray, landmarks: np.ndarray, edited_landmarks: np.ndarray, box: Box) -> None:
    """Give the edges of both lips their own displacement, in place.

    Args:
        field: displacement of each pixel of the box, (h, w, 2) float32 pixels, written to.
        landmarks: (478, 3) pixels of the frame.
        edited_landmarks: (468, 2+) pixels of the frame.
        box: part of the frame that the field covers.
    """
    corner = np.array([box.x0, box.y0], np.float32)
    before, after = (p[[UPPER, LOWER], :2].astype(np.float32) - corner for p in (landmarks, edited_landmarks))
    smoothed = cv2.remap(field, after[..., 0], after[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    missing = after - before - smoothed
    apart = np.linalg.norm(missing[1] - missing[0], axis=-1)
    total = np.linalg.norm(missing, axis=-1).sum(0)
    missing *= (apart / np.maximum(total, MIN_ERROR))[:, None]  # what both lips lack alike parts and closes nothing
    missing += _cover(before, after, face_size(landmarks))
    if np.abs(missing).max() < MIN_ERROR:
        return
    sigma = MIXING * face_size(landmarks)
    points = after.reshape(-1, 2)
    x0, y0 = np.maximum(np.floor(points.min(0) - REACH * sigma).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(points.max(0) + REACH * sigma).astype(int) + 1, field.shape[1::-1])
    if x1 > x0 and y1 > y0:
        field[y0:y1, x0:x1] += _correction(after, missing, (x0, y0, x1, y1), sigma)


def _cover(before: np.ndarray, after: np.ndarray, size: float) -> np.ndarray:
    """How much further lips go over the teeth, (2, 11, 2) pixels: both where they meet, the lower one where they part.

    before, after: edges of both lips from corner to corner, (2, 11, 2). size: of the face, pixels.
    """
    down = mouth_axes(after)[1]
    old, new = ((lips[1] - lips[0]) @ down / size for lips in (before, after))
    meeting = np.clip((old - new) / FULL_CHANGE, 0, 1) * smoothstep((MAX_MET_GAP - new) / MAX_MET_GAP)
    parting = np.clip((new - old) / FULL_CHANGE, 0, 1)
    return COVER * size * np.stack([meeting, -np.maximum(meeting, parting)])[..., None] * down


def _correction(lips: np.ndarray, missing: np.ndarray, corners: tuple[int, int, int, int], sigma: float) -> np.ndarray:
    """What a field lacks in a rectangle x0, y0, x1, y1, (h, w, 2) pixels.

    lips: edited edges, (2, 11, 2). missing: what the field lacks there. sigma: of the smoothing, pixels.
    """
    x0, y0, x1, y1 = corners
    axes = mouth_axes(lips)
    x, y = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)[:, None]
    u, v = (np.float32(axis[0]) * x + np.float32(axis[1]) * y for axis in axes)
    grid = np.arange(float(u.min()), float(u.max()) + 1, dtype=np.float32)
    lines, edges = _along(lips @ axes.T, missing, grid, sigma)
    middle = 0.5 * lines.sum(0)
    half_gap = np.maximum(middle - lines[0], 0)  # lips do not pass each other
    column, zero = u - grid[0], np.zeros_like(u)
    both, seam = (
        cv2.remap(values[None], column, zero, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for values in (np.concatenate(edges, 1), np.stack([middle, half_gap], 1))
    )
    below = v - seam[..., 0]
    beyond = np.abs(below) - seam[..., 1]  # the edge of the lip on this side
    distance = np.maximum(beyond, 0) / np.float32(sigma)
    weight = np.exp(-distance * (LINEAR + SQUARED * distance))
    weight *= np.clip(1 + beyond / np.maximum(seam[..., 1], 0.5), 0, 1)
    return np.where(below[..., None] < 0, both[..., :2], both[..., 2:]) * weight[..., None]


def _along(lips: np.ndarray, missing: np.ndarray, grid: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Lines of both lips (2, n) down the mouth, and what their edges lack (2, n, 2), at `grid` (n,) along it.

    lips: (2, 11, 2) along the mouth and down. missing: (2, 11, 2). sigma: pixels over which it ends beside the mouth.
    """
    beside = np.maximum(np.maximum(lips[..., 0].min() - grid, grid - lips[..., 0].max()), 0)
    fade = np.exp(-np.square(beside / sigma))
    lines, edges = np.empty((2, len(grid)), np.float32), np.empty((2, len(grid), 2), np.float32)
    for k in (0, 1):
        order = np.argsort(lips[k, :, 0], kind="stable")
        at = lips[k, order, 0]
        lines[k] = np.interp(grid, at, lips[k, order, 1])
        for axis in (0, 1):
            edges[k, :, axis] = fade * np.interp(grid, at, missing[k, order, axis])
    return lines, edges
