"""Detect faces in complete frames, including small ones: BlazeFace over a pyramid of overlapping tiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np

from asccl.face.facemesh import WINDOW_MARGIN, Window, suppress_startup_log
from asccl.types import Image, LazyImage, as_image

MIN_FACE_SIZE = 36  # pixels of face side in frames up to 1080p; BlazeFace's box runs from brow to chin
TILE_TO_FACE = 9  # the full-range network detects faces down to 1/9 of the side of its input
TILE_OVERLAP = 0.25  # fraction of the side
MIN_CONFIDENCE = 0.4  # low, because the landmark network verifies every detection
PADDING = 0.15  # fraction of the longer side, for faces that touch the border of the frame
MAX_PADDED_SIDE = 5400  # pixels, so that the memory of padding is bounded; an UHD frame stays below
MAX_INPUT_SIDE = 640  # pixels; both networks reduce their input to 192 pixels or less
MIN_INPUT_SIDE = 8  # pixels
SAME_FACE_DISTANCE = 0.3  # between the centres of two windows, as a fraction of the larger side
UPRIGHT_CONFIDENCE = 0.88  # BlazeFace's confidence in nearly all upright faces; turned ones reach 0.83
MIN_TURNED_CONFIDENCE = 0.75  # in a turned image; higher, because three turns can be wrong
TURN_PENALTY = 0.05  # subtracted from the confidence in a turned image: a doubtful face counts as upright
TURNS = (2, 1, 3)  # quarter turns, counterclockwise, that are tried where no face is upright

Detection = tuple[float, Window]  # with its confidence


class Detector:
    """BlazeFace, short and full range. It must not be shared between threads. Call `close()` after use."""

    def __init__(self) -> None:
        with suppress_startup_log():
            from mediapipe.python.solutions.face_detection import FaceDetection

            self._short: Any = FaceDetection(min_detection_confidence=MIN_CONFIDENCE, model_selection=0)
            self._full: Any = FaceDetection(min_detection_confidence=MIN_CONFIDENCE, model_selection=1)
            blank = np.zeros((64, 64, 3), np.uint8)  # the first run prints log messages, too
            self._short.process(blank)
            self._full.process(blank)

    def levels(self, image: LazyImage, size: float | None = None) -> Iterator[list[Window]]:
        """Detect faces level by level, large faces first.

        Faces that lie on their side or upside down are searched in turned copies: large ones where no large face is
        certainly upright, small ones where there is no other face.

        Args:
            image: (H, W, 3).
            size: detect only faces of about this many pixels (half to twice); None detects all.

        Yields:
            Windows around the faces of one level, the most confident first.
        """
        image = as_image(image)
        height, width = image.shape[:2]
        longer = max(height, width)
        levels = [partial(self._detect_in_tiles, image, side) for side in _tile_sides(longer, min(height, width), size)]
        any_detected = False
        if size is None or size * 2 * TILE_TO_FACE > longer:
            detections = self._detect_large(image, 0)
            if max((confidence for confidence, _ in detections), default=0.0) < UPRIGHT_CONFIDENCE:
                detections += _detect_turned(partial(self._detect_large, image))
            any_detected = bool(detections)
            yield _remove_duplicates(detections)
        for level in levels:
            detections = level(0)
            any_detected |= bool(detections)
            yield _remove_duplicates(detections)
        if size is None and not any_detected:
            for level in levels:
                yield _remove_duplicates(_detect_turned(level))

    def near(self, image: LazyImage, window: Window) -> list[Window]:
        """Detect faces around a window, up to twice its side; fast enough for every frame."""
        side = max(int(2 * window.side), 16)
        x, y = int(window.x - side / 2), int(window.y - side / 2)
        height, width = image.shape[:2]
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
        if x1 - x0 < MIN_INPUT_SIDE or y1 - y0 < MIN_INPUT_SIDE:
            return []
        turns = round(window.angle / (math.pi / 2)) % 4
        borders = y0 - y, y + side - y1, x0 - x, x + side - x1
        return _remove_duplicates(self._run_padded(image[y0:y1, x0:x1], borders, x0, y0, turns))

    def _detect_large(self, image: Image, turns: int) -> list[Detection]:
        pad = round(PADDING * max(image.shape[:2]))
        padded = self._run_padded(image, (pad, pad, pad, pad), 0, 0, turns)
        return padded + self._run(self._full, image, 0, 0, turns)

    def _detect_in_tiles(self, image: Image, side: int, turns: int) -> list[Detection]:
        detections: list[Detection] = []
        for x, y in _tile_corners(image.shape[1], image.shape[0], side):
            detections += self._run(self._full, image[y : y + side, x : x + side], x, y, turns)
        return detections

    def _run_padded(
        self, part: Image, borders: tuple[int, int, int, int], x: int, y: int, turns: int
    ) -> list[Detection]:
        """Detect the faces in a part at (x, y) and in copies of its border pixels: top, bottom, left, right."""
        top, bottom, left, right = borders
        longest = max(part.shape[0] + top + bottom, part.shape[1] + left + right)
        scale = min(1.0, MAX_PADDED_SIDE / longest)
        if scale < 1:  # shrunk before padding, because padding a long strip gives a large square
            shape = (max(round(part.shape[1] * scale), 1), max(round(part.shape[0] * scale), 1))
            part = cv2.resize(part, shape, interpolation=cv2.INTER_AREA)
            top, bottom, left, right = (round(border * scale) for border in borders)
        padded = cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE)
        detections = self._run(self._short, padded, -left, -top, turns)
        return [
            (confidence, Window(x + w.x / scale, y + w.y / scale, w.side / scale, w.angle))
            for confidence, w in detections
        ]

    @staticmethod
    def _run(network: Any, part: Image, x: int, y: int, turns: int) -> list[Detection]:
        """Detect the faces in a part of the frame whose upper left corner is (x, y), turned by quarter turns."""
        height, width = part.shape[:2]
        if height < MIN_INPUT_SIDE or width < MIN_INPUT_SIDE:
            return []
        if max(height, width) > MAX_INPUT_SIDE:
            scale = MAX_INPUT_SIDE / max(height, width)
            shape = (max(round(width * scale), 1), max(round(height * scale), 1))
            network_input = cv2.resize(part, shape, interpolation=cv2.INTER_AREA)
        else:
            network_input = part
        detections = []
        network_input = np.ascontiguousarray(np.rot90(network_input, turns))
        if turns % 2:
            height, width = width, height
        for face in network.process(network_input).detections or ():
            box, eyes = face.location_data.relative_bounding_box, face.location_data.relative_keypoints
            w, h = box.width * width, box.height * height
            dx, dy = (eyes[1].x - eyes[0].x) * width, (eyes[1].y - eyes[0].y) * height
            centre = box.xmin * width + w / 2, box.ymin * height + h / 2
            left, top = _turn_back(*centre, width, height, turns)
            angle = math.remainder(math.atan2(dy, dx) + turns * math.pi / 2, math.tau)
            window = Window(x + left, y + top, WINDOW_MARGIN * max(w, h), angle)
            detections.append((float(face.score[0]), window))
        return detections

    def close(self) -> None:
        """Free the networks. It is harmless to call this again."""
        for network in (self._short, self._full):
            if network is not None:
                network.close()
        self._short = self._full = None


def _detect_turned(detect: Callable[[int], list[Detection]]) -> list[Detection]:
    """Detect faces in turned copies of an image; `detect` takes the number of quarter turns."""
    return [
        (confidence - TURN_PENALTY, window)
        for turns in TURNS
        for confidence, window in detect(turns)
        if confidence >= MIN_TURNED_CONFIDENCE
    ]


def _turn_back(x: float, y: float, width: float, height: float, turns: int) -> tuple[float, float]:
    """The point (x, y) of an image of this width and height before its counterclockwise quarter turns."""
    for _ in range(turns):
        x, y, width, height = height - y, x, height, width
    return x, y


def _tile_sides(longer: int, shorter: int, size: float | None) -> list[int]:
    """Sides in pixels of the tiles of each level, largest first."""
    side, sides = round(TILE_TO_FACE * MIN_FACE_SIZE * max(1.0, shorter / 1080)), []
    while side < 0.8 * longer:
        sides.append(side)
        side *= 2
    if size is not None:
        sides = ([s for s in sides if s <= TILE_TO_FACE * size * 0.6] or sides[:1])[-1:]
    return sides[::-1]


def _tile_corners(width: int, height: int, side: int) -> list[tuple[int, int]]:
    """Upper left corners of overlapping square tiles that cover the frame."""

    def starts(length: int) -> list[int]:
        if length <= side:
            return [0]
        count = math.ceil((length - side) / (side * (1 - TILE_OVERLAP))) + 1
        return [round(i * (length - side) / (count - 1)) for i in range(count)]

    return [(x, y) for y in starts(height) for x in starts(width)]


def _remove_duplicates(detections: list[Detection]) -> list[Window]:
    """The windows sorted by confidence, without those that coincide with a more confident one."""
    kept: list[Window] = []
    for _, window in sorted(detections, key=lambda detection: -detection[0]):
        if all(
            math.hypot(window.x - other.x, window.y - other.y) > SAME_FACE_DISTANCE * max(window.side, other.side)
            for other in kept
        ):
            kept.append(window)
    return kept
