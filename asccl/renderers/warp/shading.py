"""Skin: shading from turned normals, and folds that the light of the scene draws into the skin's own texture."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.sparse import coo_matrix

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.wrinkles import WrinkleModel
from asccl.types import Image

SKIN = (50, 280, 205, 425, 101, 330, 118, 347, 123, 352, 187, 411, 147, 376, 151, 9, 108, 337, 69, 299, 199, 200, 5, 4,
        195, 218, 438, 36, 266)  # fmt: skip
DETAIL_CELLS = 90  # cells of the fold map per face size
MODELLING = 0.11  # strength of a fold's lit and shaded walls
CREASE_GAIN = 0.8  # how far a fold deepens the creases that the skin already has
NOISE = 0.6  # grey levels that a smooth skin seems rough by in any picture


class SkinModel:
    """What a renderer knows of one person's skin and light; filled by `study`."""

    def __init__(self, head: HeadModel):
        self._folds = WrinkleModel(head)
        t = head.mesh
        rows = np.repeat(np.arange(len(t)), 3)
        self._incidence = coo_matrix((np.ones(t.size), (t.ravel(), rows)), (mesh.NUM_FACE_LANDMARKS, len(t))).tocsr()
        self._mesh = t
        self._samples: list[tuple[np.ndarray, np.ndarray]] = []
        self._texture: list[float] = []
        self._alike: list[np.ndarray] = []
        brows = head.neutral[list(mesh.RIGHT_BROW_TOP + mesh.LEFT_BROW_TOP), 1].mean()
        self._forehead = head.neutral[:, 1] < brows - 0.4
        self._light: np.ndarray | None = None
        self._bareness: np.ndarray | None = None

    def normals(self, points: np.ndarray) -> np.ndarray:
        """(468, 3) pixels -> (468, 3) unit normals, towards the viewer (z < 0)."""
        a, b, c = (points[self._mesh[:, k]] for k in range(3))
        n = self._incidence @ np.cross(b - a, c - a)
        n /= np.linalg.norm(n, axis=1, keepdims=True) + 1e-9
        return np.where(n[:, 2].mean() > 0, -n, n)

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Take light and texture from a frame."""
        size = face_size(landmarks)
        at = np.round(landmarks[list(SKIN), :2]).astype(int)
        inside = (at >= 0).all(1) & (at[:, 0] < image.shape[1]) & (at[:, 1] < image.shape[0])
        at, index = at[inside], np.array(SKIN)[inside]
        if len(at) < 12:
            return
        sigma = max(1.0, 0.02 * size)
        x0, y0 = np.maximum(at.min(0) - int(4 * sigma + 1), 0)
        x1, y1 = at.max(0) + int(4 * sigma + 2)
        gray = cv2.cvtColor(np.ascontiguousarray(image[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY).astype(np.float32)
        smooth = cv2.GaussianBlur(gray, (0, 0), sigma)
        y, x = at[:, 1] - y0, at[:, 0] - x0
        level = smooth[y, x]
        self._samples.append(
            (self.normals(landmarks[: mesh.NUM_FACE_LANDMARKS])[index], level / max(level.mean(), 1.0))
        )
        rough = np.maximum(np.abs(gray - smooth)[y, x] - NOISE, 0) / np.maximum(level, 8.0)
        self._texture.append(float(np.median(rough)))
        self._alike.append(self._skin_likeness(image, landmarks, at))
        self._light = self._bareness = None

    def _skin_likeness(self, image: Image, landmarks: np.ndarray, skin: np.ndarray) -> np.ndarray:
        """(468,) in [0, 1]: 1 where a landmark has the colour of the skin samples (n, 2), 0 on hair or a hat."""
        xy = np.round(landmarks[: mesh.NUM_FACE_LANDMARKS, :2]).astype(int)
        x, y = np.clip(xy[:, 0], 0, image.shape[1] - 1), np.clip(xy[:, 1], 0, image.shape[0] - 1)
        colour = np.log(image[y, x].astype(np.float32) + 12)
        own = np.median(np.log(image[skin[:, 1], skin[:, 0]].astype(np.float32) + 12), axis=0)
        brightness = np.abs((colour - own).mean(1))
        tint = np.linalg.norm((colour - own) - (colour - own).mean(1, keepdims=True), axis=1)
        return np.exp(-((brightness / 0.75) ** 4) - (tint / 0.35) ** 4)

    @property
    def skin_confidence(self) -> np.ndarray:
        """(468, 1): the share of a motion that a landmark may make. Below 1 only where hair hangs over the forehead."""
        if self._bareness is None:
            alike = np.median(self._alike, axis=0) if self._alike else np.ones(mesh.NUM_FACE_LANDMARKS)
            self._bareness = np.where(self._forehead, alike, 1.0).astype(np.float32)[:, None]
        return self._bareness

    @property
    def light(self) -> np.ndarray:
        """(3,) slope of relative brightness over the normal: points to where the light comes from, seen as n."""
        if self._light is None:
            prior = np.array([0.0, -0.25, -0.35])
            if self._samples:
                n = np.concatenate([s[0] for s in self._samples])
                y = np.concatenate([s[1] for s in self._samples]) - 1
                n = n - n.mean(0)
                gram = n.T @ n + 0.05 * len(n) * np.eye(3)
                prior = np.linalg.solve(gram, n.T @ y + 0.05 * len(n) * prior)
            self._light = np.clip(prior, -0.8, 0.8)
        return self._light

    @property
    def roughness(self) -> float:
        """0.4 for very smooth skin to 1.3 for lined skin: how strong a drawn fold may be."""
        texture = float(np.median(self._texture)) if self._texture else 0.006
        return float(np.clip(0.35 + 95 * texture, 0.4, 1.3))

    def brightness_ratio(self, points: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """Brightness (468,) of the moved surface over that of the source's, from the turn of the normals."""
        light = self.light
        before, after = 1 + self.normals(points) @ light, 1 + self.normals(moved) @ light
        return np.clip(np.maximum(after, 0.3) / np.maximum(before, 0.3), 0.85, 1.15).astype(np.float32)

    def shade_wrinkles(
        self, moved: np.ndarray, change: np.ndarray, box: Box, size: float
    ) -> tuple[np.ndarray, np.ndarray, Box]:
        """Where the moved skin (468, 2+) creases under a change of coefficients (52,).

        Returns a brightness factor (h, w), the depth of the creases (h, w) in [0, 1], and the box they are laid on.
        """
        fine = Box(box.x0, box.y0, box.x1, box.y1, max(1.0, size / DETAIL_CELLS))
        xy = (moved[:, :2] - (box.x0, box.y0)) / fine.cell
        unit = size / fine.cell  # face size in cells
        bare = float(self.skin_confidence[self._forehead].mean())
        valley = self._folds.depth_map(xy, change, fine.grid_shape, unit, self.roughness, bare)
        gx = cv2.Sobel(valley, cv2.CV_32F, 1, 0, scale=0.125) * unit * 0.018
        gy = cv2.Sobel(valley, cv2.CV_32F, 0, 1, scale=0.125) * unit * 0.018
        to_light = self.light[:2] if np.linalg.norm(self.light[:2]) > 0.05 else np.array([0.0, -1.0])
        to_light = to_light / np.linalg.norm(to_light)
        factor = 1 - self.roughness * (valley - MODELLING * 10 * (gx * to_light[0] + gy * to_light[1]))
        return np.clip(factor, 0.7, 1.2), np.clip(valley / 0.2, 0, 1), fine
