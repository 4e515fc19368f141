"""Hold parts of a frame in place: what lies before the face, and the background beside a turned head."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box, face_size, upsample
from asccl.types import Image

HOLD_RADIUS = 0.1  # face sizes: distance from a held part at which the skin begins to move
SILHOUETTE_REACH = 0.5  # face sizes outside the visible outline of a turned head that are held
FULL_EDIT_WEIGHT = 0.25  # weight from which on the edited pixels are shown; below, they fade into the source's
OVAL = np.isin(np.arange(mesh.NUM_FACE_LANDMARKS), mesh.FACE_OVAL)


def hold_weights(mask: np.ndarray, box: Box, size: float) -> np.ndarray:
    """Weights (h, w) that hold a part of a box and let the skin around it move: 0 in the mask, 1 far from it.

    Args:
        mask: cells of the box that must not move, (h, w) bool.
        box: with the cells.
        size: of the face, pixels.
    """
    if not mask.any():
        return np.ones(mask.shape, np.float32)
    return weights_at(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) * (box.cell / size))


def weights_at(distance: np.ndarray, radius: float = HOLD_RADIUS) -> np.ndarray:
    """Weights (h, w) at a distance (h, w) from a held part: 0 in it, 1 far from it. Distance, radius: face sizes."""
    return 1 - np.exp(-((distance / radius) ** 2))


def silhouette_weights(landmarks: np.ndarray, box: Box) -> np.ndarray | None:
    """Weights (h, w) that hold the background beside the far side of a turned head; None for a frontal head.

    On the far side, the visible outline is not that of the face oval, which lies behind it, but cheek and brow. The
    displacement of the outline is damped at the oval only, so the background beside such an outline is held here.

    Args:
        landmarks: (478, 3) pixels.
        box: with the cells.
    """
    points = landmarks[: mesh.NUM_FACE_LANDMARKS, :2].astype(np.float32)
    hull = cv2.convexHull(points, returnPoints=False)[:, 0]
    corners = (points[hull] - (box.x0, box.y0)) / box.cell
    is_oval = OVAL[hull]
    self_occluding = np.flatnonzero(~(is_oval & np.roll(is_oval, -1)))
    if not len(self_occluding):
        return None
    outwards = corners - corners.mean(0)
    outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-6)
    outer = corners + SILHOUETTE_REACH * face_size(landmarks) / box.cell * outwards
    sides = [corners, np.roll(corners, -1, axis=0), np.roll(outer, -1, axis=0), outer]
    beside = np.zeros(box.grid_shape, np.uint8)
    for side in np.round(np.stack(sides, 1)[self_occluding]).astype(np.int32):
        cv2.fillPoly(beside, [side], 1)
    cv2.fillConvexPoly(beside, np.round(corners).astype(np.int32), 0)
    return hold_weights(beside > 0, box, face_size(landmarks))


def lowest_weights(*weights: np.ndarray | None) -> np.ndarray | None:
    """The lowest of some weights (h, w) in every cell; those that are None hold nothing."""
    held = [values for values in weights if values is not None]
    return np.minimum.reduce(held) if held else None


def fade_to_source(source: Image, edited: Image, weights: np.ndarray, box: Box) -> Image:
    """Show the source's own pixels where they are held.

    Args:
        source: pixels of the box, (h, w, 3).
        edited: likewise.
        weights: of the displacement in the cells of the field of the box.
        box: of h x w pixels.

    Returns:
        (h, w, 3) uint8.
    """
    faded = box.around(weights < FULL_EDIT_WEIGHT)
    if faded.empty:
        return edited
    opacity = np.minimum(upsample(weights.astype(np.float32), faded) / FULL_EDIT_WEIGHT, 1)
    part = slice(faded.y0 - box.y0, faded.y1 - box.y0), slice(faded.x0 - box.x0, faded.x1 - box.x0)
    out = edited.copy()
    out[part] = cv2.blendLinear(edited[part], source[part], opacity, 1 - opacity)
    return out
