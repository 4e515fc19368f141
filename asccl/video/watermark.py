"""Draw the visible mark on an edited image."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from asccl.types import LazyImage
from asccl.video.lazy_image import overlay_patch

TEXT = "edited with ASCCL"
TEXT_HEIGHT = 0.035  # fraction of the shorter side
MIN_TEXT_HEIGHT = 9  # pixels
MAX_WIDTH = 0.6  # fraction of the image's width
BACKGROUND_OPACITY = 110  # 0 to 255
TEXT_OPACITY = 215  # 0 to 255


def draw_badge(image: LazyImage, text: str = TEXT) -> LazyImage:
    """Return a copy with a small half-transparent mark in the lower right corner; an array gives an array."""
    height, width = image.shape[:2]
    brightness, opacity = _render_mark(width, height, text)
    rows, columns = brightness.shape[:2]
    margin = min(rows // 3, height - rows, width - columns)
    top, left = height - rows - margin, width - columns - margin
    corner = image[top : top + rows, left : left + columns]
    blended = (corner * (1 - opacity) + brightness * opacity + 0.5).astype(np.uint8)
    return overlay_patch(image, left, top, blended)


@lru_cache(maxsize=16)
def _render_mark(width: int, height: int, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Brightness (h, w, 1) in [0, 255] and opacity (h, w, 1) in [0, 1] of the mark for images of this size."""
    size = max(MIN_TEXT_HEIGHT, round(TEXT_HEIGHT * min(width, height)))
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    pad = max(2, size // 3)
    mark = Pillow.new("LA", (round(right - left) + 2 * pad, round(bottom - top) + 2 * pad))
    draw = ImageDraw.Draw(mark)
    draw.rounded_rectangle((0, 0, mark.width - 1, mark.height - 1), pad, (0, BACKGROUND_OPACITY))
    draw.text((pad - left, pad - top), text, (255, TEXT_OPACITY), font)
    patch = np.asarray(mark, np.float32)
    shrink = min(1.0, MAX_WIDTH * width / mark.width, height / mark.height)
    if shrink < 1:
        size_in_image = max(1, int(shrink * mark.width)), max(1, int(shrink * mark.height))
        patch = cv2.resize(patch, size_in_image, interpolation=cv2.INTER_AREA)
    return patch[..., :1], patch[..., 1:] / 255
