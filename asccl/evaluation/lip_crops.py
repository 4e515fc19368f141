"""The pictures of lips that SyncNet reads, frame by frame, for each protocol and at its frame rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from asccl.evaluation.face_chunk import FaceChunk
from asccl.face.people import bounding_box
from asccl.types import Image

SIZE = 224  # pixels
GROUP_MARGIN = 35 / 256  # of the side, cut off on each side
MEDIAN_FRAMES = 13  # of the tracked box
CROP_SCALE = 0.4  # of half the box, added around it
PADDING_LEVEL = 110  # grey value outside the frame

LipFrame = Image | None  # (224, 224, 3) BGR, or None where there is no face


class LipCropper(Protocol):
    """Turns frames in order into pictures of lips."""

    def push(self, image: Image, landmarks: np.ndarray) -> Iterator[LipFrame]:
        """Add a frame; yield the pictures that are ready."""

    def flush(self) -> Iterator[LipFrame]:
        """Yield the rest."""


class GroupCropper:
    """The picture without 35 of 256 pixels on each side, bilinear to 224; it must be a square crop of a face."""

    def push(self, image: Image, landmarks: np.ndarray) -> Iterator[LipFrame]:
        """See `LipCropper`."""
        margin = round(GROUP_MARGIN * image.shape[0])
        part = image[margin : image.shape[0] - margin, margin : image.shape[1] - margin]
        yield cv2.resize(part, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)[:, :, ::-1]

    def flush(self) -> Iterator[LipFrame]:
        """See `LipCropper`."""
        yield from ()


class TrackedCropper:
    """SyncNet's own crop: 2.8 half boxes wide, from one half box above the centre, the box smoothed by a median.

    The box is that of the landmarks; the published pipeline takes it from the detector S3FD.
    """

    def __init__(self) -> None:
        self._boxes: deque[np.ndarray] = deque(maxlen=MEDIAN_FRAMES)
        self._images: deque[Image] = deque()

    def push(self, image: Image, landmarks: np.ndarray) -> Iterator[LipFrame]:
        """See `LipCropper`."""
        self._images.append(image)
        self._boxes.append(_half_box(landmarks))
        if len(self._images) > MEDIAN_FRAMES // 2:
            yield self._crop()

    def flush(self) -> Iterator[LipFrame]:
        """See `LipCropper`."""
        while self._images:
            if len(self._boxes) > MEDIAN_FRAMES // 2 + 1:
                self._boxes.popleft()
            yield self._crop()

    def _crop(self) -> LipFrame:
        image = self._images.popleft()
        boxes = np.stack(self._boxes)
        boxes = boxes[np.isfinite(boxes[:, 0])]
        if not len(boxes):
            return None
        x, y, half = np.median(boxes, 0)
        side = half * (2 + 2 * CROP_SCALE)
        matrix = np.array([[1.0, 0, side / 2 - x], [0, 1.0, half - y]]) * (SIZE / side)
        border = (PADDING_LEVEL,) * 3
        crop = cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderValue=border)
        return crop[:, :, ::-1]


@dataclass
class RateConverter:
    """Repeats or drops frames to reach another frame rate, each output frame being the nearest in time.

    Attributes:
        ratio: frame rate of the input over that of the output.
        next_output: index of the next output frame.
    """

    ratio: float
    next_output: int = 0

    def repeats(self, index: int) -> int:
        """How often the frame of this index appears; call it for 0, 1, 2, ... in order."""
        count = 0
        while np.floor(self.next_output * self.ratio + 0.5) <= index:
            self.next_output += 1
            count += 1
        return count


def lip_frames(cropper: LipCropper, converter: RateConverter, chunk: FaceChunk, first: int) -> Iterator[LipFrame]:
    """Yield the pictures of lips that a chunk completes.

    Args:
        cropper: of the protocol.
        converter: to the frame rate of the protocol.
        chunk: consecutive frames.
        first: index of its first frame, counted from the first frame that is compared.
    """
    for i, (image, landmarks) in enumerate(zip(chunk.images, chunk.landmarks, strict=True)):
        for _ in range(converter.repeats(first + i)):
            yield from cropper.push(image, landmarks)


def _half_box(landmarks: np.ndarray) -> np.ndarray:
    """Centre (x, y) and half the longer side of the box around landmarks; NaN without a face."""
    if not np.isfinite(landmarks[0, 0]):
        return np.full(3, np.nan)
    x0, y0, x1, y1 = bounding_box(landmarks)
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) / 2])
