"""Measure the sync of a copy of a clip of `sync_clips`: when it flashes, and when it beeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asccl.video.container import open_container
from asccl.video.limits import UNLIMITED
from benchmarks.sync_clips import BEEP_SECONDS, RATE

MIN_BEEP_LEVEL = 0.25  # of full scale
MIN_FLASH_LEVEL = 128  # grey level, mean of a frame


@dataclass(frozen=True)
class SyncMeasure:
    """What a copy shows and plays.

    Attributes:
        frames: number of frames.
        seconds: between the first and the last frame, plus one frame.
        offsets: milliseconds by which each beep comes later than its flash.
    """

    frames: int
    seconds: float
    offsets: tuple[float, ...]

    @property
    def worst(self) -> float:
        """The largest distance of a beep from its flash, in milliseconds; NaN without beeps."""
        return max((abs(offset) for offset in self.offsets), default=float("nan"))


def measure_sync(path: Path) -> SyncMeasure:
    """Decode a file as a plain player does, and measure flashes and beeps."""
    with open_container(path, UNLIMITED.max_pixels) as container:
        frames = [(float(f.pts * f.time_base), f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]
    flashes = [time for time, brightness in frames if brightness > MIN_FLASH_LEVEL]
    beeps = _measure_beeps(path)
    offsets = tuple(1000 * (beep - min(flashes, key=lambda t: abs(t - beep))) for beep in beeps) if flashes else ()
    return SyncMeasure(len(frames), frames[-1][0] - frames[0][0] + 1 / RATE, offsets)


def _measure_beeps(path: Path) -> list[float]:
    """Times at which a beep starts in the first track."""
    beeps: list[float] = []
    with open_container(path, UNLIMITED.max_pixels) as container:
        if not container.streams.audio or container.streams.audio[0].codec_context is None:
            return []
        last_loud = -np.inf
        for frame in container.decode(audio=0):
            values = frame.to_ndarray().astype(np.float32)
            if not frame.format.name.startswith(("flt", "dbl")):
                values = values / float(np.iinfo(frame.to_ndarray().dtype).max)
            if not frame.format.is_planar:
                values = values.reshape(-1, frame.layout.nb_channels).T
            for sample in np.flatnonzero(np.abs(values).max(0) > MIN_BEEP_LEVEL):
                time = float(frame.pts * frame.time_base) + sample / frame.sample_rate
                if time - last_loud > BEEP_SECONDS:
                    beeps.append(time)
                last_loud = time
    return beeps
