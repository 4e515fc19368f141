"""Preset emotions: seven targets in ARKit units, reached from whatever the source does.

Targets are absolute where an offset fails. A unit that the emotion asks for is raised to its target, by less where
this person's resting face already has part of it, but never by less than `LEAST` of it; a unit that speaks against
the emotion is taken down to the tolerated resting level. The movement around the resting level (speech, life) stays.
Values follow the action units of the emotions (Ekman and Friesen 1978). A unit's share was weighed by what it costs in
likeness: brows, nose and lip corners cost most, lids and the lips' own shape least.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from asccl.directors.base import Target
from asccl.directors.speech import spare_speech
from asccl.morphable.head import HeadModel
from asccl.types import EMOTIONS, Motion

RESTING = 0.15  # a resting face reads up to this much of any unit ...
SPEAKING = {"mouthUpperUp": 0.45, "mouthShrugUpper": 0.2}  # ... and a calm speaker up to this much of these
LEAST = 0.55
CEILING = 1.6
# at intensity 1 these are raised no higher: they carry the lips furthest from the words
BOUNDS = {"mouthSmile": 0.44, "mouthFrown": 0.8, "mouthPress": 0.3, "mouthDimple": 0.35, "mouthStretch": 0.6}


@dataclass(frozen=True)
class Preset:
    """units: target by ARKit name without Left / Right, at intensity 1. against: share of a contradicting unit's
    resting level that stays. lip_gain: edited over source lip opening. liveliness: of the movement that stays."""

    units: dict[str, float]
    against: dict[str, float] = field(default_factory=dict)
    lip_gain: float = 1.0
    liveliness: float = 1.0


_UPPER = ("browDown", "browInnerUp", "browOuterUp", "eyeWide", "eyeSquint", "cheekSquint", "noseSneer")
_LOWER = ("mouthSmile", "mouthFrown", "mouthUpperUp", "mouthStretch", "mouthDimple", "mouthPress", "mouthShrugLower",
          "mouthLowerDown")  # fmt: skip

PRESETS: dict[str, Preset] = {
    "neutral": Preset({}, dict.fromkeys(_UPPER + _LOWER, 0.0), liveliness=0.6),
    "angry": Preset(
        {"browDown": 0.75, "eyeSquint": 0.8, "noseSneer": 0.6, "mouthFrown": 0.5, "mouthUpperUp": 0.8,
         "mouthLowerDown": 0.25, "mouthShrugUpper": 0.25},
        {"mouthSmile": 0.0, "browInnerUp": 0.0, "browOuterUp": 0.2, "eyeWide": 0.5, "mouthDimple": 0.0,
         "mouthPress": 0.0}, 1.3),
    "disgusted": Preset(
        {"noseSneer": 0.9, "mouthUpperUp": 1.1, "eyeSquint": 0.85, "cheekSquint": 0.4, "browDown": 0.25,
         "mouthFrown": 0.45, "mouthShrugUpper": 0.3},
        {"mouthSmile": 0.0, "browOuterUp": 0.0, "eyeWide": 0.0, "mouthDimple": 0.0, "mouthPress": 0.0}, 1.2),
    "fear": Preset(
        {"browInnerUp": 1.5, "browOuterUp": 0.25, "browDown": 0.45, "eyeWide": 1.5, "mouthStretch": 0.55,
         "mouthFrown": 0.42, "mouthLowerDown": 0.5},
        {"mouthSmile": 0.0, "eyeSquint": 0.2, "cheekSquint": 0.2, "mouthDimple": 0.0, "mouthPress": 0.0}, 1.25),
    "happy": Preset(
        {"mouthSmile": 0.43, "cheekSquint": 0.5, "eyeSquint": 0.4, "mouthUpperUp": 0.4, "mouthDimple": 0.15},
        {"mouthFrown": 0.0, "browDown": 0.2, "noseSneer": 0.4, "mouthShrugLower": 0.0}, 1.3),
    "sad": Preset(
        {"browInnerUp": 1.4, "browDown": 0.3, "mouthFrown": 0.8, "eyeSquint": 0.3, "eyeBlink": 0.35,
         "mouthShrugLower": 0.6, "mouthShrugUpper": 0.3},
        {"mouthSmile": 0.0, "mouthDimple": 0.0, "browOuterUp": 0.1, "eyeWide": 0.0, "cheekSquint": 0.1,
         "mouthUpperUp": 0.2, "mouthPress": 0.0}, 0.95),
    "surprised": Preset(
        {"browInnerUp": 1.25, "browOuterUp": 0.9, "eyeWide": 1.4, "mouthLowerDown": 0.4},
        {"browDown": 0.0, "eyeSquint": 0.0, "mouthSmile": 0.1, "mouthFrown": 0.4, "noseSneer": 0.0,
         "mouthDimple": 0.0, "mouthPress": 0.0, "mouthStretch": 0.2}, 1.55),
}  # fmt: skip
assert tuple(PRESETS) == EMOTIONS


def sides(name: str, names: tuple[str, ...]) -> list[int]:
    """Index of a unit, or of its left and right halves."""
    return [i for i, n in enumerate(names) if n in (name, name + "Left", name + "Right")]


def spread(values: dict[str, float], names: tuple[str, ...], default: float = 0.0) -> np.ndarray:
    """{unit without side: value} -> (52,)."""
    out = np.full(len(names), default)
    for name, value in values.items():
        out[sides(name, names)] = value
    return out


def resting_level(motion: Motion) -> np.ndarray:
    """(52,) what this face does when it does nothing: the median over the frames that can be edited."""
    seen = motion.weight > 0
    return np.median(motion.coefficients[seen] if seen.any() else motion.coefficients, axis=0)


def resting(names: tuple[str, ...]) -> np.ndarray:
    """(52,) what a calm face reads up to."""
    return spread(SPEAKING, names, default=RESTING)


def change_towards(
    rest: np.ndarray, wanted: np.ndarray, kept: np.ndarray, bounds: np.ndarray, calm: np.ndarray
) -> np.ndarray:
    """Change of the resting level (52,) that an emotion asks for. kept: share of the excess over rest that stays.
    bounds: (52,) the most that is wanted of each. calm: (52,) see `resting`."""
    excess = np.clip(rest - calm, 0, None)
    wanted = np.minimum(wanted, bounds)
    raised = np.maximum(wanted - excess, LEAST * wanted)
    return np.where(wanted > 0, np.minimum(raised, CEILING - rest), (kept - 1) * excess)


def variant(seed: int, names: tuple[str, ...]) -> np.ndarray:
    """(52,) factors of a natural variant; all 1 for seed 0. Left and right differ a little, as on any face."""
    if seed == 0:
        return np.ones(len(names))
    rng = np.random.default_rng(seed)
    whole = {n.removesuffix("Left").removesuffix("Right"): 0.0 for n in names}
    strength = {n: rng.normal(1, 0.16) for n in whole}
    side = rng.normal(0, 0.06)
    tilt = np.array([side if n.endswith("Left") else -side if n.endswith("Right") else 0.0 for n in names])
    base = np.array([strength[n.removesuffix("Left").removesuffix("Right")] for n in names])
    return np.clip(base + tilt, 0.5, 1.5)


class PresetDirector:
    """Moves a face to one of the seven emotions. Settings are the table `PRESETS`."""

    def __init__(self, head: HeadModel):
        self.names = head.names

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """Needs `target.emotion`; see `Director`."""
        assert target.emotion is not None
        preset = PRESETS[target.emotion]
        wanted = spread(preset.units, self.names) * variant(target.seed, self.names)
        kept = spread(preset.against, self.names, default=1.0)
        rest = resting_level(motion)
        change = change_towards(rest, wanted, kept, spread(BOUNDS, self.names, default=CEILING), resting(self.names))
        return apply_change(motion, change, preset.liveliness, preset.lip_gain, target.intensity, self.names)


def apply_change(
    motion: Motion, change: np.ndarray, liveliness: float, lip_gain: float, intensity: float, names: tuple[str, ...]
) -> Motion:
    """Add a change of the resting level (52,) to every frame, in the measure of intensity and weight, speech spared."""
    w = motion.coefficients
    rest = resting_level(motion)
    per_frame = change + (liveliness - 1) * (w - rest)
    per_frame = spare_speech(per_frame, motion, names)
    amount = intensity * motion.weight
    new = np.clip(w + amount[:, None] * per_frame, 0, CEILING)
    new = np.where(amount[:, None] > 0, new, w).astype(np.float32)
    gain = 1 + amount * (lip_gain - 1)
    return replace(motion, coefficients=new, lip_gain=gain.astype(np.float32))
