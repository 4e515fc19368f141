"""A chart of the face: colours at fixed places of the head model, wherever the face lies and whatever it says."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.morphable.head import HeadModel
from asccl.morphable.raster import rasterize
from asccl.types import LazyImage

CHART_SIZE = 48  # cells per side
MARGIN = 1.0  # cells around the face
LOG_OFFSET = 16.0  # grey levels, added before a logarithm, so that dark colours are not noisy


class FaceChart:
    """A regular grid of cells over the landmarks' triangles, closed over eyes and mouth.

    Attributes:
        inside: cells that lie on the face, (CHART_SIZE, CHART_SIZE) bool.
        is_border: cells inside the face, (n,) bool, beside the outline.
        points: position of each landmark in the chart, (468, 2) cells.
    """

    def __init__(self, head: HeadModel, triangles: np.ndarray):
        xy = head.neutral[:, :2]
        low, high = xy.min(0), xy.max(0)
        scale = (CHART_SIZE - 1 - 2 * MARGIN) / float((high - low).max())
        self.points = (xy - (low + high) / 2) * scale + (CHART_SIZE - 1) / 2
        index, barycentric = rasterize(self.points, head.neutral[:, 2], triangles, (CHART_SIZE, CHART_SIZE))
        self.inside = index >= 0
        outer = cv2.morphologyEx(self.inside.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9)))
        self.is_border = (cv2.erode(outer, np.ones((5, 5)), borderValue=0) == 0)[self.inside]
        self._corners = triangles[index[self.inside]]
        self._weights = barycentric[self.inside]

    def positions(self, landmarks: np.ndarray) -> np.ndarray:
        """Locate the cells inside the face in a frame: landmarks (468+, 2+) pixels -> (n, 2) float32 pixels."""
        return np.einsum("nk,nkc->nc", self._weights, landmarks[self._corners, :2]).astype(np.float32)

    def sample(self, image: LazyImage, landmarks: np.ndarray) -> np.ndarray | None:
        """Read the colours of the cells inside the face.

        Args:
            image: the frame, (H, W, 3).
            landmarks: (478, 3) pixels.

        Returns:
            Logarithms of the colours, (n, 3) float32; None for a face outside the frame.
        """
        positions = self.positions(landmarks)
        cell = float(np.ptp(positions[:, 1])) / CHART_SIZE
        low = np.floor(positions.min(0)).astype(int) - 2
        high = np.ceil(positions.max(0)).astype(int) + 3
        x0, y0 = np.clip(low, 0, np.array(image.shape[1::-1]))
        x1, y1 = np.clip(high, 0, np.array(image.shape[1::-1]))
        if x1 - x0 < 2 or y1 - y0 < 2:
            return None
        part = image[y0:y1, x0:x1]
        shrink = max(int(cell), 1)
        if min(part.shape[:2]) >= 2 * shrink:
            size = (part.shape[1] // shrink, part.shape[0] // shrink)
            part = cv2.resize(part[: size[1] * shrink, : size[0] * shrink], size, interpolation=cv2.INTER_AREA)
            positions = (positions - (x0, y0) - (shrink - 1) / 2) / shrink
        else:
            positions = positions - (x0, y0)
        x, y = (np.ascontiguousarray(column, np.float32) for column in positions.T)
        colours = cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
        return np.log(colours.astype(np.float32) + LOG_OFFSET)

    def to_grid(self, values: np.ndarray, fill: float = 0.0) -> np.ndarray:
        """Put values of the cells inside the face, (n,), into the grid of the chart."""
        grid = np.full((CHART_SIZE, CHART_SIZE), fill, np.float32)
        grid[self.inside] = values
        return grid


def near_landmarks(chart: FaceChart, index: tuple[int, ...], radius: float) -> np.ndarray:
    """Mark the cells inside the face, (n,) bool, that lie within a radius of some landmarks.

    Args:
        chart: with the cells.
        index: of the landmarks.
        radius: cells.
    """
    y, x = np.nonzero(chart.inside)
    points = chart.points[list(index)]
    return (np.hypot(x[:, None] - points[:, 0], y[:, None] - points[:, 1]) < radius).any(1)
