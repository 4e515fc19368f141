"""Measure how well lips and sound agree: canonical correlation over lags, as in FaceSync, without a trained network.

The operator, one direction of the mouth and one of the sound, is fitted to the real clip and applied to the generated
one: fitted to the generated clip itself, it would find some correlation in any few seconds.

Slaney and Covell, "FaceSync: a linear operator for measuring synchronization of video facial images and audio tracks",
NIPS 2000. It measures timing, not articulation: read it beside the real clip and beside other words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

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
ROTATIONS = (0.25, 0.5, 0.75)  # shares of the sound that are moved from its beginning to its end, for the floor
RIDGE = 0.02  # of the mean variance, added to the variances
MIN_FRAMES = 50  # with a face and speech
MIN_DEVIATION = 1e-6  # of a projection that changes over time; also the smallest difference of two correlations


@dataclass(frozen=True)
class AudioVisualAgreement(ClipMean):
    """Largest correlation of mouth and sound over lags of up to `MAX_LAG`, along directions fitted to the real clip.

    Frames without speech do not count where silero-vad is installed. The extras are "ceiling", the real clip; "floor",
    the same lips with other words; and "lag" in seconds, positive where the sound comes after the lips.
    """

    def begin(self, clip: ClipPair, reference: State | None) -> _MouthCurves:
        """See `Measure`."""
        if clip.sound is None:
            raise MeasureSkippedError("neither the clip nor its source has sound")
        return _MouthCurves(clip, clip.sound)


class _MouthCurves:
    """Opening and width of the mouth in each frame of the generated clip and of the source; nothing else is kept."""

    def __init__(self, clip: ClipPair, sound: Sound):
        self._clip, self._sound = clip, sound
        self._rate = clip.frames_per_second
        self._rows: list[np.ndarray] = []

    def add(self, chunk: PairChunk) -> None:
        sides = [
            np.stack([mesh.lip_gap(x), mouth_width(x)], 1) for x in (chunk.generated.landmarks, chunk.source.landmarks)
        ]
        self._rows.append(np.stack(sides, 1))

    def finish(self) -> State:
        generated, real = np.concatenate(self._rows).transpose(1, 0, 2)
        words = sound_features(self._sound, len(generated), self._rate)
        real_words = sound_features(self._clip.source_sound or self._sound, len(generated), self._rate)
        speech = clip_speech(self._clip, len(generated))
        speaking = np.ones(len(generated), bool) if speech is None else speech
        max_lag = round(MAX_LAG * self._rate)
        operator = fit_operator(real, real_words, speaking, max_lag)
        score, lag = agreement(operator, generated, words, speaking, max_lag)
        floors = []
        for share in ROTATIONS:
            others = sound_features(self._sound.rotated(share), len(generated), self._rate)
            floors.append(agreement(operator, generated, others, speaking, max_lag)[0])
        floor = float(np.mean(floors))
        return clip_state(score, int(speaking.sum()), ceiling=operator.correlation, floor=floor, lag=lag / self._rate)


class Operator(NamedTuple):
    """Directions of the largest canonical correlation.

    Attributes:
        mouth: (M,).
        sound: (S,).
        correlation: of the projections of the clip to which they were fitted.
    """

    mouth: np.ndarray
    sound: np.ndarray
    correlation: float


def fit_operator(mouth: np.ndarray, sound: np.ndarray, counted: np.ndarray, max_lag: int) -> Operator:
    """Fit the operator of the lag with the largest canonical correlation.

    Args:
        mouth: of the real clip, (T, M), NaN in frames without a face.
        sound: (T, S) at the same times.
        counted: (T,) bool, frames that count.
        max_lag: frames.

    Raises:
        MeasureSkippedError: fewer than `MIN_FRAMES` frames count, the lips do not move, or the sound is constant.
    """
    pairs = (canonical_pair(a, b) for _, a, b in _lagged(mouth, sound, counted, max_lag))
    operator = max((pair for pair in pairs if pair is not None), key=lambda pair: pair.correlation, default=None)
    if operator is None:
        raise MeasureSkippedError("the lips of the source do not move, or its sound is constant")
    return operator


def agreement(
    operator: Operator, mouth: np.ndarray, sound: np.ndarray, counted: np.ndarray, max_lag: int
) -> tuple[float, int]:
    """Compute the largest correlation of the projections over lags.

    Args:
        operator: fitted to the real clip.
        mouth: (T, M), NaN in frames without a face.
        sound: (T, S) at the same times.
        counted: (T,) bool, frames that count.
        max_lag: frames.

    Returns:
        The correlation, 0 where the lips do not move, and its lag in frames.

    Raises:
        MeasureSkippedError: fewer than `MIN_FRAMES` frames count.
    """
    best, best_lag = -1.0, 0
    for lag, a, b in _lagged(mouth, sound, counted, max_lag):
        x, y = a @ operator.mouth, b @ operator.sound
        is_constant = min(x.std(), y.std()) < MIN_DEVIATION
        correlation = 0.0 if is_constant else float(np.corrcoef(x, y)[0, 1])
        if correlation > best + MIN_DEVIATION:
            best, best_lag = correlation, lag
    return best, best_lag


def canonical_pair(a: np.ndarray, b: np.ndarray) -> Operator | None:
    """Fit the directions of a (N, M) and b (N, S) with the largest correlation; None where one side is constant."""
    a, b = (x - x.mean(0) for x in (a, b))
    first, second = (_inverse_root(x.T @ x / len(x)) for x in (a, b))
    if first is None or second is None:
        return None
    u, _, vt = np.linalg.svd(first.T @ (a.T @ b / len(a)) @ second)
    directions = first @ u[:, 0], second @ vt[0]
    return Operator(*directions, float(np.corrcoef(a @ directions[0], b @ directions[1])[0, 1]))


def _lagged(
    mouth: np.ndarray, sound: np.ndarray, counted: np.ndarray, max_lag: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(lag, mouth, sound) of the frames that count, the smallest lags first."""
    counted = counted & np.isfinite(mouth).all(1)
    for lag in sorted(range(-max_lag, max_lag + 1), key=abs):
        index = np.flatnonzero(counted)
        index = index[(index + lag >= 0) & (index + lag < len(sound))]
        if len(index) < MIN_FRAMES:
            raise MeasureSkippedError(f"fewer than {MIN_FRAMES} frames have a face and speech")
        yield lag, mouth[index], sound[index + lag]


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
    """W (P, P) so that columns times W are white, with a ridge relative to each variance; None where nothing varies."""
    variances = np.diag(covariance)
    if variances.max() < MIN_DEVIATION**2:
        return None
    scale = np.sqrt(np.maximum(variances, MIN_DEVIATION**2))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale) + RIDGE * np.eye(len(scale)))
    return vectors / np.sqrt(values) / scale[:, None]


def build_agreement(name: str, networks: Networks) -> AudioVisualAgreement:
    """Build "av-agreement"."""
    return AudioVisualAgreement(name, True)
