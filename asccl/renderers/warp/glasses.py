"""Glasses: what rests on the nose does not move with the skin beneath it."""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.renderers.warp.field import Box, face_size
from asccl.types import Image

RAYS, NEAR, FAR, STEPS = 48, 0.13, 0.46, 36  # from the middle of an eye outwards, in face sizes
STANDOFF = 0.2  # of the face size: so far before the lids is a lens
THIN = 0.035  # of the face size: a rim is thinner than this
WORN = 1.9  # contrast of nearly all of the lower rims over the skin around them, from which glasses are believed in
LOOKS = 6
HELD = 0.1  # of the face size: about so far from a rim the skin moves again; near to it, brows hardly do

EYES = (mesh.RIGHT_EYE, mesh.LEFT_EYE)
RAY_ANGLES = 2 * np.pi * np.arange(RAYS) / RAYS
BELOW = (np.sin(RAY_ANGLES) > 0.35) & (np.abs(np.cos(RAY_ANGLES)) < 0.94)  # where no brow can be taken for a rim
RADII = np.linspace(NEAR, FAR, STEPS)


class GlassesModel:
    """Whether a person wears glasses and where their rims are, from frames shown to `study`."""

    def __init__(self) -> None:
        self._rims: list[np.ndarray] = []
        self._contrast: list[float] = []
        self._usual: np.ndarray | None = None  # (2, RAYS) radii of both rims, where glasses are worn

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        """Look for rims in a frame. landmarks: (478, 3). After `LOOKS` frames without any it looks no more."""
        if len(self._contrast) >= LOOKS and max(self._contrast) < WORN:
            return
        loops = [lens_points(landmarks, eye, RADII) for eye in EYES]
        corners = np.concatenate(loops).reshape(-1, 2)
        x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - 9, 0)
        x1, y1 = np.maximum(np.ceil(corners.max(0)).astype(int) + 9, 0)
        part = np.ascontiguousarray(image[y0:y1, x0:x1])
        if min(part.shape[:2]) < 16:
            return
        thin = line_strength(part, face_size(landmarks))
        found = [self._trace(thin, loop - np.array([x0, y0], np.float32)) for loop in loops]
        self._rims.append(np.stack([path for path, _ in found]))
        self._contrast.append(min(contrast for _, contrast in found))
        worn = np.median(self._contrast) > WORN
        self._usual = np.median(self._rims, axis=0) if worn else None

    def _trace(self, thin: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, float]:
        strength = cv2.remap(thin, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        path = strongest_loop(strength)
        along = strength[np.arange(RAYS), path]
        skin = np.quantile(strength[BELOW], 0.75)
        return RADII[path], float(np.quantile(along[BELOW], 0.15) / max(skin, 1.0))

    @property
    def detected(self) -> bool:
        return self._usual is not None

    def rims(self, landmarks: np.ndarray) -> list[np.ndarray]:
        """Two loops (RAYS, 2) in pixels of a frame, around the right and the left eye; none without glasses."""
        if self._usual is None:
            return []
        return [
            lens_points(landmarks, eye, radius[:, None])[:, 0] for eye, radius in zip(EYES, self._usual, strict=True)
        ]

    def motion_weights(self, landmarks: np.ndarray, box: Box) -> np.ndarray | None:
        """The share (h, w) of its motion that a cell of a coarse field over the box may make: 0 at the rims, 1 far
        from them. None where no glasses are worn."""
        if not self.detected:
            return None
        away = np.full(box.grid_shape, 255, np.uint8)
        for rim in self.rims(landmarks):
            corners = np.round((rim - (box.x0, box.y0)) / box.cell * 16).astype(np.int32)
            cv2.polylines(away, [corners], True, 0, 1, cv2.LINE_8, 4)
        distance = cv2.distanceTransform(away, cv2.DIST_L2, 5) * (box.cell / (HELD * face_size(landmarks)))
        return 1 - np.exp(-(distance**2))


def limit_brow_motion(d: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Motion d (468, C), of which each point may make a share (468, 1): the upper rows of the brows are slowed so that
    they move no further than the lower ones, which lie closer to the rims."""
    out = d.copy()
    for top, low in ((mesh.RIGHT_BROW_TOP, mesh.RIGHT_BROW_LOW), (mesh.LEFT_BROW_TOP, mesh.LEFT_BROW_LOW)):
        upper, lower = share[list(top)], share[list(low)]
        out[list(top)] *= np.minimum(lower / np.maximum(upper, 1e-3), 1)
    return out


def lens_points(landmarks: np.ndarray, eye: tuple[int, ...], radii: np.ndarray) -> np.ndarray:
    """Points of the plane of a lens: radii (R,) or (RAYS, R) in face sizes -> (RAYS, R, 2) float32 pixels."""
    across = landmarks[263] - landmarks[33]
    size = face_size(landmarks)
    across = across / size
    down = landmarks[mesh.FACE_OVAL[18]] - landmarks[mesh.FACE_OVAL[0]]
    down = down - (down @ across) * across
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    out = np.cross(across, down)
    out = -out if out[2] > 0 else out  # towards the viewer
    middle = landmarks[list(eye)].mean(0) + STANDOFF * size * out
    radii = np.broadcast_to(radii, (RAYS, np.shape(radii)[-1]))
    ray = np.cos(RAY_ANGLES)[:, None] * across + np.sin(RAY_ANGLES)[:, None] * down
    return (middle + size * radii[..., None] * ray[:, None])[..., :2].astype(np.float32)


def line_strength(image: Image, size: float) -> np.ndarray:
    """How far each pixel of a picture stands out as part of a thin line, bright or dark: (h, w) float32 levels."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    kernel = np.ones((2 * max(1, round(0.5 * THIN * size)) + 1,) * 2, np.uint8)
    bright = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, kernel)
    dark = cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, kernel)
    return cv2.blur(cv2.max(bright, dark), (3, 3)).astype(np.float32)


def strongest_loop(strength: np.ndarray) -> np.ndarray:
    """The loop (RAYS,) of columns along which strength (RAYS, STEPS) is greatest, from ray to ray no further than to
    the next column."""
    capped = np.minimum(strength, 2.5 * np.quantile(strength, 0.9))
    best = np.zeros(strength.shape[1], np.float32)
    came = np.zeros((2 * len(strength), strength.shape[1]), int)
    for k in range(2 * len(strength)):  # twice round, so that the end knows of the beginning
        padded = np.pad(best, 1, constant_values=-np.inf)
        choice = np.stack([padded[:-2], padded[1:-1], padded[2:]])
        came[k] = np.arange(len(best)) + choice.argmax(0) - 1
        best = choice.max(0) + capped[k % len(strength)]
    path = np.zeros(len(came), int)
    path[-1] = best.argmax()
    for k in range(len(came) - 1, 0, -1):
        path[k - 1] = came[k][path[k]]
    half = len(strength) // 2  # the middle one of the two rounds knows of both ends
    return np.roll(path[half : half + len(strength)], half)
