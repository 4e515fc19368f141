"""Metrics on data whose value is known."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.evaluation.truth_metrics import expression_similarity, lip_correlation, psnr


def test_expression_similarity_is_the_mean_cosine_of_all_pairs():
    a, b = np.random.default_rng(1).standard_normal((2, 5, 8))
    cosines = [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x in a for y in b]
    assert expression_similarity(a, 3 * b) == pytest.approx(np.mean(cosines))


def test_lips_that_rest_while_the_true_ones_move_count_as_zero():
    truth, resting = np.sin(np.arange(10.0)), np.zeros(10)
    assert lip_correlation(2 * truth + 1, truth, 0.02) == pytest.approx(1)
    assert lip_correlation(resting, truth, 0.02) == 0
    assert np.isnan(lip_correlation(truth, resting, 0.02))


def test_frames_without_landmarks_are_left_out_of_the_lip_correlation():
    truth = np.sin(np.arange(10.0))
    generated = 2 * truth
    generated[3] = np.nan
    assert lip_correlation(generated, truth, 0.02) == pytest.approx(1)


def test_psnr_of_a_known_error():
    truth = np.full((2, 8, 8, 3), 100, np.uint8)
    assert psnr(truth + np.uint8(2), truth) == pytest.approx(10 * np.log10(255**2 / 4), abs=1e-4)
