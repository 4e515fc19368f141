"""Reference style: the emotion that a clip or picture shows, and what is special to how this person shows it.

Mean-and-deviation transfer alone carries over resting-face differences and comes out weak. Here the direction comes
from the preset of the emotion read from the reference, and the reference's own coefficients beyond a resting face
are added to it.
"""

from __future__ import annotations

import numpy as np

from asccl.directors.base import Target
from asccl.directors.preset import apply_change, change_towards, resting, resting_level, shown_units
from asccl.morphable.emotions import MAX_UNIT_TARGETS, PRESETS, expand_units, variant_factors
from asccl.morphable.head import HeadModel
from asccl.types import EMOTIONS, Motion

DIRECTION = 1.0  # share of the preset
SPECIAL = 0.2  # gain of the reference's own expression beyond a resting face
MOST = 1.4  # of any unit
CALM = 0.5  # probability of neutral up to which a reference counts as emotional through and through
SHARPEN = 2.5  # exponent on the read probabilities


def emotion_shares(target: Target) -> np.ndarray:
    """(7,) which presets give the direction: the named emotion, else what was read from the reference.

    A clip of somebody who speaks reads as partly neutral whatever they feel, so that neutral counts only by what it
    has beyond `CALM`.
    """
    if target.emotion is not None:
        return np.eye(len(EMOTIONS))[EMOTIONS.index(target.emotion)]
    assert target.reference is not None
    p = np.clip(target.reference.probabilities, 1e-6, 1)
    calm = np.clip((p[0] - CALM) / (1 - CALM), 0, 1)
    felt = p[1:] ** SHARPEN
    return np.concatenate([[calm], (1 - calm) * felt / felt.sum()])


class ReferenceDirector:
    """Moves a face to the style of a reference; with an emotion named as well, along that emotion."""

    def __init__(self, head: HeadModel):
        self.names, self.mirror = head.names, head.mirror_units

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """Needs `target.reference`; see `Director`."""
        assert target.reference is not None
        shares = emotion_shares(target)
        table = [PRESETS[e] for e in EMOTIONS]
        direction = sum(s * expand_units(p.units, self.names) for s, p in zip(shares, table, strict=True))
        kept = sum(s * expand_units(p.residuals, self.names, default=1.0) for s, p in zip(shares, table, strict=True))
        mean = 0.5 * (target.reference.mean + target.reference.mean[self.mirror])
        special = np.clip(mean - resting(self.names), 0, None)
        wanted = (DIRECTION * direction + SPECIAL * special) * variant_factors(target.seed, self.names)
        wanted = np.where(np.abs(wanted) > 0.05, wanted, 0)
        bounds = expand_units(MAX_UNIT_TARGETS, self.names, default=MOST)
        shown = shown_units(target, shares, self.names)
        change = change_towards(resting_level(motion), wanted, kept, bounds, resting(self.names), shown)
        gain = float(sum(s * p.lip_gain for s, p in zip(shares, table, strict=True)))
        liveliness = float(sum(s * p.motion_gain for s, p in zip(shares, table, strict=True)))
        return apply_change(motion, change, liveliness, gain, target.intensity, self.names)
