"""The cavity of a mouth: its colour, and where an edit shows it instead of pixels of the frame."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.lip_edges import LOWER, UPPER
from asccl.renderers.warp.warping import warp
from asccl.types import Image, LazyImage

MIN_OPEN_GAP = 0.03  # face sizes: from this lip gap on, a frame shows the cavity
WIDE_SHARE = 0.6  # of the widest gap, from which on frames show it best
CAVITY_QUANTILE = 0.1  # of the brightness between the lips: the cavity
MAX_CAVITY_BRIGHTNESS = 0.35  # of a cavity over that of the lips; also that of one which no frame shows
SMOOTHING = 0.25  # of the width of the mouth: box filter along it, of what an opening of the jaw shows
TOP_LIGHT = 0.6  # brightness of an opening below the upper lip, over that above the lower one


class MouthModel:
    """The colours of a person's lips and of the mouth behind the teeth, from observed frames.

    Attributes:
        cavity: dark colour behind the teeth, (3,) RGB.
        lips: (3,) RGB.
    """

    def __init__(self) -> None:
        self._cavities: list[tuple[float, np.ndarray]] = []  # gap of the lips in face sizes, and colour (3,)
        self._lips: list[np.ndarray] = []
        self.cavity, self.lips = np.zeros(3), np.zeros(3)

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Measure the mouth in a frame. landmarks: (478, 3) pixels."""
        outer, inner = (landmarks[list(loop), :2] for loop in (mesh.OUTER_LIPS, mesh.INNER_LIPS))
        x0, y0 = np.maximum(np.floor(outer.min(0)).astype(int) - 2, 0)
        x1, y1 = np.maximum(np.ceil(outer.max(0)).astype(int) + 3, 0)
        part = image[y0:y1, x0:x1]
        if min(part.shape[:2]) < 2:
            return
        lip, inside = (_fill_loop(loop - (x0, y0), part.shape[:2]) for loop in (outer, inner))
        if not inside.any() or inside.all():
            return
        lips = part[lip & ~inside]
        if len(lips):
            brightness = lips.mean(1)
            self._lips.append(
                np.median(lips[brightness >= np.median(brightness)], axis=0)
            )  # without the shadow between
            self.lips = np.median(self._lips, axis=0)
        gap = float(np.linalg.norm(landmarks[UPPER, :2] - landmarks[LOWER, :2], axis=1).max()) / face_size(landmarks)
        pixels = part[inside]
        brightness = pixels.mean(1)
        self._cavities.append((gap, pixels[brightness <= np.quantile(brightness, CAVITY_QUANTILE)].mean(0)))
        self.cavity = self._cavity()

    def _cavity(self) -> np.ndarray:
        """Median colour of the cavity in the frames that show it best, (3,); dark lips as far as these show none."""
        dark_lips = MAX_CAVITY_BRIGHTNESS * self.lips
        widest = max(gap for gap, _ in self._cavities)
        if widest <= MIN_OPEN_GAP:
            return dark_lips
        cavity = np.median([colour for gap, colour in self._cavities if gap >= WIDE_SHARE * widest], axis=0)
        share = min(1.0, float(dark_lips.mean()) / max(float(cavity.mean()), 1.0))
        return share**2 * cavity + (1 - share) * dark_lips


class Cavity(NamedTuple):
    """The inside of an edited mouth: what lips hide of it, and where the frame shows nothing of it.

    part: rows and columns in the box of the edit. coverage: of the cavity in it, (h, w) float32 in [0, 1]. opening:
    coverage where the jaw opens the mouth and the warp shows a single row of pixels, and the light on it, (h, w, 2);
    None where it does not. inside: displacement of what lies behind lips that come over it, and how far it is visible,
    (h, w, 3); None where no lip does.
    """

    part: tuple[slice, slice]
    coverage: np.ndarray
    opening: np.ndarray | None = None
    inside: np.ndarray | None = None

    def reveal(self, image: LazyImage, warped: Image, box: Box) -> None:
        """Show what lips do not hide behind them, in place.

        Args:
            image: the frame, (H, W, 3).
            warped: pixels of the box by the displacement of the lips, (h, w, 3) uint8, written to.
            box: of the edit.
        """
        if self.inside is None:
            return
        y, x = self.part
        mouth = Box(box.x0 + x.start, box.y0 + y.start, box.x0 + x.stop, box.y0 + y.stop, 1.0)
        _, behind = warp(image, np.ascontiguousarray(self.inside[..., :2]), mouth)
        visible = np.ascontiguousarray(self.inside[..., 2])
        lips = np.ascontiguousarray(warped[self.part])
        warped[self.part] = cv2.blendLinear(behind, lips, visible, 1 - visible)

    def shade(self, image: Image, colour: np.ndarray) -> None:
        """Darken the pixels (H, W, 3) uint8 of the box of the edit in place, towards a colour (3,) and never above."""
        pixels = image[self.part].astype(np.float32)
        cavity = colour.astype(np.float32)
        pixels += self.coverage[..., None] * np.minimum(cavity - pixels, 0)
        if self.opening is not None:
            width = 2 * round(0.5 * SMOOTHING * pixels.shape[1]) + 1
            smooth = np.minimum(cv2.blur(pixels, (width, 1)), cavity) * self.opening[..., 1:]
            pixels += self.opening[..., :1] * (smooth - pixels)
        image[self.part] = pixels + 0.5


def _fill_loop(loop: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(h, w) bool: inside a loop (n, 2) of pixels."""
    inside = np.zeros(shape, np.uint8)
    cv2.fillPoly(inside, [np.round(loop).astype(np.int32)], 1)
    return inside > 0
