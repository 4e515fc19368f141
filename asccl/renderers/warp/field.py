"""Dense fields over the face box from values at landmarks: a coarse triangle raster, smoothed and scaled up."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel

CELLS_PER_EYE_DISTANCE = 44  # resolution of the coarse raster
RING = 1.22  # outer ring of unmoved points, times the outline's distance from its centre
SMOOTHING = 0.018  # of the eye distance
SPREAD = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True)
class Box:
    """A rectangle of the frame (pixels, right and bottom excluded), the size of one coarse cell in pixels, and how far
    right and below the first cell the rectangle starts."""

    x0: int
    y0: int
    x1: int
    y1: int
    cell: float
    shift: tuple[int, int] = (0, 0)

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def grid_shape(self) -> tuple[int, int]:
        """Height and width in cells of a field that covers the rectangle."""
        height, width = ((self.y1 - self.y0) / self.cell, (self.x1 - self.x0) / self.cell)
        return int(np.ceil(height)) + 1, int(np.ceil(width)) + 1

    @property
    def empty(self) -> bool:
        return self.x1 <= self.x0 or self.y1 <= self.y0


class FaceField:
    """Interpolates (468, C) values over a face. The mesh is FaceMesh's, closed over eyes and mouth, with a ring of
    zeros round the outline."""

    def __init__(self, head: HeadModel):
        self.triangles = self._close(head.mesh)
        depth = np.concatenate([head.neutral[:, 2], np.full(self._extra, 9.0, np.float32)])
        self.triangles = self.triangles[np.argsort(-depth[self.triangles].mean(1), kind="stable")]  # far ones first

    _eyes = mesh.NUM_FACE_LANDMARKS  # 468, 469: eye centres; then 9 between the lips; then the ring
    _mouth = mesh.NUM_FACE_LANDMARKS + 2
    _ring = mesh.NUM_FACE_LANDMARKS + 11
    _extra = 11 + len(mesh.FACE_OVAL)

    def _close(self, face: np.ndarray) -> np.ndarray:
        upper = (mesh.INNER_LIP_CORNERS[0], *mesh.UPPER_INNER_LIP, mesh.INNER_LIP_CORNERS[1])
        lower = (mesh.INNER_LIP_CORNERS[0], *mesh.LOWER_INNER_LIP, mesh.INNER_LIP_CORNERS[1])
        middle = (mesh.INNER_LIP_CORNERS[0], *range(self._mouth, self._mouth + 9), mesh.INNER_LIP_CORNERS[1])
        extra: list[tuple[int, int, int]] = []
        for row in (upper, lower):
            for i in range(10):
                extra += [(row[i], row[i + 1], middle[i + 1]), (row[i], middle[i + 1], middle[i])]
        for k, eye in enumerate((mesh.RIGHT_EYE, mesh.LEFT_EYE)):
            extra += [(a, b, self._eyes + k) for a, b in zip(eye, (*eye[1:], eye[0]), strict=True)]
        n = len(mesh.FACE_OVAL)
        for i in range(n):
            j = (i + 1) % n
            a, b, far_a, far_b = mesh.FACE_OVAL[i], mesh.FACE_OVAL[j], self._ring + i, self._ring + j
            extra += [(a, b, far_b), (a, far_b, far_a)]
        used = [t for t in extra if len(set(t)) == 3]
        return np.concatenate([face, np.array(used, face.dtype)]).astype(np.int32)

    def edit_box(self, landmarks: np.ndarray, moved: np.ndarray, shape: tuple[int, ...]) -> Box:
        """The part of a frame that an edit can touch."""
        ring = self._outer(landmarks)
        points = np.concatenate([ring, moved[:, :2]])
        low, high = np.floor(points.min(0)).astype(int) - 2, np.ceil(points.max(0)).astype(int) + 3
        x0, y0 = max(0, low[0]), max(0, low[1])
        x1, y1 = min(shape[1], high[0]), min(shape[0], high[1])
        return Box(x0, y0, x1, y1, max(1.0, face_size(landmarks) / CELLS_PER_EYE_DISTANCE))

    def _outer(self, landmarks: np.ndarray) -> np.ndarray:
        oval = landmarks[list(mesh.FACE_OVAL), :2]
        centre = oval.mean(0)
        return centre + (oval - centre) * RING

    def interpolate(self, landmarks: np.ndarray, moved: np.ndarray, values: np.ndarray, box: Box) -> np.ndarray:
        """Values (468, C) given at the moved landmarks (468, 2+) -> coarse field (h, w, C) over the box, 0 outside."""
        vertices, corner = self._vertices(landmarks, moved, values)
        size = box.grid_shape
        at = ((vertices - (box.x0, box.y0)) / box.cell).astype(np.float32)[self.triangles]
        index = np.full(size, -1, np.int32)
        for k, triangle in enumerate(np.round(at * 16).astype(np.int32)):
            cv2.fillConvexPoly(index, triangle, k, 8, 4)
        field = np.zeros((*size, values.shape[1]), np.float32)
        seen = np.flatnonzero(index >= 0)
        used = index.ravel()[seen]
        b = _barycentric(seen, size[1], at, used)
        field.reshape(-1, values.shape[1])[seen] = np.einsum("kn,nkc->nc", b, corner[self.triangles][used])
        sigma = max(0.6, SMOOTHING * face_size(landmarks) / box.cell)
        return cv2.GaussianBlur(field, (0, 0), sigma).reshape(*size, -1)

    def _vertices(self, landmarks: np.ndarray, moved: np.ndarray, values: np.ndarray):
        eyes = [list(mesh.RIGHT_EYE), list(mesh.LEFT_EYE)]
        upper, lower = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
        gap = np.linalg.norm(moved[lower, :2] - moved[upper, :2], axis=1) / face_size(landmarks)
        follow = (1 - np.clip(gap / 0.12, 0, 1))[:, None]  # what lies deep in an open mouth stays with the skull
        points = np.concatenate([
            moved[:, :2], [moved[e, :2].mean(0) for e in eyes], 0.5 * (moved[upper, :2] + moved[lower, :2]),
            self._outer(landmarks),
        ])  # fmt: skip
        corner = np.concatenate([
            values, [0.5 * values[e].mean(0) for e in eyes], follow * 0.5 * (values[upper] + values[lower]),
            np.zeros((len(mesh.FACE_OVAL), values.shape[1])),
        ])  # fmt: skip
        return points, corner.astype(np.float32)


def face_size(landmarks: np.ndarray) -> float:
    """Pixels: a size of the face that a turn of the head hardly changes (eye distance of a frontal face)."""
    across = np.linalg.norm(landmarks[33] - landmarks[263])
    return max(float(across), 1.0)


def upsample(field: np.ndarray, box: Box) -> np.ndarray:
    """Coarse field (h, w, C) or (h, w) -> every pixel of the box."""
    h, w = box.y1 - box.y0, box.x1 - box.x0
    dx, dy = box.shift
    if box.cell == 1.0:
        return field[dy : dy + h, dx : dx + w]
    scale = np.array([[1 / box.cell, 0, dx / box.cell], [0, 1 / box.cell, dy / box.cell]], np.float32)
    return cv2.warpAffine(field, scale, (w, h), flags=SPREAD, borderMode=cv2.BORDER_REPLICATE)


def resample(field: np.ndarray, box: Box, fine: Box) -> np.ndarray:
    """A field (h, w) with the cells of a box -> with those of another box, which starts at the same pixel."""
    ratio = fine.cell / box.cell
    dx, dy = (shift / box.cell for shift in box.shift)
    scale = np.array([[ratio, 0, dx], [0, ratio, dy]], np.float32)
    return cv2.warpAffine(field, scale, fine.grid_shape[::-1], flags=SPREAD, borderMode=cv2.BORDER_REPLICATE)


def _barycentric(cells: np.ndarray, width: int, triangles: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Where cells (n,), counted row by row, lie in triangles (F, 3, 2), number `used` (n,) -> (3, n), clipped into
    the triangle."""
    a, ab, ac = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    area = ab[:, 0] * ac[:, 1] - ac[:, 0] * ab[:, 1]
    area = np.where(np.abs(area) < 1e-3, np.float32(1e-3), area)
    slopes = np.stack([ac[:, 1], -ac[:, 0], -ab[:, 1], ab[:, 0]]) / area
    ax, ay, vx, vy, wx, wy = np.concatenate([a.T, slopes])[:, used]
    y, x = (part.astype(np.float32) for part in np.divmod(cells, width))
    x, y = x - ax, y - ay
    v, w = vx * x + vy * y, wx * x + wy * y
    b = np.clip(np.stack([1 - v - w, v, w]), 0, 1)
    return b / b.sum(0)
