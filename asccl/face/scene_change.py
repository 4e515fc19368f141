"""Measure how much the scene changes from frame to frame, to detect cuts."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.types import LazyImage

HEIGHT, WIDTH = 18, 32  # of a thumbnail, pixels
SUBSAMPLED_HEIGHT, SUBSAMPLED_WIDTH = 72, 128  # pixels; about as many are read from a frame
BRIGHTNESS_OFFSET = 4  # grey levels, so that dark thumbnails are not noisy
HEAD_MARGIN = 0.3  # around the head's box, as a fraction of its size
MIN_BACKGROUND = 0.1  # fraction of the thumbnail
MIN_CONTRAST = 0.05


class SceneChangeMeter:
    """Compares each frame with the two frames before it, by thumbnails."""

    def __init__(self) -> None:
        self._previous: list[np.ndarray] = []

    def update(self, image: LazyImage, head_box: np.ndarray | None) -> tuple[float, float]:
        """Process the next frame.

        Args:
            image: (H, W, 3).
            head_box: (x0, y0, x1, y1) pixels; the head may move or be covered without a cut. None if unknown.

        Returns:
            The difference from the previous frame and from the one before it: 0 the same, about 1 unrelated.
        """
        thumbnail = _thumbnail(image)
        changes = [np.inf, np.inf][: len(self._previous)]
        for mask in (None, _background_mask(head_box, *image.shape[:2])):
            contrast = _contrast(thumbnail, mask)
            for i, previous in enumerate(reversed(self._previous)):
                mean_contrast = (contrast + _contrast(previous, mask)) / 2
                difference = _mean_magnitude(thumbnail - previous, mask) / max(mean_contrast, MIN_CONTRAST)
                changes[i] = min(changes[i], difference)
        self._previous = [*self._previous[-1:], thumbnail]
        change, two_frame_change = [*changes, 0.0, 0.0][:2]
        return change, two_frame_change


def _thumbnail(image: LazyImage) -> np.ndarray:
    """(18, 32, 3) float32 of mean 1, which does not depend on the brightness of the frame."""
    height, width = image.shape[:2]
    subsampled = image[:: max(height // SUBSAMPLED_HEIGHT, 1), :: max(width // SUBSAMPLED_WIDTH, 1)]
    small = cv2.resize(subsampled, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) + BRIGHTNESS_OFFSET
    return small / small.mean()


def _background_mask(head_box: np.ndarray | None, height: int, width: int) -> np.ndarray | None:
    """(18, 32) uint8: where a thumbnail does not show the head; None for all of it, if the head fills the frame."""
    if head_box is None:
        return None
    mask = np.ones((HEIGHT, WIDTH), np.uint8)
    margin = HEAD_MARGIN * (head_box[2:] - head_box[:2])
    low = np.maximum(np.floor((head_box[:2] - margin) / (width, height) * (WIDTH, HEIGHT)), 0).astype(int)
    high = np.maximum(np.ceil((head_box[2:] + margin) / (width, height) * (WIDTH, HEIGHT)), 0).astype(int)
    mask[low[1] : high[1], low[0] : high[0]] = 0
    return mask if mask.mean() > MIN_BACKGROUND else None


def _mean_magnitude(values: np.ndarray, mask: np.ndarray | None) -> float:
    """Mean magnitude of values (18, 32, 3) float32 where the mask (18, 32) uint8 is not 0."""
    count = HEIGHT * WIDTH if mask is None else cv2.countNonZero(mask)
    return cv2.norm(values, cv2.NORM_L1, mask) / (3 * count)


def _contrast(thumbnail: np.ndarray, mask: np.ndarray | None) -> float:
    """Mean deviation of a thumbnail from its mean colour, within a mask."""
    return _mean_magnitude(thumbnail - np.float32(cv2.mean(thumbnail, mask)[:3]), mask)
