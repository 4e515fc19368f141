"""Metadata of a renderer's checkpoint: its network, its condition images, and the person it was trained on."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # imports torch
    from asccl.nets.ned_renderer import RendererSizes

RENDERER_KIND = "ned-renderer"
DISCRIMINATOR_KIND = "ned-discriminator"  # of the files that a training writes beside those of a renderer
CONDITIONS_VERSION = "anny-1"  # of the condition images of `conditions.py`; changes when their meaning changes
EMBEDDER = "mobilefacenet-arcface"  # network of the identity embedding
EMBEDDING_SIZE = 192


@dataclass(frozen=True)
class RendererMetadata:
    """The metadata of a renderer.

    Attributes:
        sizes: of the network.
        size: side of the square that the network draws, pixels.
        identity_embedding: (192,) float32, unit length, mean embedding of the person's frames.
    """

    sizes: RendererSizes
    size: int
    identity_embedding: np.ndarray

    @classmethod
    def from_embeddings(cls, sizes: RendererSizes, size: int, embeddings: np.ndarray) -> RendererMetadata:
        """Build the metadata of a person.

        Args:
            sizes: of the network.
            size: side of the square that the network draws, pixels.
            embeddings: of frames of the person, (n, 192) with n at least 1.
        """
        mean = embeddings.mean(0)
        return cls(sizes, size, (mean / np.linalg.norm(mean)).astype(np.float32))

    def to_metadata(self) -> dict[str, str]:
        """Format as the metadata of a weights file."""
        return {
            "kind": RENDERER_KIND,
            "conditions": CONDITIONS_VERSION,
            "size": str(self.size),
            "embedder": EMBEDDER,
            "person": base64.b64encode(self.identity_embedding.astype("<f4").tobytes()).decode(),
            **self.sizes.to_metadata(),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> RendererMetadata:
        """Read the metadata of a weights file whose kind and conditions were checked. Raises KeyError, ValueError."""
        from asccl.nets.ned_renderer import RendererSizes

        embedding = np.frombuffer(base64.b64decode(metadata["person"], validate=True), "<f4")
        length = float(np.linalg.norm(embedding))
        if metadata["embedder"] != EMBEDDER or embedding.shape != (EMBEDDING_SIZE,) or not abs(length - 1) < 1e-3:
            raise ValueError(f"its identity embedding is not one of {EMBEDDER}")
        sizes, size = RendererSizes.from_metadata(metadata), int(metadata["size"])
        if size < 4 * 2**sizes.downsamplings or size % 2**sizes.downsamplings:
            raise ValueError(f"its size {size} does not fit its network")
        return cls(sizes, size, embedding)

    def identity_cosine(self, embedding: np.ndarray) -> float:
        """Compute the cosine to the mean of somebody's embeddings (192,)."""
        return float(self.identity_embedding @ embedding / np.linalg.norm(embedding))
