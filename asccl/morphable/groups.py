"""Groups of a face that a user moves in addition to an emotion, in ARKit units.

A group has a table for amounts above 0 and one for those below. Where a table lowers a unit, it takes away what the
face and the emotion show of it, and never goes below rest: less of a smile is no frown. No unit of speech is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from asccl.expression import GROUPS, GroupAmounts
from asccl.morphable.emotions import expand_units


class GroupUnits(NamedTuple):
    """Change of the units (name without Left / Right) at amount 1 and at amount -1.

    Attributes:
        more: at amount 1.
        less: at amount -1.
    """

    more: Mapping[str, float]
    less: Mapping[str, float]


GROUP_UNITS: Mapping[str, GroupUnits] = MappingProxyType(
    {
        "brows": GroupUnits(
            {"browInnerUp": 0.9, "browOuterUp": 0.8, "browDown": -0.6},  # AU 1 + 2
            {"browDown": 0.9, "browInnerUp": -0.6, "browOuterUp": -0.6},  # AU 4
        ),
        "eyes": GroupUnits(
            {"eyeWide": 1.2, "eyeSquint": -0.6},  # AU 5
            {"eyeSquint": 0.9, "eyeBlink": 0.15, "eyeWide": -0.8},  # AU 7
        ),
        "nose": GroupUnits(
            {"noseSneer": 0.9, "mouthUpperUp": 0.25},  # AU 9
            {"noseSneer": -0.9},
        ),
        "smile": GroupUnits(
            {"mouthSmile": 0.35, "mouthDimple": 0.2, "cheekSquint": 0.5},  # AU 6 + 12
            {"mouthSmile": -0.7, "mouthDimple": -0.3, "cheekSquint": -0.5},
        ),
        "frown": GroupUnits(
            {"mouthFrown": 0.8, "mouthShrugLower": 0.3},  # AU 15 + 17
            {"mouthFrown": -0.8, "mouthShrugLower": -0.3},
        ),
        "lips_apart": GroupUnits(
            {"mouthLowerDown": 0.35, "mouthUpperUp": 0.2},  # AU 25
            {"mouthLowerDown": -0.35, "mouthUpperUp": -0.2},
        ),
    }
)
assert tuple(GROUP_UNITS) == GROUPS
LIPS_APART_GAIN, LIPS_TOGETHER_GAIN = 0.5, 0.4  # by which the openings of the lips grow at 1 and shrink at -1


def group_change(groups: GroupAmounts, names: tuple[str, ...]) -> np.ndarray:
    """Change of the units by groups at intensity 1, (52,)."""
    change = np.zeros(len(names))
    for name, amount in groups.as_dict().items():
        table = GROUP_UNITS[name].more if amount > 0 else GROUP_UNITS[name].less
        change += abs(amount) * expand_units(dict(table), names)
    return change


def group_lip_gain(groups: GroupAmounts) -> float:
    """By how much groups change the factor of the lip opening at intensity 1; 0 for none."""
    amount = groups.lips_apart
    return amount * (LIPS_APART_GAIN if amount > 0 else LIPS_TOGETHER_GAIN)


def add_groups(
    change: np.ndarray, coefficients: np.ndarray, groups_at_full: np.ndarray, intensity: np.ndarray
) -> np.ndarray:
    """Add groups to the change of an emotion; what they lower does not fall below rest.

    Args:
        change: of the emotion, (T, 52).
        coefficients: of the source, (T, 52).
        groups_at_full: see `group_change`, (52,).
        intensity: multiplies it, (T, 1) or (1,).

    Returns:
        The change of both, (T, 52).
    """
    visible = np.clip(coefficients + change, 0, None)
    return change + np.maximum(intensity * groups_at_full, -visible)
