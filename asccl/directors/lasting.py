"""Find an expression that a source shows all through, and move an edit away from it.

A scowl that a face never leaves looks like its identity to the fit of the head model: its coefficients are too small,
and the removal of `asccl.directors.contradictions` with them. Expression networks read it nevertheless. What they agree
on is taken away like any contradiction: frame by frame, by what the frame shows, and outside the identity budget, since
the same person without a scowl has another embedding in any case. Evidence grows smoothly from 0: a face that is calm
to one network, or to the coefficients, loses nothing by it.

What one network alone reads is a weaker hint. An edit moves away from that by less and within the identity budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from asccl.directors.contradictions import unit_levels
from asccl.face.easing import smoothstep
from asccl.morphable.emotions import PRESETS, expand_units, unit_indices
from asccl.types import EMOTIONS, Motion

# probability that every network gives to a group of emotions, from which on it is evidence, and full evidence
READING_RANGE = (0.35, 0.65)
NEUTRAL_RANGE = (0.45, 0.2)  # likewise of neutral, as evidence of any other emotion
SHOWN_RANGE = (0.0, 0.15)  # level of brows beyond a calm speaker's, likewise
REMOVED_BROWS = 0.5  # share of the brows of a preset by which evidence moves them back
# edits that move brows back by no more than the coefficients show: neutral would overshoot, a wrinkled nose lowers
# brows itself, and surprise raises them itself
EXEMPT_EMOTIONS = ("neutral", "disgusted", "surprised")
MIN_TOLERANCE = 0.5  # share of a calm speaker's levels that stays on a face that shows an emotion all through

# share of the preset of an emotion that one network reads in the source, by which an edit moves away from it
NEUTRAL_RELIEF = 0.6
BROW_RELIEF = 0.4  # likewise of the brows, for another emotion
MIN_READING, CLEAR_READING = 0.08, 0.35  # probability from which on an emotion counts as shown, and fully so

# A scowl that lasts is moved back with these units in place of those of anger's preset, which lowers the inner ends of
# the brows further: raised as far, they would look sad.
SCOWL: Mapping[str, float] = MappingProxyType(
    {"browInnerUp": -0.1, "browOuterUp": 0.6, "browDown": 1.0, "eyeWide": 0.25, "noseSneer": 0.15}
)


class BrowExpression(NamedTuple):
    """A lasting expression of the brows.

    Attributes:
        emotions: in which networks read it.
        units: that show it.
        preset: emotion whose brows it has.
    """

    emotions: tuple[str, ...]
    units: tuple[str, ...]
    preset: str


BROW_UNITS = ("browInnerUp", "browOuterUp", "browDown")
BROW_EXPRESSIONS: Mapping[str, BrowExpression] = MappingProxyType(
    {
        "lowered": BrowExpression(("angry", "disgusted"), ("browDown",), "angry"),
        "raised": BrowExpression(("fear", "surprised"), ("browInnerUp", "browOuterUp"), "surprised"),
    }
)


def group_evidence(readings: np.ndarray | None, emotions: tuple[str, ...]) -> float:
    """Evidence, 0 to 1, that a source shows one of some emotions: what every network reads.

    Args:
        readings: probability of each emotion by each network, (networks, 7); None if unknown.
        emotions: whose probabilities count together.
    """
    if readings is None:
        return 0.0
    probability = readings[:, [EMOTIONS.index(e) for e in emotions]].sum(1).min()
    return float(_ramp(probability, READING_RANGE))


def emotional_evidence(readings: np.ndarray | None) -> float:
    """Evidence, 0 to 1, that a source is not neutral. readings: see `group_evidence`."""
    return 0.0 if readings is None else float(_ramp(readings[:, EMOTIONS.index("neutral")].max(), NEUTRAL_RANGE))


def opposing_share(weights: np.ndarray) -> float:
    """Share of an edit that is none of `EXEMPT_EMOTIONS`. weights: share of each emotion, (7,), sum 1."""
    return 1 - float(sum(weights[EMOTIONS.index(e)] for e in EXEMPT_EMOTIONS))


def calm_tolerance(
    calm: np.ndarray, weights: np.ndarray, readings: np.ndarray | None, names: tuple[str, ...]
) -> np.ndarray:
    """Level of each unit up to which it is no expression of this source, (52,).

    Levels of a calm speaker leave calm faces alone. A face that shows an emotion all through has no use for them where
    the edit is neutral, nor have its brows where they oppose the edit.

    Args:
        calm: of a calm speaker, (52,).
        weights: share of each emotion in the edit, (7,), sum 1.
        readings: see `group_evidence`.
        names: of the 52 units.
    """
    upper_face = np.array([not name.startswith(("mouth", "jaw", "tongue", "cheekPuff")) for name in names])
    lost = weights[EMOTIONS.index("neutral")] * emotional_evidence(readings) * upper_face
    opposing = opposing_share(weights)
    for expression in BROW_EXPRESSIONS.values():
        indices = [i for unit in expression.units for i in unit_indices(unit, names)]
        lost[indices] = np.maximum(lost[indices], opposing * group_evidence(readings, expression.emotions))
    return calm * (1 - (1 - MIN_TOLERANCE) * lost)


def brow_removal(
    motion: Motion,
    weights: np.ndarray,
    targets: np.ndarray,
    calm: np.ndarray,
    readings: np.ndarray | None,
    names: tuple[str, ...],
) -> tuple[np.ndarray, float]:
    """Change of the brows that takes away what the fit of a lasting expression left to the identity.

    Args:
        motion: of the source, T frames.
        weights: share of each emotion in the edit, (7,), sum 1.
        targets: of the units in the edit, (52,).
        calm: levels of a calm speaker, (52,).
        readings: see `group_evidence`.
        names: of the 52 units.

    Returns:
        The change of each frame, (T, 52), and the largest evidence of its kinds, 0 to 1.
    """
    change, largest = np.zeros((len(motion), len(names))), 0.0
    if readings is None:
        return change, largest
    excess = unit_levels(motion) - calm
    share = opposing_share(weights)
    brows = expand_units(dict.fromkeys(BROW_UNITS, 1.0), names)
    for expression in BROW_EXPRESSIONS.values():
        indices = [i for unit in expression.units for i in unit_indices(unit, names)]
        evidence = group_evidence(readings, expression.emotions) * _ramp(excess[:, indices].mean(1), SHOWN_RANGE)
        units = brows * shown_units(expression.preset, names)
        change -= share * REMOVED_BROWS * evidence[:, None] * np.where(units * targets <= 0, units, 0)
        largest = max(largest, share * float(np.median(evidence)))
    return change, largest


def reading_relief(
    weights: np.ndarray, targets: np.ndarray, source_probabilities: np.ndarray | None, names: tuple[str, ...]
) -> np.ndarray:
    """Change of the units by which an edit moves away from what one network reads in a source, (52,).

    Neutral moves against the preset of that emotion, any other emotion against the brows of that preset where it does
    not ask for the same.

    Args:
        weights: share of each emotion in the edit, (7,), sum 1.
        targets: of the units in the edit, (52,).
        source_probabilities: of the emotions in the source, (7,); None if unknown.
        names: of the 52 units.
    """
    change = np.zeros(len(names))
    if source_probabilities is None:
        return change
    neutral = float(weights[EMOTIONS.index("neutral")])
    brows = expand_units(dict.fromkeys(BROW_UNITS, 1.0), names)
    visibility = np.clip((source_probabilities - MIN_READING) / (CLEAR_READING - MIN_READING), 0, 1)
    for share, weight, emotion in zip(visibility, weights, EMOTIONS, strict=True):
        if emotion == "happy":  # a smile shows in the coefficients, and is taken away by them
            continue
        units = shown_units(emotion, names)
        opposed = brows * (units * targets <= 0)
        other = max(1 - neutral - float(weight), 0.0)
        change -= share * (neutral * NEUTRAL_RELIEF + other * BROW_RELIEF * opposed) * units
    return change


def shown_units(emotion: str, names: tuple[str, ...]) -> np.ndarray:
    """Units, (52,), of an emotion that a source shows: those of its preset, but a `SCOWL` for anger."""
    units = PRESETS[emotion].units
    return expand_units({**units, **SCOWL} if emotion == "angry" else units, names)


def _ramp(value: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    start, end = limits
    return smoothstep((value - start) / (end - start))
