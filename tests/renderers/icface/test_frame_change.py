"""The change of a face is applied in the pixels of the frame."""

import numpy as np
import pytest

from asccl.face.crop import QUARTER_TURN, warp_crop
from asccl.renderers.icface.frame_change import apply_change, between_squares, pixel_square

SIZE = 64  # of the networks' square


def crop_matrix(turns: int = 0) -> np.ndarray:
    """A square of 100.4 pixels around (70.3, 60.8)."""
    linear = SIZE / 100.4 * np.linalg.matrix_power(QUARTER_TURN, turns)
    return np.column_stack([linear, (SIZE - 1) / 2 - linear @ (70.3, 60.8)])


def noisy_frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (140, 150, 3), dtype=np.uint8)


def fields(shift: tuple[float, float] = (0.0, 0.0), opacity: float = 0.0) -> np.ndarray:
    """Fields of 32 pixels with this shift everywhere, and colours of 100."""
    return np.tile(np.float32([*shift, opacity, 100, 100, 100]), (32, 32, 1))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_the_square_holds_pixels_of_the_frame(turns):
    square, side = pixel_square(crop_matrix(turns), SIZE)
    assert side == 101
    inside = np.rot90(noisy_frame()[10:112, 20:122], turns)  # 50 pixels around the centre, and one more
    crop = warp_crop(noisy_frame(), square, side)
    assert any(np.array_equal(crop, inside[y : y + side, x : x + side]) for y in (0, 1) for x in (0, 1))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_places_of_both_squares_agree(turns):
    matrix = crop_matrix(turns)
    square, _ = pixel_square(matrix, SIZE)
    between = between_squares(matrix, SIZE, square, SIZE)
    place = np.array([33.0, 50.0])
    in_square = square[:, :2] @ place + square[:, 2]
    assert between[:, :2] @ in_square + between[:, 2] == pytest.approx(matrix[:, :2] @ place + matrix[:, 2])


def changed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A square of pixels before and after the change of these fields."""
    matrix = crop_matrix()
    square, side = pixel_square(matrix, SIZE)
    pixels = warp_crop(noisy_frame(), square, side)
    return pixels, apply_change(pixels, values, between_squares(matrix, SIZE, square, len(values)))


def test_pixels_that_do_not_move_keep_their_values():
    before, after = changed(fields())
    assert np.array_equal(before, after)


def test_a_shift_is_a_share_of_the_side():
    before, after = changed(fields((10 / 50.2, -4 / 50.2)))  # 10 and -4 pixels of the frame, of halves of 100.4
    assert after[4:, :-10] == pytest.approx(before[:-4, 10:], abs=1)


def test_colours_cover_by_their_opacity():
    before, after = changed(fields(opacity=0.25))
    assert after == pytest.approx(0.75 * before + 25, abs=0.01)
