"""The visible mark on an edited picture."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from asccl.types import LazyImage
from asccl.video.lazy_image import overlay_patch

TEXT = "edited with ASCCL"
TEXT_HEIGHT = 0.035  # of the shorter side
LEAST_TEXT_HEIGHT = 9  # pixels
WIDEST = 0.6  # of the width
BACKGROUND = 110  # opacity, 0 to 255
FOREGROUND = 215


def draw_badge(picture: LazyImage, text: str = TEXT) -> LazyImage:
    """A copy with a small half-transparent mark in the lower right corner. Any size. An array gives an array."""
    height, width = picture.shape[:2]
    light, opacity = _patch(width, height, text)
    rows, columns = light.shape[:2]
    margin = min(rows // 3, height - rows, width - columns)
    top, left = height - rows - margin, width - columns - margin
    corner = picture[top : top + rows, left : left + columns]
    return overlay_patch(picture, left, top, (corner * (1 - opacity) + light * opacity + 0.5).astype(np.uint8))


@lru_cache(maxsize=16)
def _patch(width: int, height: int, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Light (h, w, 1) in [0, 255] and opacity (h, w, 1) in [0, 1] of the mark for frames of this size."""
    size = max(LEAST_TEXT_HEIGHT, round(TEXT_HEIGHT * min(width, height)))
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    pad = max(2, size // 3)
    mark = Pillow.new("LA", (round(right - left) + 2 * pad, round(bottom - top) + 2 * pad))
    draw = ImageDraw.Draw(mark)
    draw.rounded_rectangle((0, 0, mark.width - 1, mark.height - 1), pad, (0, BACKGROUND))
    draw.text((pad - left, pad - top), text, (255, FOREGROUND), font)
    patch = np.asarray(mark, np.float32)
    shrink = min(1.0, WIDEST * width / mark.width, height / mark.height)
    if shrink < 1:
        fitted = max(1, int(shrink * mark.width)), max(1, int(shrink * mark.height))
        patch = cv2.resize(patch, fitted, interpolation=cv2.INTER_AREA)
    return patch[..., :1], patch[..., 1:] / 255
