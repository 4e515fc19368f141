"""Clips of the measures' tests: a face that moves, and networks that need no weights."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from asccl.evaluation.evaluate import ClipResult, evaluate_clip
from asccl.evaluation.face_chunk import FaceChunk, FaceImage, make_chunk
from asccl.evaluation.feature_store import FeatureStore
from asccl.evaluation.measure import ClipPair, Measure, Score
from asccl.evaluation.networks import Networks
from asccl.evaluation.sound import Sound
from asccl.face import mesh


class ArrayStream:
    """A stream of images and landmarks in memory, with the attributes of a `FaceStream`."""

    def __init__(
        self,
        landmarks: np.ndarray,
        images: Sequence[np.ndarray] | None = None,
        rate: int = 25,
        sound: Sound | None = None,
        name: str = "clip.mp4",
    ):
        self.name, self.path, self.sound = name, Path(name), sound
        self._landmarks = landmarks
        self.images = images if images is not None else [np.full((96, 96, 3), 128, np.uint8)] * len(landmarks)
        self.frame_rate = Fraction(rate)
        self.info = SimpleNamespace(frames=len(landmarks))
        self.features, self.states = FeatureStore(), dict[str, Any]()

    def frames(self) -> Any:
        yield from self._rows()

    def _rows(self) -> list[FaceImage]:
        return list(zip(self.images, self._landmarks, strict=True))

    def landmarks(self) -> Any:
        yield from self._landmarks

    def chunk(self, start: int, rows: list[FaceImage]) -> FaceChunk:
        return make_chunk(start, rows, self.features)

    def chunks(self, size: int = 32) -> Any:
        rows = self._rows()
        for start in range(0, len(rows), size):
            yield self.chunk(start, rows[start : start + size])


def face(gap: float = 0.1, width: float = 0.6, shift: float = 0.0) -> np.ndarray:
    """Landmarks (478, 3) of a face whose eyes are 40 pixels apart: eyes, nose and mouth are placed, the rest is round.

    Args:
        gap: of the lips over the eye distance.
        width: of the mouth over the eye distance.
        shift: of all landmarks, in pixels.
    """
    angle = np.arange(478) * 2.399963
    radius = 40 * np.sqrt((np.arange(478) + 1) / 478)
    points = np.stack([48 + radius * np.cos(angle), 48 + radius * np.sin(angle), np.zeros(478)], 1)
    eyes = {33: (28, 40), 133: (40, 40), 362: (56, 40), 263: (68, 40)}
    for index, position in eyes.items():
        points[index, :2] = position
    for upper, lower in mesh.LIP_GAP_PAIRS:
        points[upper, :2], points[lower, :2] = (48, 70 - 20 * gap), (48, 70 + 20 * gap)
    points[61, :2], points[291, :2] = (48 - 20 * width, 70), (48 + 20 * width, 70)
    points[:, 0] += shift
    return points.astype(np.float32)


def talking(gaps: Sequence[float] | np.ndarray) -> np.ndarray:
    """Landmarks (T, 478, 3) of a face with these lip gaps."""
    return np.stack([face(float(gap)) for gap in gaps])


def networks(**changes: Any) -> Networks:
    """Networks without weights: the mean colour of a crop stands for the person and for the emotion."""

    def colours(crops: np.ndarray) -> np.ndarray:
        return crops.mean((1, 2)) / 255

    def classify(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features = colours(crops)
        return np.repeat(features[:, :1], 7, 1) / 7, features

    functions: dict[str, Any] = {
        "embed": colours,
        "classify": classify,
        "scc": lambda source, generated: 1 - np.abs(colours(source) - colours(generated)).mean(1),
    }
    return Networks(**{**functions, **changes})


def score(measure: Measure, source: Any, generated: Any, **labels: Any) -> Score:
    """The score of one clip."""
    return measure.compute(evaluate(measure, source, generated, **labels).states[measure.name])


def evaluate(measure: Measure, source: Any, generated: Any, **labels: Any) -> ClipResult:
    """The result of one clip."""
    return evaluate_clip(ClipPair(source, generated, **labels), [measure])
