"""How far something covers the face over the frames of a clip, and where an edit must not move because of it."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.renderers.warp.face_chart import CHART_SIZE, FaceChart
from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.hold import hold_weights

ATTACK, RELEASE = 0.5, 0.2  # largest change of the coverage from frame to frame
BEYOND_OUTLINE = (1.05, 1.1, 1.15, 1.2)  # distances from the centre, over the outline's, up to which an object goes on
LEVELS = (0.25, 0.5, 0.75)  # of the coverage, whose borders are averaged to a soft one


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
