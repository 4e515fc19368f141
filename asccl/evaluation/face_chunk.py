"""Consecutive frames of a video with the landmarks of one face, and what measures compute of them once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from asccl.evaluation.feature_store import FeatureStore
from asccl.face.crop import arcface_crop, expression_crop
from asccl.types import Image

CHUNK_SIZE = 32  # frames
FaceImage = tuple[Image, np.ndarray]  # a frame, and its landmarks (478, 3) in pixels, NaN without a face


@dataclass(frozen=True)
class FaceChunk:
    """Consecutive frames of a video with the landmarks of one face.

    Attributes:
        start: index of the first frame.
        images: n frames, each (H, W, 3) uint8 RGB.
        landmarks: (n, 478, 3) pixels, NaN in frames without a face.
        stored: features of the video that the frames belong to; None where they are not kept.
    """

    start: int
    images: list[Image]
    landmarks: np.ndarray
    stored: FeatureStore | None = None
    _results: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def valid(self) -> np.ndarray:
        """(n,) bool: which frames have a face."""
        return np.isfinite(self.landmarks[:, 0, 0])

    def compute(self, name: str, function: Callable[[FaceChunk], np.ndarray]) -> np.ndarray:
        """Return `function` of this chunk, computed once for all measures that ask for the same name."""
        if name not in self._results:
            self._results[name] = function(self)
        return self._results[name]

    def features(self, name: str, function: Callable[[FaceChunk], np.ndarray]) -> np.ndarray:
        """Return `function` of this chunk as `compute` does; for a stream that is read again, it is read from disk.

        Args:
            name: of the network.
            function: computes features that are worth keeping on disk.
        """
        stored = self.stored
        if stored is None:
            return self.compute(name, function)
        key = f"{name} of {len(self)} frames from {self.start} on"
        return self.compute(name, lambda chunk: stored.compute(key, lambda: function(chunk)))

    def arcface_crops(self) -> np.ndarray:
        """ArcFace crops of the frames with a face, (m, 112, 112, 3) uint8 RGB."""
        return self.compute("arcface crops", lambda chunk: chunk.crop(arcface_crop, (112, 112, 3)))

    def expression_crops(self) -> np.ndarray:
        """Expression crops of the frames with a face, (m, 112, 112, 3) uint8 RGB."""
        return self.compute("expression crops", lambda chunk: chunk.crop(expression_crop, (112, 112, 3)))

    def crop(self, function: Callable[[Image, np.ndarray], Image], shape: tuple[int, int, int]) -> np.ndarray:
        """Cut a crop out of every frame with a face.

        Args:
            function: frame and landmarks (478, 3) -> crop.
            shape: of a crop.

        Returns:
            (m, *shape) uint8 RGB for the m frames with a face.
        """
        crops = [function(self.images[i], self.landmarks[i]) for i in np.flatnonzero(self.valid)]
        return np.stack(crops) if crops else np.zeros((0, *shape), np.uint8)

    def expand(self, rows: np.ndarray) -> np.ndarray:
        """Put the rows of frames with a face, (m, D), at their frames, (n, D) float64, NaN elsewhere."""
        expanded = np.full((len(self), *rows.shape[1:]), np.nan)
        expanded[self.valid] = rows
        return expanded


def make_chunk(start: int, rows: list[FaceImage], stored: FeatureStore | None = None) -> FaceChunk:
    """Build a chunk.

    Args:
        start: index of the first frame.
        rows: frames with their landmarks.
        stored: features of the video, None where they are not kept.
    """
    return FaceChunk(start, [image for image, _ in rows], np.stack([landmarks for _, landmarks in rows]), stored)
