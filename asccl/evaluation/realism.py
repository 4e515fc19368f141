"""Measure realism against the source: flicker, jitter, sharpness, and changes outside the face."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from asccl.evaluation.measure import ClipMean, ClipPair, MeasureSkippedError, PairChunk, State, clip_state
from asccl.evaluation.networks import Networks
from asccl.face import mesh
from asccl.face.crop import arcface_crop, fit_similarity
from asccl.types import Image

FOREHEAD_ROWS = 16  # of an ArcFace crop, which flicker leaves out
FACE_EROSION = 3  # pixels inside the outline of the face that sharpness leaves out
FACE_DILATION = 14  # pixels outside the outline of the face that count as face
MIN_SHARPNESS = 1e-6


class _Ratio:
    """Sum of a quantity of the generated frames over that of the source frames."""

    def __init__(self, quantity: Callable[[], SecondDifference]):
        self._sides = quantity(), quantity()

    def add(self, chunk: PairChunk) -> None:
        for side, faces in zip(self._sides, (chunk.generated, chunk.source), strict=True):
            for i in np.flatnonzero(chunk.valid):
                side.add(faces.images[i], faces.landmarks[i])

    def finish(self) -> State:
        generated, source = (side.mean() for side in self._sides)
        if not source > 0:
            raise MeasureSkippedError("the source does not move, or is shorter than three frames")
        return clip_state(generated / source, self._sides[0].frames)


class SecondDifference(ABC):
    """Mean absolute second difference in time of something that is measured in every frame."""

    def __init__(self) -> None:
        self.frames = 0
        self._recent: list[np.ndarray] = []
        self._total = 0.0

    def add(self, image: Image, landmarks: np.ndarray) -> None:
        """Add the next frame with a face, (H, W, 3), and its landmarks (478, 3)."""
        self.frames += 1
        self._recent.append(self.measure(image, landmarks))
        if len(self._recent) == 3:
            before, current, after = self._recent
            self._total += self.reduce(after - 2 * current + before)
            self._recent.pop(0)

    def mean(self) -> float:
        """Mean over time; NaN for fewer than three frames."""
        return self._total / (self.frames - 2) if self.frames > 2 else np.nan

    @abstractmethod
    def measure(self, image: Image, landmarks: np.ndarray) -> np.ndarray:
        """Return the quantity of a frame."""

    @abstractmethod
    def reduce(self, difference: np.ndarray) -> float:
        """Return the size of a second difference."""


class FlickerSums(SecondDifference):
    """Green values of the aligned face without the forehead."""

    def measure(self, image: Image, landmarks: np.ndarray) -> np.ndarray:
        """See `SecondDifference`."""
        return arcface_crop(image, landmarks)[FOREHEAD_ROWS:, :, 1].astype(np.float32)

    def reduce(self, difference: np.ndarray) -> float:
        """See `SecondDifference`."""
        return float(np.abs(difference).mean())


class JitterSums(SecondDifference):
    """Landmarks, after eyes and nose were aligned with those of the first frame."""

    def __init__(self) -> None:
        super().__init__()
        self._first: np.ndarray | None = None

    def measure(self, image: Image, landmarks: np.ndarray) -> np.ndarray:
        """See `SecondDifference`."""
        points = landmarks[: mesh.NUM_FACE_LANDMARKS, :2].astype(np.float64)
        self._first = points if self._first is None else self._first
        anchors = list(mesh.ALIGNMENT_LANDMARKS)
        matrix = fit_similarity(points[anchors], self._first[anchors])
        return (points @ matrix[:, :2].T + matrix[:, 2]) / mesh.eye_distance(self._first)

    def reduce(self, difference: np.ndarray) -> float:
        """See `SecondDifference`."""
        return float(np.linalg.norm(difference, axis=-1).mean())


@dataclass(frozen=True)
class RatioMeasure(ClipMean):
    """A quantity of the generated clip over that of the source; 1 is the target.

    Attributes:
        quantity: creates the sums of one side.
    """

    quantity: Callable[[], SecondDifference]

    def begin(self, clip: ClipPair, reference: State | None) -> _Ratio:
        """See `Measure`."""
        return _Ratio(self.quantity)


@dataclass(frozen=True)
class Sharpness(ClipMean):
    """Median over time of the variance of the Laplacian inside the face over that of the source; 1 is the target."""

    def begin(self, clip: ClipPair, reference: State | None) -> _SharpnessRatios:
        """See `Measure`."""
        return _SharpnessRatios()


class _SharpnessRatios:
    def __init__(self) -> None:
        self._ratios: list[float] = []

    def add(self, chunk: PairChunk) -> None:
        for i in np.flatnonzero(chunk.valid):
            source = chunk.source.images[i]
            generated, landmarks = scale_to(chunk.generated.images[i], chunk.generated.landmarks[i], source)
            sides = ((generated, landmarks), (source, chunk.source.landmarks[i]))
            a, b = (_laplacian(image)[face_mask(points, image, -FACE_EROSION)].var() for image, points in sides)
            if np.isfinite(a) and np.isfinite(b):
                self._ratios.append(float(a / max(b, MIN_SHARPNESS)))

    def finish(self) -> State:
        return clip_state(float(np.median(self._ratios)) if self._ratios else np.nan, len(self._ratios))


@dataclass(frozen=True)
class BackgroundChange(ClipMean):
    """Mean absolute difference to the source outside both faces, in levels of 255; encoding again alone gives 1.3."""

    def begin(self, clip: ClipPair, reference: State | None) -> _BackgroundSums:
        """See `Measure`."""
        return _BackgroundSums()


class _BackgroundSums:
    def __init__(self) -> None:
        self._total, self._frames = 0.0, 0

    def add(self, chunk: PairChunk) -> None:
        for i in np.flatnonzero(chunk.valid):
            source = chunk.source.images[i]
            generated, landmarks = scale_to(chunk.generated.images[i], chunk.generated.landmarks[i], source)
            faces = face_mask(chunk.source.landmarks[i], source, FACE_DILATION)
            outside = ~(faces | face_mask(landmarks, source, FACE_DILATION))
            if outside.any():
                self._total += float(cv2.absdiff(generated, source)[outside].mean())
                self._frames += 1

    def finish(self) -> State:
        if not self._frames:
            raise MeasureSkippedError("its faces fill the frames")
        return clip_state(self._total / self._frames, self._frames)


def scale_to(image: Image, landmarks: np.ndarray, target: Image) -> tuple[Image, np.ndarray]:
    """Scale an image and its landmarks to the size of another image.

    Args:
        image: (H, W, 3).
        landmarks: (478, 3) pixels.
        target: (H', W', 3).

    Returns:
        The image, (H', W', 3), and the landmarks in its pixels; the same objects where the sizes agree.
    """
    if image.shape == target.shape:
        return image, landmarks
    height, width = target.shape[:2]
    factors = np.array([width / image.shape[1], height / image.shape[0], width / image.shape[1]], np.float32)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), landmarks * factors


def face_mask(landmarks: np.ndarray, image: Image, dilation: int) -> np.ndarray:
    """Mark the inside of the face.

    Args:
        landmarks: (478, 3) pixels.
        image: whose size the mask has.
        dilation: pixels by which the outline grows; a negative number shrinks it.

    Returns:
        (H, W) bool.
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    outline = cv2.convexHull(landmarks[list(mesh.FACE_OVAL), :2].astype(np.float32)).astype(np.int32)
    cv2.fillConvexPoly(mask, outline, 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(dilation) + 1,) * 2)
    return (cv2.dilate if dilation > 0 else cv2.erode)(mask, kernel).astype(bool)


def _laplacian(image: Image) -> np.ndarray:
    return cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), cv2.CV_32F)


def build_flicker(name: str, networks: Networks) -> RatioMeasure:
    """Build "flicker"."""
    return RatioMeasure(name, False, FlickerSums)


def build_jitter(name: str, networks: Networks) -> RatioMeasure:
    """Build "jitter"."""
    return RatioMeasure(name, False, JitterSums)


def build_sharpness(name: str, networks: Networks) -> Sharpness:
    """Build "sharpness"."""
    return Sharpness(name, None)


def build_background_change(name: str, networks: Networks) -> BackgroundChange:
    """Build "background-change"."""
    return BackgroundChange(name, False)
