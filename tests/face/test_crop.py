from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.face.crop import arcface_crop, expression_crop, fit_similarity
from asccl.face.mesh import ARCFACE_TEMPLATE, LEFT_EYE, NOSE_TIP, OUTER_LIP_CORNERS, RIGHT_EYE


def face(points: np.ndarray) -> np.ndarray:
    """(478, 3) landmarks whose five ArcFace points are these; the others lie on the nose."""
    landmarks = np.zeros((478, 3))
    landmarks[:, :2] = points[2]
    landmarks[RIGHT_EYE, :2], landmarks[LEFT_EYE, :2], landmarks[NOSE_TIP, :2] = points[0], points[1], points[2]
    landmarks[OUTER_LIP_CORNERS, :2] = points[3:]
    return landmarks


def waves(height: int, width: int) -> np.ndarray:
    """A smooth image in which no two places are alike."""
    y, x = np.mgrid[:height, :width]
    phases = (x / 17 + y / 41, x / 31 - y / 19, x / 53 + y / 23)
    return np.stack([127 + 100 * np.sin(phase) for phase in phases], -1).astype(np.uint8)


def test_similarity_is_exact_where_one_exists_and_least_squares_where_none_does():
    angle, scale, shift = 0.3, 1.7, np.array([5.0, -8.0])
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = fit_similarity(ARCFACE_TEMPLATE, ARCFACE_TEMPLATE @ rotation.T + shift)
    np.testing.assert_allclose(matrix, np.column_stack([rotation, shift]), atol=1e-9)

    target = ARCFACE_TEMPLATE + np.random.default_rng(0).normal(0, 3, (5, 2))

    def error(m: np.ndarray) -> float:
        return ((ARCFACE_TEMPLATE @ m[:, :2].T + m[:, 2] - target) ** 2).sum()

    best = fit_similarity(ARCFACE_TEMPLATE, target)
    for a, b, x, y in np.eye(4) * 1e-3:
        change = np.array([[a, -b, x], [b, a, y]])
        assert error(best) < min(error(best + change), error(best - change))


@pytest.mark.parametrize("size", [112, 224])
def test_arcface_crop_puts_the_five_points_in_their_places(size):
    angle = np.radians(20)
    rotation = 1.5 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = ARCFACE_TEMPLATE @ rotation.T + (150, 40)
    for index, target in enumerate(ARCFACE_TEMPLATE * size / 112):
        image = np.zeros((360, 420, 3), np.uint8)
        cv2.circle(image, tuple(round(16 * v) for v in points[index]), 6 * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
        crop = arcface_crop(image, face(points), size).astype(float)[..., 0]
        y, x = np.mgrid[:size, :size]
        centre = np.array([(crop * x).sum(), (crop * y).sum()]) / crop.sum()
        assert np.abs(centre - target).max() < 0.15


@pytest.mark.parametrize("scale", [1.0, 1.9, 2.0, 3.7, 8.0, 13.3])
def test_a_large_face_gives_the_crop_of_a_small_one(scale):
    small = waves(160, 200)
    height, width = (round(n * scale) for n in small.shape[:2])
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    points = ARCFACE_TEMPLATE + np.array([31.3, 22.7])
    factor = np.array([width / 200, height / 160])
    enlarged = face((points + 0.5) * factor - 0.5)  # pixel centres lie at whole numbers
    for crop in (arcface_crop, expression_crop):
        difference = crop(large, enlarged).astype(int) - crop(small, face(points)).astype(int)
        assert np.abs(difference).mean() < 1.5


def test_shrinking_skips_no_pixel():
    """Fine black and white stripes turn grey, whatever their phase."""
    stripes = np.zeros((800, 900, 3), np.uint8)
    stripes[:, ::2] = 255
    for crop in (arcface_crop, expression_crop):
        inside = crop(stripes, face(ARCFACE_TEMPLATE * 6 + (90, 60)))
        assert inside.min() > 100
        assert inside.max() < 155


def test_outside_the_image_its_border_goes_on():
    image = np.full((50, 60, 3), 40, np.uint8)
    image[:, -3:] = 200
    for zoom in (0.5, 6):
        crop = arcface_crop(image, face(ARCFACE_TEMPLATE * zoom + (30, -20)))
        assert (crop[:, -10:] == 200).all()


def test_expression_crop_is_the_square_round_the_landmarks():
    image = np.zeros((200, 300, 3), np.uint8)
    image[40:140, 100:180] = 255
    landmarks = np.zeros((478, 3))
    landmarks[:, :2] = np.random.default_rng(0).uniform((100, 40), (180, 140), (478, 2))
    landmarks[:2, :2] = (100, 40), (180, 140)
    landmarks[[33, 263], :2] = (120, 70), (160, 70)  # upright
    crop = expression_crop(image, landmarks)
    assert crop.shape == (112, 112, 3)
    assert crop.dtype == np.uint8
    margin = 112 * 10 / 100  # the box is 80 wide and 100 high: ten pixels are left on both sides
    columns = crop[56, :, 0].astype(float) / 255
    assert columns.sum() == pytest.approx(112 - 2 * margin, abs=1)
    assert columns[:10].max() == 0
    assert columns[-10:].max() == 0
    assert crop[2:-2, 56].min() == 255


def test_frames_without_a_face_are_rejected():
    image = np.zeros((50, 60, 3), np.uint8)
    for landmarks in (np.full((478, 3), np.nan), np.zeros((478, 3))):
        for crop in (arcface_crop, expression_crop):
            with np.errstate(all="ignore"), pytest.raises(ValueError, match="finite"):
                crop(image, landmarks)


def test_the_image_is_left_alone():
    image = waves(400, 400)
    image.flags.writeable = False
    arcface_crop(image, face(ARCFACE_TEMPLATE * 3))
    expression_crop(image, face(ARCFACE_TEMPLATE * 3))
