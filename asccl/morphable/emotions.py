"""The seven emotions in ARKit units: the table that presets reach for.

Values follow the action units of the emotions (Ekman and Friesen 1978). A unit's share was weighed by what it costs in
likeness, over 17 clips of eleven people and with two expression networks, a third checking: brows, nose and lip corners
cost most, lids and the lips' own shape least.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from asccl.types import EMOTIONS

# at intensity 1 these are raised no higher: they carry the lips furthest from the words
MAX_UNIT_TARGETS = {"mouthSmile": 0.35, "mouthFrown": 1.0, "mouthPress": 0.3, "mouthDimple": 0.4, "mouthStretch": 0.6}


@dataclass(frozen=True)
class Preset:
    """units: target by ARKit name without Left / Right, at intensity 1; below 0, how far it falls. against: share of
    a contradicting unit's resting level that stays. lip_gain: edited over source lip opening. liveliness: of the
    movement that stays. leaving: share of the presets of what the source shows that is taken away."""

    units: dict[str, float]
    residuals: dict[str, float] = field(default_factory=dict)
    lip_gain: float = 1.0
    motion_gain: float = 1.0
    source_suppression: float = 0.25


_UPPER = ("browDown", "browInnerUp", "browOuterUp", "eyeWide", "eyeSquint", "cheekSquint", "noseSneer")
_LOWER = ("mouthSmile", "mouthFrown", "mouthUpperUp", "mouthStretch", "mouthDimple", "mouthPress", "mouthShrugLower",
          "mouthLowerDown")  # fmt: skip

PRESETS: dict[str, Preset] = {
    "neutral": Preset({}, dict.fromkeys(_UPPER + _LOWER, 0.0), lip_gain=0.9, motion_gain=0.6, source_suppression=1.0),
    "angry": Preset(
        {"browDown": 0.8, "browInnerUp": -0.1, "browOuterUp": 0.5, "eyeSquint": 1.0, "eyeWide": -0.25,
         "noseSneer": 0.15, "cheekSquint": -0.2, "mouthUpperUp": 0.75, "mouthLowerDown": 0.45, "mouthFrown": 0.15,
         "mouthShrugLower": 0.25, "mouthShrugUpper": 0.2, "mouthDimple": -0.1},
        {"mouthSmile": 0.0, "browInnerUp": 0.0, "eyeWide": 0.5, "mouthDimple": 0.0, "mouthPress": 0.0}, 1.25),
    "disgusted": Preset(
        {"noseSneer": 0.65, "mouthUpperUp": 1.2, "eyeSquint": 0.65, "eyeWide": -0.3, "eyeBlink": 0.1,
         "cheekSquint": 0.2, "browDown": 0.1, "browInnerUp": 0.2, "browOuterUp": 0.15, "mouthFrown": 0.25,
         "mouthLowerDown": 0.1, "mouthShrugUpper": 0.2, "mouthShrugLower": 0.12, "mouthStretch": -0.15},
        {"mouthSmile": 0.0, "eyeWide": 0.0, "mouthDimple": 0.0, "mouthPress": 0.0}, 0.95),
    "fear": Preset(
        {"browInnerUp": 1.45, "browOuterUp": 0.6, "browDown": 0.75, "eyeWide": 1.5, "cheekSquint": -0.15,
         "noseSneer": -0.1, "mouthStretch": 0.55, "mouthFrown": 0.28, "mouthLowerDown": 0.1, "mouthUpperUp": 0.1,
         "mouthShrugLower": 0.5, "mouthPress": -0.2},
        {"mouthSmile": 0.0, "eyeSquint": 0.2, "cheekSquint": 0.2, "mouthDimple": 0.0, "mouthPress": 0.0}, 1.1),
    "happy": Preset(
        {"mouthSmile": 0.35, "cheekSquint": 0.75, "eyeSquint": 0.3, "noseSneer": 0.25, "mouthStretch": 0.3,
         "mouthDimple": 0.35, "mouthUpperUp": 0.1, "mouthFrown": -0.4, "mouthShrugLower": -0.4, "mouthPress": -0.35,
         "browDown": -0.25, "browOuterUp": -0.2},
        {"mouthFrown": 0.0, "browDown": 0.2, "mouthShrugLower": 0.0}, 1.05),
    "sad": Preset(
        {"browInnerUp": 1.2, "browDown": 0.85, "browOuterUp": 0.2, "eyeSquint": 0.3, "eyeBlink": 0.4,
         "mouthFrown": 0.9, "mouthDimple": 0.2, "mouthShrugLower": 0.2, "mouthShrugUpper": 0.1, "mouthPress": -0.3,
         "mouthStretch": -0.1},
        {"mouthSmile": 0.0, "eyeWide": 0.0, "cheekSquint": 0.1, "mouthUpperUp": 0.2, "mouthPress": 0.0}, 0.95),
    "surprised": Preset(
        {"browInnerUp": 1.0, "browOuterUp": 0.65, "eyeWide": 1.55, "eyeSquint": -0.4, "cheekSquint": 0.1,
         "mouthLowerDown": 0.3, "mouthStretch": 0.1, "mouthFrown": -0.4, "mouthShrugLower": -0.15,
         "mouthShrugUpper": -0.05, "eyeBlink": -0.1},
        {"browDown": 0.0, "eyeSquint": 0.0, "mouthSmile": 0.1, "mouthFrown": 0.4, "noseSneer": 0.0,
         "mouthDimple": 0.0, "mouthPress": 0.0}, 1.53),
}  # fmt: skip
assert tuple(PRESETS) == EMOTIONS


def unit_indices(name: str, names: tuple[str, ...]) -> list[int]:
    """Index of a unit, or of its left and right halves."""
    return [i for i, n in enumerate(names) if n in (name, name + "Left", name + "Right")]


def expand_units(values: dict[str, float], names: tuple[str, ...], default: float = 0.0) -> np.ndarray:
    """{unit without side: value} -> (52,)."""
    out = np.full(len(names), default)
    for name, value in values.items():
        out[unit_indices(name, names)] = value
    return out


def variant_factors(seed: int, names: tuple[str, ...]) -> np.ndarray:
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
