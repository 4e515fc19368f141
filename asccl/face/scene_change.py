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
        background = _background_mask(head_box, *image.shape[:2])
        contrast, background_contrast = _contrast(thumbnail), _contrast(thumbnail[background])
        changes = [0.0, 0.0]
        for i, previous in enumerate(reversed(self._previous)):
            changes[i] = min(
                _difference(thumbnail, previous, contrast),
                _difference(thumbnail[background], previous[background], background_contrast),
            )
        self._previous = [*self._previous[-1:], thumbnail]
        return changes[0], changes[1]


def _thumbnail(image: LazyImage) -> np.ndarray:
    """(18, 32, 3) float32 of mean 1, which does not depend on the brightness of the frame."""
    height, width = image.shape[:2]
    subsampled = image[:: max(height // SUBSAMPLED_HEIGHT, 1), :: max(width // SUBSAMPLED_WIDTH, 1)]
    small = cv2.resize(subsampled, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) + BRIGHTNESS_OFFSET
    return small / small.mean()


def _background_mask(head_box: np.ndarray | None, height: int, width: int) -> np.ndarray:
    """(18, 32) bool: where a thumbnail does not show the head; all of it if the head fills the frame."""
    mask = np.ones((HEIGHT, WIDTH), bool)
    if head_box is not None:
        margin = HEAD_MARGIN * (head_box[2:] - head_box[:2])
        low = np.maximum(np.floor((head_box[:2] - margin) / (width, height) * (WIDTH, HEIGHT)), 0).astype(int)
        high = np.maximum(np.ceil((head_box[2:] + margin) / (width, height) * (WIDTH, HEIGHT)), 0).astype(int)
        mask[low[1] : high[1], low[0] : high[0]] = False
    return mask if mask.mean() > MIN_BACKGROUND else np.ones((HEIGHT, WIDTH), bool)


def _difference(a: np.ndarray, b: np.ndarray, contrast_a: float) -> float:
    """Mean absolute difference (..., 3) over the mean contrast of the two."""
    return float(np.abs(a - b).mean()) / max((contrast_a + _contrast(b)) / 2, MIN_CONTRAST)


def _contrast(a: np.ndarray) -> float:
    """Mean absolute deviation from the mean colour."""
    return float(np.abs(a - a.reshape(-1, 3).mean(0)).mean())
