"""Find faces in whole frames, small ones too: BlazeFace over a pyramid of overlapping tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from asccl.face.facemesh import WINDOW_MARGIN, Window, suppress_startup_log
from asccl.types import Image, LazyImage, as_image

MIN_FACE_SIZE = 36  # pixels of face side in frames up to 1080p; BlazeFace's box runs from brow to chin
FINEST_SHARE = 9  # the full-range network finds faces down to a ninth of the side of what it sees
OVERLAP = 0.25
CERTAIN = 0.4  # low, as the landmark network judges every find again


class Detector:
    """BlazeFace, short and full range. Threads must not share it. Call `close()`."""

    def __init__(self) -> None:
        with suppress_startup_log():
            from mediapipe.python.solutions.face_detection import FaceDetection

            self._short: Any = FaceDetection(min_detection_confidence=CERTAIN, model_selection=0)
            self._full: Any = FaceDetection(min_detection_confidence=CERTAIN, model_selection=1)
            blank = np.zeros((64, 64, 3), np.uint8)
            self._short.process(blank)
            self._full.process(blank)

    def levels(self, image: LazyImage, size: float | None = None) -> Iterator[list[Window]]:
        """(H, W, 3) -> windows around faces, level by level, large faces first, most certain first in each.

        size: look for faces of about this many pixels alone (half to twice); None looks for all.
        """
        image = as_image(image)
        height, width = image.shape[:2]
        longer = max(height, width)
        if size is None or size * 2 * FINEST_SHARE > longer:
            pad = round(0.15 * longer)
            padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
            yield _distinct(self._run(self._short, padded, -pad, -pad) + self._run(self._full, image, 0, 0))
        for side in _tiles(longer, min(height, width), size):
            found: list[tuple[float, Window]] = []
            for x, y in _corners(width, height, side):
                found += self._run(self._full, image[y : y + side, x : x + side], x, y)
            yield _distinct(found)

    def near(self, image: LazyImage, window: Window) -> list[Window]:
        """Look only around a window (to twice its side): cheap enough for every frame."""
        side = max(int(2 * window.side), 16)
        x, y = int(window.x - side / 2), int(window.y - side / 2)
        height, width = image.shape[:2]
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
        if x1 - x0 < 8 or y1 - y0 < 8:
            return []
        part = cv2.copyMakeBorder(
            image[y0:y1, x0:x1], y0 - y, y + side - y1, x0 - x, x + side - x1, cv2.BORDER_REPLICATE
        )
        return _distinct(self._run(self._short, part, x, y))

    @staticmethod
    def _run(network: Any, part: Image, x: int, y: int) -> list[tuple[float, Window]]:
        height, width = part.shape[:2]
        if height < 8 or width < 8:
            return []
        out = []
        if max(height, width) > 640:  # both networks see at most 192 pixels
            scale = 640 / max(height, width)
            shape = (max(round(width * scale), 1), max(round(height * scale), 1))
            seen = cv2.resize(part, shape, interpolation=cv2.INTER_AREA)
        else:
            seen = np.ascontiguousarray(part)
        for face in network.process(seen).detections or ():
            box, eyes = face.location_data.relative_bounding_box, face.location_data.relative_keypoints
            w, h = box.width * width, box.height * height
            dx, dy = (eyes[1].x - eyes[0].x) * width, (eyes[1].y - eyes[0].y) * height
            window = Window(
                x + box.xmin * width + w / 2,
                y + box.ymin * height + h / 2,
                WINDOW_MARGIN * max(w, h),
                math.atan2(dy, dx),
            )
            out.append((float(face.score[0]), window))
        return out

    def close(self) -> None:
        for network in (self._short, self._full):
            if network is not None:
                network.close()
        self._short = self._full = None


def _tiles(longer: int, short: int, size: float | None) -> list[int]:
    """Sides of the tiles of each level, largest first."""
    side, sides = round(FINEST_SHARE * MIN_FACE_SIZE * max(1.0, short / 1080)), []
    while side < 0.8 * longer:
        sides.append(side)
        side *= 2
    if size is not None:
        sides = ([s for s in sides if s <= FINEST_SHARE * size * 0.6] or sides[:1])[-1:]
    return sides[::-1]


def _corners(width: int, height: int, side: int) -> list[tuple[int, int]]:
    """Upper left corners of overlapping square tiles that cover the frame."""

    def starts(length: int) -> list[int]:
        if length <= side:
            return [0]
        count = math.ceil((length - side) / (side * (1 - OVERLAP))) + 1
        return [round(i * (length - side) / (count - 1)) for i in range(count)]

    return [(x, y) for y in starts(height) for x in starts(width)]


def _distinct(found: list[tuple[float, Window]]) -> list[Window]:
    """Most certain first, without those that lie on a more certain one."""
    kept: list[Window] = []
    for _, window in sorted(found, key=lambda f: -f[0]):
        if all(math.hypot(window.x - k.x, window.y - k.y) > 0.3 * max(window.side, k.side) for k in kept):
            kept.append(window)
    return kept
