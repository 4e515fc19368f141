"""Decode sound to samples of one layout and rate, also where those of the source change."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from asccl.types import SOUND_RATE
from asccl.video.clock import measure_clock
from asccl.video.container import NOT_A_VIDEO, open_container
from asccl.video.limits import UNLIMITED, Limits
from asccl.video.track_clock import PacketClock

MAX_DEVIATION = Fraction(1, 25)  # seconds by which samples may lie beside their time stamps
SILENCE_CHUNK = 10.0  # seconds of silence that are returned at once


def read_sound(path: Path | str, rate: int = SOUND_RATE, seconds: float | None = None) -> np.ndarray | None:
    """Read the first audio track, mixed to one channel.

    Args:
        path: a video or audio file.
        rate: sample rate of the result in Hz.
        seconds: of sound to read at most; None reads as much as `Limits` allows a video to last.

    Returns:
        (N,) float32 in [-1, 1], see `decode_sound`; None without audio.

    Raises:
        UnreadableError: the file cannot be opened.
    """
    remaining = round((Limits().max_seconds if seconds is None else seconds) * rate)
    chunks = decode_sound(Path(path), rate)
    if chunks is None:
        return None
    parts: list[np.ndarray] = []
    with closing(chunks):
        for samples in chunks:
            parts.append(samples[:remaining])
            remaining -= len(parts[-1])
            if remaining <= 0:
                break
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def decode_sound(path: Path, rate: int = SOUND_RATE) -> Generator[np.ndarray, None, None] | None:
    """Decode the first audio track, mixed to one channel. Damaged packets and gaps become silence.

    Args:
        path: a video or audio file.
        rate: sample rate of the result in Hz.

    Returns:
        Iterator of (n,) float32 in [-1, 1], each part right behind the one before. The first sample belongs to the
        first frame of the picture, or to the start of the track without a picture. None without audio.

    Raises:
        UnreadableError: the file cannot be opened.
    """
    UNLIMITED.check_file(path)
    clocks = measure_clock(path)
    with open_container(path, UNLIMITED.max_pixels) as container:
        sound = next((s.index for s in container.streams.audio if s.codec_context is not None), None)
        pictures = [clocks.tracks[s.index] for s in container.streams.video if not s.disposition & NOT_A_VIDEO]
    if sound is None:
        return None
    starts = [clock.start * clock.time_base for clock in pictures if clock.start is not None]
    decoder = SampleDecoder("mono", rate, min(starts, default=None))
    return _decode_track(path, sound, clocks.tracks[sound].follow(), decoder)


def _decode_track(
    path: Path, index: int, clock: PacketClock, decoder: SampleDecoder
) -> Generator[np.ndarray, None, None]:
    with open_container(path, UNLIMITED.max_pixels) as container:
        try:
            for packet in container.demux(container.streams[index]):
                for samples in decoder.decode(clock.carry_on(packet)):
                    yield samples[0]
        except av.error.FFmpegError:
            pass  # the file breaks off: what has been decoded counts
        for samples in decoder.finish():
            yield samples[0]


class SampleDecoder:
    """Decodes the packets of one track to continuous samples of one layout and rate.

    A change of layout or rate within the track is converted, a gap becomes silence, and what overlaps is cut.

    Args:
        layout: of the samples, for instance "stereo".
        rate: of the samples, Hz.
        start: seconds on the clock that is carried on, of the first sample; None starts with the track.

    Attributes:
        start: the same; None before the first sample.
        damaged: number of packets that could not be decoded.
    """

    def __init__(self, layout: str, rate: int, start: Fraction | None = None):
        self.start = start
        self._tolerance = Fraction(0)  # seconds by which the next sample may lie beside its time stamp
        self.damaged = 0
        self._layout, self._rate = layout, rate
        self._channels = av.AudioLayout(layout).nb_channels
        self._resampler: av.AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        self._consumed = Fraction(0)  # seconds of sound since `start`
        self._surplus = 0  # samples that are still to be cut

    def decode(self, packet: Any) -> Iterator[np.ndarray]:
        """Decode one packet, whose time stamps are on the clock that is carried on.

        Yields:
            (channels, n) float32.
        """
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError):
            self.damaged += 1
            return
        for frame in frames:
            if frame.samples and frame.sample_rate:
                yield from self._place(frame, packet)

    def finish(self) -> Iterator[np.ndarray]:
        """Yield the samples that the resampler still holds."""
        if self._resampler is not None:
            yield from self._resample(None)
        self._resampler = self._format = None

    def _place(self, frame: Any, packet: Any) -> Iterator[np.ndarray]:
        """The samples of a frame, after silence where there is a gap before it, without those that are too late."""
        if frame.pts is not None:
            time = frame.pts * Fraction(frame.time_base or packet.time_base)
            self.start = time if self.start is None else self.start
            gap = time - self.start - self._consumed
            if gap > self._tolerance:
                yield from self.finish()
                yield from self._silence(gap)
                self._consumed += gap
            elif gap < -self._tolerance:
                self._surplus += round(-gap * self._rate)
                self._consumed += gap
            self._tolerance = MAX_DEVIATION
        self._consumed += Fraction(frame.samples, frame.sample_rate)
        frame_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        if frame_format != self._format:
            yield from self.finish()
            self._resampler, self._format = av.AudioResampler("fltp", self._layout, self._rate), frame_format
        frame.pts = None
        yield from self._resample(frame)

    def _resample(self, frame: Any) -> Iterator[np.ndarray]:
        assert self._resampler is not None
        try:
            frames = self._resampler.resample(frame)
        except (av.error.FFmpegError, ValueError):
            self.damaged += 1
            return
        for resampled in frames:
            samples = resampled.to_ndarray()
            cut = min(self._surplus, samples.shape[1])
            self._surplus -= cut
            if cut < samples.shape[1]:
                yield samples[:, cut:]

    def _silence(self, seconds: Fraction) -> Iterator[np.ndarray]:
        remaining = round(seconds * self._rate)
        while remaining > 0:
            count = min(remaining, round(SILENCE_CHUNK * self._rate))
            yield np.zeros((self._channels, count), np.float32)
            remaining -= count
