"""Direct a face to the style of a reference: its emotion, and the person's own way of showing it.

A transfer of mean and deviation alone also transfers the differences between two resting faces and gives a weak edit.
Here the change is the preset of the emotion read in the reference, to which part of the reference's own coefficients
beyond those of a resting face is added.
"""

from __future__ import annotations

import numpy as np

from asccl.directors.base import Target, emotion_weights
from asccl.directors.contradictions import contradiction_change, grin_opening
from asccl.directors.lasting import brow_removal, calm_tolerance
from asccl.directors.lip_parting import parting_share
from asccl.directors.preset import (
    MAX_RESTING_LEVEL,
    EmotionChange,
    added_change,
    apply_emotion_change,
    blend_presets,
    max_resting_levels,
    resting_coefficients,
)
from asccl.morphable.emotions import (
    MAX_UNIT_TARGETS,
    expand_units,
    unit_indices,
    variant_factors,
)
from asccl.morphable.head import HeadModel
from asccl.types import EMOTIONS, Motion

PRESET_GAIN = 1.0
REFERENCE_GAIN = 0.2  # of the reference's own coefficients beyond those of a resting face
MAX_UNIT_TARGET = 1.4  # of a unit that `MAX_UNIT_TARGETS` does not list
MIN_UNIT_TARGET = 0.05  # magnitude; smaller targets are set to 0
# coefficients by which a reading is checked
NOSE_LIFT = 0.8  # rise of the lip corners (mouthSmile) for one unit of noseSneer
CALM_NOSE, CLEAR_WRINKLE = 0.08, 0.1  # noseSneer of a calm speaker, and beyond it of a wrinkled nose
CALM_BROWS, CLEAR_RAISE = (
    0.1,
    0.2,
)  # browInnerUp + browOuterUp + eyeWide of a calm speaker, and beyond it of raised brows
CLEAR_SMILE = 0.1  # mouthSmile beyond that of a calm speaker
MIN_SUPPORT = 0.1  # share of a reading that stays without support


def check_emotions(probabilities: np.ndarray, mean: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Correct what expression networks read in a reference by its own coefficients.

    The networks take the bared teeth of disgust or fear for a smile, and the open mouth of fear for surprise. A smile
    needs lip corners that rise further than a wrinkled nose lifts them; where they do not, what was read as happy
    counts as disgusted as far as the nose is wrinkled, and not at all otherwise. Surprise needs raised brows or lids;
    without them it counts as fear.

    Args:
        probabilities: of each emotion in the order of `EMOTIONS`, (7,).
        mean: mean coefficients of the reference, (52,).
        names: of the 52 units.

    Returns:
        The corrected probabilities, (7,), sum 1.
    """

    def level(unit: str) -> float:
        return float(mean[unit_indices(unit, names)].mean())

    smile = level("mouthSmile") - MAX_RESTING_LEVEL - NOSE_LIFT * level("noseSneer")
    is_smile = np.clip(smile / CLEAR_SMILE, MIN_SUPPORT, 1)
    is_wrinkled = np.clip((level("noseSneer") - CALM_NOSE) / CLEAR_WRINKLE, 0, 1)
    raised = level("browInnerUp") + level("browOuterUp") + level("eyeWide")
    is_raised = np.clip((raised - CALM_BROWS) / CLEAR_RAISE, MIN_SUPPORT, 1)
    happy, surprised, disgusted, fear = (EMOTIONS.index(e) for e in ("happy", "surprised", "disgusted", "fear"))
    checked = probabilities.astype(np.float64, copy=True)
    checked[happy] *= is_smile
    checked[surprised] *= is_raised
    checked[disgusted] += probabilities[happy] * (1 - is_smile) * is_wrinkled
    checked[fear] += probabilities[surprised] * (1 - is_raised)
    return checked / checked.sum()


class ReferenceDirector:
    """Direct a face to the style of a reference; where an emotion is named as well, along that emotion's preset."""

    def __init__(self, head: HeadModel):
        self.head, self.names, self.mirror = head, head.names, head.mirror_units

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """See `Director`; needs `target.reference`."""
        assert target.reference is not None
        weights, readings = emotion_weights(target), target.source_readings
        blend = blend_presets(weights, self.names)
        mean = 0.5 * (target.reference.mean + target.reference.mean[self.mirror])
        calm = max_resting_levels(self.names)
        own = np.clip(mean - calm, 0, None)
        targets = (PRESET_GAIN * blend.targets + REFERENCE_GAIN * own) * variant_factors(target.seed, self.names)
        targets = np.where(np.abs(targets) > MIN_UNIT_TARGET, targets, 0)
        bounds = expand_units(MAX_UNIT_TARGETS, self.names, default=MAX_UNIT_TARGET)
        removed_brows, _ = brow_removal(motion, weights, targets, calm, readings, self.names)
        tolerance = calm_tolerance(calm, weights, readings, self.names)
        change = EmotionChange(
            added_change(resting_coefficients(motion), targets, bounds, calm) + target.offsets,
            blend.max_intensity,
            contradiction_change(motion, np.where(targets > 0, 1.0, blend.residuals), tolerance) + removed_brows,
            blend.motion_gain,
            blend.lip_gain,
            blend.grin_closing * grin_opening(motion, self.head),
            blend.lip_parting * parting_share(motion, self.head),
        )
        return apply_emotion_change(motion, change, target, self.names)
