"""Which frames of two takes say the same: dynamic time warping over the sound, or the mouth where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import dct
from scipy.signal import get_window

from asccl.errors import SettingError
from asccl.face import mesh
from asccl.video.waveform import SOUND_RATE

HOP_SECONDS = 1 / 30  # seconds between two looks at the sound, as in the paper's code
WINDOW_SECONDS = 0.064  # seconds of sound in a look
N_MFCC, N_MELS = 13, 40
MAX_COST_ENTRIES = 60_000_000  # entries of a cost matrix, half a GB


@dataclass(frozen=True)
class Utterance:
    """What DTW compares. features: (N, D), row r at r * step seconds. frames: of the picture, frame_rate: a second."""

    features: np.ndarray
    step: float
    frame_rate: float
    frames: int


def dtw_path(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cheapest way to go through both at once: (K, 2) rows of a (N, D) and of b (M, D), from (0, 0) to the ends.

    Costs are L1 distances, every step (both, first alone, second alone) counts once. Time and memory grow with N * M.
    Raises SettingError where one is empty, they do not fit, or both are too long.
    """
    a, b = (np.asarray(v, np.float64).reshape(len(v), -1) if len(v) else np.empty((0, 0)) for v in (a, b))
    if not len(a) or not len(b) or a.shape[1] != b.shape[1]:
        raise SettingError(f"takes of {a.shape} and {b.shape} cannot be paired", "give two that hold the same features")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise SettingError("a take holds numbers that are not finite", "fill the frames without a face first")
    if len(a) * len(b) > MAX_COST_ENTRIES:
        raise SettingError(f"takes of {len(a)} and {len(b)} rows are too long to pair", "cut both into sentences")
    total = np.empty((len(a), len(b)))
    for i, row in enumerate(a):
        cost = np.abs(b - row).sum(1)
        if i == 0:
            total[0] = np.cumsum(cost)
            continue
        entry = np.minimum(total[i - 1], np.concatenate([[np.inf], total[i - 1, :-1]]))  # from the row above
        run = np.cumsum(cost)  # entered at k and then along the row: entry[k] + cost[k] + ... + cost[j]
        total[i] = run + np.minimum.accumulate(entry - run + cost)
    return _back(total)


def _back(total: np.ndarray) -> np.ndarray:
    """From the end to the start, the diagonal first among equals."""
    i, j = total.shape[0] - 1, total.shape[1] - 1
    path = [(i, j)]
    while i or j:
        options = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        i, j = min((o for o in options if min(o) >= 0), key=lambda o: total[o])
        path.append((i, j))
    return np.array(path[::-1])


def mfcc(sound: np.ndarray, rate: int = SOUND_RATE, step: float = HOP_SECONDS) -> np.ndarray:
    """(N,) samples -> (T, 13) mel-frequency cepstral coefficients, one row every `step` seconds, centred on it.

    The mean of every coefficient is taken off: it tells the microphone and the voice, not the words.
    """
    width = int(WINDOW_SECONDS * rate)
    sound = np.append(sound[:1], sound[1:] - 0.97 * sound[:-1]).astype(np.float64)
    centres = np.rint(np.arange(0, max(len(sound) / rate, step), step) * rate).astype(int)
    padded = np.pad(sound, (width // 2, width))
    frames = padded[centres[:, None] + np.arange(width)] * get_window("hann", width)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    bands = np.log(power @ _mel_bands(width, rate).T + 1e-8)
    cepstra = dct(bands, norm="ortho", axis=1)[:, :N_MFCC]
    return cepstra - cepstra.mean(0)


def _mel_bands(width: int, rate: int) -> np.ndarray:
    """(40, width // 2 + 1) triangles of equal width in mel, from 60 Hz to the top."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (60.0, rate / 2))
    edges = 700 * (10 ** (np.linspace(low, high, N_MELS + 2) / 2595) - 1)
    frequency = np.fft.rfftfreq(width, 1 / rate)
    rising = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rising, falling), 0, None)


def mouth_motion(landmarks: np.ndarray) -> np.ndarray:
    """(T, 468+, 2+) pixels -> (T, 2): lip opening and mouth width over the distance of the eyes, each with mean 0 and
    deviation 1. Frames without a face (NaN) get what lies between their neighbours. Raises SettingError."""
    width = np.linalg.norm(np.subtract(*(landmarks[:, p, :2] for p in mesh.OUTER_LIP_CORNERS)), axis=-1)
    tracks = np.stack([mesh.lip_gap(landmarks), width / mesh.eye_distance(landmarks)], -1).astype(np.float64)
    seen = np.isfinite(tracks).all(1)
    if not seen.any():
        raise SettingError("no frame of the take has a face", "give a take in which the face is plain to see")
    at = np.arange(len(tracks))
    tracks = np.stack([np.interp(at, at[seen], track[seen]) for track in tracks.T], -1)
    return (tracks - tracks.mean(0)) / np.maximum(tracks.std(0), 1e-3)


def pair_frames(a: Utterance, b: Utterance) -> np.ndarray:
    """(K, 2) numbers of frames of a and b that say the same: one pair for every frame of a, in order."""
    path = dtw_path(a.features, b.features)
    rows = np.arange(len(a.features))
    partner = np.bincount(path[:, 0], path[:, 1]) / np.bincount(path[:, 0])  # the middle of a row's partners
    frames = np.arange(a.frames)
    there = np.interp(frames / a.frame_rate / a.step, rows, partner) * b.step * b.frame_rate
    return np.stack([frames, np.clip(np.rint(there), 0, b.frames - 1).astype(int)], -1)
