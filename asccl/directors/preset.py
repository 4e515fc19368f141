"""Direct a face to one of the seven preset emotions, whatever the source does.

The targets of `asccl.morphable.emotions` are absolute. A unit that the emotion asks for is raised to its target: by
less where the person's resting face already has part of it, but by no less than `MIN_TARGET_SHARE` of the target. A
unit that contradicts the emotion is lowered to the tolerated resting level. The movement around the resting level
(speech, idle movement) stays.

A fit explains part of an expression that lasts through the whole clip (a permanent smile, for instance) by the
identity, where no coefficient can remove it. The emotion that the expression network reads in the source is therefore
subtracted in addition, and a coefficient may fall below 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asccl.directors.base import Target
from asccl.morphable.emotions import MAX_UNIT_TARGETS, PRESETS, expand_units, variant_factors
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import protect_speech
from asccl.types import EMOTIONS, Motion

MAX_RESTING_LEVEL = 0.15  # of any unit of a resting face that `MAX_SPEAKING_LEVELS` does not list
MAX_SPEAKING_LEVELS = {"mouthUpperUp": 0.45, "mouthShrugUpper": 0.2}  # of a calm speaker, by unit
MIN_TARGET_SHARE = 0.55  # of a target, by which a unit is raised whatever the resting face has of it
MIN_COEFFICIENT, MAX_COEFFICIENT = -0.5, 1.6


def resting_coefficients(motion: Motion) -> np.ndarray:
    """Estimate the coefficients of a face at rest, (52,): the median over the frames of weight > 0 (else over all)."""
    editable = motion.weight > 0
    return np.median(motion.coefficients[editable] if editable.any() else motion.coefficients, axis=0)


def max_resting_levels(names: tuple[str, ...]) -> np.ndarray:
    """Upper bound of each coefficient of a calm speaker, (52,)."""
    return expand_units(MAX_SPEAKING_LEVELS, names, default=MAX_RESTING_LEVEL)


def resting_change(
    rest: np.ndarray,
    targets: np.ndarray,
    residuals: np.ndarray,
    bounds: np.ndarray,
    calm: np.ndarray,
    suppression: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Change of the resting coefficients that an emotion asks for.

    Args:
        rest: resting coefficients of the person, (52,).
        targets: level to which each unit is raised, or, below 0, by how much it falls, (52,).
        residuals: share of the excess over `calm` that stays in units that are not raised, (52,).
        bounds: upper bounds of `targets`, (52,).
        calm: see `max_resting_levels`, (52,).
        suppression: see `source_suppression`, (52,) or 0.

    Returns:
        The change of each unit, (52,).
    """
    excess = np.clip(rest - calm, 0, None)
    targets = np.minimum(targets, bounds)
    raised = np.maximum(targets - excess, MIN_TARGET_SHARE * targets)
    lowered = (residuals - 1) * excess + targets - suppression
    return np.where(targets > 0, np.minimum(raised, MAX_COEFFICIENT - rest), lowered)


def source_suppression(target: Target, emotion_weights: np.ndarray, names: tuple[str, ...]) -> np.ndarray | float:
    """How much to subtract of the emotions that the source shows.

    Args:
        target: with the emotion probabilities of the source; where they are unknown nothing is subtracted.
        emotion_weights: share of each emotion in the edit, (7,); emotions that the edit asks for are not subtracted.
        names: of the 52 units.

    Returns:
        (52,) of each unit, or 0.
    """
    if target.source_probabilities is None:
        return 0.0
    presets = PRESETS.values()
    strength = sum(weight * preset.source_suppression for weight, preset in zip(emotion_weights, presets, strict=True))
    return strength * sum(
        probability * (1 - weight) * np.maximum(expand_units(preset.units, names), 0)
        for probability, weight, preset in zip(target.source_probabilities, emotion_weights, presets, strict=True)
    )  # the preset of neutral has no units


class PresetDirector:
    """Direct a face to one of the seven emotions by the table `PRESETS`."""

    def __init__(self, head: HeadModel):
        self.names = head.names

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """See `Director`; needs `target.emotion`."""
        assert target.emotion is not None
        preset = PRESETS[target.emotion]
        targets = expand_units(preset.units, self.names) * variant_factors(target.seed, self.names)
        residuals = expand_units(preset.residuals, self.names, default=1.0)
        rest = resting_coefficients(motion)
        emotion_weights = np.eye(len(EMOTIONS))[EMOTIONS.index(target.emotion)]
        suppression = source_suppression(target, emotion_weights, self.names)
        bounds = expand_units(MAX_UNIT_TARGETS, self.names, default=MAX_COEFFICIENT)
        change = resting_change(rest, targets, residuals, bounds, max_resting_levels(self.names), suppression)
        change = change + target.offsets
        return apply_change(motion, change, preset.motion_gain, preset.lip_gain, target.intensity, self.names)


def apply_change(
    motion: Motion, change: np.ndarray, motion_gain: float, lip_gain: float, intensity: float, names: tuple[str, ...]
) -> Motion:
    """Add a change of the resting coefficients to every frame and protect speech.

    Args:
        motion: of the source, T frames.
        change: of the resting coefficients, (52,).
        motion_gain: of the movement around the resting coefficients.
        lip_gain: edited over source opening of the lips.
        intensity: 0 to 2; times the weight of a frame, the share of the change that the frame gets.
        names: of the 52 units.

    Returns:
        The motion of the edited face.
    """
    coefficients = motion.coefficients
    rest = resting_coefficients(motion)
    frame_change = protect_speech(change + (motion_gain - 1) * (coefficients - rest), motion, names)
    amount = intensity * motion.weight
    edited = np.clip(coefficients + amount[:, None] * frame_change, MIN_COEFFICIENT, MAX_COEFFICIENT)
    edited = np.where(amount[:, None] > 0, edited, coefficients).astype(np.float32)
    gain = 1 + amount * (lip_gain - 1)
    return replace(motion, coefficients=edited, lip_gain=gain.astype(np.float32))
