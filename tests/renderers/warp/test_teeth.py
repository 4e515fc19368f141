"""Teeth stay in place while the lips move, on drawn mouths whose teeth are known to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.cavity import Cavity, MouthModel
from asccl.renderers.warp.field import FaceField, face_size, upsample
from asccl.renderers.warp.mouth_profile import UPPER_SHARE
from asccl.renderers.warp.teeth import SHADOW_WIDTH, stabilize_teeth
from asccl.renderers.warp.warping import warp

HEAD = load_anny_head()
FIELD = FaceField(HEAD)
SKIN, CAVITY, TOOTH, SIZE, SCALE = (200, 140, 110), (30, 12, 12), (240, 235, 225), (360, 360), 22.0
TALKING = {"jawOpen": 0.6}
RAISED = {"jawOpen": 0.6, "mouthUpperUp": 0.9, "mouthLowerDown": 0.9}
SMILING = {"jawOpen": 0.6, "mouthUpperUp": 0.4, "mouthSmile": 0.4}
FROWNING = {"jawOpen": 0.6, "mouthFrown": 0.8, "mouthShrugLower": 0.6}


def landmarks(roll: float = 0.0, **units: float) -> np.ndarray:
    """(478, 3) pixels of the average head in the middle of the image. roll: degrees."""
    shape = HEAD.neutral + sum(
        value * HEAD.expression[HEAD.index[name + side]]
        for name, value in units.items()
        for side in ("", "Left", "Right")
        if name + side in HEAD.index
    )
    points = np.zeros((478, 3), np.float32)
    turn = cv2.getRotationMatrix2D((0, 0), roll, SCALE)[:, :2]
    points[:468] = SCALE * (shape - HEAD.neutral.mean(0))
    points[:468, :2] = (shape - HEAD.neutral.mean(0))[:, :2] @ turn.T + (180, 180)
    return points


def draw_mouth(points: np.ndarray) -> np.ndarray:
    """A face with teeth between its lips: the upper row hangs from the skull, the lower stands on the jaw."""
    inside = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(inside, [np.round(points[list(mesh.INNER_LIPS), :2]).astype(np.int32)], 1)
    y = np.arange(SIZE[0])[:, None, None]
    teeth = (y < points[2, 1] + 63) | (y > points[152, 1] - 98)
    return np.where(inside[..., None] > 0, np.where(teeth, TOOTH, CAVITY), SKIN).astype(np.uint8)


def fields(before: np.ndarray, after: np.ndarray):
    """The field of the skin and the one with stable teeth, (360, 360, 2), the box and the coverage by the cavity."""
    moved = after[: mesh.NUM_FACE_LANDMARKS]
    box = FIELD.edit_box(before, moved, SIZE)
    displacement = (moved - before[: mesh.NUM_FACE_LANDMARKS])[:, :2]
    skin = upsample(FIELD.interpolate(before, moved, displacement, box), box)
    stable = skin.copy()
    cavity = stabilize_teeth(stable, before, moved, box)
    full = [np.zeros((*SIZE, 2), np.float32) for _ in range(2)]
    for canvas, field in zip(full, (skin, stable), strict=True):
        canvas[box.slices] = field
    coverage = np.zeros(SIZE, np.float32)
    if cavity is not None:
        coverage[box.slices][cavity.part] = cavity.coverage
    return *full, box, coverage


def edit(before: np.ndarray, after: np.ndarray, stable: bool = True) -> np.ndarray:
    skin, teeth, box, _ = fields(before, after)
    image = draw_mouth(before).copy()
    _, image[box.slices] = warp(draw_mouth(before), (teeth if stable else skin)[box.slices], box)
    return image


def mouth_column(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Brightness down the middle of the mouth, from lip to lip."""
    x, top, bottom = round(float(points[13, 0])), round(float(points[13, 1])), round(float(points[14, 1]))
    return image[top + 1 : bottom, x].mean(1)


def edge_of_upper_teeth(image: np.ndarray, points: np.ndarray) -> float:
    """y, to a fraction of a pixel."""
    line, top = mouth_column(image, points), round(float(points[13, 1])) + 1
    k = int(np.flatnonzero((line[:-1] > 128) & (line[1:] <= 128))[0])
    return top + k + (line[k] - 128) / (line[k] - line[k + 1])


def test_the_tips_of_the_upper_teeth_follow_a_lip_that_rises_by_half():
    before, after = landmarks(**TALKING), landmarks(**TALKING, mouthUpperUp=0.3)
    rise = before[13, 1] - after[13, 1]
    assert rise > 3  # pixels
    source_edge = edge_of_upper_teeth(draw_mouth(before), before)
    assert source_edge - edge_of_upper_teeth(edit(before, after), after) == pytest.approx(UPPER_SHARE * rise, abs=0.5)


