"""Preset emotions: seven targets in ARKit units, reached from whatever the source does.

Targets are absolute where an offset fails. A unit that the emotion asks for is raised to its target, by less where
this person's resting face already has part of it, but never by less than `LEAST` of it; a unit that speaks against
the emotion is taken down to the tolerated resting level. The movement around the resting level (speech, life) stays.
The table is `asccl.morphable.emotions`.

Whoever smiles through a whole clip looks, to a fit, like a person with such a face: part of a lasting expression ends
up in the identity, where no coefficient can take it back. What the source shows, as the expression network reads it,
is therefore taken away on top, and a coefficient may fall below 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from asccl.directors.base import Target
from asccl.morphable.emotions import MAX_UNIT_TARGETS, PRESETS, expand_units, variant_factors
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import protect_speech
from asccl.types import EMOTIONS, Motion

RESTING = 0.15  # a resting face reads up to this much of any unit ...
SPEAKING = {"mouthUpperUp": 0.45, "mouthShrugUpper": 0.2}  # ... and a calm speaker up to this much of these
LEAST = 0.55
FLOOR, CEILING = -0.5, 1.6  # of a coefficient


def resting_level(motion: Motion) -> np.ndarray:
    """(52,) what this face does when it does nothing: the median over the frames that can be edited."""
    seen = motion.weight > 0
    return np.median(motion.coefficients[seen] if seen.any() else motion.coefficients, axis=0)


def resting(names: tuple[str, ...]) -> np.ndarray:
    """(52,) what a calm face reads up to."""
    return expand_units(SPEAKING, names, default=RESTING)


def change_towards(
    rest: np.ndarray, wanted: np.ndarray, kept: np.ndarray, bounds: np.ndarray, calm: np.ndarray,
    shown: np.ndarray | float = 0.0,
) -> np.ndarray:  # fmt: skip
    """Change of the resting level (52,) that an emotion asks for. wanted: (52,) to which each is raised, or, below 0,
    by how much it falls. kept: share of the excess over rest that stays. bounds: (52,) the most that is wanted of each.
    calm: (52,) see `resting`. shown: (52,) see `shown_units`."""
    excess = np.clip(rest - calm, 0, None)
    wanted = np.minimum(wanted, bounds)
    raised = np.maximum(wanted - excess, LEAST * wanted)
    lowered = (kept - 1) * excess + wanted - shown
    return np.where(wanted > 0, np.minimum(raised, CEILING - rest), lowered)


def shown_units(target: Target, shares: np.ndarray, names: tuple[str, ...]) -> np.ndarray | float:
    """(52,) what an edit takes away: part of the presets of what the source shows, but for the share (7,) of each
    emotion that the edit wants. 0 if unknown."""
    if target.shown is None:
        return 0.0
    presets = PRESETS.values()
    leaving = sum(share * preset.source_suppression for share, preset in zip(shares, presets, strict=True))
    return leaving * sum(
        p * (1 - share) * np.maximum(expand_units(preset.units, names), 0)
        for p, share, preset in zip(target.shown, shares, presets, strict=True)
    )  # neutral's has no units


class PresetDirector:
    """Moves a face to one of the seven emotions. Settings are the table `PRESETS`."""

    def __init__(self, head: HeadModel):
        self.names = head.names

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """Needs `target.emotion`; see `Director`."""
        assert target.emotion is not None
        preset = PRESETS[target.emotion]
        wanted = expand_units(preset.units, self.names) * variant_factors(target.seed, self.names)
        kept = expand_units(preset.residuals, self.names, default=1.0)
        rest = resting_level(motion)
        shown = shown_units(target, np.eye(len(EMOTIONS))[EMOTIONS.index(target.emotion)], self.names)
        bounds = expand_units(MAX_UNIT_TARGETS, self.names, default=CEILING)
        change = change_towards(rest, wanted, kept, bounds, resting(self.names), shown)
        return apply_change(motion, change, preset.motion_gain, preset.lip_gain, target.intensity, self.names)


def apply_change(
    motion: Motion, change: np.ndarray, liveliness: float, lip_gain: float, intensity: float, names: tuple[str, ...]
) -> Motion:
    """Add a change of the resting level (52,) to every frame, in the measure of intensity and weight, speech spared."""
    w = motion.coefficients
    rest = resting_level(motion)
    per_frame = change + (liveliness - 1) * (w - rest)
    per_frame = protect_speech(per_frame, motion, names)
    amount = intensity * motion.weight
    new = np.clip(w + amount[:, None] * per_frame, FLOOR, CEILING)
    new = np.where(amount[:, None] > 0, new, w).astype(np.float32)
    gain = 1 + amount * (lip_gain - 1)
    return replace(motion, coefficients=new, lip_gain=gain.astype(np.float32))
