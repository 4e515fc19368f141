"""The plane of the lenses of glasses before the eyes, and what a frame shows in it: rims, a bridge, dark lenses.

Coordinates of the plane are face sizes from the point between the lenses, x along the eyes, y down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box, face_size
from asccl.types import Image

LENS_DISTANCE = 0.2  # face sizes from the lids to a lens
PIXELS_PER_FACE_SIZE = 64  # of a patch
LEFT, RIGHT, TOP, BOTTOM = -1.0, 1.0, -0.45, 0.55  # of a patch
MIN_FACE_SIZE = 24  # pixels; rims of smaller faces are not visible
LOG_OFFSET = 12  # grey levels, added before a logarithm
EDGE_BLUR = 0.8  # pixels of a patch, standard deviation
EDGE_SCALE = PIXELS_PER_FACE_SIZE / 160  # from Sobel's sum to the change of the logarithm per twentieth of a face size
INNER_RADIUS, OUTER_RADIUS, RADIUS_STEPS = 0.13, 0.46, 34  # of a rim around the middle of a lens
LOWER_ANGLES = np.deg2rad(np.arange(25, 156, 6.0))  # at which a rim meets no brow
LOWER_RIM_QUANTILE = 0.2  # of a rim's strength, so that it may be interrupted
SKIN_X, SKIN_Y = (-0.55, 0.55), (0.25, 0.5)  # cheeks and nose
UPPER_HALF_END = 0.14  # y; half-rims end above
BRIDGE_X, BRIDGE_Y = (-0.09, 0.09), (-0.3, 0.2)
NOSE_BRIDGE = (168, 6, 197)  # landmarks on which glasses rest; they do not move with the lids
LENS_HALF_WIDTH, LENS_Y = 0.15, (0.05, 0.16)  # a part of a lens without lids


@dataclass(frozen=True)
class LensPlane:
    """Where the plane of the lenses lies in a frame.

    Attributes:
        origin: point between the lenses, (2,) pixels.
        axes: a face size along x and y, (2, 2) pixels.
        centres: x of the middle of the right and the left lens.
        heights: y of both.
        nose: y of the bridge of the nose.
    """

    origin: np.ndarray
    axes: np.ndarray
    centres: tuple[float, float]
    heights: tuple[float, float]
    nose: float

    @classmethod
    def before(cls, landmarks: np.ndarray) -> LensPlane:
        """Place the plane before the eyes of a face. landmarks: (478, 3) pixels."""
        size = face_size(landmarks)
        across = (landmarks[263] - landmarks[33]) / size
        down = landmarks[mesh.FACE_OVAL[18]] - landmarks[mesh.FACE_OVAL[0]]
        down = down - (down @ across) * across
        down = down / max(float(np.linalg.norm(down)), 1e-6)
        normal = np.cross(across, down)
        normal = -normal if normal[2] > 0 else normal  # towards the camera
        eyes = [landmarks[list(eye)].mean(0) for eye in mesh.EYES]
        middle = (eyes[0] + eyes[1]) / 2 + LENS_DISTANCE * size * normal
        nose = float((landmarks[list(NOSE_BRIDGE)].mean(0) - middle) @ down / size)
        (right, right_y), (left, left_y) = (
            (float((eye - middle) @ across / size), float((eye - middle) @ down / size)) for eye in eyes
        )
        axes = size * np.stack([across[:2], down[:2]])
        return cls(middle[:2], axes, (right, left), (right_y, left_y), nose)

    def resting_on(self, nose: float) -> LensPlane:
        """Move the plane so that the bridge of the nose lies at y = nose, wherever the lids are."""
        return replace(self, origin=self.origin + (self.nose - nose) * self.axes[1])

    def cut(self, image: Image) -> Image:
        """Cut the patch of the plane out of an image (H, W, 3); outside the image its border is repeated."""
        x, y = _patch_coordinates()
        points = (self.origin + x[None, :, None] * self.axes[0] + y[:, None, None] * self.axes[1]).astype(np.float32)
        low = np.clip(np.floor(points.min((0, 1))).astype(int) - 4, 0, np.array(image.shape[1::-1]) - 1)
        high = np.maximum(np.ceil(points.max((0, 1))).astype(int) + 5, low + 1)
        part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]])
        shrink = float(np.linalg.norm(self.axes[0])) / PIXELS_PER_FACE_SIZE
        if shrink > 1.4:
            part = cv2.GaussianBlur(part, (0, 0), 0.45 * shrink)
        return cv2.remap(
            part, points[..., 0] - low[0], points[..., 1] - low[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    def to_box(self, patch: np.ndarray, box: Box, padding: int) -> np.ndarray:
        """Move a smooth patch of the plane to the cells of a box of the frame.

        Args:
            patch: (h + 2 * padding, w + 2 * padding); its border is repeated outside.
            box: of the frame.
            padding: pixels of the patch.

        Returns:
            Values of the cells of the box, (h', w').
        """
        step = 1 / PIXELS_PER_FACE_SIZE
        left, top = LEFT - padding * step, TOP - padding * step
        corner = self.origin + left * self.axes[0] + top * self.axes[1] - (box.x0, box.y0)
        matrix = np.column_stack([step * self.axes.T, corner]) / box.cell
        return cv2.warpAffine(patch, matrix, box.grid_shape[::-1], borderMode=cv2.BORDER_REPLICATE)


@dataclass(frozen=True)
class LensEvidence:
    """What one frame shows in the plane of the lenses; strengths are changes of the logarithm of a colour.

    Attributes:
        edges: strength of the edges, (h, w) of the patch.
        skin: median strength on the cheeks.
        rim: strength of the weaker lower rim.
        bridge: strength of a line from one side of the nose to the other.
        darkness: of the lighter lens, below the cheeks.
        plane: of the lenses.
    """

    edges: np.ndarray
    skin: float
    rim: float
    bridge: float
    darkness: float
    plane: LensPlane


def measure_lenses(image: Image, landmarks: np.ndarray) -> LensEvidence | None:
    """Measure what a frame shows before the eyes; None for a face that is too small."""
    if face_size(landmarks) < MIN_FACE_SIZE:
        return None
    plane = LensPlane.before(landmarks)
    tones = np.log(plane.cut(image).astype(np.float32) + LOG_OFFSET)
    smooth = cv2.GaussianBlur(tones, (0, 0), EDGE_BLUR)
    dx, dy = (np.abs(cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3)).max(2) * EDGE_SCALE for order in ((1, 0), (0, 1)))
    edges = np.hypot(dx, dy)
    cheeks = patch_part(tones, SKIN_X, SKIN_Y).reshape(-1, 3)
    lenses = [
        patch_part(tones, (x - LENS_HALF_WIDTH, x + LENS_HALF_WIDTH), LENS_Y).reshape(-1, 3) for x in plane.centres
    ]
    return LensEvidence(
        edges=edges,
        skin=float(np.median(patch_part(edges, SKIN_X, SKIN_Y))),
        rim=min(_lower_rim_strength(edges, x) for x in plane.centres),
        bridge=_crossing_strength(patch_part(dy, BRIDGE_X, BRIDGE_Y)),
        darkness=min(float((np.median(cheeks, 0) - np.quantile(lens, 0.75, axis=0)).min()) for lens in lenses),
        plane=plane,
    )


def patch_part(patch: np.ndarray, x: tuple[float, float], y: tuple[float, float]) -> np.ndarray:
    """Cut a rectangle of the plane out of a patch.

    Args:
        patch: (h, w, ...).
        x: start and end.
        y: start and end.

    Returns:
        A view of the patch.
    """
    columns, rows = (
        [int(np.clip(round((v - start) * PIXELS_PER_FACE_SIZE), 0, length)) for v in side]
        for side, start, length in ((x, LEFT, patch.shape[1]), (y, TOP, patch.shape[0]))
    )
    return patch[rows[0] : rows[1], columns[0] : columns[1]]


def lens_distance(centre: float) -> np.ndarray:
    """Distance of each pixel of a patch from the middle of a lens at x = centre, (h, w)."""
    x, y = _patch_coordinates()
    return np.hypot(x[None] - centre, y[:, None])


def is_upper_half() -> np.ndarray:
    """Whether each pixel of a patch lies above the lower rims, (h, w) bool."""
    x, y = _patch_coordinates()
    return np.broadcast_to(y[:, None] < UPPER_HALF_END, (len(y), len(x)))


def _patch_coordinates() -> tuple[np.ndarray, np.ndarray]:
    """X of the columns and y of the rows of a patch."""
    step = 1 / PIXELS_PER_FACE_SIZE
    return np.arange(LEFT, RIGHT, step), np.arange(TOP, BOTTOM, step)


def _lower_rim_strength(edges: np.ndarray, centre: float) -> float:
    """Strength of the strongest arc below an eye that moves by at most one radius step from angle to angle."""
    radii = np.linspace(INNER_RADIUS, OUTER_RADIUS, RADIUS_STEPS)[:, None]
    x, y = centre + radii * np.cos(LOWER_ANGLES), radii * np.sin(LOWER_ANGLES)
    columns, rows = ((v - start) * PIXELS_PER_FACE_SIZE for v, start in ((x, LEFT), (y, TOP)))
    polar = cv2.remap(edges, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)
    path = _strongest_path(np.minimum(polar, np.quantile(polar, 0.97)))
    return float(np.quantile(polar[path, np.arange(len(path))], LOWER_RIM_QUANTILE))


def _strongest_path(strength: np.ndarray) -> np.ndarray:
    """Row of each column (w,) on the path of the greatest sum through (h, w), from column to column at most a row."""
    total, previous = strength[:, 0], []
    for column in strength[:, 1:].T:
        candidates = _neighbours(total)
        previous.append(np.arange(len(total)) + candidates.argmax(0) - 1)
        total = candidates.max(0) + column
    path = [int(total.argmax())]
    for rows in reversed(previous):
        path.append(int(rows[path[-1]]))
    return np.array(path[::-1])


def _crossing_strength(strength: np.ndarray) -> float:
    """The weakest point of the strongest path through (h, w) from the first column to the last."""
    weakest = strength[:, 0]
    for column in strength[:, 1:].T:
        weakest = np.minimum(_neighbours(weakest).max(0), column)
    return float(weakest.max())


def _neighbours(values: np.ndarray) -> np.ndarray:
    """(3, n) the values of the row above, of the row itself and of the row below."""
    padded = np.pad(values, 1, constant_values=-np.inf)
    return np.stack([padded[:-2], padded[1:-1], padded[2:]])
