"""The seven emotions in ARKit units: the table that presets reach for.

Values follow the action units of the emotions (Ekman and Friesen 1978). A unit's share was weighed by what it costs in
likeness: brows, nose and lip corners cost most, lids and the lips' own shape least.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from asccl.types import EMOTIONS

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
