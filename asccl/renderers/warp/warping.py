"""Warp pixels of a frame by a field of displacements."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.renderers.warp.field import Box
from asccl.types import Image, LazyImage


def warp(image: LazyImage, field: np.ndarray, box: Box) -> tuple[Image, Image]:
    """Warp the pixels of a box backwards: pixel p takes the colour at p - field(p).

    Args:
        image: the frame, (H, W, 3).
        field: displacement of each pixel of the box, (h, w, 2) float32.
        box: of h x w pixels.

    Returns:
        The pixels of the box before and after the warp, (h, w, 3) uint8 each.
    """
    h, w = field.shape[:2]
    margin = int(np.ceil(cv2.norm(field.reshape(h, -1), cv2.NORM_INF))) + 2  # cubic: two more pixels
    x0, y0 = max(box.x0 - margin, 0), max(box.y0 - margin, 0)
    around = image[y0 : box.y1 + margin, x0 : box.x1 + margin]
    left, top = box.x0 - x0, box.y0 - y0
    positions = np.empty_like(field)
    positions[..., 0], positions[..., 1] = np.arange(left, left + w), np.arange(top, top + h)[:, None]
    positions -= field
    warped = cv2.remap(around, positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return around[top : top + h, left : left + w], warped
