"""Copy the sound of the source to the output: packets are copied if MP4 supports the codec, else encoded to AAC."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Discard

from asccl.video.source import open_container, read_metadata

COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac"})
COPIED_METADATA = ("language", "title", "handler_name")
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)  # Hz
FALLBACK_AAC_RATE = 48000  # Hz
AAC_BIT_RATE = 96_000  # bits per second and channel
AAC_BIT_RATE_FACTORS = {"mono": 1, "stereo": 2}  # by layout; 3 for surround layouts
AAC_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # by number of channels


class SoundCopier:
    """Copies all sound tracks of a file to an output container, as far as the frames have been written.

    It holds one packet at most, so memory does not grow with the length.

    Args:
        source: the file with the sound.
        output: an av.OutputContainer; the tracks are added to it.
        max_pixels: largest frame that may be opened.
    """

    def __init__(self, source: Path, output: Any, max_pixels: int):
        self._input = open_container(source, max_pixels)
        streams = [s for s in self._input.streams.audio if s.codec_context is not None and s.codec_context.rate]
        for stream in self._input.streams:
            if stream not in streams:
                stream.discard = Discard.all
        self._tracks = {stream.index: _create_track(stream, output) for stream in streams}
        self._packets = self._demux(streams)
        self._pending: Any = None
        self._is_finished = not streams

    @property
    def start(self) -> Fraction | None:
        """Start of the first track in seconds on the clock of the source; None without sound."""
        return min((track.start for track in self._tracks.values()), default=None)

    def mux_until(self, time: Fraction | None, origin: Fraction) -> None:
        """Mux the packets that start before a time.

        Args:
            time: seconds on the clock of the source; None muxes all remaining packets.
            origin: seconds on the clock of the source that become 0 in the output.
        """
        while not self._is_finished:
            packet = self._pending or next(self._packets, None)
            if packet is None:
                self._is_finished = True
                for track in self._tracks.values():
                    track.finish()
                return
            if time is not None and packet.dts * packet.time_base >= time:
                self._pending = packet
                return
            self._pending = None
            self._tracks[packet.stream_index].add(packet, origin)

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def _demux(self, streams: list) -> Iterator[Any]:
        """Packets with a time stamp; ends at damage that cannot be skipped."""
        try:
            for packet in self._input.demux(streams) if streams else ():
                if packet.dts is not None and packet.size:
                    yield packet
        except av.error.FFmpegError:
            return


def _create_track(stream: Any, output: Any) -> _CopiedTrack | _EncodedTrack:
    codec = stream.codec_context.codec.canonical_name
    if codec in COPIED_CODECS and not (output.format.name == "mov" and codec == "opus"):
        return _CopiedTrack(stream, output)
    return _EncodedTrack(stream, output)


class _Track:
    """An output stream with the disposition and metadata of its source stream."""

    def __init__(self, stream: Any, output: Any, output_stream: Any):
        self._output, self._output_stream = output, output_stream
        output_stream.disposition = stream.disposition
        metadata = read_metadata(stream)
        output_stream.metadata.update({key: metadata[key] for key in COPIED_METADATA if key in metadata})
        self.start = Fraction(max(0, stream.start_time or 0)) * Fraction(stream.time_base)


class _CopiedTrack(_Track):
    def __init__(self, stream: Any, output: Any):
        super().__init__(stream, output, output.add_stream_from_template(stream))
        self._last_dts: int | None = None

    def add(self, packet: Any, origin: Fraction) -> None:
        shift = round(origin / packet.time_base)
        packet.dts -= shift
        if packet.pts is not None:
            packet.pts -= shift
        if self._last_dts is not None and packet.dts <= self._last_dts:
            return  # time stamps that do not grow are not allowed in MP4
        self._last_dts = packet.dts
        packet.stream = self._output_stream
        self._output.mux_one(packet)

    def finish(self) -> None:
        """Copied packets are never buffered."""


class _EncodedTrack(_Track):
    def __init__(self, stream: Any, output: Any):
        codec = stream.codec_context
        rate = codec.rate if codec.rate in AAC_RATES else FALLBACK_AAC_RATE
        layout = AAC_LAYOUTS.get(codec.layout.nb_channels, "stereo")
        bit_rate = AAC_BIT_RATE * AAC_BIT_RATE_FACTORS.get(layout, 3)
        super().__init__(stream, output, output.add_stream("aac", rate=rate, layout=layout, bit_rate=bit_rate))
        self._resampler = av.AudioResampler("fltp", layout, rate)
        self._next_pts: int | None = None  # of the next frame, for frames without a time stamp

    def add(self, packet: Any, origin: Fraction) -> None:
        try:
            frames = packet.decode()
        except (av.error.FFmpegError, ValueError):
            return  # a damaged packet becomes a gap in the sound, as in any player
        for frame in frames:
            time_base = frame.time_base or packet.time_base
            if frame.pts is None:
                frame.pts = self._next_pts if self._next_pts is not None else packet.pts or packet.dts
            self._next_pts = frame.pts + round(frame.samples / (frame.sample_rate * time_base))
            frame.pts -= round(origin / time_base)
            self._encode(self._resampler.resample(frame))

    def finish(self) -> None:
        if self._next_pts is None:
            return
        self._encode(self._resampler.resample(None))
        self._output.mux(self._output_stream.encode(None))

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            self._output.mux(self._output_stream.encode(frame))
