"""The square around the face follows the head without jitter."""

from __future__ import annotations

import numpy as np
from face_scenes import HEAD, SIZE, SURFACE, tracked_motion

from asccl.renderers.neural.conditions import Scene
from asccl.renderers.neural.head_crop import CROP_SIDE_CM, head_crop_matrices
from asccl.synthetic.camera import Camera


def test_the_square_scales_with_the_head():
    small, large = (head_crop_matrices([Camera.from_angles(0, 0, 0, side)], SIZE)[0] for side in (200, 400))
    assert np.allclose(small[:, :2], 2 * large[:, :2], rtol=1e-6)


def test_the_square_does_not_jitter():
    motion = tracked_motion(60, jitter=2.0)
    x = Scene.tracked(SURFACE, motion, SIZE).crop_matrices[:, 0, 2]
    assert np.abs(np.diff(x, 2))[8:-8].max() < 0.15 * np.abs(np.diff(motion.translation[:, 0], 2)).max()


def test_the_square_jumps_at_a_cut():
    motion = tracked_motion(60, shot=np.repeat([0, 1], 30))
    motion.translation[30:, 0] += 100
    matrices = Scene.tracked(SURFACE, motion, SIZE).crop_matrices
    heads = np.array([c[:, :2] @ t[:2] + c[:, 2] for c, t in zip(matrices, motion.translation, strict=True)])
    assert np.ptp(heads[:, 0]) < 2  # pixels of the square


def test_the_square_is_higher_than_the_face():
    assert np.ptp(HEAD.neutral[:, 1]) + 3 < CROP_SIDE_CM
