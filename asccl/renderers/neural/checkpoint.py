"""What a renderer's checkpoint says about itself: its sizes, what it draws from, and whom it was taught to draw."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # brings torch
    from asccl.nets.ned_renderer import RendererSizes

RENDERER_KIND = "ned-renderer"
DISCRIMINATOR_KIND = "ned-discriminator"  # of the files that a training leaves beside a renderer's
CONDITIONS_VERSION = (
    "anny-1"  # the condition images of `conditions.py`; another number when they come to mean something else
)
EMBEDDER = "mobilefacenet-arcface"  # which network's embedding tells the person
EMBEDDING_SIZE = 192  # of that embedding


@dataclass(frozen=True)
class RendererMetadata:
    """size: side of the square that the network draws, pixels. person: (192,) float32, unit length, the mean embedding
    of the person's frames."""

    sizes: RendererSizes
    size: int
    identity_embedding: np.ndarray

    @classmethod
    def from_embeddings(cls, sizes: RendererSizes, size: int, embeddings: np.ndarray) -> RendererMetadata:
        """embeddings: (n, 192), n at least 1, of frames of the person."""
        mean = embeddings.mean(0)
        return cls(sizes, size, (mean / np.linalg.norm(mean)).astype(np.float32))

    def to_metadata(self) -> dict[str, str]:
        """A weights file's metadata."""
        person = base64.b64encode(self.identity_embedding.astype("<f4").tobytes()).decode()
        return {"kind": RENDERER_KIND, "conditions": CONDITIONS_VERSION, "size": str(self.size), "embedder": EMBEDDER,
                "person": person, **self.sizes.to_metadata()}  # fmt: skip

    @classmethod
    def from_metadata(cls, told: Mapping[str, str]) -> RendererMetadata:
        """From a weights file's metadata, whose kind and conditions were looked at. Raises KeyError, ValueError."""
        from asccl.nets.ned_renderer import RendererSizes

        person = np.frombuffer(base64.b64decode(told["person"], validate=True), "<f4")
        length = float(np.linalg.norm(person))
        if told["embedder"] != EMBEDDER or person.shape != (EMBEDDING_SIZE,) or not abs(length - 1) < 1e-3:
            raise ValueError(f"its person is not told by an embedding of {EMBEDDER}")
        sizes, size = RendererSizes.from_metadata(told), int(told["size"])
        if size < 4 * 2**sizes.downsamplings or size % 2**sizes.downsamplings:
            raise ValueError(f"its size {size} does not fit its network")
        return cls(sizes, size, person)

    def identity_cosine(self, embedding: np.ndarray) -> float:
        """Cosine to the mean of somebody's embeddings (192,)."""
        return float(self.identity_embedding @ embedding / np.linalg.norm(embedding))
