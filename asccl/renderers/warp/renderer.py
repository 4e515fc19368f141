"""The embedded renderer: warp the source frame by the projected 3D displacement, then shade what turned and creased.

No training and no model of the person: identity, hair and background are the source's own pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.renderers.warp.displacement import Displacement
from asccl.renderers.warp.eyes import IrisModel, restore_eyeballs
from asccl.renderers.warp.field import Box, FaceField, face_size, resample, upsample
from asccl.renderers.warp.glasses import GlassesModel, limit_brow_motion
from asccl.renderers.warp.shading import CREASE_GAIN, SkinModel
from asccl.renderers.warp.teeth import stabilize_teeth
from asccl.types import Image, LazyImage, Motion
from asccl.video.lazy_image import overlay_patch

STILL = 0.03  # pixels that count as no motion
# a shadow on skin keeps more red than blue: brightness -> 1 + (brightness - 1) * share, for R, G, B
REDDENED = np.array([[0.85, 0.15], [1.0, 0.0], [1.05, -0.05]], np.float32)


class WarpRenderer:
    """Backward warp over the face box; see `Renderer`."""

    def __init__(self, head: HeadModel):
        self._displacement = Displacement(head)
        self._field = FaceField(head)
        self.skin = SkinModel(head)
        self.eyes = IrisModel()
        self.glasses = GlassesModel()
        self._motion: Motion | None = None
        self._new: Motion | None = None

    def observe(self, image: Image, landmarks: np.ndarray) -> None:
        self.skin.observe(image, landmarks)
        self.eyes.observe(image, landmarks)
        self.glasses.observe(image, landmarks)

    def plan(self, motion: Motion, new: Motion) -> None:
        self._motion, self._new = motion, new

    def render(self, picture: LazyImage, landmarks: np.ndarray, t: int) -> LazyImage:
        assert self._motion is not None and self._new is not None, "plan first"
        change = self._new.coefficients[t] - self._motion.coefficients[t]
        gain = 1.0 if self._new.lip_gain is None else float(self._new.lip_gain[t])
        if not np.isfinite(landmarks[0, 0]) or (np.abs(change).max() < 1e-4 and abs(gain - 1) < 1e-4):
            return picture
        d = self._displacement(self._motion, self._new, t, landmarks) * self.skin.skin_confidence
        points = landmarks[: mesh.NUM_FACE_LANDMARKS]
        moved = points + d
        box = self._field.edit_box(landmarks, moved, picture.shape)
        if box.empty:
            return picture
        free = self.glasses.motion_weights(landmarks, box)
        if free is not None:
            share = sample(free, moved, box)[:, None]
            d = limit_brow_motion(d, share)
        values = np.concatenate([d[:, :2], self.skin.brightness_ratio(points, moved)[:, None] - 1], 1)
        field = self._field.interpolate(landmarks, moved, values, box)
        if free is not None:
            field[..., :2] *= free[..., None]
            d = d * share
            moved = points + d
        box, field = busy_part(field, box)
        if box.empty:
            return picture
        creased = self._displacement.stabilize_forehead(self._motion, t, moved, d)
        painted = self._paint(picture, landmarks, moved, creased, field, change, box)
        return overlay_patch(picture, box.x0, box.y0, painted)

    def _paint(self, picture: LazyImage, landmarks, moved, creased, field, change, box: Box) -> Image:
        size = face_size(landmarks)
        motion = upsample(field[..., :2], box)
        stabilize_teeth(motion, landmarks, moved, box)
        source, warped = warp(picture, motion, box)
        restore_eyeballs(source, warped, landmarks, moved, box, self.eyes.radius_ratio)
        factor, depth, fine = self.skin.shade_wrinkles(creased, change, box, size)
        light = factor * (1 + resample(field[..., 2], box, fine))
        light, depth = cv2.split(upsample(cv2.merge([light, depth]), fine))
        return relight(warped, light, depth, size)


def sample(field: np.ndarray, points: np.ndarray, box: Box) -> np.ndarray:
    """Values (n,) of a coarse field (h, w) over the box at points (n, 2+) of the frame."""
    at = ((points[:, :2] - (box.x0, box.y0)) / box.cell).astype(np.float32)
    return cv2.remap(field, at[:, 0], at[:, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]


def busy_part(field: np.ndarray, box: Box) -> tuple[Box, np.ndarray]:
    """The part of a box, and of its coarse field (h, w, 3), in which something moves or changes its light."""
    x, y, light = cv2.split(np.abs(field))
    busy = (x > STILL) | (y > STILL) | (light > STILL / 10)
    ys, xs = np.flatnonzero(busy.any(1)), np.flatnonzero(busy.any(0))
    if len(ys) == 0:
        return Box(0, 0, 0, 0, box.cell), field
    y0, y1, x0, x1 = max(ys[0] - 1, 0), ys[-1] + 2, max(xs[0] - 1, 0), xs[-1] + 2
    px0, py0 = box.x0 + int(np.ceil(x0 * box.cell)), box.y0 + int(np.ceil(y0 * box.cell))
    px1, py1 = min(box.x1, box.x0 + int(x1 * box.cell)), min(box.y1, box.y0 + int(y1 * box.cell))
    return Box(px0, py0, px1, py1, box.cell, (px0 - box.x0, py0 - box.y0)), field


def warp(picture: LazyImage, field: np.ndarray, box: Box) -> tuple[Image, Image]:
    """The pixels of the box before and after a backward warp: p takes what is at p - field(p), field (h, w, 2)."""
    dx, dy = cv2.split(field)
    reach = int(np.ceil(max(cv2.norm(dx, cv2.NORM_INF), cv2.norm(dy, cv2.NORM_INF)))) + 2  # a cubic looks at two
    x0, y0 = max(box.x0 - reach, 0), max(box.y0 - reach, 0)
    around = picture[y0 : box.y1 + reach, x0 : box.x1 + reach]
    left, top = box.x0 - x0, box.y0 - y0
    h, w = dx.shape
    map_x = np.arange(left, left + w, dtype=np.float32)[None] - dx
    map_y = np.arange(top, top + h, dtype=np.float32)[:, None] - dy
    warped = cv2.remap(around, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return around[top : top + h, left : left + w], warped


def relight(image: Image, light: np.ndarray, depth: np.ndarray, size: float) -> Image:
    """Multiply by a brightness (h, w), and deepen the skin's own creases where depth (h, w) in [0, 1] says so."""
    if depth.max() > 0.02:
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        reach = 2 * max(1, round(0.03 * size)) + 1
        smooth = cv2.blur(cv2.blur(gray, (reach, reach)), (reach, reach))
        detail = np.clip(cv2.subtract(gray, smooth, dtype=cv2.CV_32F), -25, 8)
        light = light + CREASE_GAIN * depth * detail / np.maximum(gray, 16)
    gain = cv2.merge([light * slope + level for slope, level in REDDENED])
    return cv2.multiply(image, gain, dtype=cv2.CV_8U)
