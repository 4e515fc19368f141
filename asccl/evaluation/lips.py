"""Do the lips say the words of the source? From landmarks alone: an edit must not change the words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from asccl.evaluation.edit_metrics import CLOSED_LIP_GAP, MIN_CLOSED_FRAMES, lip_distance
from asccl.evaluation.measure import ClipMean, ClipPair, MeasureSkippedError, PairChunk, State, clip_state
from asccl.evaluation.networks import Networks
from asccl.face import mesh

MIN_FRAMES = 3  # for a correlation
MIN_DEVIATION = 1e-9  # of a curve below which its correlation is undefined


@dataclass(frozen=True)
class CurveMeasure(ClipMean):
    """A measure of one curve of the source and the same curve of the generated clip.

    Attributes:
        curve: landmarks (n, 478, 3) -> values (n,).
        compare: values of source and generated frames, (T,) each, finite -> score.
    """

    curve: Callable[[np.ndarray], np.ndarray]
    compare: Callable[[np.ndarray, np.ndarray], float]

    def begin(self, clip: ClipPair, reference: State | None) -> _Curves:
        """See `Measure`."""
        return _Curves(self.curve, self.compare)


class _Curves:
    """Two numbers a frame are all that is kept of a clip."""

    def __init__(self, curve: Callable[[np.ndarray], np.ndarray], compare: Callable[[np.ndarray, np.ndarray], float]):
        self._curve, self._compare = curve, compare
        self._values: list[np.ndarray] = []

    def add(self, chunk: PairChunk) -> None:
        sides = (self._curve(side.landmarks) for side in (chunk.source, chunk.generated))
        self._values.append(np.stack(list(sides), 1)[chunk.valid])

    def finish(self) -> State:
        source, generated = np.concatenate(self._values or [np.zeros((0, 2))]).T
        return clip_state(self._compare(source, generated), len(source))


@dataclass(frozen=True)
class LipDistance(ClipMean):
    """Mean distance of the lip landmarks in percent of the eye distance, after aligning eyes and nose."""

    def begin(self, clip: ClipPair, reference: State | None) -> _LipDistances:
        """See `Measure`."""
        return _LipDistances()


class _LipDistances:
    def __init__(self) -> None:
        self._total, self._frames = 0.0, 0

    def add(self, chunk: PairChunk) -> None:
        for i in np.flatnonzero(chunk.valid):
            distance = lip_distance(chunk.source.landmarks[i], chunk.generated.landmarks[i])
            if np.isfinite(distance):
                self._total, self._frames = self._total + distance, self._frames + 1

    def finish(self) -> State:
        return clip_state(self._total / self._frames if self._frames else np.nan, self._frames)


def correlation(source: np.ndarray, generated: np.ndarray) -> float:
    """Pearson correlation of two curves (T,); 0 where the generated one rests while the source moves.

    Raises MeasureSkippedError: fewer than `MIN_FRAMES` frames, or the source rests.
    """
    if len(source) < MIN_FRAMES or source.std() < MIN_DEVIATION:
        raise MeasureSkippedError("the lips of the source rest, or there are too few frames")
    return float(np.corrcoef(source, generated)[0, 1]) if generated.std() >= MIN_DEVIATION else 0.0


def closures_kept(source: np.ndarray, generated: np.ndarray) -> float:
    """Share of the frames with closed source lips in which the generated lips are closed, too, of lip gaps (T,).

    Raises MeasureSkippedError: there are fewer than `MIN_CLOSED_FRAMES` such frames.
    """
    closed = source < CLOSED_LIP_GAP
    if closed.sum() < MIN_CLOSED_FRAMES:
        raise MeasureSkippedError(f"the lips of the source are closed in {int(closed.sum())} frames only")
    return float((generated[closed] < CLOSED_LIP_GAP).mean())


def mouth_width(landmarks: np.ndarray) -> np.ndarray:
    """Distance (n,) of the outer corners of the mouth over the eye distance, of landmarks (n, 478, 3)."""
    right, left = mesh.OUTER_LIP_CORNERS
    width = np.linalg.norm(landmarks[:, right, :2] - landmarks[:, left, :2], axis=-1)
    return width / mesh.eye_distance(landmarks)


def build_lip_correlation(name: str, networks: Networks) -> CurveMeasure:
    """Build "lip-correlation": of the lip gaps."""
    return CurveMeasure(name, True, mesh.lip_gap, correlation)


def build_mouth_width(name: str, networks: Networks) -> CurveMeasure:
    """Build "mouth-width": correlation of the widths of the mouth."""
    return CurveMeasure(name, True, mouth_width, correlation)


def build_closures_kept(name: str, networks: Networks) -> CurveMeasure:
    """Build "closures-kept"."""
    return CurveMeasure(name, True, mesh.lip_gap, closures_kept)


def build_lip_distance(name: str, networks: Networks) -> LipDistance:
    """Build "lip-distance"."""
    return LipDistance(name, False)