def test_the_tips_of_the_upper_teeth_stay_with_the_skull_where_the_lip_comes_down():
    before, after = landmarks(**RAISED), landmarks(**TALKING)
    source_edge = edge_of_upper_teeth(draw_mouth(before), before)
    assert abs(edge_of_upper_teeth(edit(before, after), after) - source_edge) < 0.6
    assert abs(edge_of_upper_teeth(edit(before, after, stable=False), after) - source_edge) > 0.8


def test_the_lower_teeth_go_down_with_the_lip_of_an_open_jaw():
    before, after = landmarks(**TALKING), landmarks(**TALKING, mouthLowerDown=0.6)
    _, stable, *_ = fields(before, after)
    x, y = after[14, :2] - (0, 0.12 * np.linalg.norm(after[14] - after[13]))
    assert stable[round(float(y)), round(float(x)), 1] == pytest.approx(after[14, 1] - before[14, 1], abs=1.0)


@pytest.mark.parametrize("after", [RAISED, SMILING, FROWNING])
@pytest.mark.parametrize("roll", [0, 35, -80])
def test_between_the_lips_nothing_folds_or_stretches_far(after, roll):
    before, after = landmarks(roll, **TALKING), landmarks(roll, **after)
    _, stable, *_ = fields(before, after)
    for upper, lower in zip(mesh.UPPER_INNER_LIP[2:7], mesh.LOWER_INNER_LIP[2:7], strict=True):
        n = int(np.linalg.norm(after[lower] - after[upper]))
        line = np.linspace(after[upper, :2], after[lower, :2], n).astype(np.float32)
        displacement = cv2.remap(stable, line[:, :1], line[:, 1:], cv2.INTER_LINEAR)[:, 0]
        sampled = (line - displacement) @ (before[lower, :2] - before[upper, :2])
        stretch = np.diff(sampled) / np.linalg.norm(before[lower, :2] - before[upper, :2])
        assert (stretch > 0.33).all()
        assert (stretch < 6).all()


def test_the_rim_of_a_lip_moves_with_it():
    before, after = landmarks(**TALKING), landmarks(**RAISED)
    _, stable, *_ = fields(before, after)
    rim = 0.015 * face_size(before)
    for point, inwards in ((13, 1), (14, -1)):
        x, y = after[point, :2] + (0, inwards * rim)
        assert stable[round(float(y)), round(float(x))] == pytest.approx((after - before)[point, :2], abs=0.5)


def test_outside_the_mouth_the_field_is_that_of_the_skin():
    before, after = landmarks(**TALKING), landmarks(**SMILING)
    skin, stable, *_ = fields(before, after)
    inside = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(inside, [np.round(after[list(mesh.INNER_LIPS), :2]).astype(np.int32)], 1)
    around = cv2.dilate(inside, np.ones((9, 9), np.uint8)) == 0
    assert (skin[around] == stable[around]).all()
    assert np.abs(skin - stable).max() > 2


def test_behind_closed_lips_the_field_is_that_of_the_skin():
    skin, stable, *_ = fields(landmarks(), landmarks(mouthSmile=0.4))
    assert (skin == stable).all()


def test_teeth_become_stable_gradually_as_the_mouth_opens():
    """Frame by frame, half a pixel of opening at a time, the displacement between the lips never jumps."""
    displacements = []
    for jaw in np.linspace(0, 0.6, 60):
        before, after = landmarks(jawOpen=jaw), landmarks(jawOpen=jaw, mouthUpperUp=0.5)
        _, field, *_ = fields(before, after)
        x, y = after[13, :2] + 0.5 * (after[14, :2] - after[13, :2])
        displacements.append(float(cv2.getRectSubPix(field[..., 1], (1, 1), (float(x), float(y)))[0, 0]))
    assert displacements[0] < -2  # the field of the skin
    rise = before[13, 1] - after[13, 1]
    assert displacements[-1] == pytest.approx(-UPPER_SHARE * rise, abs=1)
    assert np.abs(np.diff(displacements)).max() < 0.5


def narrow_mouth(opening: float) -> np.ndarray:
    """Landmarks with lips that are apart in the middle alone, so many pixels, and closed towards the corners."""
    points = landmarks()
    u = np.linspace(-1, 1, 9)
    half = 0.5 * opening * np.clip(1 - 3 * u**2, 0.04, None)
    line = 0.5 * (points[list(mesh.UPPER_INNER_LIP), 1] + points[list(mesh.LOWER_INNER_LIP), 1])
    points[list(mesh.UPPER_INNER_LIP), 1], points[list(mesh.LOWER_INNER_LIP), 1] = line - half, line + half
    return points


