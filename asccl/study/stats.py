"""The statistics of a study, each a function of counts. Definitions and their limits are in docs/study.md.

The mathematics is of statsmodels, scipy, choix and krippendorff; ours are the clusters, because the same person
answers often and the same clip is judged often: such answers are not independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000  # of the bootstrap of a rate
FITS = 200  # of the bootstrap of Bradley-Terry strengths, each a fit
LEVEL = 0.95
WEAK = 0.1  # added to every cell of Bradley-Terry, so that a method that always wins has a finite strength


@dataclass(frozen=True)
class Clustered:
    """A rate whose answers hang together. design_effect: its variance over that of independent answers."""

    low: float
    high: float
    p: float
    design_effect: float


def wilson(wins: int, count: int) -> tuple[float, float]:
    """95 % interval of a rate, as if all answers were independent."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(wins, count, 1 - LEVEL, method="wilson")
    return float(low), float(high)


def binomial(wins: int, count: int) -> float:
    """Exact two-sided p of wins against one half, as if all answers were independent."""
    from scipy.stats import binomtest

    return float(binomtest(wins, count, 0.5).pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's correction: the chance of one false alarm or more among all of them is kept."""
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(p, method="holm")[1]] if p else []


class Resampled:
    """Bootstrap samples of whole clusters: how often each is drawn. One set for all rows with as many clusters."""

    def __init__(self, rng: np.random.Generator, draws: int = DRAWS):
        self._rng, self._draws = rng, draws
        self._of: dict[int, np.ndarray] = {}

    def __call__(self, number: int) -> np.ndarray:
        """(draws, number)."""
        if number not in self._of:
            drawn = self._rng.multinomial(number, np.full(number, 1 / number), size=self._draws)
            self._of[number] = drawn.astype(np.float32)  # whole numbers far below 2^24, and quick to multiply
        return self._of[number]


def clustered(wins: np.ndarray, counts: np.ndarray, resampled: Resampled) -> Clustered | None:
    """wins, counts: (participants, clips). None with fewer than two of either.

    Variance over participants and variance over clips, each by bootstrap, less that of independent answers, which both
    contain; never below that. Interval and p on the logit scale; Student's t with (clusters - 1) / rho degrees, rho
    being the share of the variance that is due to clusters.
    """
    from scipy.stats import t

    people, clips = counts.sum(1) > 0, counts.sum(0) > 0
    wins, counts = wins[people][:, clips], counts[people][:, clips]
    clusters = min(counts.shape)
    if clusters < 2:
        return None
    count, won = counts.sum(), wins.sum()
    rate = (won + 0.5) / (count + 1)
    alone = rate * (1 - rate) / count
    both = sum(_variance(wins.sum(axis), counts.sum(axis), resampled) for axis in (1, 0))
    variance = max(both - alone, alone)
    degrees = (clusters - 1) / max(1 - alone / variance, 1e-9)
    error = math.sqrt(variance) / (rate * (1 - rate))
    logit = math.log(rate / (1 - rate))
    reach = float(t.ppf((1 + LEVEL) / 2, degrees)) * error
    p = float(2 * t.sf(abs(logit) / error, degrees))
    return Clustered(_sigmoid(logit - reach), _sigmoid(logit + reach), p, float(variance / alone))


def _variance(wins: np.ndarray, counts: np.ndarray, resampled: Resampled) -> float:
    """Of the rate when whole clusters are drawn with replacement; corrected for their number."""
    number = len(counts)
    drawn = resampled(number)
    total, won = drawn @ counts.astype(np.float32), drawn @ wins.astype(np.float32)
    rates = won[total > 0].astype(float) / total[total > 0]
    return float(rates.var() * number / (number - 1))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def more_judgements(rate: float, count: int, design_effect: float, half_width: float) -> int:
    """How many more answers narrow the interval to plus or minus `half_width`, people and clips growing alike."""
    from scipy.stats import norm

    z = float(norm.ppf((1 + LEVEL) / 2))
    return max(0, math.ceil(design_effect * z * z * rate * (1 - rate) / half_width**2 - count))


def krippendorff_alpha(table: np.ndarray) -> float | None:
    """Agreement between people. table: (units, answers) counts. None where nothing was answered in two ways, or
    nothing by two people: agreement above chance is then not defined."""
    import krippendorff

    shared = table[table.sum(1) >= 2]
    if len(shared) == 0 or (shared.sum(0) > 0).sum() < 2:
        return None
    return float(krippendorff.alpha(value_counts=shared, level_of_measurement="nominal"))


def bradley_terry(
    wins: np.ndarray, people: np.ndarray, clips: np.ndarray, rng: np.random.Generator, fits: int = FITS
) -> list[tuple[float, float, float]]:
    """(strength, low, high) of each method; strengths are logits and sum to 0.

    wins: (methods, methods), how often row beat column. people, clips: the same for each of them, (n, methods,
    methods). Intervals by bootstrap over both, as in `clustered`.
    """
    from scipy.stats import t

    strengths = _strengths(wins)
    cells = np.argwhere(wins > 0)
    weights = wins[wins > 0]
    alone = np.zeros((fits, len(wins)))
    for index in range(fits):
        drawn = np.zeros_like(wins, dtype=float)
        drawn[cells[:, 0], cells[:, 1]] = rng.multinomial(int(weights.sum()), weights / weights.sum())
        alone[index] = _strengths(drawn)
    base = alone.var(0)
    both = _spread(people, rng, fits) + _spread(clips, rng, fits) - base
    degrees = max(1, min(len(people), len(clips)) - 1)
    reach = float(t.ppf((1 + LEVEL) / 2, degrees)) * np.sqrt(np.maximum(both, base))
    return [(float(s), float(s - r), float(s + r)) for s, r in zip(strengths, reach, strict=True)]


def _spread(clusters: np.ndarray, rng: np.random.Generator, fits: int) -> np.ndarray:
    number = len(clusters)
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=fits)
    fitted = [_strengths(np.tensordot(weights, clusters, 1)) for weights in drawn]
    return np.var(fitted, axis=0) * number / max(1, number - 1)


def _strengths(wins: np.ndarray) -> np.ndarray:
    import choix

    found = choix.ilsr_pairwise_dense(wins + WEAK * (1 - np.eye(len(wins))), max_iter=1000)
    return found - found.mean()
