"""Detect the landmarks of a face in a single image."""

from __future__ import annotations

import numpy as np

from asccl.face.detect import Detector
from asccl.face.facemesh import FaceMesh, Window
from asccl.face.presence import MIN_FACE_SCORE
from asccl.types import Image

REFINEMENT_STEPS = 2  # detections after the first one, which fit the window to the face
MAX_CANDIDATES = 3  # detected windows per level that are tried


class FaceLandmarker:
    """A detector and a landmark network for single images. It must not be shared between threads."""

    def __init__(self) -> None:
        self._detector, self._mesh = Detector(), FaceMesh()

    def detect(self, image: Image, near: np.ndarray | None = None) -> np.ndarray | None:
        """Detect the landmarks of one face.

        Args:
            image: (H, W, 3) uint8 RGB.
            near: landmarks; the face nearest to them is chosen. None chooses the largest face.

        Returns:
            (478, 3) pixels, or None if there is no face.
        """
        if near is not None:
            window = Window.around(near)
            for candidate in (window, *self._detector.near(image, window)):
                landmarks = self._refine(image, candidate)
                if landmarks is not None:
                    return landmarks
        for windows in self._detector.levels(image):
            key = (lambda w: -w.side) if near is None else Window.around(near).distance
            for candidate in sorted(windows, key=key)[:MAX_CANDIDATES]:
                landmarks = self._refine(image, candidate)
                if landmarks is not None:
                    return landmarks
        return None

    def _refine(self, image: Image, window: Window) -> np.ndarray | None:
        """Landmarks of the face in a window, detected again until the window fits the face."""
        for _ in range(REFINEMENT_STEPS + 1):
            landmarks, score, _ = self._mesh.detect(image, window)
            if landmarks is None or score < MIN_FACE_SCORE:
                return None
            window = Window.around(landmarks)
        return landmarks

    def close(self) -> None:
        """Free the networks."""
        self._detector.close()
        self._mesh.close()
