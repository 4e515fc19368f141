r"""The statistics of a study, each a function of counts. docs/study.md explains their use and limits.

statsmodels, scipy and choix compute the standard ones. Ours are the variances with two-way clustering, because the same
participant answers often and the same clip is judged often, so answers are not independent of each other; and
Krippendorff's alpha, whose package is under the GPL.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE_LEVEL = 0.95
RATE_DRAWS = 2000  # bootstrap samples for the variance of a rate
STRENGTH_DRAWS = 200  # bootstrap samples for the variance of Bradley-Terry strengths; each needs a fit
PSEUDO_COUNT = 0.1  # added to every cell of Bradley-Terry, so that a method that always wins has a finite strength


@dataclass(frozen=True)
class ClusteredRate:
    """Inference on a rate whose answers are clustered by participant and by clip.

    Attributes:
        low: lower end of the confidence interval.
        high: upper end of the confidence interval.
        p: two-sided p-value against a rate of one half.
        design_effect: variance of the rate over that of independent answers (Kish 1965), at least 1.
    """

    low: float
    high: float
    p: float
    design_effect: float


def wilson_interval(wins: int, count: int) -> tuple[float, float]:
    r"""Return the 95 % Wilson score interval of a rate, assuming independent answers (Wilson 1927).

    .. math:: \frac{\hat p + z^2 / 2n \pm z \sqrt{\hat p (1 - \hat p) / n + z^2 / 4n^2}}{1 + z^2 / n}
    """
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(wins, count, 1 - CONFIDENCE_LEVEL, method="wilson")
    return float(low), float(high)


def binomial_p(wins: int, count: int) -> float:
    r"""Return the p-value of the exact two-sided binomial test against one half, assuming independent answers.

    .. math:: p = \sum_{k:\, P(k) \le P(wins)} P(k), \quad P(k) = \binom{n}{k} 2^{-n}
    """
    from scipy.stats import binomtest

    return float(binomtest(wins, count, 0.5).pvalue)


def holm_adjust(p_values: Sequence[float]) -> list[float]:
    r"""Return p-values adjusted by Holm's step-down procedure, which controls the family-wise error rate (Holm 1979).

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1) \, p_{(j)})
    """
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]] if p_values else []


class ClusterBootstrap:
    """Bootstrap samples of clusters, the same for all rates with equally many clusters.

    Args:
        rng: source of the samples.
        draws: number of bootstrap samples.
    """

    def __init__(self, rng: np.random.Generator, draws: int = RATE_DRAWS):
        self._rng, self._draws = rng, draws
        self._weights: dict[int, np.ndarray] = {}

    def weights(self, clusters: int) -> np.ndarray:
        """Return how often each cluster occurs in each sample, (draws, clusters) float32."""
        if clusters not in self._weights:
            sample = _resample(self._rng, clusters, self._draws)
            self._weights[clusters] = sample.astype(np.float32)  # exact: integers below 2^24; and fast to multiply
        return self._weights[clusters]


def _resample(rng: np.random.Generator, clusters: int, draws: int) -> np.ndarray:
    """Draw clusters with replacement. Return how often each occurs, (draws, clusters) integers."""
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws)


def clustered_rate(wins: np.ndarray, counts: np.ndarray, bootstrap: ClusterBootstrap) -> ClusteredRate | None:
    r"""Return interval and test of a rate with answers clustered by participant and by clip.

    The variance follows the two-way clustering of Cameron, Gelbach and Miller (2011), with bootstrap variances over
    participants and over clips in place of the sandwich estimates:

    .. math:: V = \max(V_{participants} + V_{clips} - V_0, V_0), \quad V_0 = \hat p (1 - \hat p) / n

    Interval and p-value use :math:`\mathrm{logit}(\hat p)` with the standard error
    :math:`\sqrt V / (\hat p (1 - \hat p))` and Student's t with :math:`G - 1` degrees of freedom; G is the smaller
    number of clusters. More degrees of freedom for answers that look independent would give too many false alarms,
    because the variance between ten clips may look small by chance. Half a win of one answer is added, so that the
    logit is finite.

    Args:
        wins: answers won by the first method, (participants, clips).
        counts: all decided answers, (participants, clips).
        bootstrap: samples of clusters.

    Returns:
        The inference; None with fewer than two participants or fewer than two clips.
    """
    from scipy.stats import t

    has_participant, has_clip = counts.sum(1) > 0, counts.sum(0) > 0
    wins, counts = wins[has_participant][:, has_clip], counts[has_participant][:, has_clip]
    clusters = min(counts.shape)
    if clusters < 2:
        return None
    total = counts.sum()
    rate = (wins.sum() + 0.5) / (total + 1)
    independent = rate * (1 - rate) / total
    clustered = sum(_rate_variance(wins.sum(axis), counts.sum(axis), bootstrap) for axis in (1, 0))
    variance = max(clustered - independent, independent)
    degrees_of_freedom = clusters - 1
    error = math.sqrt(variance) / (rate * (1 - rate))
    logit = math.log(rate / (1 - rate))
    margin = float(t.ppf((1 + CONFIDENCE_LEVEL) / 2, degrees_of_freedom)) * error
    p = float(2 * t.sf(abs(logit) / error, degrees_of_freedom))
    return ClusteredRate(_sigmoid(logit - margin), _sigmoid(logit + margin), p, float(variance / independent))


def _rate_variance(wins: np.ndarray, counts: np.ndarray, bootstrap: ClusterBootstrap) -> float:
    """Return the bootstrap variance of the rate over clusters, times G / (G - 1)."""
    clusters = len(counts)
    weights = bootstrap.weights(clusters)
    sampled_counts, sampled_wins = weights @ counts.astype(np.float32), weights @ wins.astype(np.float32)
    rates = sampled_wins[sampled_counts > 0].astype(float) / sampled_counts[sampled_counts > 0]
    return float(rates.var() * clusters / (clusters - 1))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def additional_answers(rate: float, count: int, design_effect: float, half_width: float) -> int:
    r"""Return how many more answers narrow the 95 % interval to plus or minus `half_width`.

    .. math:: \lceil d \, z^2 \hat p (1 - \hat p) / h^2 \rceil - n

    The design effect d stays the same if the numbers of participants and of clips grow alike.

    Args:
        rate: the present rate.
        count: the present number of decided answers, n.
        design_effect: d, the variance over that of independent answers.
        half_width: h, half the width of the interval.
    """
    from scipy.stats import norm

    z = float(norm.ppf((1 + CONFIDENCE_LEVEL) / 2))
    return max(0, math.ceil(design_effect * z * z * rate * (1 - rate) / half_width**2 - count))


def krippendorff_alpha(counts: np.ndarray) -> float | None:
    r"""Return the agreement between raters on nominal answers (Krippendorff 2004).

    .. math:: \alpha = 1 - (n - 1) \frac{\sum_u \sum_c n_{uc} (n_u - n_{uc}) / (n_u - 1)}{\sum_c n_c (n - n_c)}

    with n_uc answers c to unit u: the disagreement within units, divided by the one expected by chance.

    Args:
        counts: how often each unit got each answer, (units, answers).

    Returns:
        Alpha; None where it is not defined, because no unit has two answers or all answers are the same.
    """
    pairable = counts[counts.sum(1) >= 2].astype(float)
    of_unit, of_answer, total = pairable.sum(1, keepdims=True), pairable.sum(0), pairable.sum()
    if (of_answer > 0).sum() < 2:
        return None
    observed = (pairable * (of_unit - pairable) / (of_unit - 1)).sum()
    expected = (of_answer * (total - of_answer)).sum() / (total - 1)
    return float(1 - observed / expected)


def bradley_terry(
    wins: np.ndarray,
    wins_by_participant: np.ndarray,
    wins_by_clip: np.ndarray,
    rng: np.random.Generator,
    draws: int = STRENGTH_DRAWS,
) -> list[tuple[float, float, float]]:
    r"""Fit the strengths of methods to their pairwise wins (Bradley and Terry 1952).

    .. math:: P(i \text{ beats } j) = 1 / (1 + \exp(s_j - s_i)), \quad \sum_i s_i = 0

    The fit is iterative Luce spectral ranking (Maystre and Grossglauser 2015; choix). The variance of a strength is
    clustered as in `clustered_rate`, with a bootstrap over single answers for independent ones; the interval uses
    Student's t with G - 1 degrees of freedom.

    Args:
        wins: how often the method of the row beat that of the column, (methods, methods).
        wins_by_participant: the same for each participant, (participants, methods, methods).
        wins_by_clip: the same for each clip, (clips, methods, methods).
        rng: source of the bootstrap samples.
        draws: number of bootstrap samples.

    Returns:
        (strength, low, high) of each method: logits with a 95 % interval.
    """
    from scipy.stats import t

    strengths = _fit_strengths(wins)
    independent = _variance_of_answers(wins, rng, draws)
    clustered = sum(_variance_of_clusters(table, rng, draws) for table in (wins_by_participant, wins_by_clip))
    degrees_of_freedom = max(1, min(len(wins_by_participant), len(wins_by_clip)) - 1)
    variance = np.maximum(clustered - independent, independent)
    margins = float(t.ppf((1 + CONFIDENCE_LEVEL) / 2, degrees_of_freedom)) * np.sqrt(variance)
    return [(float(s), float(s - m), float(s + m)) for s, m in zip(strengths, margins, strict=True)]


def _variance_of_answers(wins: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Return the bootstrap variance of each strength over single answers, (methods,)."""
    cells = np.argwhere(wins > 0)
    weights = wins[wins > 0]
    fitted = np.zeros((draws, len(wins)))
    for index in range(draws):
        sample = np.zeros_like(wins, dtype=float)
        sample[cells[:, 0], cells[:, 1]] = rng.multinomial(int(weights.sum()), weights / weights.sum())
        fitted[index] = _fit_strengths(sample)
    return fitted.var(0)


def _variance_of_clusters(clusters: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    """Return the bootstrap variance of each strength over clusters, times G / (G - 1), (methods,)."""
    number = len(clusters)
    fitted = [_fit_strengths(np.tensordot(weights, clusters, 1)) for weights in _resample(rng, number, draws)]
    return np.var(fitted, axis=0) * number / max(1, number - 1)


def _fit_strengths(wins: np.ndarray) -> np.ndarray:
    import choix

    strengths = choix.ilsr_pairwise_dense(wins + PSEUDO_COUNT * (1 - np.eye(len(wins))), max_iter=1000)
    return strengths - strengths.mean()
