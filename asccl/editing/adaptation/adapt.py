"""Adapt an edit to one face: choose its strength and the offsets of its units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from asccl.directors.base import Director, Target, emotion_weights
from asccl.editing.adaptation.bounds import BOUND_NAMES, cost_limits
from asccl.editing.adaptation.directions import adaptation_directions
from asccl.editing.adaptation.measures import (
    AdaptationNetworks,
    EditMeasures,
    FrameMeasures,
    compare_frames,
    lip_shift,
)
from asccl.editing.adaptation.objective import Goal
from asccl.editing.adaptation.samples import AdaptationSample, patch_motion
from asccl.editing.adaptation.search import STRENGTH_RANGE, Candidate, Search
from asccl.morphable.head import HeadModel
from asccl.nets.inference import single_thread
from asccl.progress import Progress
from asccl.renderers.warp.displacement import Displacement
from asccl.renderers.warp.renderer import WarpRenderer
from asccl.types import Image, Motion, as_image

SAMPLE_COUNT = 6  # frames that are rendered for every step of the search
WORKERS = 2  # threads; the result does not depend on their number
REACHED_SHARE = 0.95  # of a bound, from which on it counts as reached
MAX_BUDGET_STEPS = 4  # renders by which the plain preset approaches its identity budget, after the first
BUDGET_TOLERANCE = 0.03  # share of the budget by which the plain preset may miss it


@dataclass(frozen=True)
class Adaptation:
    """What a search chose for one face and one target.

    Attributes:
        strength: factor of the intensity.
        offsets: of the units at intensity 1, (52,); 0 for the plain preset.
        report: JSON-able; what was reached and what it cost. Empty for the plain preset.
    """

    strength: float
    offsets: np.ndarray | float = 0.0
    report: dict[str, Any] = field(default_factory=dict)


@dataclass
class FaceEvaluator:
    """Renders and measures edits of the sample frames of one face.

    Attributes:
        samples: the frames.
        motion: of the whole clip, which the director reads.
        director: decides the edited motion.
        target: of the edit; strength and offsets are replaced.
        renderer: of the person.
        head: the head model.
        networks: that measure.
        progress: can cancel the search.
        renders: edits that were rendered so far.
    """

    samples: Sequence[AdaptationSample]
    motion: Motion
    director: Director
    target: Target
    renderer: WarpRenderer
    head: HeadModel
    networks: AdaptationNetworks
    progress: Progress = field(default_factory=Progress)
    renders: int = 0

    def __post_init__(self) -> None:
        self._full_weight = replace(self.motion, weight=np.ones_like(self.motion.weight))
        self._patch_motion = patch_motion(self.motion, self.samples)
        self._displacement = Displacement(self.head)
        self._pool: ThreadPoolExecutor | None = None
        self._calm: list[tuple[FrameMeasures, np.ndarray]] = []

    @contextmanager
    def workers(self) -> Iterator[None]:
        """Start the threads that render, and measure the source without what contradicts the emotion."""
        with single_thread(), ThreadPoolExecutor(WORKERS) as pool:
            self._pool = pool
            self._calm = self._measure_all(0.0, np.zeros(len(self.head.names)))
            yield
            self._pool = None

    def __call__(self, strength: float, offsets: np.ndarray) -> EditMeasures:
        """Measure what the edit of a strength and of offsets, (52,), adds to a calm face."""
        self.progress.check()
        self.renders += 1
        measured = self._measure_all(strength, offsets)
        lip_shifts = [lips - calm_lips for (_, lips), (_, calm_lips) in zip(measured, self._calm, strict=True)]
        return compare_frames([m for m, _ in self._calm], [m for m, _ in measured], np.stack(lip_shifts))

    def _measure_all(self, strength: float, offsets: np.ndarray) -> list[tuple[FrameMeasures, np.ndarray]]:
        """Measures and lip shift of every sample in the edit of a strength and of offsets, (52,)."""
        assert self._pool is not None, "call inside of `workers`"
        target = replace(self.target, intensity=strength, offsets=offsets, removal=1.0)
        edited = self.director(self._full_weight, target).select(np.array([s.patch.t for s in self.samples]))
        patches = replace(
            self._patch_motion,
            coefficients=edited.coefficients,
            lip_gain=edited.lip_gain,
            lip_closing=edited.lip_closing,
            lip_parting=edited.lip_parting,
        )
        return list(self._pool.map(lambda i: self._measure_edit(patches, i), range(len(self.samples))))

    def render(self, edited: Motion, i: int) -> Image:
        """Render a sample frame. edited: motion of the sample frames in pixels of their patches."""
        sample = self.samples[i]
        plan = self.renderer.plan(self._patch_motion, edited)
        return as_image(self.renderer.render(plan, sample.patch.image, sample.landmarks, i))

    def _measure_edit(self, edited: Motion, i: int) -> tuple[FrameMeasures, np.ndarray]:
        sample, image = self.samples[i], self.render(edited, i)
        displacement = self._displacement(self._patch_motion, edited, i, sample.landmarks)
        return self.networks.measure(image, sample.landmarks, i), lip_shift(displacement, sample.landmarks)


def adapt(
    evaluate: FaceEvaluator,
    goal: Goal,
    max_identity_loss: float,
    enforced: Sequence[str] = BOUND_NAMES,
) -> Adaptation:
    """Search the strength and the offsets of an edit for one face.

    Args:
        evaluate: measures edits of the face.
        goal: what the edit should be read as.
        max_identity_loss: largest mean of 1 - identity cosine.
        enforced: names of the bounds that count; fewer of them for a comparison.

    Returns:
        The adaptation; the plain preset where the search gains nothing.
    """
    directions = adaptation_directions(goal.emotion_weights, evaluate.head.names, evaluate.target.source_probabilities)
    with evaluate.workers():
        strength, plain = plain_edit(evaluate, max_identity_loss)
        bounds, prices = cost_limits(plain, goal, max_identity_loss, evaluate.target.source_probabilities)
        limits = ({name: values[name] for name in enforced if name in values} for values in (bounds, prices))
        search = Search(evaluate, directions, goal, *limits)
        best = search.run(strength, plain)
    return Adaptation(float(best.x[0]), search.offsets(best.x), describe_search(search, best, plain, strength))


def plain_edit(evaluate: FaceEvaluator, max_identity_loss: float) -> tuple[float, EditMeasures]:
    """Strength and measures of the preset without offsets, at its identity budget.

    The loss grows by less than the square of the strength, so that one step ends beside the budget: an anger that costs
    more than its budget at strength 1 would keep an eighth too much.
    """
    no_offsets = np.zeros(len(evaluate.head.names))
    strength, measures = 1.0, evaluate(1.0, no_offsets)
    for _ in range(MAX_BUDGET_STEPS):
        budget_share = measures.cost("identity") / max_identity_loss
        if abs(budget_share - 1) < BUDGET_TOLERANCE:
            break
        previous, strength = strength, float(np.clip(strength / np.sqrt(max(budget_share, 1e-6)), *STRENGTH_RANGE))
        if strength == previous:
            break
        measures = evaluate(strength, no_offsets)
    return strength, measures


def describe_search(search: Search, best: Candidate, plain: EditMeasures, plain_strength: float) -> dict[str, Any]:
    """Report of a search.

    Args:
        search: that was run.
        best: the edit that it chose.
        plain: measures of the plain preset.
        plain_strength: its strength.

    Returns:
        The report, JSON-able.
    """
    moves = {d.name: round(float(c), 3) for c, d in zip(best.x[1:], search.directions, strict=True) if abs(c) > 5e-3}
    return {
        "probability": {
            "plain": round(search.goal.probability(plain.logits), 4),
            "adapted": round(search.goal.probability(best.measures.logits), 4),
        },
        "readability": {
            "plain": round(search.goal.readability(plain.logits, plain.features), 4),
            "adapted": round(search.goal.readability(best.measures.logits, best.measures.features), 4),
        },
        "held_back_by": limits_reached(search, best),
        "plain_strength": round(plain_strength, 4),
        "moves": moves,
        "costs": {
            name: {
                "plain": round(plain.cost(name), 5),
                "adapted": round(best.measures.cost(name), 5),
                "bound": None if name not in search.bounds else round(search.bounds[name], 5),
            }
            for name in best.measures.costs
        },
    }


def limits_reached(search: Search, best: Candidate) -> list[str]:
    """Names of the bounds that an edit has reached; "units" where strength or an offset is at its own limit."""
    names = [n for n, bound in search.bounds.items() if best.measures.cost(n) > REACHED_SHARE * bound]
    low, high = search.limits()
    margin = (1 - REACHED_SHARE) * (high - low)
    return [*names, "units"] if (best.x > high - margin).any() else names


def adaptation_goal(target: Target) -> Goal:
    """What an edit to a target should be read as."""
    reference = target.reference
    if reference is None:
        return Goal(emotion_weights(target))
    return Goal(emotion_weights(target), reference.network_features, reference.network_probabilities)
