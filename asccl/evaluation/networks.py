"""The networks that measures share. `asccl.zoo.load_evaluation_networks` loads them; a measure never goes online."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asccl.evaluation.face_chunk import FaceChunk
from asccl.types import EMOTIONS

Features = Callable[[FaceChunk], np.ndarray]  # chunk -> features (m, D) of its m frames with a face
IMPORTED_KINDS = ("syncnet", "efficientface", "arcface-resnet18", "arcface")  # of `import-weights`, that measures use


@dataclass(frozen=True)
class Networks:
    """Functions of bundled networks, and files of imported ones.

    Attributes:
        embed: ArcFace crops (N, 112, 112, 3) uint8 RGB -> identity embeddings (N, D), not normalized.
        classify: expression crops (N, 112, 112, 3) uint8 RGB -> emotion probabilities (N, 7) in the order of
            `EMOTIONS`, and features (N, D').
        scc: ArcFace crops of source and generated frames, (N, 112, 112, 3) uint8 RGB each -> SCC score (N,).
        files: kind of `import-weights` -> imported file, of those that the user has.
        arcface: ArcFace crops -> embeddings (N, 512), not normalized, of an InsightFace pack; None without one.
    """

    embed: Callable[[np.ndarray], np.ndarray]
    classify: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    scc: Callable[[np.ndarray, np.ndarray], np.ndarray]
    files: Mapping[str, Path] = field(default_factory=dict)
    arcface: Callable[[np.ndarray], np.ndarray] | None = None

    def embeddings(self, chunk: FaceChunk) -> np.ndarray:
        """Embeddings of the frames with a face, (m, D), not normalized."""
        return chunk.features("embeddings", lambda c: self.embed(c.arcface_crops()).astype(np.float64))

    def identity_features(self, chunk: FaceChunk) -> np.ndarray:
        """Embeddings of the InsightFace pack if there is one, else `embeddings`; (m, D), not normalized."""
        arcface = self.arcface
        if arcface is None:
            return self.embeddings(chunk)
        return chunk.features("insightface", lambda c: arcface(c.arcface_crops()).astype(np.float64))

    def expression_features(self, chunk: FaceChunk) -> np.ndarray:
        """Expression features of the frames with a face, (m, D')."""
        return self.expression(chunk)[1]

    def expression(self, chunk: FaceChunk) -> tuple[np.ndarray, np.ndarray]:
        """Emotion probabilities (m, 7) and features (m, D') of the frames with a face."""
        columns = chunk.features("expression", lambda c: np.hstack(self.classify(c.expression_crops())))
        return columns[:, : len(EMOTIONS)].astype(np.float64), columns[:, len(EMOTIONS) :].astype(np.float64)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Scale the rows of (N, D) to length 1; a row of zeros stays."""
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
