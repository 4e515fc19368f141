"""Sound from the source to the output, packet by packet where MP4 carries the codec, else encoded to AAC."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Discard

from asccl.video.source import open_container, read_metadata

COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac"})
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
AAC_BITS = 96_000  # a second and channel
AAC_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


class Sound:
    """All sound tracks of `source`, muxed into `output` as far as the picture has come.

    Nothing more than the packet at hand is held, so memory does not grow with length.
    """

    def __init__(self, source: Path, output: Any, max_pixels: int):
        self._input = open_container(source, max_pixels)
        wanted = [s for s in self._input.streams.audio if s.codec_context is not None and s.codec_context.rate]
        for stream in self._input.streams:
            if stream not in wanted:
                stream.discard = Discard.all
        self._tracks = {stream.index: _track(stream, output) for stream in wanted}
        self._packets = self._demux(wanted)
        self._pending: Any = None
        self._done = not wanted

    @property
    def start(self) -> Fraction | None:
        """When the first sound begins, in seconds on the clock of the source; None without sound."""
        starts = [track.start for track in self._tracks.values()]
        return min(starts, default=None)

    def mux_until(self, time: Fraction | None, origin: Fraction) -> None:
        """Muxes what starts before `time` (all that is left if None); both in seconds on the clock of the source.

        origin: what becomes 0 in the output.
        """
        while not self._done:
            packet = self._pending or next(self._packets, None)
            if packet is None:
                self._done = True
                for track in self._tracks.values():
                    track.finish()
                return
            if time is not None and packet.dts * packet.time_base >= time:
                self._pending = packet
                return
            self._pending = None
            self._tracks[packet.stream_index].feed(packet, origin)

    def close(self) -> None:
        self._input.close()

    def _demux(self, streams: list) -> Iterator[Any]:
        """Packets with a time stamp; ends at damage that cannot be stepped over."""
        try:
            for packet in self._input.demux(streams) if streams else ():
                if packet.dts is not None and packet.size:
                    yield packet
        except av.error.FFmpegError:
            return


def _track(stream: Any, output: Any) -> _Copied | _Encoded:
    name = stream.codec_context.codec.canonical_name
    if name in COPIED and not (output.format.name == "mov" and name == "opus"):
        return _Copied(stream, output)
    return _Encoded(stream, output)


class _Track:
    def __init__(self, stream: Any, output: Any, target: Any):
        self._stream, self._output, self._target = stream, output, target
        target.disposition = stream.disposition
        metadata = read_metadata(stream)
        for key in ("language", "title", "handler_name"):
            if key in metadata:
                target.metadata[key] = metadata[key]
        self.start = Fraction(max(0, stream.start_time or 0)) * Fraction(stream.time_base)


class _Copied(_Track):
    def __init__(self, stream: Any, output: Any):
        super().__init__(stream, output, output.add_stream_from_template(stream))
        self._last: int | None = None

    def feed(self, packet: Any, origin: Fraction) -> None:
        shift = round(origin / packet.time_base)
        packet.dts -= shift
        if packet.pts is not None:
            packet.pts -= shift
        if self._last is not None and packet.dts <= self._last:
            return  # a broken clock; MP4 cannot hold it
        self._last = packet.dts
        packet.stream = self._target
        self._output.mux_one(packet)

    def finish(self) -> None:
        """Nothing is held back."""


class _Encoded(_Track):
    def __init__(self, stream: Any, output: Any):
        codec = stream.codec_context
        rate = codec.rate if codec.rate in AAC_RATES else 48000
        channels = codec.layout.nb_channels
        layout = AAC_LAYOUTS.get(channels, "stereo")
        bits = AAC_BITS * {"mono": 1, "stereo": 2}.get(layout, 3)
        super().__init__(stream, output, output.add_stream("aac", rate=rate, layout=layout, bit_rate=bits))
        self._resampler = av.AudioResampler("fltp", layout, rate)
        self._next: int | None = None  # where the next frame starts if the file does not say

    def feed(self, packet: Any, origin: Fraction) -> None:
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError):
            return  # a damaged packet: a gap in the sound, as in any player
        for frame in frames:
            time_base = frame.time_base or packet.time_base
            if frame.pts is None:
                frame.pts = self._next if self._next is not None else packet.pts or packet.dts
            self._next = frame.pts + round(frame.samples / (frame.sample_rate * time_base))
            frame.pts -= round(origin / time_base)
            self._encode(self._resampler.resample(frame))

    def finish(self) -> None:
        if self._next is None:
            return
        self._encode(self._resampler.resample(None))
        self._output.mux(self._target.encode(None))

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            self._output.mux(self._target.encode(frame))
