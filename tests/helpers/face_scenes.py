"""Synthetic and tracked heads in front of a camera, for tests of the neural renderer."""

from __future__ import annotations

import numpy as np

from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.neural.conditions import Conditions, Scene
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.synthetic.camera import Camera
from asccl.types import Motion

HEAD = load_anny_head()
SURFACE = FaceSurface(HEAD)
SIZE = 96  # pixels, side of a crop


def units(**values: float) -> np.ndarray:
    """(52,) coefficients."""
    out = np.zeros(len(HEAD.names), np.float32)
    for name, value in values.items():
        out[HEAD.index[name]] = value
    return out


def synthetic_scene(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, frames: int = 1) -> Scene:
    """The average head, turned in degrees and by one degree of yaw more in each frame."""
    views = [Camera.from_angles(yaw + t, pitch, roll, 300) for t in range(frames)]
    return Scene.synthetic(SURFACE, None, views, SIZE)


def frontal_conditions(**values: float) -> Conditions:
    """The conditions of one frame of the average head from the front, with an expression."""
    return synthetic_scene().conditions(units(**values)[None])


def tracked_motion(frames: int, jitter: float = 0.0, shot: np.ndarray | None = None) -> Motion:
    """A head that drifts to the right by a pixel a frame, posed by weak perspective. jitter: pixels."""
    rng = np.random.default_rng(2)
    ones = np.ones(frames, np.float32)
    translation = np.zeros((frames, 3), np.float32)
    translation[:, 0] = 200 + np.arange(frames) + jitter * rng.standard_normal(frames)
    translation[:, 1] = 150
    rotation = np.repeat(np.eye(3, dtype=np.float32)[None], frames, 0)
    coefficients = np.zeros((frames, 52), np.float32)
    return Motion(coefficients, 9 * ones, rotation, translation, HEAD.neutral.copy(), ones, shot=shot)
