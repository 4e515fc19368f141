"""Bootstrap intervals over clips: of a score, and of the difference of two methods on the same clips.

A draw takes N sources with repetition and merges the states of their clips, so an interval of a Frechet distance is
that of the pooled distance, not of a mean over clips. Frames of one clip are not independent, and neither are clips of
one source: cross-id edits each source towards every emotion, and its copy is the same each time. For scores that are
means of clips, the interval is the 2.5th to the 97.5th percentile. A Frechet distance grows when clips are repeated, so
its interval is the *basic* one, which reflects the percentiles at the estimate, and a real video counts as often as the
clips that it belongs to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from asccl.evaluation.frechet import FrechetDistance, frechet_value
from asccl.evaluation.measure import Measure, MeasureSkippedError, State, merge_states

CONFIDENCE = 0.95
DRAWS = 1000
DRAWS_OF_LARGE_STATES = 100
LARGE_STATE = 4096  # numbers in a state; above, a score takes long to compute
MIN_SOURCES = 3  # fewer give no interval


@dataclass(frozen=True)
class Interval:
    """A number with its confidence interval over clips.

    Attributes:
        value: estimate.
        low: lower end, NaN for clips of fewer than `MIN_SOURCES` sources.
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


@dataclass(frozen=True)
class ClipStates:
    """States of N clips for one measure, and of the real videos that they are compared with.

    Attributes:
        clips: state of each clip.
        pool: state of each of P real videos; empty for a measure that uses none.
        users: (P, N) bool, which clips use which real video.
        sources: source of each clip, whose clips are drawn together; empty where each clip has its own.
    """

    clips: Sequence[State]
    pool: Sequence[State] = ()
    users: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    sources: Sequence[str] = ()

    @property
    def source_index(self) -> np.ndarray:
        """Number of the source of each clip, (N,), in the order of the clips."""
        names = self.sources or [str(clip) for clip in range(len(self.clips))]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        return np.array([numbers[name] for name in names], int)

    def merged(self) -> State:
        """All states together, each once."""
        return merge_states(*self.clips, *self.pool)


def score_interval(measure: Measure, states: ClipStates, rng: np.random.Generator, draws: int = DRAWS) -> Interval:
    """Compute the score of some clips with its interval.

    Args:
        measure: of the states.
        states: of at least one clip.
        rng: draws the clips.
        draws: number of draws for small states; 0 for no interval.

    Raises:
        MeasureSkippedError: the score is undefined.
    """
    score = measure.compute(states.merged())
    values = _drawn_scores(measure, states, draw_clips(rng, states.source_index, limit_draws(states, draws)))
    low, high = _ends(score.value, values, measure.uses_pool)
    low = max(low, 0.0) if measure.uses_pool else low  # a distance
    return Interval(score.value, low, high, len(states.clips), score.count, dict(score.extras))


def difference_interval(
    measure: Measure, first: ClipStates, second: ClipStates, rng: np.random.Generator, draws: int = DRAWS
) -> Interval:
    """Compute the difference of the scores of two methods on the same clips, drawn in pairs.

    Args:
        measure: of the states.
        first: states of the first method.
        second: states of the same clips in the same order.
        rng: draws the clips.
        draws: number of draws for small states.

    Returns:
        Score of the first minus that of the second.

    Raises:
        MeasureSkippedError: a score is undefined.
    """
    scores = [measure.compute(states.merged()) for states in (first, second)]
    weights = draw_clips(rng, first.source_index, limit_draws(first, draws))
    values = _drawn_scores(measure, first, weights) - _drawn_scores(measure, second, weights)
    value = scores[0].value - scores[1].value
    low, high = _ends(value, values, measure.uses_pool)
    return Interval(value, low, high, len(first.clips), min(score.count for score in scores), {})


def draw_clips(rng: np.random.Generator, source_index: np.ndarray, draws: int) -> np.ndarray:
    """Draw sources with repetition, each with all of its clips.

    Args:
        rng: random numbers.
        source_index: number of the source of each of N clips, (N,).
        draws: number of draws.

    Returns:
        How often each clip is in each draw, (draws, N).
    """
    sources = int(source_index.max()) + 1
    return rng.multinomial(sources, np.full(sources, 1 / sources), draws)[:, source_index].astype(np.float64)


def limit_draws(states: ClipStates, draws: int) -> int:
    """Return the number of draws: 0 for few sources, fewer where a score takes long to compute."""
    if len(np.unique(states.source_index)) < MIN_SOURCES:
        return 0
    size = sum(np.size(value) for value in states.clips[0].values())
    return min(draws, DRAWS_OF_LARGE_STATES) if size > LARGE_STATE else draws


def _drawn_scores(measure: Measure, states: ClipStates, weights: np.ndarray) -> np.ndarray:
    """Return the score of each draw (draws, N), (draws,); NaN where it is undefined.

    A real video counts as often as the clips that use it, on average.
    """
    scores = np.full(len(weights), np.nan)
    if not len(weights):
        return scores
    clips, pool = _stack(states.clips), _stack(states.pool)
    for draw, row in enumerate(weights):
        state = _weighted_sum(clips, row)
        if pool:
            state = merge_states(state, _weighted_sum(pool, states.users @ row / states.users.sum(1)))
        try:
            scores[draw] = _compute_value(measure, state)
        except MeasureSkippedError:  # the clips of this draw have no value
            continue
    return scores


def _stack(states: Sequence[State]) -> dict[str, np.ndarray]:
    """Stack the values of N states by name, (N, ...); a name that a state lacks counts as zero."""
    zeros = {name: np.zeros_like(value) for name, value in merge_states(*states).items()}
    return {name: np.stack([np.asarray(state.get(name, zero)) for state in states]) for name, zero in zeros.items()}


def _weighted_sum(stacked: dict[str, np.ndarray], weights: np.ndarray) -> State:
    return {name: np.tensordot(weights, values, 1) for name, values in stacked.items()}


def _compute_value(measure: Measure, state: State) -> float:
    """The score alone: the extras of a Frechet distance would take most of the time."""
    return frechet_value(state) if isinstance(measure, FrechetDistance) else measure.compute(state).value


def _ends(value: float, values: np.ndarray, is_basic: bool) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    tail = 50 * (1 - CONFIDENCE)
    low, high = (float(end) for end in np.percentile(values, (tail, 100 - tail)))
    return (2 * value - high, 2 * value - low) if is_basic else (low, high)
