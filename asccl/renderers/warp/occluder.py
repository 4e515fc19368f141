"""Objects before a face, found by what they change: hands, microphones, cups, spoons, strands of hair.

In the chart of the face every cell has a usual colour, measured on frames in which the lips are redder than the skin
around them and the brows darker, as on an uncovered face. A frame's difference from it, over the usual differences, is
smoothed; connected cells with a large difference are covered. What lies before the face in every frame, at the same
place of the face, is taken for a part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.face_chart import CHART_SIZE, FaceChart, near_landmarks
from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.hold import hold_weights
from asccl.types import Image, LazyImage

MAX_SAMPLES = 64  # observed frames that are kept
MIN_SAMPLES = 6  # observed frames without which nothing is found
MIN_CLEAR_CONTRAST = 0.5  # of the lips or the brows to the skin, over that of the clearest frames
USUAL_QUANTILE, USUAL_SIGMAS = 0.85, 1.44  # a quantile of the usual differences, and what it is in standard deviations
MIN_DEVIATION = 0.045  # log colour; usual differences are not smaller
MAX_DIFFERENCE = 8.0  # standard deviations; larger differences count as this one
BLUR = 1.8  # cells, standard deviation
WEAK, STRONG = 1.0, 2.6  # smoothed difference at the border of a covered part, and at its core
STRONG_AGAIN = 2.0  # at its core where the frame before was covered, too
MAX_EYE_SHARE = 0.6  # of a part around the eyes; above it, the part is a blink or a raised brow
EYE_RADIUS = 4.0  # cells around the lids
MIN_PART = 0.02  # of the face: smaller parts are not covered
CLOSING = 7  # cells: gaps in a covered part, such as skin seen between fingers
LIGHT_STEPS = 3  # estimates of the common change of light, each without the cells that differ most
LIGHT_OUTLIER = 3.0  # standard deviations
ATTACK, RELEASE = 0.5, 0.2  # largest change of the coverage from frame to frame
BEYOND_OUTLINE = (1.05, 1.1, 1.15, 1.2)  # distances from the centre, over the outline's, up to which an object goes on
LEVELS = (0.25, 0.5, 0.75)  # of the coverage, whose borders are averaged to a soft one
SKIN_AROUND_BROWS = (9, 107, 336, 66, 296, 50, 280, 101, 330, 6, 197)


@dataclass(frozen=True)
class UsualFace:
    """Usual log colours of the cells of a chart, (n, 3), and their deviations, (n, 3)."""

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
        usual = self._measure_usual_face() if len(self._samples) >= MIN_SAMPLES else None
        near_eyes = near_landmarks(self.chart, mesh.RIGHT_EYE + mesh.LEFT_EYE, EYE_RADIUS) | self._brows
        return OccluderDetector(self.chart, usual, self.chart.to_grid(near_eyes) > 0)

    def _measure_usual_face(self) -> UsualFace:
        samples = np.stack(self._samples)
        redness, brightness = samples[..., 0] - samples[..., 1], samples.mean(-1)
        skin_redness = np.maximum(redness[:, self._around_lips].mean(1), np.median(redness, axis=1))
        lip_contrast = redness[:, self._lips].mean(1) - skin_redness
        brow_contrast = brightness[:, self._around_brows].mean(1) - brightness[:, self._brows].mean(1)
        samples = samples - np.median(samples, axis=1, keepdims=True)
        colours, deviations = np.zeros(samples.shape[1:]), np.zeros(samples.shape[1:])
        for cells, contrast in ((self._is_lower, lip_contrast), (~self._is_lower, brow_contrast)):
            clear = samples[contrast >= MIN_CLEAR_CONTRAST * max(float(np.quantile(contrast, 0.9)), 0.0)][:, cells]
            clear = clear if len(clear) else samples[:, cells]
            colours[cells] = np.median(clear, axis=0)
            deviations[cells] = np.quantile(np.abs(clear - colours[cells]), USUAL_QUANTILE, axis=0) / USUAL_SIGMAS
        grids = [cv2.dilate(self.chart.to_grid(values), np.ones((3, 3))) for values in deviations.T]
        spread = np.stack([grid[self.chart.inside] for grid in grids], 1)
        return UsualFace(colours, np.sqrt(spread**2 + MIN_DEVIATION**2))


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
        return self._covered_parts(_difference(sample, self.usual), STRONG_AGAIN if was_covered else STRONG)

    def _covered_parts(self, difference: np.ndarray, strong: float) -> np.ndarray | None:
        """The large connected parts of the chart in which the difference (n,) is large, and somewhere strong."""
        inside = self.chart.inside
        share = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), BLUR)
        smooth = cv2.GaussianBlur(self.chart.to_grid(difference), (0, 0), BLUR) / np.maximum(share, 1e-6)
        smooth[~inside] = 0
        if smooth.max() < strong:
            return None
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
        return np.isin(labels, parts) if parts else None


class Coverage:
    """How far each cell of the chart is covered, steady over the frames of a clip."""

    def __init__(self) -> None:
        self._cells = np.zeros((CHART_SIZE, CHART_SIZE), np.float32)
        self._frame: int | None = None

    def was_covered(self, frame: int) -> bool:
        """Whether something lay before the face in the frame before this one."""
        return self._follows(frame) and bool(self._cells.any())

    def update(self, covered: np.ndarray | None, frame: int) -> np.ndarray | None:
        """Add the covered cells of a frame.

        Args:
            covered: (CHART_SIZE, CHART_SIZE) bool, None for none.
            frame: its number; after a gap the coverage starts anew.

        Returns:
            Coverage in [0, 1], (CHART_SIZE, CHART_SIZE); None where nothing is covered.
        """
        target = np.zeros((CHART_SIZE, CHART_SIZE), np.float32) if covered is None else covered.astype(np.float32)
        if self._follows(frame):
            target = self._cells + np.clip(target - self._cells, -RELEASE, ATTACK)
        self._cells, self._frame = target, frame
        return target if target.any() else None

    def _follows(self, frame: int) -> bool:
        return self._frame is not None and frame == self._frame + 1


def coverage_weights(chart: FaceChart, coverage: np.ndarray, landmarks: np.ndarray, box: Box) -> np.ndarray:
    """Weights of the displacement in the cells of a box, (h, w): 0 where something covers the face, 1 far from it.

    Args:
        chart: of the face.
        coverage: (CHART_SIZE, CHART_SIZE) in [0, 1].
        landmarks: (478, 3) pixels.
        box: with the cells.
    """
    positions = (chart.positions(landmarks) - (box.x0, box.y0)) / box.cell
    centre, covered = positions.mean(0), coverage[chart.inside]
    height, width = box.grid_shape
    values = np.zeros(box.grid_shape, np.float32)
    for scale in (1.0, *BEYOND_OUTLINE):  # an object goes on outside the face
        cells = slice(None) if scale == 1.0 else chart.is_border
        x, y = np.rint(centre + scale * (positions[cells] - centre)).astype(int).T
        np.maximum.at(values, (np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)), covered[cells])
    values = cv2.morphologyEx(cv2.dilate(values, np.ones((3, 3))), cv2.MORPH_CLOSE, np.ones((5, 5)))
    return np.mean([hold_weights(values > level, box, face_size(landmarks)) for level in LEVELS], axis=0)


def _difference(sample: np.ndarray, usual: UsualFace) -> np.ndarray:
    """Difference (n,) of log colours (n, 3) from the usual face in deviations, without the common change of light."""
    change = sample - usual.colours
    change = change - np.median(change, axis=0)
    for _ in range(LIGHT_STEPS):
        similar = (np.abs(change) / usual.deviations).max(1) < LIGHT_OUTLIER
        if not similar.any():
            break
        change = change - np.median(change[similar], axis=0)
    return np.minimum((np.abs(change) / usual.deviations).max(1), MAX_DIFFERENCE)
