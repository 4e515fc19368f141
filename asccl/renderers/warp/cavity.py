"""The cavity of a mouth: its colour, and where an edit shows it instead of pixels of the frame."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import face_size
from asccl.renderers.warp.lip_edges import LOWER, UPPER
from asccl.types import Image

MIN_OPEN_GAP = 0.03  # face sizes: from this lip gap on, a frame shows the cavity
CAVITY_QUANTILE = 0.1  # of the brightness between the lips: the cavity
CLOSED_CAVITY = 0.35  # brightness of a cavity that no frame shows, over that of the lips


class MouthModel:
    """The dark colour of a person's mouth behind the teeth, from observed frames.

    Attributes:
        cavity: (3,) RGB.
    """

    def __init__(self) -> None:
        self._open: list[np.ndarray] = []
        self._closed: list[np.ndarray] = []
        self.cavity = np.zeros(3)

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Measure the mouth in a frame. landmarks: (478, 3) pixels."""
        loop = landmarks[list(mesh.INNER_LIPS), :2]
        x0, y0 = np.maximum(np.floor(loop.min(0)).astype(int) - 2, 0)
        x1, y1 = np.maximum(np.ceil(loop.max(0)).astype(int) + 3, 0)
        part = image[y0:y1, x0:x1]
        if min(part.shape[:2]) < 2:
            return
        inside = np.zeros(part.shape[:2], np.uint8)
        cv2.fillPoly(inside, [np.round(loop - (x0, y0)).astype(np.int32)], 1)
        pixels = part[inside > 0]
        brightness = pixels.mean(1)
        gap = np.linalg.norm(landmarks[UPPER, :2] - landmarks[LOWER, :2], axis=1).max() / face_size(landmarks)
        if gap > MIN_OPEN_GAP:
            dark = brightness <= np.quantile(brightness, CAVITY_QUANTILE)
            self._open.append(pixels[dark].mean(0))
        else:
            self._closed.append(CLOSED_CAVITY * pixels.mean(0))
        self.cavity = np.median(self._open or self._closed, axis=0)


class Cavity(NamedTuple):
    """Where the frame shows nothing of the inside of the edited mouth.

    part: rows and columns in the box of the edit. coverage: of the cavity in it, (h, w) float32 in [0, 1].
    """

    part: tuple[slice, slice]
    coverage: np.ndarray

    def shade(self, image: Image, colour: np.ndarray) -> None:
        """Darken the pixels (H, W, 3) uint8 of the box of the edit in place, towards a colour (3,) and never above."""
        pixels = image[self.part].astype(np.float32)
        darkening = np.minimum(colour.astype(np.float32) - pixels, 0)
        image[self.part] = pixels + self.coverage[..., None] * darkening + 0.5
