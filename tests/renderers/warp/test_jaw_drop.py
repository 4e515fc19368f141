"""A jaw that drops opens the mouth between its rows of teeth, and takes the chin along."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.displacement import Displacement
from asccl.renderers.warp.field import Box, FaceField, face_size, upsample
from asccl.renderers.warp.jaw_drop import FREE_SPLIT_GAP, MAX_SPLIT_CHANGE, JawDrop, SteadySplit, drop_of, row_split
from asccl.renderers.warp.lips import MIN_SCALED_LIP_GAP
from asccl.renderers.warp.mouth_corners import close_corners
from asccl.renderers.warp.teeth import stabilize_teeth
from asccl.renderers.warp.warping import warp
from asccl.types import Motion

HEAD = load_anny_head()
FIELD = FaceField(HEAD)
SIZE, SCALE = (360, 360), 22.0
SKIN, LIP, TOOTH, DARK = (200, 150, 130), (180, 100, 95), (235, 230, 220), (30, 14, 14)
SPLIT = 0.4  # of the opening: the edges of both rows of teeth


def face_motion(**units: float) -> tuple[Motion, np.ndarray]:
    """One frame of the average head, and its landmarks (478, 3) pixels."""
    coefficients = np.zeros((1, 52), np.float32)
    for name, value in units.items():
        coefficients[0, HEAD.index[name]] = value
    translation = np.array([[180.0, 180.0, 0.0]]) - SCALE * HEAD.neutral.mean(0)
    motion = Motion(coefficients, np.array([SCALE]), np.eye(3)[None], translation, HEAD.neutral, np.ones(1))
    points = np.zeros((478, 3), np.float32)
    shape = HEAD.neutral + np.einsum("k,knc->nc", coefficients[0], HEAD.expression)
    points[:468] = SCALE * shape + translation[0]
    return motion, points


def parted(parting: float, **units: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks before, their displacement, and the growth of the opening for lips that part by cm."""
    motion, points = face_motion(**units)
    edited = replace(motion, lip_parting=np.array([parting], np.float32))
    move = Displacement(HEAD)
    return points, move(motion, edited, 0, points), move.jaw_growth(motion, edited, 0, points)


def draw_teeth(points: np.ndarray) -> np.ndarray:
    """Two rows of teeth that meet, with a dark line between them."""
    image = np.full((*SIZE, 3), LIP, np.uint8)
    cv2.fillPoly(image, [np.round(points[list(mesh.INNER_LIPS), :2]).astype(np.int32)], TOOTH)
    upper, lower = points[list(mesh.UPPER_INNER_LIP), :2], points[list(mesh.LOWER_INNER_LIP), :2]
    edge = np.round(upper + SPLIT * (lower - upper)).astype(np.int32)
    cv2.polylines(image, [edge], False, DARK, 2)
    return image


def test_closed_lips_part_by_as_much_as_asked():
    _, d, _ = parted(0.6)
    gap = d[14, 1] - d[13, 1]
    assert gap == pytest.approx(0.6 * SCALE, rel=0.1)


@pytest.mark.parametrize(("jaw", "share"), [(0.3, 1.0), (0.7, 0.74)])
def test_a_mouth_that_is_wide_open_opens_less(jaw, share):
    motion, points = face_motion(jawOpen=jaw)
    gap = points[14, 1] - points[13, 1] - MIN_SCALED_LIP_GAP * face_size(points)
    growth = Displacement(HEAD).jaw_growth(motion, replace(motion, lip_gain=np.array([1.6])), 0, points)[4]
    assert growth == pytest.approx(share * 0.6 * gap, rel=0.05)


def test_the_upper_lip_stays_and_the_chin_goes_down():
    _, d, _ = parted(0.6)
    assert abs(d[13, 1]) < 0.15 * d[14, 1]
    assert d[152, 1] > 0.25 * d[14, 1]


def test_the_outline_beside_the_chin_stays():
    _, d, _ = parted(0.6)
    assert np.abs(d[[234, 454, 127, 356]]).max() < 0.5


def test_rows_part_along_the_dark_line_between_them():
    _, points = face_motion(jawOpen=0.3)
    assert row_split(draw_teeth(points), points)[2:7] == pytest.approx(np.full(5, SPLIT), abs=0.05)


def test_below_a_single_row_of_teeth_the_mouth_opens_beside_the_lower_lip():
    _, points = face_motion(jawOpen=0.3)
    image = np.full((*SIZE, 3), LIP, np.uint8)
    cv2.fillPoly(image, [np.round(points[list(mesh.INNER_LIPS), :2]).astype(np.int32)], TOOTH)
    assert row_split(image, points)[2:7].min() > 0.9


