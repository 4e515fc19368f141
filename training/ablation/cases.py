"""Test cases of an ablation: somebody says the same words with two emotions, so that the true edit is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

INTRA_ID, CROSS_ID = "intra-ID", "cross-ID"  # the reference shows the speaker with other words, or somebody else
SETTINGS = (INTRA_ID, CROSS_ID)
REFERENCE_FRAMES = 80
REFERENCE_IMAGES = 8  # frames of a reference of which there are images


@dataclass(frozen=True)
class Reference:
    """Somebody who shows the target emotion.

    Attributes:
        coefficients: (R, 52).
        images: (n, S, S, 3) uint8 RGB of some of these frames.
        landmarks: (n, 468, 2) in these images.
    """

    coefficients: np.ndarray
    images: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True)
class AblationCase:
    """A source clip of T frames, its true edit, and references.

    Attributes:
        source: (T, 52) coefficients.
        truth: (T, 52), the same words with the target emotion.
        emotion: target emotion, an index into `EMOTIONS`.
        source_images: (T, S, S, 3) uint8 RGB.
        true_images: (T, S, S, 3) uint8 RGB.
        source_landmarks: (T, 468, 2) where the face of an edit is expected.
        true_landmarks: (T, 468, 2) in the true images.
        conditions: coefficients (T, 52) -> condition images (T, 10, S, S) of the source clip with this expression.
        references: by setting.
    """

    source: np.ndarray
    truth: np.ndarray
    emotion: int
    source_images: np.ndarray
    true_images: np.ndarray
    source_landmarks: np.ndarray
    true_landmarks: np.ndarray
    conditions: Callable[[np.ndarray], np.ndarray]
    references: dict[str, Reference]
