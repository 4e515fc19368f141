"""What a user can ask of an expression beside one emotion: a second emotion, amounts of groups, keyframes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from asccl.errors import SettingError

EMOTIONS = ("neutral", "angry", "disgusted", "fear", "happy", "sad", "surprised")
INTENSITY_RANGE = (0.0, 2.0)
AMOUNT_RANGE = (-1.0, 1.0)  # of a group of a face
MAX_KEYFRAMES = 1000


@dataclass(frozen=True)
class Keyframe:
    """The intensity at one time of a video; between two keyframes it changes smoothly.

    Attributes:
        time: seconds after the first frame, 0 or more.
        intensity: 0 to 2, multiplied by the intensity of the edit.

    Raises:
        SettingError: a value is out of range.
    """

    time: float
    intensity: float

    def __post_init__(self) -> None:
        low, high = INTENSITY_RANGE
        if not (math.isfinite(self.time) and self.time >= 0):
            raise SettingError(f"keyframe time {self.time} is not a time", "give seconds, 0 or more")
        if not (math.isfinite(self.intensity) and low <= self.intensity <= high):
            raise SettingError(
                f"intensity {self.intensity} of the keyframe at {self.time:g} s is out of range",
                f"give a number from {low:g} to {high:g}",
            )


@dataclass(frozen=True)
class GroupAmounts:
    """By how much groups of a face move in addition to an emotion, each from -1 to 1; 0 leaves them to the emotion.

    Attributes:
        brows: raised above 0, lowered below.
        eyes: opened wide above 0, narrowed below.
        nose: wrinkled above 0, smoothed below.
        smile: lip corners up and cheeks raised above 0, less of both below.
        frown: lip corners down above 0, less below.
        lips_apart: openings of the lips larger above 0, smaller below; closed lips stay closed.

    Raises:
        SettingError: an amount is out of range.
    """

    brows: float = 0.0
    eyes: float = 0.0
    nose: float = 0.0
    smile: float = 0.0
    frown: float = 0.0
    lips_apart: float = 0.0

    def __post_init__(self) -> None:
        low, high = AMOUNT_RANGE
        for name, amount in self.as_dict().items():
            if not (math.isfinite(amount) and low <= amount <= high):
                raise SettingError(
                    f"{amount} of {name.replace('_', ' ')} is out of range", f"give a number from {low:g} to {high:g}"
                )

    def as_dict(self) -> dict[str, float]:
        """The amount of each group by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def is_zero(self) -> bool:
        """Whether all groups are left to the emotion."""
        return not any(self.as_dict().values())


GROUPS = tuple(field.name for field in fields(GroupAmounts))
NO_GROUPS = GroupAmounts()


def check_mix(emotion: str | None, second_emotion: str | None, second_share: float) -> None:
    """Check the mix of two emotions.

    Args:
        emotion: the first one.
        second_emotion: one of `EMOTIONS`, or None for one emotion alone.
        second_share: its share in the mix.

    Raises:
        SettingError: the two cannot be mixed.
    """
    if not (math.isfinite(second_share) and 0 <= second_share <= 1):
        raise SettingError(f"share {second_share} of the second emotion is out of range", "give a number from 0 to 1")
    if second_emotion is None:
        return
    if second_emotion not in EMOTIONS:
        raise SettingError(f"there is no emotion {second_emotion!r}", f"choose one of {', '.join(EMOTIONS)}")
    if emotion is None:
        raise SettingError("a second emotion needs a first one", "name the first emotion as well")
    if second_emotion == emotion:
        raise SettingError(f"{emotion} cannot be mixed with itself", "choose another second emotion")


def check_keyframes(keyframes: Sequence[Keyframe], intensity: float) -> None:
    """Check the order of keyframes, and what becomes of them with the intensity of an edit.

    Args:
        keyframes: in the order of their times.
        intensity: of the edit, 0 to 2.

    Raises:
        SettingError: there are too many, two are in the wrong order, or a product exceeds the range of intensities.
    """
    if len(keyframes) > MAX_KEYFRAMES:
        raise SettingError(f"{len(keyframes)} keyframes are too many", f"give at most {MAX_KEYFRAMES}")
    for first, second in pairwise(keyframes):
        if second.time <= first.time:
            raise SettingError(
                f"the keyframe at {second.time:g} s does not lie after that at {first.time:g} s",
                "sort the keyframes by time, each time once",
            )
    high = INTENSITY_RANGE[1]
    for keyframe in keyframes:
        if keyframe.intensity * intensity > high + 1e-9:
            raise SettingError(
                f"the keyframe at {keyframe.time:g} s asks for intensity {keyframe.intensity * intensity:.3g} "
                f"({keyframe.intensity:g} times {intensity:g}), more than {high:g}",
                "lower the keyframe or the intensity",
            )
