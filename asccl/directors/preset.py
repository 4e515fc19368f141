"""Direct a face to a preset emotion or to a mix of two, whatever the source does.

The targets of `asccl.morphable.emotions` are absolute. A unit that the emotion asks for is raised to its target: by
less where the person's resting face already has part of it, but by no less than `MIN_TARGET_SHARE` of the target. A
unit that contradicts the emotion is lowered frame by frame, see `asccl.directors.contradictions`. The movement around
the level of a unit (speech, idle movement) stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from asccl.directors.base import Target, emotion_weights
from asccl.directors.contradictions import contradiction_change, grin_opening, unit_levels
from asccl.directors.lasting import brow_removal, calm_tolerance, reading_relief
from asccl.directors.lip_parting import parting_share, preset_parting
from asccl.morphable.emotions import MAX_UNIT_TARGETS, PRESETS, expand_units, max_unit_intensity, variant_factors
from asccl.morphable.groups import add_groups, group_change, group_lip_gain
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import protect_speech
from asccl.types import EMOTIONS, Motion

MAX_RESTING_LEVEL = 0.15  # of any unit of a resting face that `MAX_SPEAKING_LEVELS` does not list
MAX_SPEAKING_LEVELS = {  # of a calm speaker, by unit
    "mouthUpperUp": 0.35,
    "mouthShrugUpper": 0.2,
    "mouthSmile": 0.05,
    "mouthDimple": 0.05,
    "mouthStretch": 0.05,
    "browDown": 0.1,
    "cheekSquint": 0.1,
}
MIN_TARGET_SHARE = 0.55  # of a target, by which a unit is raised whatever the resting face has of it
MIN_COEFFICIENT, MAX_COEFFICIENT = -0.5, 1.6
MIN_COEFFICIENTS = {"browInnerUp": -0.9}  # of units that may fall further: anger lowers the inner ends of brows by it
MIN_LIP_GAIN = 0.3  # to which groups may lower the opening of the lips
# share of the opening that a grin holds by which the lips close
GRIN_CLOSING = {
    "neutral": 1.0,
    "angry": 1.0,
    "disgusted": 1.0,
    "fear": 0.0,
    "happy": 0.0,
    "sad": 1.0,
    "surprised": 0.0,
}


def resting_coefficients(motion: Motion) -> np.ndarray:
    """Estimate the coefficients of a face at rest, (52,): the median over the frames of weight > 0 (else over all)."""
    editable = motion.weight > 0
    return np.median(motion.coefficients[editable] if editable.any() else motion.coefficients, axis=0)


def max_resting_levels(names: tuple[str, ...]) -> np.ndarray:
    """Upper bound of each coefficient of a calm speaker, (52,)."""
    return expand_units(MAX_SPEAKING_LEVELS, names, default=MAX_RESTING_LEVEL)


def added_change(rest: np.ndarray, targets: np.ndarray, bounds: np.ndarray, calm: np.ndarray) -> np.ndarray:
    """Change of the resting coefficients by which an emotion goes beyond a calm face.

    Args:
        rest: resting coefficients of the person, (52,).
        targets: level to which each unit is raised, or, below 0, by how much it falls, (52,).
        bounds: upper bounds of `targets`, (52,).
        calm: see `max_resting_levels`, (52,).

    Returns:
        The change of each unit, (52,).
    """
    excess = np.clip(rest - calm, 0, None)
    targets = np.minimum(targets, bounds)
    raised = np.maximum(targets - excess, MIN_TARGET_SHARE * targets)
    return np.where(targets > 0, np.minimum(raised, MAX_COEFFICIENT - rest), targets)


@dataclass(frozen=True)
class EmotionChange:
    """What an emotion asks of a face at intensity 1.

    Attributes:
        added: change of the resting coefficients beyond a calm face, (52,).
        max_intensity: intensity beyond which a unit of `added` grows no further, (52,).
        removed: change of each frame towards a calm face, (T, 52), at most 0.
        motion_gain: of the movement around the levels of the units.
        lip_gain: edited over source opening of the lips.
        lip_closing: by how much the lips close in each frame, (T,) cm.
        lip_parting: by how much they part with the jaw in each frame, (T,) cm.
    """

    added: np.ndarray
    max_intensity: np.ndarray
    removed: np.ndarray
    motion_gain: float
    lip_gain: float
    lip_closing: np.ndarray
    lip_parting: np.ndarray


@dataclass(frozen=True)
class PresetBlend:
    """Presets of several emotions, weighted.

    Attributes:
        targets: of the units at intensity 1, (52,).
        residuals: share of contradicting units that stays, (52,).
        max_intensity: intensity beyond which a unit grows no further, that of the strongest emotion, (52,).
        motion_gain: factor on the movement around the resting level.
        lip_gain: edited over source opening of the lips.
        grin_closing: share of the opening that a grin holds by which the lips close.
        lip_parting: cm by which the lips part in silence.
    """

    targets: np.ndarray
    residuals: np.ndarray
    max_intensity: np.ndarray
    motion_gain: float
    lip_gain: float
    grin_closing: float
    lip_parting: float


def blend_presets(weights: np.ndarray, names: tuple[str, ...]) -> PresetBlend:
    """Blend the presets. weights: of each emotion in the order of `EMOTIONS`, (7,), sum 1. names: of the 52 units."""
    weighted = [(w, PRESETS[emotion]) for w, emotion in zip(weights, EMOTIONS, strict=True)]
    return PresetBlend(
        np.sum([w * expand_units(p.units, names) for w, p in weighted], axis=0),
        np.sum([w * expand_units(p.residuals, names, default=1.0) for w, p in weighted], axis=0),
        max_unit_intensity(EMOTIONS[int(np.argmax(weights))], names),
        float(sum(w * p.motion_gain for w, p in weighted)),
        float(sum(w * p.lip_gain for w, p in weighted)),
        float(sum(w * GRIN_CLOSING[emotion] for w, emotion in zip(weights, EMOTIONS, strict=True))),
        preset_parting(weights),
    )


class PresetDirector:
    """Direct a face to one of the seven emotions, or to a mix of two, by the table `PRESETS`."""

    def __init__(self, head: HeadModel):
        self.head, self.names = head, head.names

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """See `Director`; needs `target.emotion`."""
        weights = emotion_weights(target)
        blend = blend_presets(weights, self.names)
        targets = blend.targets * variant_factors(target.seed, self.names)
        residuals = np.where(targets > 0, 1.0, blend.residuals)
        bounds = expand_units(MAX_UNIT_TARGETS, self.names, default=MAX_COEFFICIENT)
        calm = max_resting_levels(self.names)
        readings = target.source_readings
        removed_brows, evidence = brow_removal(motion, weights, targets, calm, readings, self.names)
        relief = reading_relief(weights, targets, target.source_probabilities, self.names)
        relief *= 1 - evidence * removed_brows.any(0)  # what is removed needs no relief
        tolerance = calm_tolerance(calm, weights, readings, self.names)
        change = EmotionChange(
            added_change(resting_coefficients(motion), targets, bounds, calm) + target.offsets + relief,
            blend.max_intensity,
            contradiction_change(motion, residuals, tolerance) + removed_brows,
            blend.motion_gain,
            blend.lip_gain,
            blend.grin_closing * grin_opening(motion, self.head),
            blend.lip_parting * parting_share(motion, self.head),
        )
        return apply_emotion_change(motion, change, target, self.names)


def apply_emotion_change(motion: Motion, change: EmotionChange, target: Target, names: tuple[str, ...]) -> Motion:
    """Change every frame as an emotion asks, and protect speech.

    Args:
        motion: of the source, T frames.
        change: what the emotion asks at intensity 1.
        target: its intensity scales what is added, its removal what is removed, its group intensity the groups; all
            times the weight of a frame.
        names: of the 52 units.

    Returns:
        The motion of the edited face.
    """
    coefficients = motion.coefficients
    intensity, removed_share = (np.asarray(x)[..., None] for x in (target.intensity, target.removed_share))
    movement = (change.motion_gain - 1) * (coefficients - unit_levels(motion))
    added = np.minimum(intensity, change.max_intensity) * change.added
    frame_change = added + intensity * movement + removed_share * change.removed
    if not target.groups.is_zero:
        group_intensity = np.asarray(target.group_intensity)[..., None]
        frame_change = add_groups(frame_change, coefficients, group_change(target.groups, names), group_intensity)
    frame_change = motion.weight[:, None] * protect_speech(frame_change, motion, names)
    least = expand_units(MIN_COEFFICIENTS, names, default=MIN_COEFFICIENT)
    edited = np.clip(coefficients + frame_change, least, MAX_COEFFICIENT)
    edited = np.where(frame_change != 0, edited, coefficients).astype(np.float32)
    closing = target.removed_share * motion.weight * change.lip_closing
    parting = target.intensity * motion.weight * change.lip_parting
    return replace(
        motion,
        coefficients=edited,
        lip_gain=frame_lip_gain(motion, target, change.lip_gain),
        lip_closing=closing.astype(np.float32),
        lip_parting=parting.astype(np.float32),
    )


def frame_lip_gain(motion: Motion, target: Target, lip_gain: float) -> np.ndarray:
    """Edited over source opening of the lips in each frame, (T,) float32, at least `MIN_LIP_GAIN`.

    Args:
        motion: of the source, T frames.
        target: with its intensity and groups.
        lip_gain: of the emotion at intensity 1.
    """
    gain = 1 + target.intensity * motion.weight * (lip_gain - 1)
    if not target.groups.is_zero:
        gain = np.maximum(gain + target.group_intensity * motion.weight * group_lip_gain(target.groups), MIN_LIP_GAIN)
    return gain.astype(np.float32)
