"""Objects before a face, found by what they change: hands, microphones, cups, spoons, strands of hair.

In the chart of the face every cell has a usual colour, measured on frames in which the lips are redder than the skin
around them and the brows darker, as on an uncovered face. A frame's difference from it, over the usual differences, is
smoothed; connected cells with a large difference are covered. The few observed frames do not show all that speech, a
turned head and side light change, so usual differences are widened for the other frames. What lies before the face in
every frame, at the same place of the face, is taken for a part of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.face_chart import CHART_SIZE, FaceChart, near_landmarks
from asccl.types import Image, LazyImage

MAX_SAMPLES = 64  # observed frames that are kept
MIN_SAMPLES = 6  # observed frames without which nothing is found
MIN_CLEAR_SAMPLES = 4  # without what covers the lower face, so that the usual face is measured anew
MIN_CLEAR_CONTRAST = 0.5  # of the lips or the brows to the skin, over that of the clearest frames
USUAL_QUANTILE, USUAL_SIGMAS = 0.85, 1.44  # a quantile of the usual differences, and what it is in standard deviations
MIN_DEVIATION = 0.045  # log colour; usual differences of observed frames are not smaller
UNOBSERVED_DEVIATION = 0.054  # log colour; what speech, a turned head and side light change beyond the observed frames
BORDER_DEVIATION = 0.1  # log colour, beside the outline, where hair and background show as the head turns
MAX_DIFFERENCE = 8.0  # standard deviations; larger differences count as this one
BLUR = 1.8  # cells, standard deviation
WEAK, STRONG = 1.0, 2.6  # smoothed difference at the border of a covered part, and at its core
STRONG_AGAIN = 2.0  # at its core where the frame before was covered, too
ARRIVING = 0.8  # at the border of a part of the lower face that is covered just before or after a strong part
MIN_ARRIVING_PART, MIN_ARRIVING_BORDER = 25, 4  # cells of it, and of them beside the outline
MAX_EYE_SHARE = 0.6  # of a part around the eyes; above it, the part is a blink or a raised brow
EYE_RADIUS = 4.0  # cells around the lids
MIN_PART = 0.02  # of the face: smaller parts are not covered
CLOSING = 7  # cells: gaps in a covered part, such as skin seen between fingers
LIGHT_STEPS = 3  # estimates of the common change of light, each without the cells that differ most
LIGHT_OUTLIER = 3.0  # standard deviations
SKIN_AROUND_BROWS = (9, 107, 336, 66, 296, 50, 280, 101, 330, 6, 197)


@dataclass(frozen=True)
class UsualFace:
    """Usual log colours of the n cells of a chart, and their deviations, (3, n) float32 each."""

    colours: np.ndarray
    deviations: np.ndarray


class OccluderModel:
    """Measures the usual appearance of one person's face in a clip, from observed frames."""

    def __init__(self, head: HeadModel):
        self.chart = FaceChart(head, head.mesh)
        self._samples: list[np.ndarray] = []
        rows, columns = np.nonzero(self.chart.inside)
        outline = self.chart.points[list(mesh.OUTER_LIPS)].astype(np.float32)
        depth = np.array(
            [cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y in zip(columns, rows, strict=True)]
        )
        self._lips, self._around_lips = depth > -0.2, (depth < -1.2) & (depth > -3.5)
        self._brows = near_landmarks(self.chart, mesh.BROWS + mesh.RIGHT_EYE + mesh.LEFT_EYE, 1.0)
        self._around_brows = near_landmarks(self.chart, SKIN_AROUND_BROWS, 1.5) & ~self._brows
        self._is_lower = rows > self.chart.points[mesh.LOWER_NOSE, 1] - 1

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Measure the colours of a frame. landmarks: (478, 3) pixels."""
        if len(self._samples) < MAX_SAMPLES:
            sample = self.chart.sample(image, landmarks)
            if sample is not None:
                self._samples.append(sample)

    def detector(self) -> OccluderDetector:
        """Make the detector of what lies before this face; it detects nothing if too few frames were observed."""
        near_eyes = near_landmarks(self.chart, mesh.RIGHT_EYE + mesh.LEFT_EYE, EYE_RADIUS) | self._brows
        detector = OccluderDetector(self.chart, None, self.chart.to_grid(near_eyes) > 0)
        if len(self._samples) < MIN_SAMPLES:
            return detector
        samples = np.stack(self._samples)
        detector = replace(detector, usual=self._measure_usual_face(samples, np.ones(len(samples), bool)))
        clear = ~detector.covered_samples(samples)
        if clear.sum() < MIN_CLEAR_SAMPLES or _stands_out(self._lip_contrast(samples))[~clear].all():
            clear = np.ones(len(samples), bool)
        usual = self._measure_usual_face(samples, clear)
        unobserved = np.hypot(UNOBSERVED_DEVIATION, np.where(self.chart.is_border, BORDER_DEVIATION, 0))
        deviations = np.hypot(usual.deviations, unobserved.astype(np.float32))
        return replace(detector, usual=replace(usual, deviations=deviations))

    def _lip_contrast(self, samples: np.ndarray) -> np.ndarray:
        """How much redder the lips are than the skin, (t,), in samples (t, n, 3)."""
        redness = samples[..., 0] - samples[..., 1]
        skin_redness = np.maximum(redness[:, self._around_lips].mean(1), np.median(redness, axis=1))
        return redness[:, self._lips].mean(1) - skin_redness

    def _measure_usual_face(self, samples: np.ndarray, is_lower_clear: np.ndarray) -> UsualFace:
        """Measure the usual face in samples (t, n, 3), its lower part in those whose lower face is clear, (t,) bool."""
        brightness, lip_contrast = samples.mean(-1), self._lip_contrast(samples)
        brow_contrast = brightness[:, self._around_brows].mean(1) - brightness[:, self._brows].mean(1)
        samples = samples - np.median(samples, axis=1, keepdims=True)
        colours, deviations = np.zeros(samples.shape[1:]), np.zeros(samples.shape[1:])
        for cells, contrast, candidates in (
            (self._is_lower, lip_contrast[is_lower_clear], samples[is_lower_clear]),
            (~self._is_lower, brow_contrast, samples),
        ):
            clear = candidates[_stands_out(contrast)][:, cells]
            clear = clear if len(clear) else candidates[:, cells]
            colours[cells] = np.median(clear, axis=0)
            deviations[cells] = np.quantile(np.abs(clear - colours[cells]), USUAL_QUANTILE, axis=0) / USUAL_SIGMAS
        grids = [cv2.dilate(self.chart.to_grid(values), np.ones((3, 3))) for values in deviations.T]
        spread = np.stack([grid[self.chart.inside] for grid in grids], 1)
        deviations = np.sqrt(spread**2 + MIN_DEVIATION**2)
        return UsualFace(*(np.ascontiguousarray(values.T, np.float32) for values in (colours, deviations)))


@dataclass(frozen=True)
class OccluderDetector:
    """Finds what lies before one person's face.

    Attributes:
        chart: of the face.
        usual: appearance of the face; None if it is not known.
        near_eyes: cells around eyes and brows, (CHART_SIZE, CHART_SIZE) bool.
    """

    chart: FaceChart
    usual: UsualFace | None
    near_eyes: np.ndarray

    def covered_cells(self, image: LazyImage, landmarks: np.ndarray, was_covered: bool = False) -> np.ndarray | None:
        """Find what lies before the face in a frame.

        Args:
            image: the frame, (H, W, 3).
            landmarks: of its face, (478, 3) pixels.
            was_covered: whether something lay before the face in the frame before.

        Returns:
            Covered cells of the chart, (CHART_SIZE, CHART_SIZE) bool; None where nothing is covered.
        """
        if self.usual is None:
            return None
        sample = self.chart.sample(image, landmarks)
        if sample is None:
            return None
        smooth = self._smooth_difference(sample, self.usual)
        return self._covered_parts(smooth, STRONG_AGAIN if was_covered else STRONG)

    def covered_samples(self, samples: np.ndarray) -> np.ndarray:
        """Find the samples in which something covers the lower face, comes before it or leaves it.

        Args:
            samples: in the order of time, (t, n, 3).

        Returns:
            (t,) bool.
        """
        if self.usual is None:
            return np.zeros(len(samples), bool)
        smooth = [self._smooth_difference(sample, self.usual) for sample in samples]
        arriving = np.array([self._reaches_lower_outline(values) for values in smooth])
        covered = arriving & [self._covered_parts(values, STRONG) is not None for values in smooth]
        for order in (slice(None), slice(None, None, -1)):
            ordered = covered[order]
            for k in range(1, len(ordered)):
                ordered[k] |= ordered[k - 1] & arriving[order][k]
        return covered

    @property
    def _lower_face(self) -> np.ndarray:
        """Cells below the nose, (CHART_SIZE, 1) bool."""
        return np.arange(CHART_SIZE)[:, None] > self.chart.points[mesh.LOWER_NOSE, 1]

    def _reaches_lower_outline(self, smooth: np.ndarray) -> bool:
        """Whether the smoothed difference is large in a part of the lower face that reaches the outline."""
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            ((smooth > ARRIVING) & self._lower_face).astype(np.uint8)
        )
        beside_outline = np.bincount(labels[self.chart.inside][self.chart.is_border], minlength=count)
        return bool(
            ((stats[1:, cv2.CC_STAT_AREA] >= MIN_ARRIVING_PART) & (beside_outline[1:] >= MIN_ARRIVING_BORDER)).any()
        )

    def _smooth_difference(self, sample: np.ndarray, usual: UsualFace) -> np.ndarray:
        """Smoothed difference of a sample (n, 3) from the usual face in the cells of the chart; 0 outside the face."""
        smooth = cv2.GaussianBlur(self.chart.to_grid(_difference(sample, usual)), (0, 0), BLUR)
        return np.where(self.chart.inside, smooth / self._share, 0)

    @cached_property
    def _share(self) -> np.ndarray:
        """Share of the face around each cell of the chart, (CHART_SIZE, CHART_SIZE) float32."""
        return np.maximum(cv2.GaussianBlur(self.chart.inside.astype(np.float32), (0, 0), BLUR), 1e-6)

    def _covered_parts(self, smooth: np.ndarray, strong: float) -> np.ndarray | None:
        """The large connected parts of the chart in which a smoothed difference is large, and somewhere strong."""
        if smooth.max() < strong:
            return None
        inside = self.chart.inside
        kernel = np.ones((CLOSING, CLOSING), np.uint8)
        weak = cv2.morphologyEx((smooth > WEAK).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(weak)
        parts = [
            k
            for k in range(1, count)
            if stats[k, cv2.CC_STAT_AREA] >= MIN_PART * inside.sum()
            and smooth[labels == k].max() >= strong
            and self.near_eyes[(labels == k) & inside].mean() < MAX_EYE_SHARE
        ]
        return self._reach_from_below(np.isin(labels, parts)) if parts else None

    def _reach_from_below(self, covered: np.ndarray) -> np.ndarray:
        """Cover what lies below a covered part of the lower face: hands, cups and microphones come from there."""
        return covered | np.logical_or.accumulate(covered & self._lower_face, axis=0)


def _stands_out(contrast: np.ndarray) -> np.ndarray:
    """Whether lips or brows stand out from the skin as in the clearest of some samples, (t,) bool."""
    return contrast >= MIN_CLEAR_CONTRAST * max(float(np.quantile(contrast, 0.9)), 0.0)


def _difference(sample: np.ndarray, usual: UsualFace) -> np.ndarray:
    """Difference (n,) of log colours (n, 3) from the usual face in deviations, without the common change of light."""
    change = np.ascontiguousarray(sample.T) - usual.colours  # by channel, which is faster
    change -= _medians(change)
    for _ in range(LIGHT_STEPS):
        similar = (np.abs(change) / usual.deviations).max(0) < LIGHT_OUTLIER
        if not similar.any():
            break
        change -= _medians(change[:, similar])
    return np.minimum((np.abs(change) / usual.deviations).max(0), MAX_DIFFERENCE)


def _medians(values: np.ndarray) -> np.ndarray:
    """Median of each row, (k, n) -> (k, 1); of an even n, the higher of the two in the middle."""
    middle = values.shape[1] // 2
    return np.partition(values, middle, axis=1)[:, middle : middle + 1]
