"""The sound of a file as numbers."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from asccl.errors import UnreadableError

SOUND_RATE = 16_000  # samples a second


def read_sound(path: Path | str, rate: int = SOUND_RATE) -> np.ndarray | None:
    """(N,) float32 in [-1, 1]: the first audio track, mixed to one channel; None where there is none.

    Its first sample belongs to the start of the track. Raises UnreadableError.
    """
    path = Path(path)
    try:
        with av.open(str(path)) as source:
            if not source.streams.audio:
                return None
            resample = av.AudioResampler(format="flt", layout="mono", rate=rate)
            parts = [part.to_ndarray()[0]
                     for frame in (*source.decode(audio=0), None)
                     for part in resample.resample(frame)]  # fmt: skip
    except (av.FFmpegError, OSError) as error:
        raise UnreadableError(f"the sound of {path.name} cannot be read ({error})", "give a whole file") from error
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
