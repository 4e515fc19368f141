"""A generated face is pasted into its frame without a seam."""

import numpy as np
import pytest

from asccl.face import mesh
from asccl.renderers.icface.compositing import match_outline, paste_face, soft_face_mask

SIZE = 64
SQUARE = np.array([[0.5, 0.0, -20.0], [0.0, 0.5, -10.0]])  # from a frame of 200 x 180 pixels


def oval_landmarks(centre: tuple[float, float] = (104.0, 84.0), radius: float = 45.0) -> np.ndarray:
    """The outline of a round face."""
    landmarks = np.zeros((478, 3))
    angles = np.linspace(0, 2 * np.pi, len(mesh.FACE_OVAL), endpoint=False)
    landmarks[list(mesh.FACE_OVAL), :2] = np.column_stack([np.sin(angles), -np.cos(angles)]) * radius + centre
    return landmarks


def noisy_frame() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 200, (180, 200, 3), dtype=np.uint8)


def test_the_mask_rises_from_the_outline_inwards():
    mask = soft_face_mask(oval_landmarks(), SQUARE, SIZE)
    assert mask[32, 32] == 1
    assert mask[32, 8] == 0
    row = mask[32, :33]
    assert (np.diff(row) >= 0).all()
    assert ((row > 0) & (row < 1)).sum() >= 3


def test_the_mask_ends_at_the_border_of_the_square():
    mask = soft_face_mask(oval_landmarks(radius=200.0), SQUARE, SIZE)
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) == 0


def test_nothing_changes_outside_of_the_face():
    frame, mask = noisy_frame(), soft_face_mask(oval_landmarks(), SQUARE, SIZE)
    out = paste_face(frame, np.zeros((SIZE, SIZE, 3), np.float32), mask, SQUARE)
    rows, columns = np.mgrid[:180, :200]
    outside = np.hypot(columns - 104, rows - 84) > 47
    assert np.array_equal(out[outside], frame[outside])
    assert out[84, 104].tolist() == [0, 0, 0]


def test_a_face_outside_of_the_frame_leaves_it_as_it_is():
    frame = noisy_frame()
    mask = soft_face_mask(oval_landmarks(), SQUARE, SIZE)
    moved = SQUARE.copy()
    moved[:, 2] += 500
    assert paste_face(frame, np.zeros((SIZE, SIZE, 3), np.float32), mask, moved) is frame


def test_a_face_beyond_the_border_of_the_frame_is_cut():
    frame, centre = noisy_frame(), (190.0, 84.0)
    square = SQUARE.copy()
    square[0, 2] = 32 - 0.5 * centre[0]
    mask = soft_face_mask(oval_landmarks(centre), square, SIZE)
    out = paste_face(frame, np.zeros((SIZE, SIZE, 3), np.float32), mask, square)
    assert out.shape == frame.shape
    assert out[84, 195].max() == 0


def test_a_constant_error_of_colour_leaves_no_seam():
    mask = soft_face_mask(oval_landmarks(), SQUARE, SIZE)
    source = np.full((SIZE, SIZE, 3), 120, np.uint8)
    toned = match_outline(np.full_like(source, 90), source, mask)
    assert toned[mask > 0] == pytest.approx(120, abs=1)