def test_rows_do_not_part_in_the_shadow_of_the_lip_on_the_upper_teeth():
    _, points = face_motion(jawOpen=0.3)
    image = np.full((*SIZE, 3), LIP, np.uint8)
    upper, lower = points[list(mesh.UPPER_INNER_LIP), :2], points[list(mesh.LOWER_INNER_LIP), :2]
    for fraction in np.linspace(0, 1, 80):  # dark below the upper lip, brighter and brighter down to its middle
        colour = np.array(DARK) + min(1.6 * fraction, 1) * (np.array(TOOTH) - DARK)
        edge = np.round(upper + fraction * (lower - upper)).astype(np.int32)
        cv2.polylines(image, [edge], False, colour.tolist(), 2)
    assert row_split(image, points)[2:7].min() > 0.9


@pytest.mark.parametrize(("jaw", "line"), [(0.16, 1.0), (0.3, 0.33)])
def test_a_dark_line_near_the_upper_lip_is_a_shadow_in_a_narrow_mouth_alone(jaw, line):
    _, points = face_motion(jawOpen=jaw)
    image = np.full((*SIZE, 3), LIP, np.uint8)
    upper, lower = points[list(mesh.UPPER_INNER_LIP), :2], points[list(mesh.LOWER_INNER_LIP), :2]
    for fraction in np.linspace(0, 1, 80):
        colour = DARK if fraction < 0.33 else TOOTH
        edge = np.round(upper + fraction * (lower - upper)).astype(np.int32)
        cv2.polylines(image, [edge], False, colour, 1)
    assert row_split(image, points)[2:7] == pytest.approx(np.full(5, line), abs=0.09)


def splits(frames: list[int], values: list[float], gap: float = 0.12) -> list[float]:
    """Splits that are found in some frames, made steady, in the middle of the mouth."""
    steady, found = SteadySplit(), []
    for frame, value in zip(frames, values, strict=True):
        steady.begin(frame)
        found.append(float(steady.update(np.full(9, value), gap)[4]))
    return found


def test_rows_that_part_along_another_line_in_one_frame_do_not_jump():
    steady = splits([0, 1, 2, 3, 4], [0.6, 0.6, 1.0, 0.6, 0.6])
    assert np.abs(np.diff(steady)).max() == pytest.approx(MAX_SPLIT_CHANGE)


def test_after_a_gap_rows_part_where_the_frame_shows_it():
    assert splits([0, 1, 5], [0.6, 0.6, 1.0])[-1] == 1.0


def test_in_a_narrow_mouth_rows_may_part_along_another_line_at_once():
    assert splits([0, 1], [0.6, 1.0], FREE_SPLIT_GAP)[-1] == pytest.approx(1.0)


def test_a_drop_of_the_jaw_follows_the_frames_before():
    _, points = face_motion(jawOpen=0.3)
    growth, steady, drops = np.full(9, 5.0), SteadySplit(), []
    plain = np.full((*SIZE, 3), TOOTH, np.uint8)  # no line between the rows
    for frame, image in enumerate((plain, draw_teeth(points))):
        steady.begin(frame)
        drops.append(drop_of(growth, image, points, steady))
    assert drops[0] is not None
    assert drops[1] is not None
    assert drops[0].split[4] - drops[1].split[4] == pytest.approx(MAX_SPLIT_CHANGE)


def test_what_a_jaw_opens_shows_no_streaks():
    points, d, growth = parted(0.6, jawOpen=0.3)
    moved = points[:468] + d
    image = draw_teeth(points)
    image[:, ::4] //= 3  # gaps between teeth
    box = FIELD.edit_box(points, moved, SIZE)
    field = upsample(FIELD.interpolate(points, moved, d[:, :2], box), box)
    cavity = stabilize_teeth(field, points, moved, box, JawDrop(growth, np.full(9, SPLIT)))
    _, part = warp(image, field, box)
    cavity.shade(part, np.array(DARK))
    middle = points[13] + SPLIT * (points[14] - points[13]) + 0.5 * d[14]
    x, y = np.round(middle[:2]).astype(int) - (box.x0, box.y0)
    row = part[y, x - 12 : x + 13].mean(1)
    assert np.ptp(row) < 4
    assert row.max() < 1.2 * np.mean(DARK)


def test_a_jaw_that_drops_stretches_no_tooth():
    points, d, growth = parted(0.6, jawOpen=0.3)
    image, moved = draw_teeth(points), points[:468] + d
    box = FIELD.edit_box(points, moved, SIZE)
    field = upsample(FIELD.interpolate(points, moved, d[:, :2], box), box)
    cavity = stabilize_teeth(field, points, moved, box, JawDrop(growth, np.full(9, SPLIT)))
    out = image.copy()
    _, part = warp(image, field, box)
    cavity.shade(part, np.array(DARK))
    out[box.slices] = part
    x = round(float(points[13, 0]))
    bright = [int((i[130:, x].mean(1) > 170).sum()) for i in (image, out)]
    assert bright[1] == pytest.approx(bright[0], abs=3)


