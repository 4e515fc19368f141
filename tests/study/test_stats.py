"""Statistics against cases computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from asccl.study import stats


def test_wilson_by_hand():
    # (p + z²/2n ± z √(pq/n + z²/4n²)) / (1 + z²/n), z = 1.959964
    assert stats.wilson_interval(7, 10) == pytest.approx((0.39677815, 0.89220872), abs=1e-6)
    assert stats.wilson_interval(0, 4)[0] == 0


def test_the_binomial_test_by_hand():
    assert stats.binomial_p(9, 10) == pytest.approx(2 * (1 + 10) / 2**10)
    assert stats.binomial_p(5, 10) == 1


def test_holm_by_hand():
    assert stats.holm_adjust([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm_adjust([]) == []


def test_krippendorff_by_hand():
    assert stats.krippendorff_alpha(np.array([[2, 0], [0, 2]])) == pytest.approx(1)
    # units AA, AB: one coincidence in four is off the diagonal twice: Do = 2/4, De = 2 * 3 * 1 / (4 * 3)
    assert stats.krippendorff_alpha(np.array([[2, 0], [1, 1]])) == pytest.approx(0)


@pytest.mark.parametrize("counts", [[[3, 0], [2, 0]], [[1, 0], [0, 1]]])
def test_krippendorff_is_undefined_without_pairs_or_without_two_answers(counts):
    assert stats.krippendorff_alpha(np.array(counts)) is None


def test_additional_answers_by_hand():
    needed = math.ceil(1.959964**2 * 0.25 / 0.0025)  # 385
    assert stats.additional_answers(0.5, 100, 1.0, 0.05) == needed - 100
    assert stats.additional_answers(0.5, 100, 2.0, 0.05) == 769 - 100
    assert stats.additional_answers(0.5, 1000, 1.0, 0.05) == 0


def test_independent_answers_have_about_the_wilson_interval():
    rng, effects = np.random.default_rng(0), []
    for _ in range(20):
        wins = (rng.random((40, 40)) < 0.7).astype(int)
        rate = stats.clustered_rate(wins, np.ones_like(wins), stats.ClusterBootstrap(rng, 400))
        effects.append(rate.design_effect)
        assert (rate.low, rate.high) == pytest.approx(stats.wilson_interval(int(wins.sum()), 1600), abs=0.03)
    assert min(effects) == 1
    assert np.mean(effects) < 1.5


def test_clustered_answers_widen_the_interval():
    wins = np.repeat(np.arange(20)[:, None] % 2, 20, 1)  # every participant always gives the same answer
    rate = stats.clustered_rate(wins, np.ones_like(wins), stats.ClusterBootstrap(np.random.default_rng(0)))
    assert rate.design_effect == pytest.approx(20, rel=0.15)  # 20 answers of a participant are worth one
    assert rate.p > 0.9
    assert rate.high - rate.low > 0.4


@pytest.mark.parametrize("shape", [(1, 9), (9, 1)])
def test_one_participant_or_one_clip_is_no_cluster_sample(shape):
    bootstrap = stats.ClusterBootstrap(np.random.default_rng(0))
    assert stats.clustered_rate(np.ones(shape), np.ones(shape), bootstrap) is None


def test_bradley_terry_of_two_methods_is_the_logit():
    wins = np.array([[0, 60], [20, 0]])
    clusters = np.stack([wins / 4] * 4)
    strengths = stats.bradley_terry(wins, clusters, clusters, np.random.default_rng(0), draws=30)
    (first, low, high), (second, *_) = strengths
    assert first - second == pytest.approx(math.log(60.1 / 20.1), abs=1e-3)
    assert first == pytest.approx(-second)
    assert low < first < high
