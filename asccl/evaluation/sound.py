"""The sound of a clip as 16-bit samples on disk, so that memory does not grow with its length."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from asccl.types import SOUND_RATE
from asccl.video.waveform import decode_sound


@dataclass(frozen=True)
class Sound:
    """Sound of one channel.

    Attributes:
        samples: (N,) int16; the first sample belongs to the first frame of the video.
        rate: Hz.
    """

    samples: np.ndarray
    rate: int = SOUND_RATE

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

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the samples."""
        return hashlib.sha256(np.ascontiguousarray(self.samples).data).hexdigest()

    def floats(self) -> np.ndarray:
        """The samples as (N,) float32 in [-1, 1)."""
        return np.asarray(self.samples, np.float32) / 32768


def open_sound(path: Path) -> Sound | None:
    """Decode the first audio track of a file, mixed to one channel at `SOUND_RATE`; None without sound.

    Samples before the first frame of the video are dropped; a track that starts later begins with silence. Raises
    UnreadableError.
    """
    chunks = decode_sound(path)
    if chunks is None:
        return None
    with closing(chunks), tempfile.TemporaryFile(prefix="asccl-") as file:
        for samples in chunks:
            file.write(np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16).tobytes())
        file.flush()
        count = file.tell() // 2
        return Sound(np.memmap(file, np.int16, "r", shape=(count,)) if count else np.zeros(0, np.int16))
