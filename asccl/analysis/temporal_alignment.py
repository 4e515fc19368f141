"""Which frames of two videos belong together: the same moment of an edit, or the same sound of two takes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from asccl.data.pairing import HOP_SECONDS, Utterance, mfcc, mouth_motion, pair_frames
from asccl.errors import InputError
from asccl.morphable.reconstruct import TrackedClip
from asccl.video.waveform import read_sound

Pairing = Literal["time", "sound", "mouth"]
PAIRINGS = ("time", "sound", "mouth")
ROWS = 2000  # of a table of costs, at most: what is longer is warped in coarser steps


def align_frames(source: TrackedClip, generated: TrackedClip, how: Pairing, offset: float = 0.0) -> np.ndarray:
    """(K, 2) numbers of looked-at frames of the two, in order, one pair for each of the source that has a partner.

    offset: seconds by which the generated video runs ahead; it counts for "time". Raises InputError, UnreadableError.
    """
    if how == "time":
        return _by_time(source.times, generated.times + offset)
    if how == "sound":
        return pair_frames(_sound(source), _sound(generated))
    return pair_frames(_mouth(source), _mouth(generated))


def subsample(pairs: np.ndarray, most: int | None) -> np.ndarray:
    """At most so many pairs, evenly spread."""
    if most is None or len(pairs) <= most:
        return pairs
    return pairs[np.linspace(0, len(pairs) - 1, most).round().astype(int)]


def _by_time(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The nearest time of b for each of a, where one lies within its usual step."""
    right = np.searchsorted(b, a).clip(1, max(len(b) - 1, 1))
    left = right - 1
    right = right.clip(max=len(b) - 1)
    nearest = np.where(np.abs(b[left] - a) <= np.abs(b[right] - a), left, right)
    usual = np.median(np.diff(b)) if len(b) > 1 else 1.0
    return np.stack([np.arange(len(a)), nearest], 1)[np.abs(b[nearest] - a) <= 0.75 * usual]


def _rate(seen: TrackedClip) -> float:
    return float(seen.info.frame_rate) / seen.stride


def _sound(seen: TrackedClip) -> Utterance:
    wave = read_sound(seen.info.path)
    if wave is None or not len(wave):
        raise InputError(f"{seen.info.path.name} has no sound to pair by", "pair by the mouth instead")
    step = max(HOP_SECONDS, float(seen.times[-1]) / ROWS)
    return Utterance(mfcc(wave, step=step), step, _rate(seen), len(seen.times))


def _mouth(seen: TrackedClip) -> Utterance:
    every = -(-len(seen.times) // ROWS)
    rows = np.arange(0, len(seen.times), every)
    return Utterance(mouth_motion(seen.landmarks.select(rows)), every / _rate(seen), _rate(seen), len(seen.times))
