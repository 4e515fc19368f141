"""Directions in which an emotion may be adapted: parts of its preset, and action units of FACS that belong to it.

Free offsets of single units move a face to where a network looks, not to where the emotion is. Every direction moves
both sides of the face equally. Offsets raise nothing but signs of the emotion (`SIGNS`): networks reward a wrinkled
nose or lowered lip corners in anger as well, but in edits that were judged without labels the first was taken for
disgust, the second for sadness.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from asccl.morphable.emotions import PRESETS, expand_units
from asccl.morphable.speech import speech_unit_mask
from asccl.types import EMOTIONS

# parts of a face whose share in a preset can change as one
REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "brows": ("browInnerUp", "browOuterUp", "browDown"),
        "lids": ("eyeWide", "eyeSquint", "eyeBlink"),
        "cheeks and nose": ("cheekSquint", "noseSneer"),
        "upper lip": ("mouthUpperUp", "mouthShrugUpper"),
        "lip corners": ("mouthSmile", "mouthDimple", "mouthFrown", "mouthStretch"),
        "lower lip": ("mouthLowerDown", "mouthShrugLower", "mouthPress"),
    }
)
MOUTH_REGIONS = ("upper lip", "lip corners", "lower lip")
REGION_RANGE = (-0.5, 0.8)  # change of a region's share in the preset
OTHER_RANGE = (-0.5, 0.0)  # likewise of the units of a preset that are no signs of its emotion
MAX_ACTION = 0.5  # of a unit, added by an action
MOUTH_PRICE = 2.0  # of a direction that moves the lips, over that of another one
MIN_EMOTION_WEIGHT = 0.25  # share of an emotion in a reference from which on its actions are allowed

ACTIONS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "raise inner brows": {"browInnerUp": 1.0},  # AU 1
        "raise brows": {"browInnerUp": 0.8, "browOuterUp": 1.0},  # AU 1 + 2
        "lower brows": {"browDown": 1.0, "browInnerUp": -0.3},  # AU 4
        "raise lids": {"eyeWide": 1.0, "eyeSquint": -0.3},  # AU 5
        "raise cheeks": {"cheekSquint": 1.0, "eyeSquint": 0.4},  # AU 6
        "tighten lids": {"eyeSquint": 1.0},  # AU 7
        "wrinkle nose": {"noseSneer": 1.0, "mouthUpperUp": 0.3},  # AU 9
        "raise upper lip": {"mouthUpperUp": 1.0, "noseSneer": 0.3},  # AU 10
        "smile": {"mouthSmile": 0.6, "cheekSquint": 0.6},  # AU 6 + 12
        "lower lip corners": {"mouthFrown": 1.0, "mouthShrugLower": 0.4},  # AU 15 + 17
        "part lips": {"mouthLowerDown": 1.0, "mouthUpperUp": 0.3},  # AU 16 + 25
        "stretch lips": {"mouthStretch": 1.0},  # AU 20
        "droop lids": {"eyeBlink": 0.6, "eyeSquint": 0.3},  # AU 43
        "relax brows": {"browDown": -1.0},
        "lower raised brows": {"browInnerUp": -1.0, "browOuterUp": -0.5},
        "relax lids": {"eyeWide": -1.0},
        "relax cheeks": {"cheekSquint": -1.0, "noseSneer": -0.4},
        "raise lip corners": {"mouthFrown": -1.0, "mouthShrugLower": -0.4},
        "remove smile": {"mouthSmile": -0.7, "cheekSquint": -0.5, "mouthStretch": 0.6},  # the mouth keeps its width
    }
)
NEUTRAL_ACTIONS = "relax brows", "lower raised brows", "relax lids", "relax cheeks", "raise lip corners", "remove smile"
EMOTION_ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "neutral": NEUTRAL_ACTIONS,
        "angry": ("lower brows", "raise lids", "part lips"),
        "disgusted": ("raise cheeks", "tighten lids", "wrinkle nose", "raise upper lip"),
        "fear": ("raise inner brows", "raise brows", "raise lids", "part lips", "stretch lips"),
        "happy": ("smile", "raise cheeks", "part lips"),
        "sad": ("raise inner brows", "lower lip corners", "droop lids"),
        "surprised": ("raise brows", "raise lids", "part lips"),
    }
)
# Units that may grow beyond the preset, by the action units of EMFACS (Friesen and Ekman 1983) and of the prototypes in
# the FACS Investigator's Guide (Ekman, Friesen and Hager 2002). AU 10 of anger is left out: it was taken for disgust.
# So is AU 24: mouthPress of the head model draws the corners of the mouth out and up, as a smile does.
SIGNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "neutral": (),
        # AU 4 5 7 17 25; the outer brows rise as far as browDown lowers them
        "angry": (
            *("browDown", "browOuterUp", "eyeWide", "eyeSquint"),
            *("mouthShrugLower", "mouthShrugUpper", "mouthLowerDown"),
        ),
        # AU 9 10 15 16 17, and AU 6 7 43 of eyes that narrow with the nose
        "disgusted": (
            *("noseSneer", "mouthUpperUp", "mouthFrown", "mouthLowerDown", "mouthShrugLower", "mouthShrugUpper"),
            *("cheekSquint", "eyeSquint", "eyeBlink"),
        ),
        # AU 1 2 4 5 20 25
        "fear": ("browInnerUp", "browOuterUp", "browDown", "eyeWide", "mouthStretch", "mouthLowerDown"),
        # AU 6 12 25; a broad smile also deepens the corners and lifts the upper lip
        "happy": (
            *("cheekSquint", "eyeSquint", "noseSneer", "mouthSmile", "mouthDimple", "mouthStretch"),
            *("mouthUpperUp", "mouthLowerDown"),
        ),
        # AU 1 4 15 17, and AU 2 7 14 43 of the preset
        "sad": (
            *("browInnerUp", "browOuterUp", "browDown", "mouthFrown", "mouthShrugLower", "mouthShrugUpper"),
            *("eyeBlink", "eyeSquint", "mouthDimple"),
        ),
        # AU 1 2 5 25
        "surprised": ("browInnerUp", "browOuterUp", "eyeWide", "mouthLowerDown", "mouthStretch"),
    }
)
MIN_HAPPINESS = 0.2  # probability of happy in a source from which on its smile may be removed further


@dataclass(frozen=True)
class Direction:
    """One direction of the search.

    Attributes:
        name: of the region or action.
        units: change of the units at 1, (52,).
        low: smallest coordinate.
        high: largest coordinate.
        price: weight of the squared coordinate, times the squared size of the change.
    """

    name: str
    units: np.ndarray
    low: float
    high: float
    price: float


def adaptation_directions(
    emotion_weights: np.ndarray, names: tuple[str, ...], source_probabilities: np.ndarray | None = None
) -> list[Direction]:
    """List the directions in which an edit may be adapted.

    Args:
        emotion_weights: share of each emotion in the edit, (7,), sum 1.
        names: of the 52 units.
        source_probabilities: of the emotions in the source, (7,), if they are known.

    Returns:
        The directions; none of them changes a unit of speech. Those of neutral only take away.
    """
    weighted = dict(zip(EMOTIONS, emotion_weights, strict=True))
    main = [e for e, w in weighted.items() if w >= MIN_EMOTION_WEIGHT]
    free = ~speech_unit_mask(names)
    targets = sum(w * expand_units(PRESETS[e].units, names) for e, w in weighted.items()) * free
    signs = (targets < 0) | (_mask({u for e in main for u in SIGNS[e]}, names) > 0)
    parts = {region: (targets * signs * _mask(units, names), REGION_RANGE) for region, units in REGIONS.items()}
    parts["other units"] = targets * ~signs, OTHER_RANGE
    directions = []
    for region, (part, limits) in parts.items():
        if np.abs(part).max() > 0:
            directions.append(_direction(region, part, *limits, region in MOUTH_REGIONS))
    allowed = [a for e in main for a in EMOTION_ACTIONS[e]]
    happy = EMOTIONS.index("happy")
    smiles = source_probabilities is not None and source_probabilities[happy] >= MIN_HAPPINESS
    if smiles and emotion_weights[happy] == 0:
        allowed.append("remove smile")
    for action in dict.fromkeys(allowed):
        change = expand_units(dict(ACTIONS[action]), names) * free
        directions.append(_direction(action, change, 0.0, MAX_ACTION, _moves_lips(action)))
    return directions


def _mask(units: Iterable[str], names: tuple[str, ...]) -> np.ndarray:
    """1 for each of some units, on both sides, else 0, (52,)."""
    return expand_units(dict.fromkeys(units, 1.0), names)


def _direction(name: str, units: np.ndarray, low: float, high: float, moves_lips: bool) -> Direction:
    price = (MOUTH_PRICE if moves_lips else 1.0) * float((units**2).sum()) / 2  # two sides
    return Direction(name, units, low, high, price)


def _moves_lips(action: str) -> bool:
    mouth = sum(abs(v) for unit, v in ACTIONS[action].items() if unit.startswith("mouth"))
    return mouth > 0.5 * sum(abs(v) for v in ACTIONS[action].values())
