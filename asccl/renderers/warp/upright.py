"""Edit faces that lie on their side or upside down as upright faces: the frame is turned, edited and turned back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from asccl.face.crop import QUARTER_TURN, quarter_turns, turn_points
from asccl.types import Image, LazyImage, Motion
from asccl.video.lazy_image import TurnedImage

RenderFrame = Callable[[Motion, Motion, LazyImage, np.ndarray], LazyImage]  # motion, edited, frame, landmarks


def render_upright(
    render: RenderFrame, motion: Motion, edited: Motion, image: LazyImage, landmarks: np.ndarray
) -> LazyImage:
    """Render a frame by a function that expects an upright face.

    Args:
        render: returns the frame itself where nothing changes.
        motion: of the source in this frame, one frame.
        edited: of the edit, one frame.
        image: the frame.
        landmarks: of its face, (478, 3) pixels.

    Returns:
        The edited frame; the same object where nothing changes.
    """
    turns = quarter_turns(landmarks)
    turned = TurnedImage(image, turns)
    turned_motion, turned_edited = (_turn_motion(m, image.shape, turns) for m in (motion, edited))
    out = render(turned_motion, turned_edited, turned, turn_points(landmarks, image.shape, turns))
    return out.base if isinstance(out, TurnedImage) else out


def turn_upright(image: Image, landmarks: np.ndarray) -> tuple[Image, np.ndarray]:
    """Turn an image (H, W, 3) and its landmarks (478, 3) by quarter turns until the face is upright."""
    turns = quarter_turns(landmarks)
    if turns == 0:
        return image, landmarks
    return np.ascontiguousarray(np.rot90(image, turns)), turn_points(landmarks, image.shape, turns)


def _turn_motion(motion: Motion, shape: tuple[int, ...], turns: int) -> Motion:
    turn = np.eye(3, dtype=motion.rotation.dtype)
    turn[:2, :2] = np.linalg.matrix_power(QUARTER_TURN, turns)
    return replace(motion, rotation=turn @ motion.rotation, translation=turn_points(motion.translation, shape, turns))
