"""Detect the landmarks of a face in single frames."""

from __future__ import annotations

import numpy as np

from asccl.face.detect import Detector
from asccl.face.facemesh import FaceMesh, Window
from asccl.face.presence import MIN_FACE_SCORE
from asccl.types import Image

REFINEMENT_STEPS = 2  # detections after which the window fits the face


class FaceLandmarker:
    """A detector and a landmark network for single frames. Threads must not share one."""

    def __init__(self) -> None:
        self._detector, self._mesh = Detector(), FaceMesh()

    def detect(self, image: Image, near: np.ndarray | None = None) -> np.ndarray | None:
        """Landmarks (478, 3) pixels of the largest face, or of the one next to the landmarks `near`; None if none."""
        if near is not None:
            window = Window.around(near)
            for candidate in (window, *self._detector.near(image, window)):
                found = self._settle(image, candidate)
                if found is not None:
                    return found
        for windows in self._detector.levels(image):
            key = (lambda w: -w.side) if near is None else Window.around(near).distance
            for candidate in sorted(windows, key=key)[:3]:
                found = self._settle(image, candidate)
                if found is not None:
                    return found
        return None

    def _settle(self, image: Image, window: Window) -> np.ndarray | None:
        for _ in range(REFINEMENT_STEPS + 1):
            landmarks, score, _ = self._mesh.detect(image, window)
            if landmarks is None or score < MIN_FACE_SCORE:
                return None
            window = Window.around(landmarks)
        return landmarks

    def close(self) -> None:
        self._detector.close()
        self._mesh.close()