def wide_mouth(points: np.ndarray, opening: float) -> np.ndarray:
    """The same mouth, open all along."""
    wide = points.copy()
    half = 0.5 * opening * np.sqrt(np.clip(1 - np.linspace(-0.9, 0.9, 9) ** 2, 0, 1))
    line = 0.5 * (points[list(mesh.UPPER_INNER_LIP), 1] + points[list(mesh.LOWER_INNER_LIP), 1])
    wide[list(mesh.UPPER_INNER_LIP), 1], wide[list(mesh.LOWER_INNER_LIP), 1] = line - half, line + half
    return wide


def lip_middle(points: np.ndarray, k: int) -> tuple[int, int]:
    """Pixel (y, x) between the k-th points of both lips."""
    x, y = 0.5 * (points[mesh.UPPER_INNER_LIP[k], :2] + points[mesh.LOWER_INNER_LIP[k], :2])
    return round(float(y)), round(float(x))


def test_what_the_frame_never_showed_beside_the_teeth_gets_the_colour_of_the_cavity():
    before = narrow_mouth(26.0)
    after = wide_mouth(before, 34.0)
    *_, coverage = fields(before, after)
    image = np.full((*SIZE, 3), TOOTH, np.uint8)
    Cavity((slice(None), slice(None)), coverage).shade(image, np.array(CAVITY))
    for k in (1, 7):
        assert np.abs(image[lip_middle(after, k)].astype(int) - CAVITY).max() < 40
    assert coverage[lip_middle(after, 4)] < 0.01


def test_a_cavity_darkens_and_never_brightens():
    image = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    shaded = image.copy()
    Cavity((slice(5, 15), slice(0, 20)), np.full((10, 20), 0.7, np.float32)).shade(shaded, np.array([60, 40, 40]))
    assert (shaded <= image).all()
    assert (shaded[:5] == image[:5]).all()


def test_lips_that_stay_closed_reveal_no_cavity():
    *_, coverage = fields(landmarks(), landmarks(mouthSmile=0.5))
    assert coverage.max() == 0


@pytest.mark.parametrize("units", [RAISED, SMILING, FROWNING])
def test_a_row_of_teeth_moves_as_one_curve_without_spikes(units):
    """The displacement in the middle of the opening, from corner to corner, bends one way only."""
    before, after = landmarks(**TALKING), landmarks(**units)
    _, stable, *_ = fields(before, after)
    steps = np.linspace(1, 7, 40)
    points = np.array([lip_middle(after, k) for k in range(9)], float)
    x, y = (np.interp(steps, range(9), points[:, c]).astype(np.float32)[None] for c in (1, 0))
    down = cv2.remap(stable[..., 1], x, y, cv2.INTER_LINEAR)[0]
    parabola = np.polyval(np.polyfit(steps, down, 2), steps)
    assert np.abs(down - parabola).max() < 0.02 * face_size(before)


def test_the_cavity_is_measured_where_the_mouth_is_open():
    for points, expected in ((landmarks(**TALKING), CAVITY), (landmarks(), 0.35 * np.array(SKIN))):
        mouth = MouthModel()
        image = draw_mouth(points) if expected is CAVITY else np.full((*SIZE, 3), SKIN, np.uint8)
        mouth.observe(image, points)
        assert np.abs(mouth.cavity - expected).max() < 12


def test_the_cavity_is_measured_where_the_mouth_is_widest():
    wide, narrow = landmarks(**TALKING), landmarks(jawOpen=0.2)
    mouth = MouthModel()
    for points in (narrow, narrow, narrow, wide):
        image = draw_mouth(points) if points is wide else np.full((*SIZE, 3), SKIN, np.uint8)
        mouth.observe(image, points)
    assert np.abs(mouth.cavity - CAVITY).max() < 12


def test_a_cavity_is_darker_than_lips_by_far():
    mouth = MouthModel()
    mouth.observe(np.full((*SIZE, 3), SKIN, np.uint8), landmarks(**TALKING))  # as of teeth that fill the mouth
    assert mouth.cavity.mean() < 0.4 * np.mean(SKIN)


@pytest.mark.parametrize("units", [RAISED, SMILING, FROWNING])
def test_the_middle_of_the_mouth_is_never_covered_by_the_cavity(units):
    before, after = landmarks(**TALKING), landmarks(**units)
    *_, coverage = fields(before, after)
    x, top = round(float(after[13, 0])), round(float(after[13, 1] + 2 * SHADOW_WIDTH * face_size(before)))
    assert coverage[top : round(float(after[14, 1])), x - 3 : x + 4].max() < 0.01
