"""Part the lips and drop the jaw, as surprise and fear do, in silence.

While a face speaks, its lips open by the gain of the emotion alone, so that lips that speech closes stay closed.
Silence is where the lips keep their opening for a second. Frames that are unrelated in time, such as a still, are
silent if their lips all open by the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d

from asccl.directors.contradictions import filter_shots, window_frames
from asccl.face.easing import smoothstep
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import lip_openings
from asccl.types import EMOTIONS, Motion

# cm by which the middle of the lips parts in silence, at intensity 1
PARTINGS: Mapping[str, float] = MappingProxyType({"surprised": 0.8, "fear": 0.4, "disgusted": 0.3})
SILENCE_WINDOW = 1.0  # seconds
SILENCE_SMOOTHING = 0.16  # seconds, standard deviation
QUIET_RANGE, SPEAKING_RANGE = 0.12, 0.3  # cm: change of the opening within the window, in silence and in speech
FULL_OPENING, MAX_OPENING = 1.2, 2.0  # cm: from the first on lips part less, at the second no further


def preset_parting(emotion_weights: np.ndarray) -> float:
    """Parting of the lips at intensity 1 in silence, cm. emotion_weights: share of each emotion, (7,)."""
    return float(sum(w * PARTINGS.get(e, 0.0) for w, e in zip(emotion_weights, EMOTIONS, strict=True)))


def parting_share(motion: Motion, head: HeadModel) -> np.ndarray:
    """Share of its parting that an emotion may show in each frame, (T,) in [0, 1]; 0 in speech."""
    openings = lip_openings(motion, head)
    room = np.clip((MAX_OPENING - openings) / (MAX_OPENING - FULL_OPENING), 0, 1)
    return room * silence(motion, openings)


def silence(motion: Motion, openings: np.ndarray) -> np.ndarray:
    """How certainly a face does not speak, (T,) in [0, 1].

    motion: T frames with their shots. openings: of the lips, (T,) cm.
    """
    if motion.shot is not None and len(np.unique(motion.shot)) == len(motion):  # frames that are unrelated in time
        return _quiet(np.full(len(motion), np.ptp(openings)))
    return filter_shots(motion, openings, partial(_steady, frame_rate=motion.frame_rate))


def _steady(openings: np.ndarray, frame_rate: float) -> np.ndarray:
    """How certainly lips do not move within a window, (T,) in [0, 1], smoothed."""
    window = window_frames(SILENCE_WINDOW, frame_rate)
    highest = maximum_filter1d(openings, window, mode="nearest")
    lowest = minimum_filter1d(openings, window, mode="nearest")
    return gaussian_filter1d(_quiet(highest - lowest), SILENCE_SMOOTHING * frame_rate, mode="nearest")


def _quiet(spread: np.ndarray) -> np.ndarray:
    return 1 - smoothstep((spread - QUIET_RANGE) / (SPEAKING_RANGE - QUIET_RANGE))
