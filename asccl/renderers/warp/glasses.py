"""Glasses: they rest on the nose and do not move with the skin below them."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box, face_size
from asccl.types import Image

# rims are searched along rays from the middle of each eye
RAY_COUNT = 48
MIN_RIM_RADIUS, MAX_RIM_RADIUS, RADIUS_STEPS = 0.13, 0.46, 36  # radii in face sizes
LENS_DISTANCE = 0.2  # face sizes from the lids to a lens
MAX_RIM_WIDTH = 0.035  # face sizes
MIN_RIM_CONTRAST = 1.9  # rim-to-skin contrast (15th percentile of the lower rims) above which glasses are detected
MAX_FRAMES_WITHOUT_RIMS = 6  # after so many frames without rims the search ends
HOLD_RADIUS = 0.1  # face sizes: distance from a rim at which the skin begins to move

EYES = (mesh.RIGHT_EYE, mesh.LEFT_EYE)
RAY_ANGLES = 2 * np.pi * np.arange(RAY_COUNT) / RAY_COUNT
LOWER_RAYS = (np.sin(RAY_ANGLES) > 0.35) & (np.abs(np.cos(RAY_ANGLES)) < 0.94)  # they meet no brow
RADII = np.linspace(MIN_RIM_RADIUS, MAX_RIM_RADIUS, RADIUS_STEPS)


class GlassesModel:
    """Whether a person wears glasses, and the shape of their rims, from observed frames."""

    def __init__(self) -> None:
        self._radii: list[np.ndarray] = []
        self._contrast: list[float] = []
        self._median_radii: np.ndarray | None = None  # (2, RAY_COUNT) of both rims, if glasses are detected

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Search a frame for rims. landmarks: (478, 3) pixels."""
        if len(self._contrast) >= MAX_FRAMES_WITHOUT_RIMS and max(self._contrast) < MIN_RIM_CONTRAST:
            return
        loops = [lens_points(landmarks, eye, RADII) for eye in EYES]
        corners = np.concatenate(loops).reshape(-1, 2)
        x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - 9, 0)
        x1, y1 = np.maximum(np.ceil(corners.max(0)).astype(int) + 9, 0)
        part = np.ascontiguousarray(image[y0:y1, x0:x1])
        if min(part.shape[:2]) < 16:
            return
        strength = line_strength(part, face_size(landmarks))
        rims = [_trace_rim(strength, loop - np.array([x0, y0], np.float32)) for loop in loops]
        self._radii.append(np.stack([radii for radii, _ in rims]))
        self._contrast.append(min(contrast for _, contrast in rims))
        detected = np.median(self._contrast) > MIN_RIM_CONTRAST
        self._median_radii = np.median(self._radii, axis=0) if detected else None

    @property
    def detected(self) -> bool:
        """Whether the person wears glasses."""
        return self._median_radii is not None

    def rims(self, landmarks: np.ndarray) -> list[np.ndarray]:
        """Locate the rims in a frame: (RAY_COUNT, 2) pixels around the right and the left eye; [] without glasses."""
        if self._median_radii is None:
            return []
        pairs = zip(EYES, self._median_radii, strict=True)
        return [lens_points(landmarks, eye, radii[:, None])[:, 0] for eye, radii in pairs]

    def displacement_weights(self, landmarks: np.ndarray, box: Box) -> np.ndarray | None:
        """Weight the displacement of each cell of a box, (h, w): 0 at the rims, 1 far away. None without glasses."""
        if not self.detected:
            return None
        away = np.full(box.grid_shape, 255, np.uint8)
        for rim in self.rims(landmarks):
            corners = np.round((rim - (box.x0, box.y0)) / box.cell * 16).astype(np.int32)
            cv2.polylines(away, [corners], True, 0, 1, cv2.LINE_8, 4)
        distance = cv2.distanceTransform(away, cv2.DIST_L2, 5) * (box.cell / (HOLD_RADIUS * face_size(landmarks)))
        return 1 - np.exp(-(distance**2))


