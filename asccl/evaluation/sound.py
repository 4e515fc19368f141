"""The sound of a clip as 16-bit samples on disk, so that memory does not grow with its length."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import av
import numpy as np

from asccl.errors import UnreadableError
from asccl.video.container import open_container

SAMPLE_RATE = 16_000  # Hz, of every network that hears speech
MAX_PIXELS = 2**31 - 1  # frames are not decoded


@dataclass(frozen=True)
class Sound:
    """Sound of one channel.

    Attributes:
        samples: (N,) int16; the first sample belongs to the first frame of the video.
        rate: Hz.
    """

    samples: np.ndarray
    rate: int = SAMPLE_RATE

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / self.rate

    def shifted(self, seconds: float) -> Sound:
        """Return the sound that begins `seconds` later in this one, or after that much silence where negative."""
        count = round(seconds * self.rate)
        if count >= 0:
            return Sound(self.samples[count:], self.rate)
        return Sound(np.concatenate([np.zeros(-count, np.int16), self.samples]), self.rate)

    def rotated(self, share: float = 0.5) -> Sound:
        """Return the sound that begins in the middle and goes on with its beginning: other words, the same voice."""
        count = round(share * len(self.samples))
        return Sound(np.concatenate([self.samples[count:], self.samples[:count]]), self.rate)

    def floats(self) -> np.ndarray:
        """The samples as (N,) float32 in [-1, 1)."""
        return np.asarray(self.samples, np.float32) / 32768


def open_sound(path: Path) -> Sound | None:
    """Decode the first audio track of a file, mixed to one channel at `SAMPLE_RATE`; None without sound.

    Samples before the first frame of the video are dropped; a track that starts later begins with silence. Raises
    UnreadableError.
    """
    try:
        with open_container(path, MAX_PIXELS) as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            video = container.streams.video[0] if container.streams.video else stream
            delay = _start_seconds(stream) - _start_seconds(video)
            with tempfile.TemporaryFile(prefix="asccl-") as file:
                resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
                for frame in chain(container.decode(stream), (None,)):  # None flushes the resampler
                    for part in resampler.resample(frame):
                        file.write(part.to_ndarray()[0].tobytes())
                file.flush()
                count = file.tell() // 2
                samples = np.memmap(file, np.int16, "r", shape=(count,)) if count else np.zeros(0, np.int16)
    except (av.FFmpegError, OSError) as error:
        raise UnreadableError(f"the sound of {path.name} cannot be read ({error})", "give a complete file") from error
    return Sound(samples).shifted(-delay) if abs(delay) > 0.5 / SAMPLE_RATE else Sound(samples)


def _start_seconds(stream: object) -> float:
    start, base = getattr(stream, "start_time", None), getattr(stream, "time_base", None)
    return float(start * base) if start is not None and base is not None else 0.0
