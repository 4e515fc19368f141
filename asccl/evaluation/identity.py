"""Measure identity: cosine of face-recognition embeddings of generated and source frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asccl.evaluation.measure import ClipMean, ClipPair, PairChunk, State, clip_state
from asccl.evaluation.networks import Networks, unit_rows


@dataclass(frozen=True)
class Identity(ClipMean):
    """Mean cosine of the embeddings of each generated frame and its source frame.

    They are those of the bundled MobileFaceNet, or of ArcFace where an InsightFace pack was chosen.

    Attributes:
        networks: embed crops.
    """

    networks: Networks

    def begin(self, clip: ClipPair, reference: State | None) -> _IdentitySums:
        """See `Measure`."""
        return _IdentitySums(self.networks)


class _IdentitySums:
    def __init__(self, networks: Networks):
        self._networks, self._total, self._frames = networks, 0.0, 0

    def add(self, chunk: PairChunk) -> None:
        source, generated = (
            side.expand(unit_rows(self._networks.identity_features(side)))[chunk.valid]
            for side in (chunk.source, chunk.generated)
        )
        self._total += float((source * generated).sum())
        self._frames += int(chunk.valid.sum())

    def finish(self) -> State:
        return clip_state(self._total / self._frames if self._frames else np.nan, self._frames)


def build_identity(name: str, networks: Networks) -> Identity:
    """Build "identity"."""
    return Identity(name, True, networks)
