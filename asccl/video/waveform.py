"""Read the sound of a file as samples."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from asccl.errors import UnreadableError

SOUND_RATE = 16_000  # Hz


def read_sound(path: Path | str, rate: int = SOUND_RATE) -> np.ndarray | None:
    """Read the first audio track, mixed to one channel.

    Args:
        path: a video or audio file.
        rate: sample rate of the result in Hz.

    Returns:
        (N,) float32 in [-1, 1], whose first sample belongs to the start of the track; None without audio.

    Raises:
        UnreadableError: the sound cannot be decoded.
    """
    path = Path(path)
    parts: list[np.ndarray] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return None
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
            for frame in (*container.decode(audio=0), None):  # None flushes the resampler
                parts.extend(part.to_ndarray()[0] for part in resampler.resample(frame))
    except (av.FFmpegError, OSError) as error:
        raise UnreadableError(f"the sound of {path.name} cannot be read ({error})", "give a complete file") from error
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
