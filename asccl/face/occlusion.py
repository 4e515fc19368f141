"""Detect objects in front of a face."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.types import Image

MIN_COVERED_FRACTION = 0.13  # of the skin: a face counts as hidden above it
MAX_UNCOVERED_FRACTION = 0.07  # of the skin: a hidden face counts as visible again up to it
# skin that neither speech nor blinks hide, away from the face oval: forehead, cheeks, nose, around the mouth, chin
SKIN_LANDMARKS = (
    *(151, 9, 8, 69, 108, 337, 299, 104, 333, 68, 298, 67, 297),
    *(50, 280, 205, 425, 36, 266, 101, 330, 117, 346, 118, 347, 187, 411, 207, 427, 203, 423, 206, 426, 216, 436),
    *(4, 5, 195, 197, 6, 45, 275, 51, 281, 198, 420, 131, 360),
    *(164, 165, 391, 167, 393, 92, 322, 186, 410),
    *(199, 200, 18, 83, 313, 182, 406, 194, 418, 208, 428, 43, 273, 106, 335, 204, 424, 211, 431),
    *(192, 416, 214, 434, 135, 364, 212, 432, 210, 430),
)
FOREHEAD, CHIN = 10, 152  # landmarks on the midline
MIN_COLOUR_CHANGE = 0.35  # log ratio; speech, blinks and turns stay below it on nearly all of the skin
ADAPTATION_FRAMES = 20  # frames until a usual colour is mostly replaced
MAX_COVERED_FRAMES = 90  # frames after which the covering object is accepted as a part of the face
FRONTAL_YAW = 20  # degrees; below it both halves of the face are visible
BLUR_SIZE = 7  # pixels of the crop
COLOUR_OFFSET = 8.0  # grey levels, so that the logarithm of dark colours is not noisy


class OcclusionDetector:
    """Detects objects in front of a face by the colour of its skin at landmarks that move with it.

    The usual colour of every landmark in this shot is updated slowly; landmarks whose colour differs strongly from it
    (log ratio, without the common change of light) are counted. Only quick changes count: beards, shadows and glasses
    are always visible, and a turning head changes its light slowly.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the usual colours."""
        self._usual: np.ndarray | None = None
        self._clear_frames = 0
        self._covered_frames = 0

    def update(self, crop: Image, points: np.ndarray, yaw: float) -> float:
        """Process the next frame.

        Args:
            crop: (S, S, 3) uint8 RGB.
            points: landmarks (468+, 2) in pixels of the crop.
            yaw: of the head, in degrees.

        Returns:
            Fraction of the visible skin that has changed.
        """
        skin = list(SKIN_LANDMARKS)
        blurred = cv2.blur(crop, (BLUR_SIZE, BLUR_SIZE))
        pixels = np.clip(np.rint(points[skin]), 0, crop.shape[0] - 1).astype(int)
        colour = np.log(blurred[pixels[:, 1], pixels[:, 0]].astype(np.float64) + COLOUR_OFFSET)
        if self._usual is None:
            self._usual = colour
            self._clear_frames = 1
            return 0.0
        difference = colour - self._usual
        difference -= np.median(difference, axis=0)
        changed = np.abs(difference).max(1) > MIN_COLOUR_CHANGE
        midline = (points[FOREHEAD, 0] + points[CHIN, 0]) / 2
        visible = (np.abs(yaw) < FRONTAL_YAW) | (np.sign(points[skin, 0] - midline) != np.sign(yaw))
        share = float(changed[visible].mean()) if visible.any() else 0.0
        is_covered = share > MAX_UNCOVERED_FRACTION
        self._covered_frames = self._covered_frames + 1 if is_covered else 0
        if self._covered_frames > MAX_COVERED_FRAMES:
            self.reset()
        elif not is_covered:
            self._clear_frames += 1
            self._usual = self._usual + (colour - self._usual) / min(self._clear_frames, ADAPTATION_FRAMES)
        return share
