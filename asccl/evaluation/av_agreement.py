"""Do lips and sound belong together? Canonical correlation over lags, in the manner of FaceSync, without any weights.

Slaney and Covell, "FaceSync: a linear operator for measuring synchronization of video facial images and audio tracks",
NIPS 2000. It measures timing, not articulation: read it beside the real clip and beside other words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.fft import dct, rfft

from asccl.evaluation.lips import clip_speech, mouth_width
from asccl.evaluation.measure import ClipMean, ClipPair, MeasureSkippedError, PairChunk, State, clip_state
from asccl.evaluation.networks import Networks
from asccl.evaluation.sound import Sound
from asccl.face import mesh

MAX_LAG = 0.2  # seconds by which the sound may come before or after the lips
BANDS = 8  # of the spectrum, evenly spaced in mel from MIN_HERTZ to MAX_HERTZ
MIN_HERTZ, MAX_HERTZ = 100.0, 7000.0
SOUND_FEATURES = 4  # log energy and shape of the spectrum
WINDOW_SECONDS = 0.05
FLOOR_ENERGY = 1e-6  # added before the logarithm; samples are in [-1, 1]
RIDGE = 0.02  # of the mean variance, added to the variances
MIN_FRAMES = 50  # with a face and speech


@dataclass(frozen=True)
class AudioVisualAgreement(ClipMean):
    """Largest canonical correlation of mouth and sound over lags of up to `MAX_LAG`, in [0, 1].

    Frames without speech do not count where silero-vad is installed. The extras are "ceiling", the real clip; "floor",
    the same lips with other words; and "lag" in seconds, positive where the sound comes after the lips.
    """

    def begin(self, clip: ClipPair, reference: State | None) -> _Mouths:
        """See `Measure`."""
        if clip.sound is None:
            raise MeasureSkippedError("neither the clip nor its source has sound")
        return _Mouths(clip, clip.sound)


class _Mouths:
    """Two numbers a frame and side are all that is kept of a clip."""

    def __init__(self, clip: ClipPair, sound: Sound):
        self._clip, self._sound = clip, sound
        self._rate = float(clip.frame_rate or 25)
        self._rows: list[np.ndarray] = []

    def add(self, chunk: PairChunk) -> None:
        sides = [
            np.stack([mesh.lip_gap(x), mouth_width(x)], 1) for x in (chunk.generated.landmarks, chunk.source.landmarks)
        ]
        self._rows.append(np.stack(sides, 1))

    def finish(self) -> State:
        generated, real = np.concatenate(self._rows).transpose(1, 0, 2)
        words = sound_features(self._sound, len(generated), self._rate)
        others = sound_features(self._sound.rotated(), len(generated), self._rate)
        speech = clip_speech(self._clip, len(generated))
        speaking = np.ones(len(generated), bool) if speech is None else speech
        max_lag = round(MAX_LAG * self._rate)
        score, lag = agreement(generated, words, speaking, max_lag)
        ceiling, _ = agreement(real, words, speaking, max_lag)
        floor, _ = agreement(generated, others, np.ones(len(generated), bool), max_lag)
        return clip_state(score, int(speaking.sum()), ceiling=ceiling, floor=floor, lag=lag / self._rate)


def agreement(mouth: np.ndarray, sound: np.ndarray, counted: np.ndarray, max_lag: int) -> tuple[float, int]:
    """Compute the largest canonical correlation over lags.

    Args:
        mouth: (T, M), NaN in frames without a face.
        sound: (T, S) at the same times.
        counted: (T,) bool, frames that count.
        max_lag: frames.

    Returns:
        The correlation, and its lag in frames.

    Raises:
        MeasureSkippedError: fewer than `MIN_FRAMES` frames count.
    """
    counted = counted & np.isfinite(mouth).all(1)
    best, best_lag = -1.0, 0
    for lag in sorted(range(-max_lag, max_lag + 1), key=abs):  # of equal correlations the smallest lag
        index = np.flatnonzero(counted)
        index = index[(index + lag >= 0) & (index + lag < len(sound))]
        if len(index) < MIN_FRAMES:
            raise MeasureSkippedError(f"fewer than {MIN_FRAMES} frames have a face and speech")
        correlation = canonical_correlation(mouth[index], sound[index + lag])
        if correlation > best + 1e-9:
            best, best_lag = correlation, lag
    return best, best_lag


def canonical_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Largest correlation of linear combinations of the columns of a (N, P) and b (N, Q); 0 where one side rests."""
    a, b = (x - x.mean(0) for x in (a, b))
    roots = [_inverse_root(x.T @ x / len(x)) for x in (a, b)]
    if roots[0] is None or roots[1] is None:
        return 0.0
    return float(np.linalg.svd(roots[0] @ (a.T @ b / len(a)) @ roots[1], compute_uv=False)[0])


def sound_features(sound: Sound, frames: int, frame_rate: float) -> np.ndarray:
    """Compute the log energy and the shape of the spectrum around the middle of each frame.

    Args:
        sound: 16-bit samples; silence beyond its end.
        frames: number T of frames.
        frame_rate: frames per second.

    Returns:
        (T, `SOUND_FEATURES`).
    """
    length = round(WINDOW_SECONDS * sound.rate)
    window = np.hanning(length)
    bands = _band_edges(length, sound.rate)
    features = np.empty((frames, SOUND_FEATURES))
    for t in range(frames):
        start = round((t + 0.5) / frame_rate * sound.rate) - length // 2
        part = np.asarray(sound.samples[max(start, 0) : max(start + length, 0)], np.float64) / 32768
        part = np.pad(part, (max(-start, 0), 0))[:length]
        part = np.pad(part, (0, length - len(part)))
        power = np.abs(rfft(part * window)) ** 2 / length
        energy = np.array([power[low:high].sum() for low, high in bands])
        features[t] = dct(np.log(energy + FLOOR_ENERGY), norm="ortho")[:SOUND_FEATURES]
    return features


def _band_edges(length: int, rate: int) -> list[tuple[int, int]]:
    low, high = (2595 * np.log10(1 + f / 700) for f in (MIN_HERTZ, MAX_HERTZ))
    hertz = 700 * (10 ** (np.linspace(low, high, BANDS + 1) / 2595) - 1)
    bins = np.round(hertz * length / rate).astype(int)
    return [(int(a), max(int(b), int(a) + 1)) for a, b in pairwise(bins)]


def _inverse_root(covariance: np.ndarray) -> np.ndarray | None:
    """Inverse square root with a ridge relative to each variance; None where nothing varies."""
    variances = np.diag(covariance)
    if variances.max() < 1e-12:
        return None
    scale = np.sqrt(np.maximum(variances, 1e-12))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale) + RIDGE * np.eye(len(scale)))
    return (vectors / np.sqrt(values)) @ vectors.T / scale


def build_agreement(name: str, networks: Networks) -> AudioVisualAgreement:
    """Build "av-agreement"."""
    return AudioVisualAgreement(name, True)
