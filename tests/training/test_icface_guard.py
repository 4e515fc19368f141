"""A training of ICface that diverges while its losses are finite is noticed."""

import numpy as np
import pytest

from training.engine.loop import DivergedError
from training.icface_guard import DivergenceGuard

FACES = [np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)]
ONE_COLOUR = [np.full((2, 8, 8, 3), 117, np.uint8)]


def evaluations(*psnr: float) -> list[dict[str, float]]:
    return [{"edit/psnr": value + 1, "reenactment/psnr": value - 1} for value in psnr]


def check_all(metrics: list[dict[str, float]], images: list[list[np.ndarray]] | None = None) -> None:
    guard = DivergenceGuard()
    for number, values in enumerate(metrics):
        guard.check(50 * number, values, images[number] if images else FACES)


def test_images_that_leave_the_truth_end_the_training():
    with pytest.raises(DivergedError, match=r"step 200: the PSNR on held-out people fell from 26.0 to 21.0 dB: lower"):
        check_all(evaluations(23, 25, 26, 24.5, 21))


def test_small_losses_do_not_end_it():
    check_all(evaluations(23, 25, 26, 24.5, 23.1))


def test_the_copy_of_untrained_networks_is_no_achievement():
    check_all(evaluations(30, 24, 25))


def test_images_of_one_colour_end_the_training():
    with pytest.raises(DivergedError, match="step 50: the generated images have one colour"):
        check_all(evaluations(23, 22.5), [FACES, ONE_COLOUR])


def test_clips_without_edits_are_checked():
    with pytest.raises(DivergedError, match="fell from 26"):
        check_all([{"reenactment/psnr": value} for value in (20.0, 26.0, 20.0)])
