"""Protect speech, blinks and gaze from an expression edit."""

from __future__ import annotations

import numpy as np

from asccl.face import mesh
from asccl.morphable.head import HeadModel
from asccl.types import Motion

# directors never change these units: they carry speech and gaze
SPEECH_UNITS = (
    *("jaw", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthLeft", "mouthRight"),
    *("cheekPuff", "tongueOut", "eyeLook"),
)
LIP_SPREAD_UNITS = ("mouthSmile", "mouthStretch", "mouthDimple")
LIP_PART_UNITS = ("mouthUpperUp", "mouthLowerDown")
LID_UNITS = ("eyeWide", "eyeSquint")
MIN_OPEN_JAW = 0.15  # of the unit jawOpen
BLINK_THRESHOLD = 0.08  # eyeBlink above the resting lids at which a blink begins


def speech_unit_mask(names: tuple[str, ...]) -> np.ndarray:
    """Mark the units (52,) bool whose source value must stay."""
    return _mask(names, SPEECH_UNITS)


def lip_rounding(motion: Motion, names: tuple[str, ...]) -> np.ndarray:
    """Measure how far the lips are rounded, as for o, u and w: (T,) in [0, 1]."""
    w = motion.coefficients
    return np.clip(w[:, names.index("mouthPucker")] + 0.7 * w[:, names.index("mouthFunnel")], 0, 1)


def jaw_openness(motion: Motion, names: tuple[str, ...]) -> np.ndarray:
    """Measure how far the jaw is open: (T,) in [0, 1], 0 where it is closed as for p, b and m."""
    return np.clip(motion.coefficients[:, names.index("jawOpen")] / MIN_OPEN_JAW, 0, 1)


def lip_openings(motion: Motion, head: HeadModel) -> np.ndarray:
    """Measure the gap of the inner lips of the fitted head: (T,) cm, 0 for lips that meet or press."""
    identity_opening = float(_lip_gaps(motion.identity))
    return np.clip(identity_opening + motion.coefficients @ lip_opening_per_unit(head), 0, None)


def lip_opening_per_unit(head: HeadModel) -> np.ndarray:
    """Return the gap of the inner lips in cm that each unit opens, (52,)."""
    return _lip_gaps(head.expression.astype(np.float64))


def blink_amount(motion: Motion, names: tuple[str, ...], resting_lids: float | None = None) -> np.ndarray:
    """Measure how far the lids are closed beyond this person's resting lids.

    Args:
        motion: T frames.
        names: the 52 ARKit units in the order of the head model.
        resting_lids: eyeBlink between blinks; None takes the median of the motion.

    Returns:
        (T,) in [0, 1].
    """
    lids = motion.coefficients[:, [names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]].max(1)
    rest = _resting_lids(lids, motion.weight) if resting_lids is None else resting_lids
    return np.clip((lids - rest - BLINK_THRESHOLD) / max(0.2, 0.8 - rest), 0, 1)


def protect_speech(
    change: np.ndarray, motion: Motion, names: tuple[str, ...], resting_lids: float | None = None
) -> np.ndarray:
    """Remove from an edit what would disturb the speech, a blink or the gaze.

    Args:
        change: change of the coefficients, (T, 52).
        motion: motion of the source, T frames.
        names: the 52 ARKit units in the order of the head model.
        resting_lids: eyeBlink of this person between blinks, if known.

    Returns:
        The remaining change, (T, 52).
    """
    blink = blink_amount(motion, names, resting_lids)
    out = np.where(speech_unit_mask(names), 0.0, change)
    out[:, _mask(names, LIP_SPREAD_UNITS)] *= (1 - 0.6 * lip_rounding(motion, names))[:, None]
    out[:, _mask(names, LIP_PART_UNITS)] *= (0.5 + 0.5 * jaw_openness(motion, names))[:, None]
    out[:, _mask(names, LID_UNITS)] *= (1 - np.clip(1.5 * blink, 0, 1))[:, None]
    out[:, _mask(names, ("eyeBlink",))] *= (1 - blink)[:, None]
    return out


def _lip_gaps(landmarks: np.ndarray) -> np.ndarray:
    """Mean gap of the inner lips (...) of landmarks (..., 468, 3) in the head's coordinates."""
    upper, lower = np.array(mesh.LIP_GAP_PAIRS).T
    return (landmarks[..., lower, 1] - landmarks[..., upper, 1]).mean(-1)


def _mask(names: tuple[str, ...], prefixes: tuple[str, ...]) -> np.ndarray:
    return np.array([name.startswith(prefixes) for name in names])


def _resting_lids(lids: np.ndarray, weight: np.ndarray) -> float:
    """Median over the frames (T,) that can be edited; a single frame may be a blink, so that its value is bounded."""
    if (weight > 0).any() and len(lids) > 1:
        return np.median(lids[weight > 0])
    return min(lids[0], 0.4)
