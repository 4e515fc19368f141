"""What a face-recognition and an expression network offer to the rest: numpy in, numpy out. No torch needed here."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Embedder(Protocol):
    """Tells people apart."""

    @property
    def name(self) -> str:
        """Its name in `asccl.hub.WEIGHTS`."""

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """ArcFace crops (N, 112, 112, 3) uint8 RGB -> (N, D) float32 of length 1: the cosine of two is their product.

        Raises ValueError.
        """


class ExpressionClassifier(Protocol):
    """Tells emotions apart."""

    @property
    def name(self) -> str:
        """Its name in `asccl.hub.WEIGHTS`."""

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Expression crops (N, 112, 112, 3) uint8 RGB -> (N, 7) float32 in the order of `EMOTIONS`, sums 1.

        Raises ValueError.
        """

    def features(self, crops: np.ndarray) -> np.ndarray:
        """Expression crops (N, 112, 112, 3) uint8 RGB -> (N, D) float32, for the cosine of two clips' means.

        Raises ValueError.
        """

    def predict(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both at once, for the price of one."""
