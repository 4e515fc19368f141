"""The seven emotions in ARKit units: the tables behind the preset director.

Rows are units without Left / Right, grouped and labelled by the action unit (AU) of FACS that they resemble; "." leaves
a unit out. Values follow the action units of the emotions (Ekman and Friesen 1978). How much of an emotion each unit
carries was chosen by its cost in identity similarity, over 17 clips of eleven people and with two expression networks,
a third one checking: brows, nose, cheeks and lip corners cost most, lids and the shape of the lips least. Cheeks were
lowered afterwards, with two networks (`python -m benchmarks.preset_units`): they add little to disgust and to a smile
for what they cost; a smile has more of the lip corners instead. Where variants read alike to the networks, edits were
judged without labels, as in `python -m benchmarks.blind_trial`: anger raises the upper lip little, leaves the nose to
disgust, and keeps the eyes open under lowered brows, because narrow eyes were taken for disgust or sadness. browDown
alone lowers the arch of a brow more than its inner end and makes a flat bar of it. Anger therefore also lowers
browInnerUp and raises browOuterUp: the inner ends fall, the outer ends stay. Disgust wrinkles the nose, which itself
lowers the brows, so that browDown takes a part of that back. Fear raises the whole brow and draws it inwards: with its
outer end lowered it reads as sad. Pressed lips stay for anger, whose sign they are; neutral leaves stretched, dimpled
and pressed lips, which hold the width of a mouth whose smile goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

# upper bounds of a target at intensity 1: these units move the lips furthest away from the speech
MAX_UNIT_TARGETS = {"mouthSmile": 0.42, "mouthFrown": 1.0, "mouthPress": 0.3, "mouthDimple": 0.4, "mouthStretch": 0.8}

UNIT_TARGETS = """
unit                 angry disgusted      fear     happy       sad surprised
browInnerUp          -0.70      0.10      1.40         .      1.20      1.05  # AU 1
browOuterUp           0.95         .      0.60     -0.20      0.20      0.95  # AU 2
browDown              0.90     -0.20      0.65     -0.25      0.85         .  # AU 4
eyeWide               0.40     -0.20      1.50         .         .      1.55  # AU 5
cheekSquint          -0.20      0.20     -0.15      0.50         .      0.10  # AU 6
eyeSquint             0.55      0.55         .      0.40      0.30     -0.40  # AU 7
noseSneer                .      1.30     -0.10      0.25         .         .  # AU 9
eyeBlink                 .      0.25         .         .      0.40     -0.10  # AU 43
mouthUpperUp          0.15      1.30      0.20      0.10         .         .  # AU 10
mouthSmile               .         .         .      0.42         .         .  # AU 12
mouthDimple          -0.10         .         .      0.35      0.20         .  # AU 14
mouthFrown            0.10      0.25      0.15     -0.40      0.90     -0.10  # AU 15
mouthLowerDown        0.25      0.15      0.45         .         .      0.30  # AU 16
mouthShrugLower       0.25      0.45      0.25     -0.40      0.20     -0.15  # AU 17
mouthShrugUpper       0.20      0.30      0.05         .      0.10     -0.05  # AU 17
mouthStretch             .         .      0.90      0.30     -0.10      0.10  # AU 20
mouthPress               .     -0.15     -0.20     -0.35     -0.30         .  # AU 24
"""
RESIDUALS = """
unit               neutral     angry disgusted      fear     happy       sad surprised
browInnerUp           0.00      0.00         .         .      0.20         .         .  # AU 1
browOuterUp           0.00         .         .         .      0.20         .         .  # AU 2
browDown              0.00         .      0.30         .      0.20         .      0.00  # AU 4
eyeWide               0.00      0.50      0.00         .      0.00      0.00         .  # AU 5
cheekSquint           0.00         .         .      0.20         .      0.10         .  # AU 6
eyeSquint             0.00         .         .      0.20         .         .      0.00  # AU 7
noseSneer             0.00         .         .         .         .         .      0.00  # AU 9
mouthUpperUp          0.00         .         .         .         .      0.20         .  # AU 10
mouthSmile            0.00      0.00      0.00      0.00         .      0.00      0.10  # AU 12
mouthDimple              .      0.00      0.00      0.00         .         .      0.00  # AU 14
mouthFrown            0.00         .         .         .      0.00         .      0.40  # AU 15
mouthLowerDown        0.00         .         .         .         .         .         .  # AU 16
mouthShrugLower       0.00         .         .         .      0.00         .         .  # AU 17
mouthPress               .         .      0.00      0.00         .      0.00      0.00  # AU 24
"""
# Intensity times strength beyond which a unit of an emotion grows no further. Lids open only so far: without these
# bounds a strong fear frowns more and more over eyes that stay as they are, and reads as sad.
MAX_UNIT_INTENSITIES = {
    "fear": {"browDown": 1.1, "mouthFrown": 1.0, "mouthShrugLower": 1.0, "mouthStretch": 1.3},
    "disgusted": {"mouthUpperUp": 1.4, "noseSneer": 1.5},
}


@dataclass(frozen=True)
class Preset:
    """One emotion as changes of the 52 ARKit units.

    Attributes:
        units: target of each unit (name without Left / Right) at intensity 1; a value below 0 is a decrease.
        residuals: fraction of the resting level that stays, for units that contradict the emotion.
        lip_gain: lip opening of the edit over that of the source.
        motion_gain: factor on the movement around the resting level.
    """

    units: dict[str, float]
    residuals: dict[str, float] = field(default_factory=dict)
    lip_gain: float = 1.0
    motion_gain: float = 1.0


def parse_unit_table(table: str) -> dict[str, dict[str, float]]:
    """Read a table of units (rows) and emotions (columns) into {emotion: {unit: value}}."""
    header, *rows = (line.partition("#")[0].split() for line in table.strip().splitlines())
    return {
        emotion: {row[0]: float(row[column]) for row in rows if row[column] != "."}
        for column, emotion in enumerate(header[1:], start=1)
    }


_units, _residuals = parse_unit_table(UNIT_TARGETS), parse_unit_table(RESIDUALS)
PRESETS: dict[str, Preset] = {
    "neutral": Preset({}, _residuals["neutral"], lip_gain=0.9, motion_gain=0.6),
    "angry": Preset(_units["angry"], _residuals["angry"], lip_gain=1.1),
    "disgusted": Preset(_units["disgusted"], _residuals["disgusted"], lip_gain=0.95),
    "fear": Preset(_units["fear"], _residuals["fear"], lip_gain=1.2),
    "happy": Preset(_units["happy"], _residuals["happy"], lip_gain=1.05),
    "sad": Preset(_units["sad"], _residuals["sad"], lip_gain=0.95),
    "surprised": Preset(_units["surprised"], _residuals["surprised"], lip_gain=1.6),
}


def unit_indices(name: str, names: tuple[str, ...]) -> list[int]:
    """Find the index of a unit, or of its left and right halves."""
    return [i for i, n in enumerate(names) if n in (name, name + "Left", name + "Right")]


def expand_units(values: dict[str, float], names: tuple[str, ...], default: float = 0.0) -> np.ndarray:
    """Expand a table of units to a coefficient vector.

    Args:
        values: value by unit name without Left / Right.
        names: the 52 ARKit units in the order of the head model.
        default: value of the units that are not in the table.

    Returns:
        (52,) float64.
    """
    out = np.full(len(names), default)
    for name, value in values.items():
        out[unit_indices(name, names)] = value
    return out


def max_unit_intensity(emotion: str, names: tuple[str, ...]) -> np.ndarray:
    """Intensity beyond which each unit of an emotion grows no further, (52,); infinite for most. See the table."""
    return expand_units(MAX_UNIT_INTENSITIES.get(emotion, {}), names, default=np.inf)


def variant_factors(seed: int, names: tuple[str, ...]) -> np.ndarray:
    """Sample the factors (52,) of a natural variant of an emotion, in [0.5, 1.5]; all 1 for seed 0.

    Left and right differ a little, as on any face.
    """
    if seed == 0:
        return np.ones(len(names))
    rng = np.random.default_rng(seed)
    pairs = [name.removesuffix("Left").removesuffix("Right") for name in names]
    gains = {pair: rng.normal(1, 0.16) for pair in dict.fromkeys(pairs)}
    asymmetry = rng.normal(0, 0.06)
    sides = [asymmetry if n.endswith("Left") else -asymmetry if n.endswith("Right") else 0.0 for n in names]
    return np.clip(np.array([gains[pair] for pair in pairs]) + np.array(sides), 0.5, 1.5)
