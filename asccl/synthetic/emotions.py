"""The seven emotions of synthetic speakers, and how they are added to words.

The table of units is separate from the presets of `asccl.morphable.emotions`, which are tuned for edits of real faces:
the bundled weights were trained with it, and their recipes must produce the same speakers again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asccl.face import mesh
from asccl.morphable.emotions import expand_units, parse_unit_table
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import LIP_PART_UNITS, lip_opening_per_unit, protect_speech
from asccl.synthetic.speech import lip_opening
from asccl.types import EMOTIONS, Motion

MAX_LIP_CHANGE = (0.15, 0.06)  # change of open lips by an emotion: fraction of their opening, and cm
MAX_COEFFICIENT = 1.6
EMOTION_GAIN = {"angry": 1.5, "disgusted": 1.3, "happy": 1.7, "sad": 1.2}  # over the values of the table
LIMIT_GAIN = 1.6  # over the limits of the table

# largest values that an emotion gives to the units that move the lips most
EMOTION_UNIT_LIMITS = {
    "mouthSmile": 0.5,
    "mouthFrown": 0.7,
    "mouthPress": 0.3,
    "mouthDimple": 0.35,
    "mouthStretch": 0.6,
}
UNIT_VALUES = """
unit               neutral     angry disgusted      fear     happy       sad surprised
browInnerUp              .         .         .      1.55         .      1.40      1.25
browOuterUp              .         .         .      0.35         .         .      1.10
browDown                 .      0.80      0.20      0.35         .         .         .
eyeBlink                 .         .         .         .         .      0.20         .
eyeSquint                .      0.60      0.60         .      0.40      0.25         .
eyeWide                  .         .         .      1.50         .         .      1.40
cheekSquint              .         .      0.30         .      0.60         .         .
noseSneer                .      0.65      0.95      0.10         .         .         .
mouthSmile               .         .         .         .      0.42         .         .
mouthFrown               .      0.30      0.10      0.30         .      0.65         .
mouthStretch             .         .         .      0.50         .         .         .
mouthDimple              .         .         .         .      0.10         .         .
mouthPress               .      0.14         .         .         .         .         .
mouthUpperUp             .      0.70      1.10         .      0.40         .         .
mouthLowerDown           .      0.25         .      0.50         .         .         .
mouthShrugUpper          .         .      0.15         .         .         .         .
mouthShrugLower          .         .         .         .         .      0.45         .
"""
SYNTHETIC_EMOTION_UNITS = parse_unit_table(UNIT_VALUES)
assert tuple(SYNTHETIC_EMOTION_UNITS) == EMOTIONS


@dataclass(frozen=True)
class EmotionStyle:
    """How one speaker shows an emotion.

    Attributes:
        emotion: one of `EMOTIONS`.
        intensity: strength; 1 is the table's.
        units: change of the coefficients at this intensity, (52,).
    """

    emotion: str
    intensity: float
    units: np.ndarray


def sample_style(
    rng: np.random.Generator, emotion: str, head: HeadModel, intensity: tuple[float, float] = (0.5, 1.3)
) -> EmotionStyle:
    """Sample how a speaker shows an emotion; the strength of each unit varies, left and right differ a little.

    Args:
        rng: random numbers.
        emotion: one of `EMOTIONS`.
        head: head model.
        intensity: smallest and largest intensity.
    """
    table = EMOTION_GAIN.get(emotion, 1.0) * expand_units(SYNTHETIC_EMOTION_UNITS[emotion], head.names)
    names = [n.removesuffix("Left").removesuffix("Right") for n in head.names]
    gains = {n: rng.normal(1, 0.22) for n in dict.fromkeys(names)}
    asymmetry = rng.normal(0, 0.12)
    sides = [asymmetry if n.endswith("Left") else -asymmetry if n.endswith("Right") else 0.0 for n in head.names]
    strength = float(rng.uniform(*intensity))
    gain = np.clip(np.array([gains[n] for n in names]) + np.array(sides), 0.35, 1.7)
    extra = {n: 0.08 * rng.uniform() ** 3 for n in dict.fromkeys(names) if n.startswith(("brow", "cheekSq", "nose"))}
    limits = LIMIT_GAIN * expand_units(EMOTION_UNIT_LIMITS, head.names, default=MAX_COEFFICIENT)
    units = np.minimum(strength * gain * table, np.minimum(limits, MAX_COEFFICIENT))
    return EmotionStyle(emotion, strength, (units + expand_units(extra, head.names)).astype(np.float32))


def emotion_offset(speech: np.ndarray, style: EmotionStyle, head: HeadModel) -> np.ndarray:
    """Compute the change that adds an emotion to words.

    Units of speech and gaze are not changed, closed lips stay closed, and the units that part the lips change open
    lips by at most `MAX_LIP_CHANGE`.

    Args:
        speech: coefficients of the words, (T, 52).
        style: how the emotion is shown.
        head: head model.

    Returns:
        Change of the coefficients, (T, 52) float32.
    """
    frames = len(speech)
    pose = (np.zeros(frames),) * 3
    motion = Motion(speech, *pose, np.zeros((mesh.NUM_FACE_LANDMARKS, 3)), np.ones(frames, np.float32))
    change = protect_speech(np.repeat(style.units[None], frames, 0), motion, head.names, resting_lids=0.0)
    opening = lip_opening(speech, head)
    allowed = MAX_LIP_CHANGE[0] * opening + MAX_LIP_CHANGE[1] * np.clip(opening / 0.3, 0, 1)
    per_unit = lip_opening_per_unit(head)
    lip_change = np.abs(np.clip(speech + change, 0, MAX_COEFFICIENT) @ per_unit - speech @ per_unit)
    parting = [i for i, n in enumerate(head.names) if n.startswith((*LIP_PART_UNITS, "mouthShrug"))]
    change[:, parting] *= np.clip(allowed / np.maximum(lip_change, 1e-6), 0, 1)[:, None]
    return change.astype(np.float32)


def apply_emotion(speech: np.ndarray, style: EmotionStyle, head: HeadModel) -> np.ndarray:
    """Add an emotion to words.

    Args:
        speech: coefficients of the words, (T, 52).
        style: how the emotion is shown.
        head: head model.

    Returns:
        Coefficients, (T, 52) float32 in [0, 1.6].
    """
    return np.clip(speech + emotion_offset(speech, style, head), 0, MAX_COEFFICIENT).astype(np.float32)
