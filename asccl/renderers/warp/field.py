"""Dense fields over the face from values at landmarks: a coarse raster of triangles, smoothed and upsampled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel

CELLS_PER_FACE_SIZE = 44  # resolution of the coarse raster
OUTER_RING_SCALE = 1.22  # distance of the outer ring of unmoved vertices from the centre, over that of the outline
SMOOTHING = 0.018  # face sizes, standard deviation
OPEN_LIP_GAP = 0.12  # face sizes: from this gap on, the middle of the mouth does not move with the lips
INVERSE_LINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
MIN_AREA = np.float32(1e-3)  # cells^2, doubled area of a triangle

# vertices added to the 468 landmarks: two eye centres, nine points between the lips, the outer ring
EYE_CENTRES = mesh.NUM_FACE_LANDMARKS
LIP_MIDDLE = EYE_CENTRES + 2
OUTER_RING = LIP_MIDDLE + len(mesh.UPPER_INNER_LIP)
EXTRA_VERTICES = OUTER_RING + len(mesh.FACE_OVAL) - mesh.NUM_FACE_LANDMARKS
EXTRA_DEPTH = 9.0  # cm: behind the face

UPPER, LOWER = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)


@dataclass(frozen=True)
class Box:
    """A rectangle of a frame and the resolution of a coarse field over it.

    Attributes:
        x0: left border, pixels.
        y0: top border, pixels.
        x1: right border, pixels, excluded.
        y1: bottom border, pixels, excluded.
        cell: side of one cell of the field, pixels.
        offset: pixels (x, y) from the first cell of the field to the rectangle.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    cell: float
    offset: tuple[int, int] = (0, 0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the rectangle in an image."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Height and width in cells of a field that covers the rectangle."""
        height, width = ((self.y1 - self.y0) / self.cell, (self.x1 - self.x0) / self.cell)
        return int(np.ceil(height)) + 1, int(np.ceil(width)) + 1

    @property
    def empty(self) -> bool:
        """Whether the rectangle has no pixels."""
        return self.x1 <= self.x0 or self.y1 <= self.y0

    def around(self, cells: np.ndarray) -> Box:
        """The part of this box around some cells of its field, (h, w) bool, and one more beside them; empty if none."""
        ys, xs = np.flatnonzero(cells.any(1)), np.flatnonzero(cells.any(0))
        if len(ys) == 0:
            return Box(0, 0, 0, 0, self.cell)
        left, top = self.x0 - self.offset[0], self.y0 - self.offset[1]  # of the first cell
        x0, y0 = left + int(np.ceil(max(xs[0] - 1, 0) * self.cell)), top + int(np.ceil(max(ys[0] - 1, 0) * self.cell))
        x1, y1 = left + int((xs[-1] + 2) * self.cell), top + int((ys[-1] + 2) * self.cell)
        x0, y0, x1, y1 = max(x0, self.x0), max(y0, self.y0), min(x1, self.x1), min(y1, self.y1)
        return Box(x0, y0, x1, y1, self.cell, (x0 - left, y0 - top))


class FaceField:
    """Interpolation of landmark values over a face.

    The mesh is that of FaceMesh, closed over eyes and mouth, with a ring of zeros around the outline. Triangles are
    drawn from the farthest to the nearest.
    """

    def __init__(self, head: HeadModel):
        triangles = _close_mesh(head.mesh)
        depth = np.concatenate([head.neutral[:, 2], np.full(EXTRA_VERTICES, EXTRA_DEPTH, np.float32)])
        self.triangles = triangles[np.argsort(-depth[triangles].mean(1), kind="stable")]

    def edit_box(self, landmarks: np.ndarray, edited_landmarks: np.ndarray, shape: tuple[int, ...]) -> Box:
        """Compute the part of a frame that an edit can change.

        Args:
            landmarks: (468+, 2+) pixels.
            edited_landmarks: (468, 2+) pixels.
            shape: of the frame, (H, W, ...).
        """
        points = np.concatenate([_outer_ring(landmarks), edited_landmarks[:, :2]])
        low, high = np.floor(points.min(0)).astype(int) - 2, np.ceil(points.max(0)).astype(int) + 3
        x0, y0 = max(0, low[0]), max(0, low[1])
        x1, y1 = min(shape[1], high[0]), min(shape[0], high[1])
        return Box(x0, y0, x1, y1, max(1.0, face_size(landmarks) / CELLS_PER_FACE_SIZE))

    def interpolate(
        self, landmarks: np.ndarray, edited_landmarks: np.ndarray, values: np.ndarray, box: Box
    ) -> np.ndarray:
        """Interpolate values at the edited landmarks over a box.

        Args:
            landmarks: (468+, 2+) pixels.
            edited_landmarks: (468, 2+) pixels, the positions of the values.
            values: (468, C).
            box: what the field covers.

        Returns:
            Coarse field (h, w, C) float32, 0 outside the ring.
        """
        positions, vertex_values = _extend(landmarks, edited_landmarks, values)
        shape = box.grid_shape
        corners = ((positions - (box.x0, box.y0)) / box.cell).astype(np.float32)[self.triangles]
        index = np.full(shape, -1, np.int32)
        for k, triangle in enumerate(np.round(corners * 16).astype(np.int32)):
            cv2.fillConvexPoly(index, triangle, k, cv2.LINE_8, 4)
        cells = np.flatnonzero(index >= 0)
        triangle = index.ravel()[cells]
        barycentric = _barycentric(cells, shape[1], corners, triangle)
        field = np.zeros((shape[0] * shape[1], values.shape[1]), np.float32)
        field[cells] = np.einsum("kn,nkc->nc", barycentric, vertex_values[self.triangles][triangle])
        sigma = max(0.6, SMOOTHING * face_size(landmarks) / box.cell)
        return cv2.GaussianBlur(field.reshape(*shape, -1), (0, 0), sigma).reshape(*shape, -1)


def _close_mesh(face: np.ndarray) -> np.ndarray:
    """Add the triangles (n, 3) of the mouth, the eyes and the ring around the outline."""
    first, last = mesh.INNER_LIP_CORNERS
    middle = (first, *range(LIP_MIDDLE, OUTER_RING), last)
    extra: list[tuple[int, int, int]] = []
    for lip in (mesh.UPPER_INNER_LIP, mesh.LOWER_INNER_LIP):
        row = (first, *lip, last)
        for i in range(10):
            extra += [(row[i], row[i + 1], middle[i + 1]), (row[i], middle[i + 1], middle[i])]
    for k, eye in enumerate(mesh.EYES):
        extra += [(a, b, EYE_CENTRES + k) for a, b in zip(eye, (*eye[1:], eye[0]), strict=True)]
    n = len(mesh.FACE_OVAL)
    for i in range(n):
        j = (i + 1) % n
        a, b, outer_a, outer_b = mesh.FACE_OVAL[i], mesh.FACE_OVAL[j], OUTER_RING + i, OUTER_RING + j
        extra += [(a, b, outer_b), (a, outer_b, outer_a)]
    proper = [triangle for triangle in extra if len(set(triangle)) == 3]
    return np.concatenate([face, np.array(proper, face.dtype)]).astype(np.int32)


def _outer_ring(landmarks: np.ndarray) -> np.ndarray:
    oval = landmarks[list(mesh.FACE_OVAL), :2]
    centre = oval.mean(0)
    return centre + (oval - centre) * OUTER_RING_SCALE


def _extend(landmarks: np.ndarray, edited_landmarks: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (V, 2) and values (V, C) of the landmarks and of the vertices added by `_close_mesh`."""
    xy = edited_landmarks[:, :2]
    gap = np.linalg.norm(xy[LOWER] - xy[UPPER], axis=1) / face_size(landmarks)
    closed = (1 - np.clip(gap / OPEN_LIP_GAP, 0, 1))[:, None]  # the inside of an open mouth stays with the skull
    positions = [
        xy,
        [xy[list(eye)].mean(0) for eye in mesh.EYES],
        0.5 * (xy[UPPER] + xy[LOWER]),
        _outer_ring(landmarks),
    ]
    eye_values = [0.5 * values[list(eye)].mean(0) for eye in mesh.EYES]
    mouth_values = closed * 0.5 * (values[UPPER] + values[LOWER])
    ring_values = np.zeros((len(mesh.FACE_OVAL), values.shape[1]))
    vertex_values = np.concatenate([values, eye_values, mouth_values, ring_values])
    return np.concatenate(positions), vertex_values.astype(np.float32)


def face_size(landmarks: np.ndarray) -> float:
    """Measure a face in pixels: the 3D distance of the outer eye corners, which a turn of the head hardly changes."""
    return max(math.dist(landmarks[33], landmarks[263]), 1.0)


def upsample(field: np.ndarray, box: Box) -> np.ndarray:
    """Upsample a coarse field (h, w, C) or (h, w) to every pixel of its box."""
    h, w = box.y1 - box.y0, box.x1 - box.x0
    dx, dy = box.offset
    if box.cell == 1.0:
        return field[dy : dy + h, dx : dx + w]
    scale = np.array([[1 / box.cell, 0, dx / box.cell], [0, 1 / box.cell, dy / box.cell]], np.float32)
    return cv2.warpAffine(field, scale, (w, h), flags=INVERSE_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def sample_field(field: np.ndarray, points: np.ndarray, box: Box) -> np.ndarray:
    """Read a coarse field at some points.

    Args:
        field: (h, w, ...) over the box.
        points: (n, 2+) pixels of the frame.
        box: with the cells of the field.

    Returns:
        (n, ...) interpolated values.
    """
    return sample_cells(field, (points[:, :2] - (box.x0, box.y0)) / box.cell)


def sample_cells(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Interpolated values (n, ...) of a field (h, w, ...) at points (n, 2), in cells."""
    x, y = points.astype(np.float32).T
    return cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]


def resample(field: np.ndarray, box: Box, fine: Box) -> np.ndarray:
    """Resample a field to the cells of another box that starts at the same pixel.

    Args:
        field: (h, w), over `box`.
        box: the box of the field.
        fine: the other box.

    Returns:
        (h', w'), over `fine`.
    """
    ratio = fine.cell / box.cell
    dx, dy = (shift / box.cell for shift in box.offset)
    scale = np.array([[ratio, 0, dx], [0, ratio, dy]], np.float32)
    return cv2.warpAffine(field, scale, fine.grid_shape[::-1], flags=INVERSE_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _barycentric(cells: np.ndarray, width: int, triangles: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Barycentric coordinates (3, n) of cells (n,) in triangles (F, 3, 2), clipped into the triangle.

    Cells are counted row by row; `index` (n,) is the triangle of each cell.
    """
    a, ab, ac = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    area = ab[:, 0] * ac[:, 1] - ac[:, 0] * ab[:, 1]
    area = np.where(np.abs(area) < MIN_AREA, MIN_AREA, area)
    slopes = np.stack([ac[:, 1], -ac[:, 0], -ab[:, 1], ab[:, 0]]) / area
    ax, ay, vx, vy, wx, wy = np.concatenate([a.T, slopes])[:, index]
    y, x = (part.astype(np.float32) for part in np.divmod(cells, width))
    x, y = x - ax, y - ay
    v, w = vx * x + vy * y, wx * x + wy * y
    b = np.clip(np.stack([1 - v - w, v, w]), 0, 1)
    return b / b.sum(0)
