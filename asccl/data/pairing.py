"""Pair the frames of two takes of the same words by dynamic time warping (DTW) over the sound or the mouth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import dct
from scipy.signal import get_window

from asccl.errors import SettingError
from asccl.face import mesh
from asccl.types import SOUND_RATE

HOP_SECONDS = 1 / 30  # between two rows of MFCC, as in the authors' code
WINDOW_SECONDS = 0.064  # of sound for a row
N_MFCC, N_MELS = 13, 40
PRE_EMPHASIS = 0.97
MIN_FREQUENCY = 60.0  # Hz, of the mel bands
MAX_COST_ENTRIES = 60_000_000  # of a cost matrix, half a GB
MIN_MOUTH_DEVIATION = 1e-3  # eye distances; lips that move less are not scaled up


@dataclass(frozen=True)
class Utterance:
    """The features of a take that DTW compares.

    Attributes:
        features: (N, D); row r belongs to the time r * step.
        step: seconds between two rows.
        frame_rate: video frames per second.
        frames: number of video frames.
    """

    features: np.ndarray
    step: float
    frame_rate: float
    frames: int


def dtw_path(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Find the cheapest monotonic path through two sequences.

    Costs are L1 distances; each step (in both, in a alone, in b alone) counts once. Time and memory grow with N * M.

    Args:
        a: features, (N, D) or (N,).
        b: features, (M, D) or (M,).

    Returns:
        (K, 2) rows of a and of b, from (0, 0) to (N - 1, M - 1).

    Raises:
        SettingError: a sequence is empty or not finite, the numbers of features differ, or both are too long.
    """
    a, b = (np.asarray(v, np.float64).reshape(len(v), -1) if len(v) else np.empty((0, 0)) for v in (a, b))
    if not len(a) or not len(b) or a.shape[1] != b.shape[1]:
        raise SettingError(f"takes of {a.shape} and {b.shape} cannot be paired", "give two with the same features")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise SettingError("a take has numbers that are not finite", "fill the frames without a face first")
    if len(a) * len(b) > MAX_COST_ENTRIES:
        raise SettingError(f"takes of {len(a)} and {len(b)} rows are too long to pair", "cut both into sentences")
    total = np.empty((len(a), len(b)))
    for i, row in enumerate(a):
        cost = np.abs(b - row).sum(1)
        if i == 0:
            total[0] = np.cumsum(cost)
            continue
        entry = np.minimum(total[i - 1], np.concatenate([[np.inf], total[i - 1, :-1]]))  # from the row above
        # A path that enters the row at k and reaches j costs entry[k] + cost[k] + ... + cost[j].
        running = np.cumsum(cost)
        total[i] = running + np.minimum.accumulate(entry - running + cost)
    return _backtrack(total)


def _backtrack(total: np.ndarray) -> np.ndarray:
    """Follow the cheapest path from the end to the start; equal costs prefer the diagonal."""
    i, j = total.shape[0] - 1, total.shape[1] - 1
    path = [(i, j)]
    while i or j:
        options = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        i, j = min((o for o in options if min(o) >= 0), key=lambda o: total[o])
        path.append((i, j))
    return np.array(path[::-1])


def mfcc(sound: np.ndarray, rate: int = SOUND_RATE, step: float = HOP_SECONDS) -> np.ndarray:
    """Compute mel-frequency cepstral coefficients, one row every `step` seconds and centred on that time.

    The mean of each coefficient is subtracted, because it depends on microphone and voice, not on the words.

    Args:
        sound: samples, (N,).
        rate: samples per second.
        step: seconds between two rows.

    Returns:
        (T, 13).
    """
    width = int(WINDOW_SECONDS * rate)
    sound = np.append(sound[:1], sound[1:] - PRE_EMPHASIS * sound[:-1]).astype(np.float64)
    centres = np.rint(np.arange(0, max(len(sound) / rate, step), step) * rate).astype(int)
    padded = np.pad(sound, (width // 2, width))
    frames = padded[centres[:, None] + np.arange(width)] * get_window("hann", width)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    bands = np.log(power @ _mel_bands(width, rate).T + 1e-8)
    cepstra = dct(bands, norm="ortho", axis=1)[:, :N_MFCC]
    return cepstra - cepstra.mean(0)


def _mel_bands(width: int, rate: int) -> np.ndarray:
    """Return triangular bands of equal width in mel from 60 Hz to half the rate, (40, width // 2 + 1)."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (MIN_FREQUENCY, rate / 2))
    edges = 700 * (10 ** (np.linspace(low, high, N_MELS + 2) / 2595) - 1)
    frequency = np.fft.rfftfreq(width, 1 / rate)
    rising = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rising, falling), 0, None)


def mouth_motion(landmarks: np.ndarray) -> np.ndarray:
    """Compute lip opening and mouth width over time, in eye distances, each with mean 0 and deviation 1.

    Frames without a face are interpolated.

    Args:
        landmarks: (T, 468 or more, 2 or more) pixels, NaN without a face.

    Returns:
        (T, 2).

    Raises:
        SettingError: no frame has a face.
    """
    width = np.linalg.norm(np.subtract(*(landmarks[:, p, :2] for p in mesh.OUTER_LIP_CORNERS)), axis=-1)
    tracks = np.stack([mesh.lip_gap(landmarks), width / mesh.eye_distance(landmarks)], -1).astype(np.float64)
    finite = np.isfinite(tracks).all(1)
    if not finite.any():
        raise SettingError("no frame of the take has a face", "give a take in which the face is clearly visible")
    frames = np.arange(len(tracks))
    tracks = np.stack([np.interp(frames, frames[finite], track[finite]) for track in tracks.T], -1)
    return (tracks - tracks.mean(0)) / np.maximum(tracks.std(0), MIN_MOUTH_DEVIATION)


def pair_frames(a: Utterance, b: Utterance) -> np.ndarray:
    """Pair the video frames of two takes of the same words.

    Returns:
        (K, 2) frame indices of a and b, one pair for each frame of a, in order.
    """
    path = dtw_path(a.features, b.features)
    rows = np.arange(len(a.features))
    partner = np.bincount(path[:, 0], path[:, 1]) / np.bincount(path[:, 0])  # the middle of a row's partners
    frames = np.arange(a.frames)
    frames_b = np.interp(frames / a.frame_rate / a.step, rows, partner) * b.step * b.frame_rate
    return np.stack([frames, np.clip(np.rint(frames_b), 0, b.frames - 1).astype(int)], -1)
