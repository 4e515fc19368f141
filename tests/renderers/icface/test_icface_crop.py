"""The square around a face that ICface's networks read."""

from dataclasses import replace

import numpy as np
import pytest

from asccl.face.crop import QUARTER_TURN
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.icface.crop import face_crop_matrices, upright_rotations
from asccl.types import Motion

HEAD = load_anny_head()
FRAMES = 20


def still_motion(**changes) -> Motion:
    """A frontal head of 10 pixels per cm at (200, 150)."""
    motion = Motion(
        coefficients=np.zeros((FRAMES, 52), np.float32),
        scale=np.full(FRAMES, 10.0),
        rotation=np.tile(np.eye(3), (FRAMES, 1, 1)),
        translation=np.tile([200.0, 150.0, 0.0], (FRAMES, 1)),
        identity=HEAD.neutral,
        weight=np.ones(FRAMES, np.float32),
    )
    return replace(motion, **changes)


def corners(matrix: np.ndarray, size: int) -> np.ndarray:
    """Corners of the square in the frame, (2, 2): first and last pixel."""
    return (np.array([[0, 0], [size - 1, size - 1]]) - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def test_the_square_contains_the_face_with_a_margin():
    landmarks = 10 * HEAD.neutral[:, :2] + (200, 150)
    low, high = corners(face_crop_matrices(still_motion(), 64)[0], 64)
    margin = np.concatenate([landmarks.min(0) - low, high - landmarks.max(0)]) / 10
    assert margin.min() > 2
    assert margin.max() < 8


def test_the_square_is_as_steady_as_the_head_and_ignores_the_jaw():
    rng = np.random.default_rng(0)
    translation = np.array([200.0, 150.0, 0.0]) + rng.normal(0, 2, (FRAMES, 3))
    jaw = np.zeros((FRAMES, 52), np.float32)
    jaw[::2, HEAD.index["jawOpen"]] = 1
    matrices = face_crop_matrices(still_motion(translation=translation, coefficients=jaw), 64)
    centres = np.array([corners(matrix, 64).mean(0) for matrix in matrices])
    assert centres.std(0).max() < 1
    assert np.ptp(matrices[:, 0, 0]) < 1e-6


def test_each_shot_has_a_square_of_its_own():
    translation = np.tile([200.0, 150.0, 0.0], (FRAMES, 1))
    translation[10:, 0] += 300
    shot = np.repeat([0, 1], 10)
    matrices = face_crop_matrices(still_motion(translation=translation, shot=shot), 64)
    centres = np.array([corners(matrix, 64).mean(0)[0] for matrix in matrices])
    assert np.ptp(centres[:10]) < 1e-6
    assert centres[10] - centres[9] == pytest.approx(300)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_head_on_its_side_or_upside_down_stands_upright_in_its_square(turns):
    turn = np.eye(3)
    turn[:2, :2] = np.linalg.matrix_power(QUARTER_TURN, turns).T
    motion = still_motion(rotation=np.tile(turn, (FRAMES, 1, 1)))
    matrix = face_crop_matrices(motion, 64)[0]
    down = matrix[:, :2] @ turn[:2, 1]
    assert down[1] > 0.1
    assert abs(down[0]) < 1e-6
    assert upright_rotations(motion)[0] == pytest.approx(np.eye(3), abs=1e-9)


def test_a_clip_without_frames_has_no_squares():
    empty = still_motion().select(np.zeros(0, int))
    assert face_crop_matrices(empty, 64).shape == (0, 2, 3)
