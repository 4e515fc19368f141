"""Teeth stay where they are while the lips move: on drawn mouths, whose teeth are known to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.field import FaceField, face_size, upsample
from asccl.renderers.warp.renderer import warp
from asccl.renderers.warp.teeth import stabilize_teeth

HEAD = load_anny_head()
FIELD = FaceField(HEAD)
SKIN, CAVITY, TOOTH, SIZE, SCALE = (200, 140, 110), (30, 12, 12), (240, 235, 225), (360, 360), 22.0
TALKING = {"jawOpen": 0.6}
RAISED = {"jawOpen": 0.6, "mouthUpperUp": 0.9, "mouthLowerDown": 0.9}
SMILING = {"jawOpen": 0.6, "mouthUpperUp": 0.4, "mouthSmile": 0.4}
FROWNING = {"jawOpen": 0.6, "mouthFrown": 0.8, "mouthShrugLower": 0.6}


def landmarks(roll: float = 0.0, **units: float) -> np.ndarray:
    """(478, 3) pixels of the mean head in the middle of the picture. roll: degrees."""
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


def picture(points: np.ndarray) -> np.ndarray:
    """A face with teeth between its lips: the upper row hangs from the skull, the lower stands on the jaw."""
    inside = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(inside, [np.round(points[list(mesh.INNER_LIPS), :2]).astype(np.int32)], 1)
    y = np.arange(SIZE[0])[:, None, None]
    teeth = (y < points[2, 1] + 63) | (y > points[152, 1] - 98)
    return np.where(inside[..., None] > 0, np.where(teeth, TOOTH, CAVITY), SKIN).astype(np.uint8)


def fields(before: np.ndarray, after: np.ndarray):
    """The skin's field, that with the teeth held, both (360, 360, 2), and the box."""
    moved = after[: mesh.NUM_FACE_LANDMARKS]
    box = FIELD.edit_box(before, moved, SIZE)
    motion = (moved - before[: mesh.NUM_FACE_LANDMARKS])[:, :2]
    skin = upsample(FIELD.interpolate(before, moved, motion, box), box)
    held = skin.copy()
    stabilize_teeth(held, before, moved, box)
    whole = [np.zeros((*SIZE, 2), np.float32) for _ in range(2)]
    for canvas, field in zip(whole, (skin, held), strict=True):
        canvas[box.slices] = field
    return *whole, box


def edited(before: np.ndarray, after: np.ndarray, held: bool = True) -> np.ndarray:
    skin, teeth, box = fields(before, after)
    image = picture(before).copy()
    _, image[box.slices] = warp(picture(before), (teeth if held else skin)[box.slices], box)
    return image


def column(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Brightness down the middle of the mouth, from lip to lip."""
    x, top, bottom = round(float(points[13, 0])), round(float(points[13, 1])), round(float(points[14, 1]))
    return image[top + 1 : bottom, x].mean(1)


def edge_of_upper_teeth(image: np.ndarray, points: np.ndarray) -> float:
    """y, to a part of a pixel."""
    line, top = column(image, points), round(float(points[13, 1])) + 1
    k = int(np.flatnonzero((line[:-1] > 128) & (line[1:] <= 128))[0])
    return top + k + (line[k] - 128) / (line[k] - line[k + 1])


def test_the_tips_of_the_teeth_stay_with_the_skull():
    before, after = landmarks(**TALKING), landmarks(**TALKING, mouthUpperUp=0.3)
    assert before[13, 1] - after[13, 1] > 3  # pixels that the lip rises
    was = edge_of_upper_teeth(picture(before), before)
    assert abs(edge_of_upper_teeth(edited(before, after), after) - was) < 0.4
    assert abs(edge_of_upper_teeth(edited(before, after, held=False), after) - was) > 0.8


@pytest.mark.parametrize("after", [RAISED, SMILING, FROWNING])
@pytest.mark.parametrize("roll", [0, 35, -80])
def test_between_the_lips_nothing_folds_and_nothing_is_drawn_out_far(after, roll):
    before, after = landmarks(roll, **TALKING), landmarks(roll, **after)
    _, held, _ = fields(before, after)
    for upper, lower in zip(mesh.UPPER_INNER_LIP[2:7], mesh.LOWER_INNER_LIP[2:7], strict=True):
        n = int(np.linalg.norm(after[lower] - after[upper]))
        line = np.linspace(after[upper, :2], after[lower, :2], n).astype(np.float32)
        motion = cv2.remap(held, line[:, :1], line[:, 1:], cv2.INTER_LINEAR)[:, 0]
        taken = (line - motion) @ (before[lower, :2] - before[upper, :2])
        pace = np.diff(taken) / np.linalg.norm(before[lower, :2] - before[upper, :2])
        assert (pace > 0.4).all() and (pace < 6).all()


def test_what_is_next_to_a_lip_moves_with_it():
    before, after = landmarks(**TALKING), landmarks(**RAISED)
    _, held, _ = fields(before, after)
    rim = 0.015 * face_size(before)
    for point, inwards in ((13, 1), (14, -1)):
        x, y = after[point, :2] + (0, inwards * rim)
        assert held[round(float(y)), round(float(x))] == pytest.approx((after - before)[point, :2], abs=0.5)


def test_outside_the_mouth_and_behind_closed_lips_the_skin_rules():
    before, after = landmarks(**TALKING), landmarks(**SMILING)
    skin, held, _ = fields(before, after)
    inside = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(inside, [np.round(after[list(mesh.INNER_LIPS), :2]).astype(np.int32)], 1)
    around = cv2.dilate(inside, np.ones((9, 9), np.uint8)) == 0
    assert (skin[around] == held[around]).all() and np.abs(skin - held).max() > 2
    skin, held, _ = fields(landmarks(), landmarks(mouthSmile=0.4))
    assert (skin == held).all()


def test_teeth_take_hold_softly_as_the_mouth_opens():
    """Frame by frame, half a pixel of opening at a time: what is seen between the lips never jumps."""
    held = []
    for jaw in np.linspace(0, 0.6, 60):
        before, after = landmarks(jawOpen=jaw), landmarks(jawOpen=jaw, mouthUpperUp=0.5)
        _, field, _ = fields(before, after)
        x, y = after[13, :2] + 0.5 * (after[14, :2] - after[13, :2])
        held.append(float(cv2.getRectSubPix(field[..., 1], (1, 1), (float(x), float(y)))[0, 0]))
    assert held[0] < -2 and abs(held[-1]) < 1  # at first the skin's field, in the end none
    assert np.abs(np.diff(held)).max() < 0.5
