"""The paired test, its interval, its power, and Holm's correction."""

from itertools import product

import numpy as np
import pytest

from training.ablation.inference import detectable_effect, holm, paired_effect, smallest_p

DIFFERENCES = np.array([0.3, 0.1, -0.05, 0.4, 0.2, 0.25])


def test_the_permutation_test_counts_all_signs():
    signs = np.array(list(product((-1, 1), repeat=len(DIFFERENCES))))
    means = np.abs((signs * DIFFERENCES).mean(1))
    expected = (means >= DIFFERENCES.mean() - 1e-12).mean()
    assert paired_effect(DIFFERENCES, 1).p == pytest.approx(expected)


def test_the_interval_is_student_s():
    effect = paired_effect(DIFFERENCES, 1)
    margin = 2.5706 * DIFFERENCES.std(ddof=1) / np.sqrt(6)
    assert (effect.low, effect.high) == pytest.approx((0.2 - margin, 0.2 + margin), abs=1e-4)


def test_opposite_rows_have_opposite_effects():
    first, second = paired_effect(DIFFERENCES, 3), paired_effect(-DIFFERENCES, 3)
    assert (first.low, first.p, first.detectable) == pytest.approx((-second.high, second.p, second.detectable))


def test_a_detectable_effect_is_detected_in_four_of_five_experiments():
    rng = np.random.default_rng(0)
    samples = rng.normal(detectable_effect(10, 0.05), 1, (4000, 10))
    t = samples.mean(1) / samples.std(1, ddof=1) * np.sqrt(10)
    assert (np.abs(t) > 2.262).mean() == pytest.approx(0.8, abs=0.03)


def test_more_comparisons_need_a_larger_effect():
    assert paired_effect(DIFFERENCES, 6).detectable > paired_effect(DIFFERENCES, 1).detectable


def test_five_seeds_cannot_be_significant_after_six_comparisons():
    effect = paired_effect(np.linspace(1, 1.1, 5), 6)
    assert effect.p == pytest.approx(2 / 32)
    assert holm([effect.p] * 6) == pytest.approx([smallest_p(5, 6)] * 6)
    assert smallest_p(5, 6) > 0.05 > smallest_p(10, 6)


def test_a_comparison_that_is_not_done_still_counts_for_the_correction():
    assert holm([0.01, float("nan"), float("nan")])[0] == pytest.approx(0.03)


@pytest.mark.parametrize("differences", [np.array([]), np.array([0.1, 0.2]), np.zeros(5)])
def test_too_few_or_equal_seeds_have_no_p_value(differences):
    assert np.isnan(paired_effect(differences, 2).p)
