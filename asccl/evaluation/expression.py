"""Measure the expression: likeness to the reference, probability of the target, and the way towards it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asccl.evaluation.face_chunk import FaceChunk
from asccl.evaluation.imported_features import efficientface_features
from asccl.evaluation.measure import ClipMean, ClipPair, MeasureSkippedError, PairChunk, State, clip_state
from asccl.evaluation.networks import Features, Networks, unit_rows
from asccl.types import EMOTIONS

MIN_DISTANCE = 1e-3  # between mean normalized features; the source has the reference's expression below it


@dataclass(frozen=True)
class ExpressionLikeness(ClipMean):
    r"""Mean cosine of the expression features of all pairs of a generated and a reference frame (the paper's CSIM).

    .. math:: \frac{1}{N M} \sum_{n, m} \frac{g_n \cdot r_m}{\lVert g_n \rVert \lVert r_m \rVert}
        = \Big(\frac{1}{N} \sum_n \hat g_n\Big) \cdot \Big(\frac{1}{M} \sum_m \hat r_m\Big)

    The extra "source" is the same for the source clip: what a method that changes nothing reaches.

    Attributes:
        features: of the frames with a face of a chunk.
    """

    features: Features

    def begin(self, clip: ClipPair, reference: State | None) -> _LikenessSums:
        """See `Measure`."""
        if reference is None:
            raise MeasureSkippedError("the clip has no reference")
        return _LikenessSums(self.features, reference)

    def begin_stream(self) -> FeatureSums:
        """See `Measure`."""
        return FeatureSums(self.features)


class FeatureSums:
    """Sum of normalized expression features of a stream.

    Args:
        features: of the frames with a face of a chunk.
    """

    def __init__(self, features: Features):
        self._features, self.total, self.frames = features, np.zeros(1), 0

    def add(self, chunk: FaceChunk) -> None:
        """Add the frames with a face."""
        rows = self._features(chunk)
        if len(rows):
            self.total = self.total + unit_rows(rows).sum(0)
            self.frames += len(rows)

    def finish(self) -> State:
        """Return "features", the sum, and "frames"."""
        return {"features": self.total, "frames": np.array(float(self.frames))}

    @property
    def mean(self) -> np.ndarray:
        """Mean of the normalized features."""
        return self.total / max(self.frames, 1)


class _LikenessSums:
    def __init__(self, features: Features, reference: State):
        self.reference = reference["features"] / max(float(reference["frames"]), 1.0)
        self.generated, self.source = FeatureSums(features), FeatureSums(features)

    def add(self, chunk: PairChunk) -> None:
        self.generated.add(chunk.generated)
        self.source.add(chunk.source)

    def finish(self) -> State:
        score, source = (float((side.mean * self.reference).sum()) for side in (self.generated, self.source))
        return clip_state(score, self.generated.frames, source=source)


@dataclass(frozen=True)
class TargetProbability(ClipMean):
    """Mean probability of the target emotion in the generated frames; the extra "source" is that of the source.

    Attributes:
        networks: classify crops.
    """

    networks: Networks

    def begin(self, clip: ClipPair, reference: State | None) -> _ProbabilitySums:
        """See `Measure`."""
        if clip.emotion is None:
            raise MeasureSkippedError("the target emotion of the clip is not known")
        if clip.emotion not in EMOTIONS:
            raise MeasureSkippedError(f"there is no emotion {clip.emotion!r}")
        return _ProbabilitySums(self.networks, EMOTIONS.index(clip.emotion))


class _ProbabilitySums:
    def __init__(self, networks: Networks, emotion: int):
        self._networks, self._emotion = networks, emotion
        self._sums, self._frames = np.zeros(2), np.zeros(2)

    def add(self, chunk: PairChunk) -> None:
        for side, faces in enumerate((chunk.generated, chunk.source)):
            probabilities = self._networks.expression(faces)[0][:, self._emotion]
            self._sums[side] += probabilities.sum()
            self._frames[side] += len(probabilities)

    def finish(self) -> State:
        generated, source = self._sums / np.maximum(self._frames, 1)
        return clip_state(float(generated), int(self._frames[0]), source=float(source))


@dataclass(frozen=True)
class ExpressionGain(ClipMean):
    r"""How far the expression moved from the source towards the reference: 0 for a copy, 1 for the reference itself.

    .. math:: 1 - \frac{\lVert \bar g - \bar r \rVert}{\lVert \bar s - \bar r \rVert}

    of the mean normalized features of generated, reference and source frames; negative where it moved away.

    Attributes:
        networks: compute the features.
    """

    networks: Networks

    def begin(self, clip: ClipPair, reference: State | None) -> _GainSums:
        """See `Measure`."""
        if reference is None:
            raise MeasureSkippedError("the clip has no reference")
        return _GainSums(self.networks.expression_features, reference)

    def begin_stream(self) -> FeatureSums:
        """See `Measure`."""
        return FeatureSums(self.networks.expression_features)


class _GainSums(_LikenessSums):
    def finish(self) -> State:
        before = float(np.linalg.norm(self.source.mean - self.reference))
        if before < MIN_DISTANCE:
            raise MeasureSkippedError("its source has the expression of the reference already")
        after = float(np.linalg.norm(self.generated.mean - self.reference))
        return clip_state(1 - after / before, self.generated.frames)


def build_csim(name: str, networks: Networks) -> ExpressionLikeness:
    """Build "csim" with the bundled expression network."""
    return ExpressionLikeness(name, True, networks.expression_features, uses_reference=True)


def build_csim_paper(name: str, networks: Networks) -> ExpressionLikeness:
    """Build "csim-paper" with the imported EfficientFace. Raises WeightsError."""
    return ExpressionLikeness(name, True, efficientface_features(networks), uses_reference=True)


def build_expression_gain(name: str, networks: Networks) -> ExpressionGain:
    """Build "expression-gain"."""
    return ExpressionGain(name, True, networks, uses_reference=True)


def build_target_probability(name: str, networks: Networks) -> TargetProbability:
    """Build "target-probability"."""
    return TargetProbability(name, True, networks)
