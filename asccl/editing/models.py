"""The models that every edit needs, loaded once for all threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np

from asccl import zoo
from asccl.editing.cache import KeyedCache
from asccl.face.landmarker import FaceLandmarker
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.fit import Fitter
from asccl.nets.inference import Embedder, ExpressionClassifier
from asccl.types import Image


class SharedLandmarker:
    """One `FaceLandmarker` for all threads, called by one at a time, as MediaPipe requires. Created on first use."""

    def __init__(self) -> None:
        self._landmarker: FaceLandmarker | None = None
        self._lock = threading.Lock()

    def detect(self, image: Image, near: np.ndarray | None = None) -> np.ndarray | None:
        """See `FaceLandmarker.detect`."""
        with self._lock:
            if self._landmarker is None:
                self._landmarker = FaceLandmarker()
            return self._landmarker.detect(image, near)


@dataclass(frozen=True)
class Models:
    """Models without a state of their own; threads may share them.

    Attributes:
        head: the 3D head model.
        fitter: fits the head model to landmarks.
        embedder: face recognition.
        expression: emotion probabilities and expression features.
        landmarker: landmarks of single frames.
        device: on which a neural renderer runs.
    """

    head: AnnyHead
    fitter: Fitter
    embedder: Embedder
    expression: ExpressionClassifier
    landmarker: SharedLandmarker
    device: str = "cpu"


_shared: KeyedCache[Models] = KeyedCache(1)


def load_models(device: str = "cpu") -> Models:
    """Load the models on the first call; later calls share them. Raises WeightsError."""
    return replace(_shared.get("models", _load), device=device)


def _load() -> Models:
    head = load_anny_head()
    return Models(head, Fitter(head), zoo.load_embedder(), zoo.load_expression_net(), SharedLandmarker())
