"""The cepstra that SyncNet reads: those of python_speech_features, computed in parts so that memory stays small."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from asccl.errors import AscclError
from asccl.evaluation.sound import Sound

CEPSTRA = 13  # of one step, as SyncNet reads them
WINDOW_SECONDS = 0.025
STEPS_PER_FRAME = 4
PART_STEPS = 1000  # steps that are computed at once


def require_speech_features() -> None:
    """Raise AscclError unless python_speech_features is installed."""
    try:
        import python_speech_features  # noqa: F401
    except ImportError as error:
        raise AscclError("python_speech_features is not installed", "pip install 'asccl[eval]'") from error


def cepstra(sound: Sound, frame_rate: Fraction, as_floats: bool = False) -> np.ndarray:
    """Compute mel-frequency cepstral coefficients, four per frame of the video.

    The first coefficient is the log energy, so it is lower by 2 ln 32768 = 20.79 for floats than for 16-bit integers;
    the others are the same.

    Args:
        sound: 16-bit samples.
        frame_rate: frames per second; the step, 1 / 4 of a frame, is rounded to samples.
        as_floats: divide the samples by 32768 first, as the group does. SyncNet was trained on integers.

    Returns:
        (N, 13) float32.
    """
    from python_speech_features import mfcc
    from python_speech_features.sigproc import round_half_up

    seconds = 1 / (STEPS_PER_FRAME * float(frame_rate))
    step, window = (round_half_up(s * sound.rate) for s in (seconds, WINDOW_SECONDS))
    samples = sound.samples
    count = 1 if len(samples) <= window else 1 + math.ceil((len(samples) - window) / step)
    parts = []
    for first in range(0, count, PART_STEPS):
        last = min(first + PART_STEPS, count)
        start = max(first - 1, 0)  # one step more: pre-emphasis reads the sample before
        part = np.asarray(samples[start * step : (last - 1) * step + window], np.float64)
        rows = mfcc(part / 32768 if as_floats else part, sound.rate, WINDOW_SECONDS, seconds, CEPSTRA, nfft=512)
        parts.append(rows[first - start : last - start].astype(np.float32))
    return np.concatenate(parts)
