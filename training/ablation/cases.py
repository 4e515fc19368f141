"""What an ablation is judged on: somebody says the same words with two emotions, so that the answer is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

INTRA, CROSS = "intra-ID", "cross-ID"  # whom the reference shows: the speaker with other words, or somebody else
SETTINGS = (INTRA, CROSS)
REFERENCE_FRAMES = 80  # frames of a reference
REFERENCE_IMAGES = 8  # of them, those of which pictures are made


@dataclass(frozen=True)
class Reference:
    """Who shows the wanted emotion. coefficients: (R, 52). pictures: (n, S, S, 3) uint8 RGB of some of these frames.
    places: (n, 468, 2) landmarks in them."""

    coefficients: np.ndarray
    pictures: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Case:
    """source, truth: (T, 52), the same words with the emotion that is and the one that is wanted, an index into
    `EMOTIONS`. before, after: (T, S, S, 3) uint8 RGB, both in pictures. at, places: (T, 468, 2) where to look for the
    face of an edit, and landmarks of the truth. conditions: (T, 52) that the face shall do -> (T, 10, S, S) that the
    renderer paints it from. references: by setting."""

    source: np.ndarray
    truth: np.ndarray
    emotion: int
    before: np.ndarray
    after: np.ndarray
    at: np.ndarray
    places: np.ndarray
    conditions: Callable[[np.ndarray], np.ndarray]
    references: dict[str, Reference]