def limit_brow_displacement(displacement: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Slow the upper rows of the brows down to the lower ones, which lie closer to the rims.

    displacement: (468, C). weights: (468, 1), of each landmark's displacement, applied later. -> (468, C).
    """
    out = displacement.copy()
    for top, low in ((mesh.RIGHT_BROW_TOP, mesh.RIGHT_BROW_LOW), (mesh.LEFT_BROW_TOP, mesh.LEFT_BROW_LOW)):
        upper, lower = weights[list(top)], weights[list(low)]
        out[list(top)] *= np.minimum(lower / np.maximum(upper, 1e-3), 1)
    return out


def lens_points(landmarks: np.ndarray, eye: tuple[int, ...], radii: np.ndarray) -> np.ndarray:
    """Project points of the plane of a lens into the frame.

    Args:
        landmarks: (478, 3) pixels.
        eye: landmarks of the lids.
        radii: distances from the centre of the lens along each ray, (R,) or (RAY_COUNT, R) face sizes.

    Returns:
        (RAY_COUNT, R, 2) float32 pixels.
    """
    across = landmarks[263] - landmarks[33]
    size = face_size(landmarks)
    across = across / size
    down = landmarks[mesh.FACE_OVAL[18]] - landmarks[mesh.FACE_OVAL[0]]
    down = down - (down @ across) * across
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    normal = np.cross(across, down)
    normal = -normal if normal[2] > 0 else normal  # towards the camera
    centre = landmarks[list(eye)].mean(0) + LENS_DISTANCE * size * normal
    radii = np.broadcast_to(radii, (RAY_COUNT, np.shape(radii)[-1]))
    ray = np.cos(RAY_ANGLES)[:, None] * across + np.sin(RAY_ANGLES)[:, None] * down
    return (centre + size * radii[..., None] * ray[:, None])[..., :2].astype(np.float32)


def line_strength(image: Image, size: float) -> np.ndarray:
    """Measure thin lines, bright or dark: (h, w, 3) -> (h, w) float32 grey levels. size: of the face, pixels."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    kernel = np.ones((2 * max(1, round(0.5 * MAX_RIM_WIDTH * size)) + 1,) * 2, np.uint8)
    bright = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, kernel)
    dark = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, kernel)
    return cv2.blur(cv2.max(bright, dark), (3, 3)).astype(np.float32)


def strongest_loop(strength: np.ndarray) -> np.ndarray:
    """Find the closed path of the greatest total strength by dynamic programming.

    strength: (RAY_COUNT, RADIUS_STEPS). From ray to ray the path moves by at most one column. Returns the columns
    (RAY_COUNT,).
    """
    capped = np.minimum(strength, 2.5 * np.quantile(strength, 0.9))
    rays = len(strength)
    total = np.zeros(strength.shape[1], np.float32)
    previous = np.zeros((2 * rays, strength.shape[1]), int)
    for k in range(2 * rays):  # two rounds, so that the path closes
        padded = np.pad(total, 1, constant_values=-np.inf)
        candidates = np.stack([padded[:-2], padded[1:-1], padded[2:]])
        previous[k] = np.arange(len(total)) + candidates.argmax(0) - 1
        total = candidates.max(0) + capped[k % rays]
    path = np.zeros(2 * rays, int)
    path[-1] = total.argmax()
    for k in range(2 * rays - 1, 0, -1):
        path[k - 1] = previous[k][path[k]]
    half = rays // 2  # take the middle of the two rounds
    return np.roll(path[half : half + rays], half)


def _trace_rim(strength: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, float]:
    """Radii (RAY_COUNT,) of the rim along the rays (RAY_COUNT, RADIUS_STEPS, 2), and its contrast to the skin."""
    along_rays = cv2.remap(strength, points[..., 0], points[..., 1], cv2.INTER_LINEAR)
    path = strongest_loop(along_rays)
    rim = along_rays[np.arange(RAY_COUNT), path]
    skin = np.quantile(along_rays[LOWER_RAYS], 0.75)
    return RADII[path], float(np.quantile(rim[LOWER_RAYS], 0.15) / max(skin, 1.0))
