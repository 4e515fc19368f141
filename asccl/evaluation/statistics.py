"""Bootstrap intervals over clips: of a score, and of the difference of two methods on the same clips.

A draw takes N clips with repetition and merges their states, so an interval of a Frechet distance is that of the pooled
distance, not of a mean over clips. Clips are drawn, because frames of one clip are not independent. For scores that are
means of clips, the interval is the 2.5th to the 97.5th percentile. A Frechet distance grows when clips are repeated, so
its interval is the *basic* one, which reflects the percentiles at the estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from asccl.evaluation.measure import Measure, MeasureSkippedError, State, merge_states

CONFIDENCE = 0.95
DRAWS = 1000
DRAWS_OF_LARGE_STATES = 100
LARGE_STATE = 4096  # numbers in a state; above, a score takes long to compute
MIN_CLIPS = 3  # fewer give no interval


@dataclass(frozen=True)
class Interval:
    """A number with its confidence interval over clips.

    Attributes:
        value: estimate.
        low: lower end, NaN for fewer than `MIN_CLIPS` clips.
        high: upper end.
        clips: number of clips.
        frames: number of frames.
        extras: further numbers of the score, see `Score`.
    """

    value: float
    low: float
    high: float
    clips: int
    frames: int
    extras: Mapping[str, float]


def score_interval(
    measure: Measure, states: Sequence[State], pool: State, rng: np.random.Generator, draws: int = DRAWS
) -> Interval:
    """Compute the score of some clips with its interval.

    Args:
        measure: of the states.
        states: one per clip.
        pool: of the real frames; empty for a measure that uses none.
        rng: draws the clips.
        draws: number of draws for small states.

    Raises:
        MeasureSkippedError: the score is undefined.
    """
    score = measure.compute(merge_states(*states, pool))
    draws = limit_draws(states, draws)
    values = _drawn_scores(measure, states, pool, draw_clips(rng, len(states), draws)) if draws else np.zeros(0)
    low, high = _ends(score.value, values, measure.uses_pool)
    return Interval(score.value, low, high, len(states), score.count, dict(score.extras))


def difference_interval(
    measure: Measure,
    first: tuple[Sequence[State], State],
    second: tuple[Sequence[State], State],
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Interval:
    """Compute the difference of the scores of two methods on the same clips, drawn in pairs.

    Args:
        measure: of the states.
        first: states of the clips, and of the pool.
        second: states of the same clips in the same order, and of the pool.
        rng: draws the clips.
        draws: number of draws for small states.

    Returns:
        Score of the first minus that of the second.

    Raises:
        MeasureSkippedError: a score is undefined.
    """
    (a, pool_a), (b, pool_b) = first, second
    score_a, score_b = (measure.compute(merge_states(*states, pool)) for states, pool in (first, second))
    draws = limit_draws(a, draws)
    weights = draw_clips(rng, len(a), draws) if draws else np.zeros((0, len(a)))
    values = _drawn_scores(measure, a, pool_a, weights) - _drawn_scores(measure, b, pool_b, weights)
    value = score_a.value - score_b.value
    low, high = _ends(value, values, measure.uses_pool)
    return Interval(value, low, high, len(a), min(score_a.count, score_b.count), {})


def draw_clips(rng: np.random.Generator, clips: int, draws: int) -> np.ndarray:
    """Draw clips with repetition: how often each of N clips is in each draw, (draws, N)."""
    return rng.multinomial(clips, np.full(clips, 1 / clips), draws).astype(np.float64)


def limit_draws(states: Sequence[State], draws: int) -> int:
    """Return the number of draws: 0 for few clips, fewer where a score takes long to compute."""
    if len(states) < MIN_CLIPS:
        return 0
    size = sum(np.size(value) for value in states[0].values())
    return min(draws, DRAWS_OF_LARGE_STATES) if size > LARGE_STATE else draws


def _drawn_scores(measure: Measure, states: Sequence[State], pool: State, weights: np.ndarray) -> np.ndarray:
    """Return the score of each draw, (draws,); NaN where it is undefined."""
    zeros = {name: np.zeros_like(value) for name, value in merge_states(*states).items()}
    arrays = {name: np.stack([np.asarray(state.get(name, zero)) for state in states]) for name, zero in zeros.items()}
    scores = np.full(len(weights), np.nan)
    for draw, row in enumerate(weights):
        drawn = {name: np.tensordot(row, array, 1) for name, array in arrays.items()}
        try:
            scores[draw] = measure.compute(merge_states(drawn, pool)).value
        except MeasureSkippedError:  # the clips of this draw have no value
            continue
    return scores


def _ends(value: float, values: np.ndarray, is_basic: bool) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    tail = 50 * (1 - CONFIDENCE)
    low, high = (float(end) for end in np.percentile(values, (tail, 100 - tail)))
    return (2 * value - high, 2 * value - low) if is_basic else (low, high)
