"""Take away what a face shows against an emotion, frame by frame: a smile for sad, a scowl for happy.

Each frame loses what it shows of a contradicting unit beyond a calm face, never more. What it shows is the level of the
unit over about half a second, so that movement faster than that (speech, twitches) stays, and nothing flickers.

A grin also holds the lips apart. They close by the opening that lasts: the smallest one within `LASTING_WINDOW`,
counted where the face smiles and the jaw is shut. Openings of speech come on top of it and stay as large as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from asccl.morphable.emotions import unit_indices
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import lip_openings
from asccl.types import Motion

LEVEL_SMOOTHING = 0.28  # seconds, standard deviation: of the level of a unit
LASTING_WINDOW = 2.04  # seconds within which speech closes the lips at least once, as far as it does
WINDOW_SMOOTHING = 0.4  # seconds, standard deviation: of a minimum over the window
CALM_SMILE, GRIN_SMILE = (
    0.3,
    0.55,
)  # levels of mouthSmile: lips close from the first on, as far as allowed at the second
CLOSING_GAIN = 1.3  # the fitted lips of a grin open less than those in the image
SHUT_JAW, OPEN_JAW = 0.2, 0.38  # lasting jawOpen up to which lips may close fully, and at which they do not close


def unit_levels(motion: Motion) -> np.ndarray:
    """Level of each unit over about half a second, (T, 52), within each shot."""
    sigma = LEVEL_SMOOTHING * motion.frame_rate
    return filter_shots(motion, motion.coefficients, partial(gaussian_filter1d, sigma=sigma, axis=0, mode="nearest"))


def window_frames(seconds: float, frame_rate: float) -> int:
    """Number of frames of a window that is centred on a frame: odd, at least 1."""
    return 2 * round(0.5 * (seconds * frame_rate - 1)) + 1 if seconds * frame_rate > 1 else 1


def contradiction_change(motion: Motion, residuals: np.ndarray, calm: np.ndarray) -> np.ndarray:
    """Change of the coefficients that takes away what contradicts an emotion.

    Args:
        motion: of the source, T frames.
        residuals: share of the excess over `calm` that stays in each unit, (52,); 1 for units that do not contradict.
        calm: level up to which a unit is no expression, (52,).

    Returns:
        (T, 52), at most 0; no coefficient falls below 0 by it.
    """
    excess = np.clip(unit_levels(motion) - calm, 0, None)
    return np.maximum((residuals - 1) * excess, -np.clip(motion.coefficients, 0, None))


def grin_opening(motion: Motion, head: HeadModel) -> np.ndarray:
    """Opening of the lips that a lasting grin holds while the jaw is shut, (T,) cm."""
    smile = unit_levels(motion)[:, unit_indices("mouthSmile", head.names)].mean(1)
    jaw = _lasting(motion, motion.coefficients[:, head.index["jawOpen"]])
    grin = np.clip((smile - CALM_SMILE) / (GRIN_SMILE - CALM_SMILE), 0, 1)
    shut = np.clip((OPEN_JAW - jaw) / (OPEN_JAW - SHUT_JAW), 0, 1)
    return CLOSING_GAIN * grin * shut * _lasting(motion, lip_openings(motion, head))


def _lasting(motion: Motion, values: np.ndarray) -> np.ndarray:
    """The part of values (T,) that lasts: their smoothed minimum over a window."""
    window, sigma = window_frames(LASTING_WINDOW, motion.frame_rate), WINDOW_SMOOTHING * motion.frame_rate

    def smooth_minimum(v: np.ndarray) -> np.ndarray:
        return gaussian_filter1d(minimum_filter1d(v, window, mode="nearest"), sigma, mode="nearest")

    return np.minimum(values, filter_shots(motion, values, smooth_minimum))


def filter_shots(motion: Motion, values: np.ndarray, smooth: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Filter values over time within each shot.

    Args:
        motion: T frames, with their shots.
        values: (T, ...).
        smooth: filter of the values of one shot.

    Returns:
        (T, ...) float64.
    """
    shot = np.zeros(len(values)) if motion.shot is None else motion.shot
    shots = np.split(values.astype(np.float64), np.flatnonzero(np.diff(shot)) + 1)
    return np.concatenate([smooth(values_of_shot) for values_of_shot in shots])
