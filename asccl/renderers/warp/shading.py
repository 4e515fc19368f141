"""Skin: brightness from turned normals, and wrinkles lit by the light of the scene."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.sparse import coo_matrix

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.creases import smooth_creases
from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.wrinkles import WrinkleModel
from asccl.types import Image

SKIN_LANDMARKS = (
    *(50, 280, 205, 425, 101, 330, 118, 347, 123, 352, 187, 411, 147, 376, 151, 9, 108, 337),
    *(69, 299, 199, 200, 5, 4, 195, 218, 438, 36, 266),
)
DETAIL_CELLS = 90  # cells of the wrinkle map per face size
WALL_SHADING = 0.11  # strength of the lit and the shaded wall of a wrinkle
MAX_WALL_BRIGHTNESS = 1.04  # factor of a lit wall: brighter ones look like painted strokes
CREASE_GAIN = 0.8  # how far a wrinkle deepens the creases that the skin already has
IMAGE_NOISE = 0.6  # grey levels of roughness that smooth skin shows in any image
DEFAULT_TEXTURE = 0.006  # relative roughness of skin that was not observed
LIGHT_PRIOR = np.array([0.0, -0.25, -0.35])  # from above and from the camera
LIGHT_PRIOR_WEIGHT = 0.05  # over that of the samples
SHADOW_WARMTH = 1.5  # how far a shadow keeps the colours that skin reflects most
SHADOW_SLOPE_RANGE = (0.72, 1.18)
LOG_OFFSET = 12  # grey levels, added before a logarithm
BRIGHTNESS_TOLERANCE, TINT_TOLERANCE = 0.75, 0.35  # log colour difference at which a pixel hardly counts as skin


class SkinModel:
    """Skin and light of one person, from observed frames."""

    def __init__(self, head: HeadModel):
        self._wrinkles = WrinkleModel(head)
        triangles = head.mesh
        faces = np.repeat(np.arange(len(triangles)), 3)
        ones, shape = np.ones(triangles.size), (mesh.NUM_FACE_LANDMARKS, len(triangles))
        self._incidence = coo_matrix((ones, (triangles.ravel(), faces)), shape).tocsr()
        self._corners = np.ascontiguousarray(triangles.T)
        self._samples: list[tuple[np.ndarray, np.ndarray]] = []  # normals (n, 3) and relative brightness (n,)
        self._texture: list[float] = []
        self._likelihoods: list[np.ndarray] = []
        self._colours: list[np.ndarray] = []  # (3,) RGB
        brows = head.neutral[list(mesh.RIGHT_BROW_TOP + mesh.LEFT_BROW_TOP), 1].mean()
        self._forehead = head.neutral[:, 1] < brows - 0.4
        self._light: np.ndarray | None = None
        self._skin_confidence: np.ndarray | None = None
        self._roughness: float | None = None
        self._shadow_slopes: np.ndarray | None = None

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Compute the unit normals of landmarks (468, 3) pixels: (468, 3), towards the camera (z < 0)."""
        corners = points[self._corners]
        (ax, ay, az), (bx, by, bz) = (corners[1] - corners[0]).T, (corners[2] - corners[0]).T
        cross = np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)
        n = self._incidence @ cross
        n /= np.sqrt((n * n).sum(1, keepdims=True)) + 1e-9
        return np.where(n[:, 2].mean() > 0, -n, n)

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Measure light and texture in a frame. landmarks: (478, 3) pixels."""
        xy = np.round(landmarks[list(SKIN_LANDMARKS), :2]).astype(int)
        inside = (xy >= 0).all(1) & (xy[:, 0] < image.shape[1]) & (xy[:, 1] < image.shape[0])
        xy, index = xy[inside], np.array(SKIN_LANDMARKS)[inside]
        if len(xy) < 12:
            return
        sigma = max(1.0, 0.02 * face_size(landmarks))
        x0, y0 = np.maximum(xy.min(0) - int(4 * sigma + 1), 0)
        x1, y1 = xy.max(0) + int(4 * sigma + 2)
        gray = cv2.cvtColor(np.ascontiguousarray(image[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY).astype(np.float32)
        smooth = cv2.GaussianBlur(gray, (0, 0), sigma)
        y, x = xy[:, 1] - y0, xy[:, 0] - x0
        level = smooth[y, x]
        normals = self.normals(landmarks[: mesh.NUM_FACE_LANDMARKS])
        self._samples.append((normals[index], level / max(level.mean(), 1.0)))
        roughness = np.maximum(np.abs(gray - smooth)[y, x] - IMAGE_NOISE, 0) / np.maximum(level, 8.0)
        self._texture.append(float(np.median(roughness)))
        self._likelihoods.append(_skin_likelihood(image, landmarks, xy))
        self._colours.append(np.median(image[xy[:, 1], xy[:, 0]], axis=0))
        self._light = self._skin_confidence = self._roughness = self._shadow_slopes = None

    @property
    def skin_confidence(self) -> np.ndarray:
        """(468, 1) in [0, 1], the weight of a landmark's displacement: below 1 only where hair covers the forehead."""
        if self._skin_confidence is None:
            likelihood = np.median(self._likelihoods, axis=0) if self._likelihoods else np.ones(len(self._forehead))
            self._skin_confidence = np.where(self._forehead, likelihood, 1.0).astype(np.float32)[:, None]
        return self._skin_confidence

    @property
    def light(self) -> np.ndarray:
        """(3,) slope of the relative brightness over the normal; it points towards the light.

        Ridge regression of brightness on normals, with a prior for light from above.
        """
        if self._light is None:
            light = LIGHT_PRIOR
            if self._samples:
                n = np.concatenate([normals for normals, _ in self._samples])
                y = np.concatenate([brightness for _, brightness in self._samples]) - 1
                n = n - n.mean(0)
                gram = n.T @ n + LIGHT_PRIOR_WEIGHT * len(n) * np.eye(3)
                light = np.linalg.solve(gram, n.T @ y + LIGHT_PRIOR_WEIGHT * len(n) * LIGHT_PRIOR)
            self._light = np.clip(light, -0.8, 0.8)
        return self._light

    @property
    def roughness(self) -> float:
        """0.4 for very smooth skin to 1.1 for lined skin: the strength of a drawn wrinkle."""
        if self._roughness is None:
            texture = float(np.median(self._texture)) if self._texture else DEFAULT_TEXTURE
            self._roughness = float(np.clip(0.35 + 95 * texture, 0.4, 1.1))
        return self._roughness

    @property
    def shadow_slopes(self) -> np.ndarray:
        """(3,) slope of each channel, R, G, B, over the brightness of a shadow; exactly 1 on grey skin.

        Light that enters skin leaves it again nearby, mostly in the colours that skin reflects: its shadows keep these.
        """
        if self._shadow_slopes is None:
            colour = np.median(self._colours, axis=0) if self._colours else np.ones(3)
            ratio = colour / max(float(colour.mean()), 1.0)
            self._shadow_slopes = np.clip(1 - SHADOW_WARMTH * (ratio - 1), *SHADOW_SLOPE_RANGE)
        return self._shadow_slopes

    def brightness_ratio(self, points: np.ndarray, edited_points: np.ndarray) -> np.ndarray:
        """Brightness (468,) of the edited surface over that of the source, from both landmarks (468, 3) pixels."""
        light = self.light
        before, after = 1 + self.normals(points) @ light, 1 + self.normals(edited_points) @ light
        return np.clip(np.maximum(after, 0.3) / np.maximum(before, 0.3), 0.85, 1.15).astype(np.float32)

    def shade_wrinkles(
        self, edited_landmarks: np.ndarray, change: np.ndarray, box: Box, size: float
    ) -> tuple[np.ndarray, np.ndarray, Box]:
        """Shade the wrinkles of an edit.

        Args:
            edited_landmarks: (468, 2+) pixels.
            change: of the coefficients, (52,).
            box: part of the frame to cover.
            size: of the face, pixels.

        Returns:
            Brightness factor (h, w), how far creases of the skin deepen (h, w) in [0, 1], and the finer box that both
            cover.
        """
        fine, landmarks, size_in_cells = _fine_cells(edited_landmarks, box, size)
        confidence = float(self.skin_confidence[self._forehead].mean())
        depth = self._wrinkles.depth_map(landmarks, change, fine.grid_shape, size_in_cells, self.roughness, confidence)
        gx = cv2.Sobel(depth, cv2.CV_32F, 1, 0, scale=0.125) * size_in_cells * 0.018
        gy = cv2.Sobel(depth, cv2.CV_32F, 0, 1, scale=0.125) * size_in_cells * 0.018
        to_light = self.light[:2] if np.linalg.norm(self.light[:2]) > 0.05 else np.array([0.0, -1.0])
        to_light = to_light / np.linalg.norm(to_light)
        factor = 1 - self.roughness * (depth - WALL_SHADING * 10 * (gx * to_light[0] + gy * to_light[1]))
        return np.clip(factor, 0.7, MAX_WALL_BRIGHTNESS), np.clip(depth / 0.2, 0, 1), fine

    def smooth_creases(
        self, image: Image, edited_landmarks: np.ndarray, change: np.ndarray, box: Box, size: float
    ) -> None:
        """Smooth out the creases of the source that an edit takes away, in place.

        Args:
            image: pixels of the box, (h, w, 3) uint8 RGB.
            edited_landmarks: (468, 2+) pixels.
            change: of the coefficients, (52,).
            box: part of the frame that the image shows.
            size: of the face, pixels.
        """
        fine, landmarks, size_in_cells = _fine_cells(edited_landmarks, box, size)
        relief = self._wrinkles.relief_map(landmarks, change, fine.grid_shape, size_in_cells)
        smooth_creases(image, relief, landmarks, fine, size_in_cells)


