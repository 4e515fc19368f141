"""What speech, blinks and gaze forbid an emotion to change."""

from __future__ import annotations

import numpy as np

from asccl.types import Motion

# a director never touches these units: they carry speech and gaze
SPEECH_UNITS = (
    *("jaw", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthLeft", "mouthRight"),
    *("cheekPuff", "tongueOut", "eyeLook"),
)
LIP_SPREAD_UNITS = ("mouthSmile", "mouthStretch", "mouthDimple")
LIP_PART_UNITS = ("mouthUpperUp", "mouthLowerDown")
LID_UNITS = ("eyeWide", "eyeSquint")


def speech_unit_mask(names: tuple[str, ...]) -> np.ndarray:
    """(52,) bool, True where the source's value must stay."""
    return np.array([n.startswith(SPEECH_UNITS) for n in names])


def lip_rounding(motion: Motion, names: tuple[str, ...]) -> np.ndarray:
    """(T,) in [0, 1], how far the lips are rounded (o, u, w)."""
    w = motion.coefficients
    return np.clip(w[:, names.index("mouthPucker")] + 0.7 * w[:, names.index("mouthFunnel")], 0, 1)


def jaw_openness(motion: Motion, names: tuple[str, ...]) -> np.ndarray:
    """(T,) in [0, 1], 0 where the jaw is shut as for p, b and m."""
    return np.clip(motion.coefficients[:, names.index("jawOpen")] / 0.15, 0, 1)


def blink_amount(motion: Motion, names: tuple[str, ...], rest: float | None = None) -> np.ndarray:
    """(T,) in [0, 1], how far the lids are closed beyond this person's own resting lids; None takes their median."""
    lids = motion.coefficients[:, [names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]].max(1)
    if rest is None:
        rest = np.median(lids[motion.weight > 0]) if (motion.weight > 0).any() and len(lids) > 1 else min(lids[0], 0.4)
    return np.clip((lids - rest - 0.08) / max(0.2, 0.8 - rest), 0, 1)


def protect_speech(
    change: np.ndarray, motion: Motion, names: tuple[str, ...], resting_lids: float | None = None
) -> np.ndarray:
    """Take from a change of coefficients (T, 52) what would fight the words, a blink or the gaze. resting_lids: how far
    this person's lids are closed between blinks, where that is known."""
    out = np.where(speech_unit_mask(names), 0.0, change)
    spread = [i for i, n in enumerate(names) if n.startswith(LIP_SPREAD_UNITS)]
    lids = [i for i, n in enumerate(names) if n.startswith(LID_UNITS)]
    shut = np.array([n.startswith("eyeBlink") for n in names])
    out[:, spread] *= (1 - 0.6 * lip_rounding(motion, names))[:, None]
    part = [i for i, n in enumerate(names) if n.startswith(LIP_PART_UNITS)]
    out[:, part] *= (0.5 + 0.5 * jaw_openness(motion, names))[:, None]
    blink = blink_amount(motion, names, resting_lids)
    out[:, lids] *= (1 - np.clip(1.5 * blink, 0, 1))[:, None]
    out[:, shut] *= (1 - blink)[:, None]
    return out