@pytest.mark.parametrize(("jaw", "low", "high"), [(0.0, 0.9, 1.0), (0.3, 0.2, 0.7)])
def test_only_between_lips_that_were_closed_an_opening_below_the_teeth_is_all_dark(jaw, low, high):
    """Below teeth, a dark band would outline them."""
    points, d, growth = parted(0.5, jawOpen=jaw)
    after = points[:468] + d
    box = FIELD.edit_box(points, after, SIZE)
    field = np.zeros((box.y1 - box.y0, box.x1 - box.x0, 2), np.float32)
    cavity = stabilize_teeth(field, points, after, box, JawDrop(growth, np.ones(9)))
    assert low < cavity.opening[..., 0].max() <= high


@pytest.mark.parametrize("outward", [0, 14])
def test_corners_that_come_in_lose_their_dark_dots(outward):
    _, points = face_motion()
    image = np.full((*SIZE, 3), LIP, np.uint8)
    moved = points.copy()
    for corner, towards in ((61, 1), (291, -1), (78, 1), (308, -1)):
        moved[corner, 0] += 16 * towards
    corner = np.round(0.5 * (moved[61] + moved[78])[:2] - (outward, 0)).astype(int)
    cv2.circle(image, [int(v) for v in corner], 4, DARK, -1)
    box = FIELD.edit_box(points, moved[:468], SIZE)
    filled, kept = image[box.slices].copy(), image[box.slices].copy()
    close_corners(filled, points, moved[:468], box, np.array(LIP))
    close_corners(kept, points, points[:468], box, np.array(LIP))
    x, y = corner - (box.x0, box.y0)
    assert filled[y, x].mean() > kept[y, x].mean() + 60
    assert (kept == image[box.slices]).all()


def test_filled_corners_keep_the_line_of_the_lips_between_lips_of_their_colour():
    _, points = face_motion()
    moved = points.copy()
    for corner, towards in ((61, 1), (291, -1), (78, 1), (308, -1)):
        moved[corner, 0] += 16 * towards
    image = np.full((*SIZE, 3), SKIN, np.uint8)
    cv2.fillPoly(image, [np.round(moved[list(mesh.OUTER_LIPS), :2]).astype(np.int32)], LIP)
    x, y = (int(v) for v in np.round(moved[78, :2]))
    cv2.fillPoly(image, [np.array([(x - 2, y - 7), (x - 2, y + 7), (x + 20, y)])], DARK)  # the dark end of a grin
    close_corners(image, points, moved[:468], Box(0, 0, *SIZE, 1.0), np.array(LIP))
    column = image[y - 5 : y + 6, x + 5].mean(1)
    line = int(column.argmin())
    assert column[line] < 0.75 * np.mean(LIP)
    assert column[[0, -1]].min() > 0.8 * np.mean(LIP)


@pytest.mark.parametrize(("inward", "is_pale"), [(0, True), (16, False)])
def test_lips_of_a_smile_that_goes_are_no_longer_pale(inward, is_pale):
    _, points = face_motion()
    moved = points.copy()
    for corner, towards in ((61, 1), (291, -1), (78, 1), (308, -1)):
        moved[corner, 0] += inward * towards
    image = np.full((*SIZE, 3), SKIN, np.uint8)
    close_corners(image, points, moved[:468], Box(0, 0, *SIZE, 1.0), np.array(LIP))
    x, y = np.round(0.5 * (points[14, :2] + points[17, :2])).astype(int)
    assert (image[y, x].mean() > np.mean(SKIN) - 2) == is_pale
    assert (image[y + 40, x] == SKIN).all()


@pytest.mark.parametrize(("smile", "corner_share"), [(-0.9, 0.4), (0.4, 0.9)])
def test_lips_close_beside_the_corners_of_a_mouth_that_gets_narrower_alone(smile, corner_share):
    motion, points = face_motion(jawOpen=0.3, mouthSmileLeft=0.9, mouthSmileRight=0.9)
    edited = motion.coefficients.copy()
    edited[0, [HEAD.index["mouthSmileLeft"], HEAD.index["mouthSmileRight"]]] += smile
    moved = points[:468] + Displacement(HEAD)(motion, replace(motion, coefficients=edited), 0, points)
    upper, lower = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
    before, after = (np.linalg.norm(p[lower, :2] - p[upper, :2], axis=1) for p in (points, moved))
    assert (after / before)[4] == pytest.approx(1, abs=0.05)
    assert ((after / before)[[0, 8]] < corner_share).all() == (smile < 0)
