"""What speech, blinks and gaze forbid an emotion to change."""

from __future__ import annotations

import numpy as np

from asccl.types import Motion

# a director never touches these units: they carry speech and gaze
KEPT = (
    *("jaw", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRoll", "mouthLeft", "mouthRight"),
    *("cheekPuff", "tongueOut", "eyeLook"),
)
SPREADING = ("mouthSmile", "mouthStretch", "mouthDimple")
PARTING = ("mouthUpperUp", "mouthLowerDown")
LIDS = ("eyeWide", "eyeSquint")


def kept_units(names: tuple[str, ...]) -> np.ndarray:
    """(52,) bool, True where the source's value must stay."""
    return np.array([n.startswith(KEPT) for n in names])


def rounding(motion: Motion, names: tuple[str, ...]) -> np.ndarray:
    """(T,) in [0, 1], how far the lips are rounded (o, u, w)."""
    w = motion.coefficients
    return np.clip(w[:, names.index("mouthPucker")] + 0.7 * w[:, names.index("mouthFunnel")], 0, 1)


def parted(motion: Motion, names: tuple[str, ...]) -> np.ndarray:
    """(T,) in [0, 1], 0 where the jaw is shut as for p, b and m."""
    return np.clip(motion.coefficients[:, names.index("jawOpen")] / 0.15, 0, 1)


def blinking(motion: Motion, names: tuple[str, ...], rest: float | None = None) -> np.ndarray:
    """(T,) in [0, 1], how far the lids are closed beyond this person's own resting lids; None takes their median."""
    lids = motion.coefficients[:, [names.index("eyeBlinkLeft"), names.index("eyeBlinkRight")]].max(1)
    if rest is None:
        rest = np.median(lids[motion.weight > 0]) if (motion.weight > 0).any() and len(lids) > 1 else min(lids[0], 0.4)
    return np.clip((lids - rest - 0.08) / max(0.2, 0.8 - rest), 0, 1)


def spare_speech(
    change: np.ndarray, motion: Motion, names: tuple[str, ...], resting_lids: float | None = None
) -> np.ndarray:
    """Take from a change of coefficients (T, 52) what would fight the words, a blink or the gaze. resting_lids: how far
    this person's lids are closed between blinks, where that is known."""
    out = np.where(kept_units(names), 0.0, change)
    spread = [i for i, n in enumerate(names) if n.startswith(SPREADING)]
    lids = [i for i, n in enumerate(names) if n.startswith(LIDS)]
    shut = np.array([n.startswith("eyeBlink") for n in names])
    out[:, spread] *= (1 - 0.6 * rounding(motion, names))[:, None]
    part = [i for i, n in enumerate(names) if n.startswith(PARTING)]
    out[:, part] *= (0.5 + 0.5 * parted(motion, names))[:, None]
    blink = blinking(motion, names, resting_lids)
    out[:, lids] *= (1 - np.clip(1.5 * blink, 0, 1))[:, None]
    out[:, shut] *= (1 - blink)[:, None]
    return out
