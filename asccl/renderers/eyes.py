"""Eyes: the lids move over an eyeball that stays where it is and stays round."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.field import Box, face_size
from asccl.types import Image

EYES = ((mesh.RIGHT_EYE, mesh.RIGHT_IRIS), (mesh.LEFT_EYE, mesh.LEFT_IRIS))
LASHES = 0.016  # of the face size: this much inside the lid's line belongs to lid and lashes
CLOSED, OPEN = 0.035, 0.075  # lid opening over the face size: below, no eyeball shows; above, all of it


def keep_eyeballs(source: Image, edited: Image, landmarks: np.ndarray, moved: np.ndarray, box: Box) -> None:
    """Redraw both eyeballs in `edited`, in place.

    source, edited: (h, w, 3) uint8, the pixels of the box before and after the warp. landmarks: (478, 3), moved:
    (468, 2+) pixels of the frame. Inside the new lids the source's eyeball shows unmoved; where the lids now reveal
    more of it than the source shows, the iris is completed by its mirror image and the white by its nearest pixel.
    """
    size = face_size(landmarks)
    origin = np.array([box.x0, box.y0], np.float32)
    for lids, iris in EYES:
        old, new = landmarks[list(lids), :2] - origin, moved[list(lids), :2] - origin
        if np.abs(new - old).max() < 0.1:
            continue
        across = old[8] - old[0]
        down = np.array([-across[1], across[0]]) / max(float(np.linalg.norm(across)), 1e-6)
        opening = min(float(np.ptp(old @ down)), float(np.ptp(new @ down))) / size
        showing = float(np.clip((opening - CLOSED) / (OPEN - CLOSED), 0, 1))
        if showing > 0:
            circle = landmarks[list(iris), :2] - origin
            _redraw(source, edited, old, new, circle, down, size, showing)


def _redraw(source, edited, old, new, circle, down, size, showing) -> None:
    h, w = source.shape[:2]
    corner = np.concatenate([old, new])
    pad = 3 + int(0.05 * size)
    x0, y0 = np.maximum(np.floor(corner.min(0)).astype(int) - pad, 0)
    x1, y1 = np.minimum(np.ceil(corner.max(0)).astype(int) + pad, (w, h))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return
    part = (slice(y0, y1), slice(x0, x1))
    shift = np.array([x0, y0], np.float32)
    margin = LASHES * size
    known = _inside(old - shift, (y1 - y0, x1 - x0)) > margin
    if known.sum() < 6:
        return
    alpha = showing * np.clip((_inside(new - shift, known.shape) - margin) / max(1.0, 0.012 * size) + 0.5, 0, 1)
    eyeball = complete_eyeball(source[part], known, circle - shift, down)
    mixed = edited[part] * (1 - alpha[..., None]) + eyeball * alpha[..., None]
    edited[part] = np.round(mixed).astype(np.uint8)


def complete_eyeball(image: Image, known: np.ndarray, circle: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Fill what the lids hide. image: (h, w, 3), known: (h, w) bool, circle: (5, 2) iris centre and rim -> float32."""
    hidden = ~known
    _, labels = cv2.distanceTransformWithLabels(hidden.view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    at = np.flatnonzero(known)
    nearest = np.zeros(labels.max() + 1, np.int64)
    nearest[labels.ravel()[at]] = at
    picture = image.reshape(-1, 3)
    spread = picture[nearest[labels.ravel()]].reshape(image.shape)
    filled = np.where(known[..., None], image, cv2.GaussianBlur(spread, (0, 0), 1.2)).astype(np.float32)

    centre, radius = circle[0], float(np.linalg.norm(circle[1:] - circle[0], axis=1).mean())
    x = np.arange(known.shape[1], dtype=np.float32) - centre[0]
    y = np.arange(known.shape[0], dtype=np.float32)[:, None] - centre[1]
    distance = np.sqrt(x * x + y * y)
    iris = distance < 1.05 * radius
    shown, lost = iris & known, iris & hidden
    if shown.sum() >= 6:
        profile = _radial_profile(image[shown], distance[shown], radius)
        gy, gx = np.nonzero(lost)
        colours, from_centre = profile(distance[lost]), np.stack([gx, gy], 1) - centre
        mirrored = np.round(np.stack([gx, gy], 1) - 2 * (from_centre @ down)[:, None] * down).astype(int)
        mx, my = np.clip(mirrored[:, 0], 0, known.shape[1] - 1), np.clip(mirrored[:, 1], 0, known.shape[0] - 1)
        twin = known[my, mx] & (distance[lost] > 0.45 * radius)  # a catch light near the pupil has no twin
        colours[twin] = 0.5 * colours[twin] + 0.45 * image[my[twin], mx[twin]]
        filled[lost] = colours
        soft = cv2.GaussianBlur(filled, (0, 0), 0.7)
        filled[hidden] = soft[hidden]
    return filled


def _radial_profile(colours: np.ndarray, distance: np.ndarray, radius: float):
    """Mean colour of an iris by distance from its centre: (n, 3), (n,) -> function (m,) -> (m, 3)."""
    ring = np.minimum((distance / (0.21 * radius)).astype(int), 4)
    count = np.bincount(ring, minlength=5)
    full = np.flatnonzero(count)
    means = np.stack([np.bincount(ring, colours[:, c], 5)[full] / count[full] for c in range(3)], 1)
    middle = (full + 0.5) * 0.21 * radius
    return lambda r: np.stack([np.interp(r, middle, means[:, c]) for c in range(3)], 1)


def _inside(polygon: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Distance to the polygon's line, positive inside, in pixels."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
    into = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return into.astype(np.float32)
