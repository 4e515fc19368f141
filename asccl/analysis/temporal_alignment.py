"""Pair the frames of two videos: frames of the same time for an edit, of the same sound or lips for another take."""

from __future__ import annotations

import numpy as np

from asccl.data.pairing import HOP_SECONDS, Utterance, mfcc, mouth_motion, pair_frames
from asccl.errors import InputError
from asccl.morphable.reconstruct import TrackedClip
from asccl.video.waveform import read_sound

PAIRINGS = ("time", "sound", "mouth")
MAX_COST_ROWS = 2000  # rows of a cost matrix; a longer clip is warped in coarser steps
MAX_TIME_DIFFERENCE = 0.75  # between frames of a pair, in frame intervals of the generated video


def align_frames(source: TrackedClip, generated: TrackedClip, pairing: str, offset: float = 0.0) -> np.ndarray:
    """Pair the processed frames of two clips.

    Args:
        source: tracked source.
        generated: tracked generated video.
        pairing: one of `PAIRINGS`.
        offset: seconds by which the generated video is ahead; used for "time" only.

    Returns:
        (K, 2) row numbers of both clips in order, one pair for each row of the source that has a partner.

    Raises:
        InputError: a clip has no sound for "sound".
        UnreadableError: the sound cannot be read.
    """
    if pairing == "time":
        return _pair_by_time(source.times, generated.times + offset)
    describe = _sound_utterance if pairing == "sound" else _mouth_utterance
    return pair_frames(describe(source), describe(generated))


def subsample(pairs: np.ndarray, max_count: int | None) -> np.ndarray:
    """Keep at most `max_count` rows, evenly spaced and with both ends; None keeps all."""
    if max_count is None or len(pairs) <= max_count:
        return pairs
    return pairs[np.linspace(0, len(pairs) - 1, max_count).round().astype(int)]


def _pair_by_time(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pair each time of a with the nearest time of b unless that is too far away."""
    right = np.searchsorted(b, a).clip(1, max(len(b) - 1, 1))
    left = right - 1
    right = right.clip(max=len(b) - 1)
    nearest = np.where(np.abs(b[left] - a) <= np.abs(b[right] - a), left, right)
    interval = np.median(np.diff(b)) if len(b) > 1 else 1.0
    return np.stack([np.arange(len(a)), nearest], 1)[np.abs(b[nearest] - a) <= MAX_TIME_DIFFERENCE * interval]


def _frame_rate(clip: TrackedClip) -> float:
    """Return the processed frames per second."""
    return float(clip.info.frame_rate) / clip.stride


def _sound_utterance(clip: TrackedClip) -> Utterance:
    wave = read_sound(clip.info.path, seconds=clip.info.duration)
    if wave is None or not len(wave):
        raise InputError(f"{clip.info.path.name} has no sound to pair by", "pair by the mouth instead")
    step = max(HOP_SECONDS, float(clip.times[-1]) / MAX_COST_ROWS)
    return Utterance(mfcc(wave, step=step), step, _frame_rate(clip), len(clip.times))


def _mouth_utterance(clip: TrackedClip) -> Utterance:
    stride = -(-len(clip.times) // MAX_COST_ROWS)
    rows = np.arange(0, len(clip.times), stride)
    motion = mouth_motion(clip.landmarks.select(rows))
    return Utterance(motion, stride / _frame_rate(clip), _frame_rate(clip), len(clip.times))
