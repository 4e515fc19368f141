"""Brows that rise keep their thickness, on drawn brows whose hair is known to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.brows import COLUMNS, EDGE_MARGIN, BrowModel
from asccl.renderers.warp.field import FaceField, face_size, upsample
from asccl.renderers.warp.warping import warp

HEAD = load_anny_head()
SKIN, HAIR = (200, 150, 125), (50, 35, 30)
SIZE, SCALE = (440, 520), 24.0
TOP, LOW = list(mesh.RIGHT_BROW_TOP), list(mesh.RIGHT_BROW_LOW)
BROW_ROWS = [*TOP, *LOW, *mesh.LEFT_BROW_TOP, *mesh.LEFT_BROW_LOW]


def landmarks() -> np.ndarray:
    """(478, 3) pixels of the average head."""
    points = np.zeros((478, 3), np.float32)
    points[:468] = SCALE * HEAD.neutral
    points[:468] += np.array([260, 180, 0], np.float32) - points[list(mesh.RIGHT_EYE + mesh.LEFT_EYE)].mean(0)
    return points


def draw_brows(points: np.ndarray, below: float) -> np.ndarray:
    """Skin with two brows whose hair reaches below the landmarks by so many face sizes."""
    image = np.full((*SIZE, 3), SKIN, np.uint8)
    for top, low in ((TOP, LOW), (list(mesh.LEFT_BROW_TOP), list(mesh.LEFT_BROW_LOW))):
        lower = points[low, :2] + (0, below * face_size(points))
        outline = np.concatenate([points[top, :2], lower[::-1]])
        cv2.fillPoly(image, [np.round(outline).astype(np.int32)], HAIR, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), 1.0)


def raise_brows(image: np.ndarray, points: np.ndarray, lift: float, stiff: bool) -> np.ndarray:
    """The image with brows lifted by so many pixels over lids that stay."""
    brows, displacement = BrowModel(), np.zeros((468, 3), np.float32)
    brows.observe(image, points)
    displacement[BROW_ROWS, 1] = -lift
    edited, field = points[:468] + displacement, FaceField(HEAD)
    box = field.edit_box(points, edited, image.shape)
    values = field.interpolate(points, edited, displacement, box)
    if stiff:
        brows.stiffen(values, points, edited, box)
    out = image.copy()
    out[box.slices] = warp(image, upsample(values[..., :2], box), box)[1]
    return out


def hair_height(image: np.ndarray, points: np.ndarray) -> float:
    """Height of the hair in the middle column of the right brow, pixels."""
    x, lid = round(float(points[TOP[2], 0])), round(float(points[list(mesh.RIGHT_EYE), 1].min()))
    share = (SKIN[0] - image[lid - 100 : lid, x - 2 : x + 3, 0].astype(float).mean(1)) / (SKIN[0] - HAIR[0])
    return float(share.clip(0, 1).sum())


def test_hair_that_reaches_below_the_landmarks_is_measured():
    points = landmarks()
    thin, thick = (draw_brows(points, below) for below in (0.0, 0.04))
    margins = []
    for image in (thin, thick):
        model = BrowModel()
        model.observe(image, points)
        margins.append(model.margins[0, 1:-1, 1].mean())
    assert margins[1] - margins[0] == pytest.approx(0.04, abs=0.015)


def test_a_face_without_visible_brows_keeps_the_usual_margins():
    model = BrowModel()
    model.observe(np.full((*SIZE, 3), SKIN, np.uint8), landmarks())
    assert model.margins == pytest.approx(np.full((2, COLUMNS, 2), EDGE_MARGIN))


def test_a_raised_brow_does_not_swell():
    points = landmarks()
    image = draw_brows(points, 0.04)
    before = hair_height(image, points)
    growth = [hair_height(raise_brows(image, points, 9.0, stiff), points) / before for stiff in (False, True)]
    assert growth[0] > 1.12
    assert growth[1] == pytest.approx(1, abs=0.05)


def test_a_brow_that_touches_the_lid_rises_only_as_far_as_the_skin_below_it_unfolds():
    points, x, lifts = landmarks(), round(float(landmarks()[TOP[2], 0])), []
    for below in (0.0, 0.13):
        image = draw_brows(points, below)
        edited = raise_brows(image, points, 16.0, True)
        before, after = (int(np.argmax(frame[:, x, 0] < 120)) for frame in (image, edited))
        lifts.append(before - after)
    assert lifts[0] > 1.5 * lifts[1] > 0
