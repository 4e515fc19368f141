"""Measure local movement against the source: optical flow of the mouth, and the paper's SCC score."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from asccl.evaluation.measure import ClipMean, ClipPair, MeasureSkippedError, PairChunk, State, clip_state
from asccl.evaluation.networks import Networks
from asccl.face.crop import CROP_SIZE, arcface_matrix, fit_similarity, warp_crop
from asccl.face.mesh import ARCFACE_TEMPLATE, arcface_points
from asccl.types import Image

MOUTH_TOP = 76  # rows of the crop from which on it shows the mouth and the chin
MOUTH_COLUMNS = slice(28, 84)
MIN_FLOW = 1e-3  # mean squared pixels per frame below which the source's mouth does not move
SCC_STRIDE = 4  # frames


@dataclass(frozen=True)
class MouthFlow(ClipMean):
    r"""Cosine of the optical flow of the mouth (Farneback) of generated and source clip, over all pixels and frames.

    .. math:: \frac{\sum g \cdot s}{\sqrt{\sum \lVert g \rVert^2 \sum \lVert s \rVert^2}}

    The flow is that of the aligned face, so the movement of the head does not count.
    """

    def begin(self, clip: ClipPair, reference: State | None) -> _FlowSums:
        """See `Measure`."""
        return _FlowSums()


class _FlowSums:
    def __init__(self) -> None:
        self._previous: tuple[Image, Image] | None = None
        self._sums = np.zeros(3)
        self._frames = 0

    def add(self, chunk: PairChunk) -> None:
        for i in range(len(chunk)):
            if not chunk.valid[i]:
                self._previous = None
                continue
            current = tuple(_mouth(side.images[i], side.landmarks[i]) for side in (chunk.source, chunk.generated))
            if self._previous is not None:
                source, generated = (_flow(a, b) for a, b in zip(self._previous, current, strict=True))
                self._sums += (source * generated).sum(), np.square(source).sum(), np.square(generated).sum()
                self._frames += 1
            self._previous = current[0], current[1]

    def finish(self) -> State:
        product, source, generated = self._sums / max(self._frames, 1)
        pixels = (CROP_SIZE - MOUTH_TOP) * (MOUTH_COLUMNS.stop - MOUTH_COLUMNS.start)
        if source / pixels < MIN_FLOW:
            raise MeasureSkippedError("the mouth of the source does not move, or there are too few frames")
        return clip_state(float(product / np.sqrt(source * generated)) if generated > 0 else 0.0, self._frames)


def _flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Movement (H, W, 2) in pixels between two grey images."""
    flow = cv2.calcOpticalFlowFarneback(
        before, after, np.empty(0), pyr_scale=0.5, levels=2, winsize=11, iterations=2, poly_n=5, poly_sigma=1.1, flags=0
    )
    return flow.astype(np.float64)


def _mouth(image: Image, landmarks: np.ndarray) -> Image:
    """The mouth of a face in grey, aligned by the eyes and the nose, which the lips do not move."""
    matrix = fit_similarity(arcface_points(landmarks)[:3], ARCFACE_TEMPLATE[:3])
    return cv2.cvtColor(warp_crop(image, matrix, CROP_SIZE), cv2.COLOR_RGB2GRAY)[MOUTH_TOP:, MOUTH_COLUMNS].copy()


@dataclass(frozen=True)
class SpatialCorrelation(ClipMean):
    """Mean SCC score (eq. 1 of the paper) of every `SCC_STRIDE`-th frame; both crops lie where the source's face is.

    Attributes:
        networks: compute the score.
    """

    networks: Networks

    def begin(self, clip: ClipPair, reference: State | None) -> _CorrelationSums:
        """See `Measure`."""
        return _CorrelationSums(self.networks)


class _CorrelationSums:
    def __init__(self, networks: Networks):
        self._networks, self._total, self._frames, self._position = networks, 0.0, 0, 0

    def add(self, chunk: PairChunk) -> None:
        crops = []
        for i in np.flatnonzero(chunk.valid):
            if self._position % SCC_STRIDE == 0:
                crops.append(_common_crops(chunk, int(i)))
            self._position += 1
        if crops:
            source, generated = (np.stack(side) for side in zip(*crops, strict=True))
            self._total += float(self._networks.scc(source, generated).sum())
            self._frames += len(crops)

    def finish(self) -> State:
        return clip_state(self._total / self._frames if self._frames else np.nan, self._frames)


def _common_crops(chunk: PairChunk, i: int) -> tuple[Image, Image]:
    source, generated = chunk.source.images[i], chunk.generated.images[i]
    matrix = arcface_matrix(chunk.source.landmarks[i])
    scaled = matrix.copy()
    scaled[:, :2] *= [source.shape[1] / generated.shape[1], source.shape[0] / generated.shape[0]]
    return warp_crop(source, matrix, CROP_SIZE), warp_crop(generated, scaled, CROP_SIZE)


def build_mouth_flow(name: str, networks: Networks) -> MouthFlow:
    """Build "mouth-flow"."""
    return MouthFlow(name, True)


def build_scc(name: str, networks: Networks) -> SpatialCorrelation:
    """Build "scc" with the bundled metric."""
    return SpatialCorrelation(name, True, networks)
