from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from asccl.evaluation.frechet import PARTS, fit_gaussian, frechet_distance, frechet_score, gaussian, moments
from asccl.evaluation.measure import MeasureSkippedError, merge_states


def state(real: np.ndarray, generated: np.ndarray):
    sides = {"real": real, "generated": generated}
    parts = [moments(rows[n::PARTS], f"{side}/{n}") for side, rows in sides.items() for n in range(PARTS)]
    return merge_states(*parts)


def test_the_distance_of_two_known_gaussians_is_worked_out_by_hand() -> None:
    a, b = (np.zeros(2), np.diag([1.0, 4.0])), (np.array([3.0, 0.0]), np.diag([4.0, 4.0]))
    assert frechet_distance(a, b) == pytest.approx(9 + (2 - 1) ** 2)


def test_the_distance_is_that_of_scipys_square_root() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(300, 8)) @ rng.normal(size=(8, 8)), rng.normal(size=(200, 8)) + 0.3
    p, q = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(p + q - 2 * sqrtm(p @ q).real)
    assert frechet_score(state(a, b)).value == pytest.approx(expected, rel=1e-9)


def test_streaming_sums_give_the_covariance_of_numpy() -> None:
    rows = np.random.default_rng(2).normal(5, 2, (100, 4))
    merged = merge_states(moments(rows[:30], "x"), moments(rows[30:], "x"))
    covariance = gaussian(float(merged["x/count"]), merged["x/sum"], merged["x/products"])[1]
    np.testing.assert_allclose(covariance, np.cov(rows, rowvar=False), atol=1e-10)


def test_a_pool_smaller_than_the_dimensions_has_a_finite_distance() -> None:
    rng = np.random.default_rng(3)
    score = frechet_score(state(rng.normal(size=(9, 32)), rng.normal(size=(9, 32))))
    assert np.isfinite(score.value)


def test_the_corrected_distance_of_one_distribution_is_nearer_to_zero() -> None:
    rng = np.random.default_rng(4)
    score = frechet_score(state(rng.normal(size=(800, 16)), rng.normal(size=(800, 16))))
    assert abs(score.extras["corrected"]) < 0.5 * score.value


def test_the_floor_compares_real_frames_with_real_frames() -> None:
    rng = np.random.default_rng(5)
    score = frechet_score(state(rng.normal(size=(400, 4)), rng.normal(size=(400, 4)) + 10))
    assert score.extras["floor"] < 0.01 * score.value


def test_no_real_frames_skip_the_distance() -> None:
    with pytest.raises(MeasureSkippedError, match="real"):
        frechet_score(state(np.zeros((0, 4)), np.ones((10, 4))))


def test_the_distance_of_two_sets_of_features_is_that_of_their_gaussians() -> None:
    x = np.random.default_rng(0).standard_normal((500, 4)) * (1, 2, 3, 4)
    wide = 2 * (x - x.mean(0)) + x.mean(0)
    assert frechet_distance(fit_gaussian(x), fit_gaussian(x + np.array([3, 0, 4, 0]))) == pytest.approx(25, rel=1e-6)
    assert frechet_distance(fit_gaussian(x), fit_gaussian(wide)) == pytest.approx(np.cov(x.T).trace(), rel=1e-6)
