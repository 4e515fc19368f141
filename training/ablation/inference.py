"""Effects of paired trainings: interval, permutation test, and the effect that the test would have detected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asccl.evaluation.statistics import CONFIDENCE

POWER = 0.8
MIN_SEEDS = 3  # for an interval or a test
MAX_PERMUTATIONS = 2**17  # all sign patterns of 16 seeds and fewer


@dataclass(frozen=True)
class PairedEffect:
    """The mean difference of two rows over seeds.

    Attributes:
        seeds: number of seeds that have both rows.
        mean: mean difference.
        low: lower end of its interval by Student's t; NaN for fewer than `MIN_SEEDS` seeds.
        high: upper end.
        p: two-sided p-value of the permutation test, before any correction; NaN for few seeds.
        detectable: smallest mean difference that a test of this many comparisons detects with a power of 80 %, for the
            standard deviation of these differences.
    """

    seeds: int
    mean: float
    low: float
    high: float
    p: float
    detectable: float


def paired_effect(differences: np.ndarray, comparisons: int) -> PairedEffect:
    """Estimate an effect from the differences of each seed.

    Under the null hypothesis the sign of each difference is random; the test enumerates all signs up to 17 seeds. The
    power is that of the paired t-test at the level that Holm's procedure applies first, 0.05 / comparisons.

    Args:
        differences: (seeds,).
        comparisons: number of comparisons that are tested together.
    """
    from scipy import stats

    count = len(differences)
    mean = float(differences.mean()) if count else float("nan")
    deviation = float(differences.std(ddof=1)) if count > 1 else 0.0
    if count < MIN_SEEDS or deviation == 0:
        return PairedEffect(count, mean, *[float("nan")] * 4)
    margin = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1)) * deviation / np.sqrt(count)
    test = stats.permutation_test(
        (differences,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=MAX_PERMUTATIONS,
        vectorized=True,
        random_state=0,
    )
    detectable = detectable_effect(count, (1 - CONFIDENCE) / comparisons) * deviation
    return PairedEffect(count, mean, mean - margin, mean + margin, float(test.pvalue), detectable)


def detectable_effect(seeds: int, alpha: float) -> float:
    """Return the effect, in standard deviations, that a two-sided paired t-test detects with a power of 80 %."""
    from statsmodels.stats.power import TTestPower

    return float(TTestPower().solve_power(nobs=seeds, alpha=alpha, power=POWER))


def smallest_p(seeds: int, comparisons: int) -> float:
    """Return the smallest p-value after Holm's correction that a sign test of this many seeds can give."""
    return min(1.0, comparisons * 2.0 ** (1 - seeds))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values by Holm's procedure over all planned comparisons; a NaN counts as a comparison and stays NaN."""
    from asccl.study.stats import holm_adjust

    adjusted = holm_adjust([1.0 if np.isnan(p) else p for p in p_values])
    return [float("nan") if np.isnan(p) else q for p, q in zip(p_values, adjusted, strict=True)]