def _fine_cells(landmarks: np.ndarray, box: Box, size: float) -> tuple[Box, np.ndarray, float]:
    """A box with finer cells, and landmarks (468, 2) and face size in these."""
    fine = Box(box.x0, box.y0, box.x1, box.y1, max(1.0, size / DETAIL_CELLS))
    return fine, (landmarks[:, :2] - (box.x0, box.y0)) / fine.cell, size / fine.cell


def _skin_likelihood(image: Image, landmarks: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(468,) in [0, 1]: 1 where a landmark has the colour of the skin pixels (n, 2), 0 on hair or a hat."""
    xy = np.round(landmarks[: mesh.NUM_FACE_LANDMARKS, :2]).astype(int)
    x, y = np.clip(xy[:, 0], 0, image.shape[1] - 1), np.clip(xy[:, 1], 0, image.shape[0] - 1)
    colour = np.log(image[y, x].astype(np.float32) + LOG_OFFSET)
    difference = colour - np.median(np.log(image[skin[:, 1], skin[:, 0]].astype(np.float32) + LOG_OFFSET), axis=0)
    brightness = difference.mean(1)
    tint = np.linalg.norm(difference - brightness[:, None], axis=1)
    return np.exp(-((np.abs(brightness) / BRIGHTNESS_TOLERANCE) ** 4) - (tint / TINT_TOLERANCE) ** 4)
