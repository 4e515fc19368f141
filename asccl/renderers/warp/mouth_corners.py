"""Close the corners of a mouth that gets narrower, and give its lips their colour.

A wide smile shows dark corners beside the teeth, outside the line of the lips that a tracker finds. Where the corners
come in, as a smile goes away, the warp squeezes them to dark dots. There the lips meet: dark parts that are smaller
than a dot get the colour of the lips and the skin around them. The line where the lips meet stays.

A smile also stretches the lips and makes them pale. As it goes, they get their usual colour back.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.face.easing import smoothstep
from asccl.renderers.warp.field import Box, face_size
from asccl.types import Image

CORNERS = tuple(zip(mesh.INNER_LIP_CORNERS, mesh.OUTER_LIP_CORNERS, strict=True))
MIN_INWARD, FULL_INWARD = 0.015, 0.05  # face sizes by which a corner comes in: nothing is filled, and all of it
DOT_SIZE = 0.12  # face sizes: larger dark parts stay
REACH = 0.15  # face sizes around a corner within which dark parts are filled
OPACITY = 0.9  # of the filling: a faint line of the lips stays
LIP_BORDER = 0.015  # face sizes: transition between lips and skin
SEAM_WIDTH = 0.012  # face sizes: of the line where the lips meet, which stays dark
CORNER_SEAM = 0.25  # of that line at the corner, where it is faint
LIP_TINT = 0.55  # how far pale lips of a smile that goes get the usual colour of the lips
LIP_TINT_BLUR = 0.025  # face sizes, standard deviation: smaller highlights and lines stay
BLUR = 0.012  # face sizes, standard deviation: of the filling


def close_corners(
    warped: Image, landmarks: np.ndarray, edited_landmarks: np.ndarray, box: Box, lip_colour: np.ndarray
) -> None:
    """Fill the dark corners of a mouth that gets narrower and colour its lips, in place.

    Args:
        warped: pixels of the box after the warp, (h, w, 3) uint8.
        landmarks: (478, 3) pixels of the frame.
        edited_landmarks: (468, 2+) pixels of the frame.
        box: part of the frame that the image shows.
        lip_colour: (3,) RGB.
    """
    size = face_size(landmarks)
    centre = edited_landmarks[[i for pair in CORNERS for i in pair], :2].mean(0)
    narrowing = 0.0
    lips = tuple(edited_landmarks[list(loop), :2] - (box.x0, box.y0) for loop in (mesh.OUTER_LIPS, mesh.INNER_LIPS))
    for inner, outer in CORNERS:
        before, after = (0.5 * (p[inner, :2] + p[outer, :2]) for p in (landmarks, edited_landmarks))
        towards = (centre - after) / max(float(np.linalg.norm(centre - after)), 1e-6)
        inward = float((after - before) @ towards) / size
        share = float(smoothstep(np.array((inward - MIN_INWARD) / (FULL_INWARD - MIN_INWARD))))
        narrowing += 0.5 * share
        if share > 0:
            _fill(warped, after - (box.x0, box.y0), lips, lip_colour, OPACITY * share, size)
    if narrowing > 0:
        _tint(warped, lips, lip_colour, LIP_TINT * narrowing, size)


def _tint(warped: Image, lips: tuple[np.ndarray, ...], lip_colour: np.ndarray, opacity: float, size: float) -> None:
    """Give lips back the colour that a smile stretches away, in place: only where they are paler, under all detail."""
    low, high = np.floor(lips[0].min(0)).astype(int), np.ceil(lips[0].max(0)).astype(int)
    pad = int(np.ceil(3 * LIP_TINT_BLUR * size))
    x0, y0 = np.maximum(low - pad, 0)
    x1, y1 = np.minimum(high + pad + 1, warped.shape[1::-1])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    part = warped[y0:y1, x0:x1]
    outer, inner = (np.round(16 * (loop - (x0, y0))).astype(np.int32) for loop in lips)
    is_lip = np.zeros(part.shape[:2], np.float32)
    cv2.fillPoly(is_lip, [outer], 1.0, cv2.LINE_8, 4)
    cv2.fillPoly(is_lip, [inner], 0.0, cv2.LINE_8, 4)
    weight = cv2.GaussianBlur(is_lip, (0, 0), max(0.5, LIP_BORDER * size))[..., None]
    smooth = cv2.GaussianBlur(part.astype(np.float32), (0, 0), max(0.5, LIP_TINT_BLUR * size))
    darkening = np.minimum(lip_colour.astype(np.float32) - smooth, 0)
    part[:] = np.clip(part + opacity * weight * darkening + 0.5, 0, 255).astype(np.uint8)


def _fill(
    warped: Image,
    corner: np.ndarray,
    lips: tuple[np.ndarray, ...],
    lip_colour: np.ndarray,
    opacity: float,
    size: float,
) -> None:
    """Fill dark parts around one corner, (2,) pixels, in place. lips: outer and inner loop, (n, 2) pixels each."""
    kernel_size = 2 * round(0.5 * DOT_SIZE * size) + 1
    reach = REACH * size
    pad = int(np.ceil(reach)) + kernel_size
    x0, y0 = np.maximum(np.floor(corner).astype(int) - pad, 0)
    x1, y1 = np.minimum(np.ceil(corner).astype(int) + pad + 1, warped.shape[1::-1])
    if x1 - x0 < kernel_size or y1 - y0 < kernel_size:
        return
    part = warped[y0:y1, x0:x1]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (kernel_size, kernel_size))
    filled = cv2.morphologyEx(part, cv2.MORPH_CLOSE, kernel).astype(np.float32)
    filled = cv2.GaussianBlur(filled, (0, 0), max(0.5, BLUR * size))
    outer, inner = (np.round(16 * (loop - (x0, y0))).astype(np.int32) for loop in lips)
    is_lip, seam = np.zeros((2, *part.shape[:2]), np.float32)
    cv2.fillPoly(is_lip, [outer], 1.0, cv2.LINE_8, 4)
    is_lip = cv2.GaussianBlur(is_lip, (0, 0), max(0.5, LIP_BORDER * size))[..., None]
    filled = filled + is_lip * np.minimum(lip_colour.astype(np.float32) - filled, 0)
    cv2.fillPoly(seam, [inner], 1.0, cv2.LINE_8, 4)
    cv2.polylines(seam, [inner], True, 1.0, max(1, round(SEAM_WIDTH * size)), cv2.LINE_8, 4)
    seam = cv2.GaussianBlur(seam, (0, 0), max(0.5, 0.5 * SEAM_WIDTH * size))
    x = np.arange(x0, x1, dtype=np.float32) - corner[0]
    y = np.arange(y0, y1, dtype=np.float32)[:, None] - corner[1]
    distance = np.hypot(x, y) / reach
    seam = np.minimum(seam, CORNER_SEAM + (1 - CORNER_SEAM) * smoothstep(distance))
    mask = opacity * (1 - smoothstep((distance - 0.5) / 0.5)) * (1 - seam)
    brightening = np.maximum(filled - part, 0)
    part[:] = np.minimum(part + mask[..., None] * brightening + 0.5, 255).astype(np.uint8)
