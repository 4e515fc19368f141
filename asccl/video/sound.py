"""Write a sound track to MP4: packets are copied if MP4 can hold them, else encoded to AAC."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from asccl.video.container import codec_name, open_trial_output, read_container_metadata
from asccl.video.track_clock import TrackClock
from asccl.video.waveform import SampleDecoder

COPIED_CODECS = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac"})
BROWSER_CODECS = frozenset({"aac", "mp3"})  # that every browser plays in MP4
COPIED_METADATA = ("language", "title", "handler_name")
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)  # Hz
FALLBACK_AAC_RATE = 48000  # Hz
AAC_FRAME = 1024  # samples
AAC_BIT_RATE = 96_000  # bits per second and channel
AAC_BIT_RATE_FACTORS = {"mono": 1, "stereo": 2}  # by layout; 3 for surround layouts
AAC_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # by number of channels

UNSUITABLE_ERRORS = (av.error.ArgumentError, av.error.InvalidDataError, av.error.PatchWelcomeError)  # of one packet


@dataclass
class TrackReport:
    """What became of one track of sound or subtitles.

    Attributes:
        codec: FFmpeg's name of its codec in the source.
        language: as the source states it, None without a statement.
        action: copied, encoded or dropped.
        written_as: codec in the output, None if dropped.
        reason: why it was not copied; empty if it was.
        damaged: number of packets that are missing in the output, because they cannot be decoded or written.
    """

    codec: str
    language: str | None
    action: str
    written_as: str | None
    reason: str = ""
    damaged: int = 0


def describe_track(stream: Any, action: str, written_as: str | None, reason: str = "") -> TrackReport:
    """Start the report of a track.

    Args:
        stream: of the source.
        action: see `TrackReport`.
        written_as: see `TrackReport`.
        reason: see `TrackReport`.
    """
    language = read_container_metadata(stream).get("language")
    return TrackReport(codec_name(stream), language if language != "und" else None, action, written_as, reason)


def reason_to_encode(stream: Any, packets: Sequence[Any], clock: TrackClock, output: Any, for_browsers: bool) -> str:
    """Say why a track cannot be copied; empty if it can.

    Args:
        stream: the track.
        packets: its first packets.
        clock: of the track.
        output: av.OutputContainer.
        for_browsers: whether every browser must play the output.
    """
    codec = codec_name(stream)
    if codec not in COPIED_CODECS or not _is_muxable(stream, packets, output.format.name):
        return f"MP4 cannot hold {codec} of this kind" if codec in COPIED_CODECS else f"MP4 cannot hold {codec}"
    if not clock.is_uniform or not stream.codec_context.rate:
        return "its channels or sample rate change"
    if for_browsers and codec not in BROWSER_CODECS:
        return f"browsers do not play {codec}"
    return ""


def _is_muxable(stream: Any, packets: Sequence[Any], container_format: str) -> bool:
    """Try to write the first packets of a track to a file in memory."""
    try:
        with open_trial_output(container_format) as trial:
            copy, last = trial.add_stream_from_template(stream), None
            for packet in packets:
                if last is None or packet.dts > last:
                    last, packet.stream = packet.dts, copy
                    trial.mux_one(packet)
    except (av.error.FFmpegError, ValueError):
        return False
    return True


@dataclass(frozen=True)
class OutputSpan:
    """The part of the source that is written, in seconds on its clock.

    Attributes:
        start: becomes 0 in the output.
        end: nothing that starts later is written; infinite where the end is unknown.
    """

    start: Fraction = Fraction(0)
    end: Fraction | float = math.inf


class CopiedTrack:
    """Copies the packets of a track.

    Args:
        stream: of the source.
        output: av.OutputContainer, which gets a new stream.

    Attributes:
        report: what becomes of the track.
    """

    def __init__(self, stream: Any, output: Any):
        self._output, self._stream = output, output.add_stream_from_template(stream)
        copy_description(stream, self._stream)
        self.report = describe_track(stream, "copied", codec_name(stream))
        self._last_dts: int | None = None

    def add(self, packet: Any, span: OutputSpan) -> None:
        """Write a packet, with its time stamps counted from the start of the span."""
        shift = round(span.start / packet.time_base)
        packet.dts -= shift
        if packet.pts is not None:
            packet.pts -= shift
        if self._last_dts is not None and packet.dts <= self._last_dts:
            self.report.damaged += 1  # time stamps that do not grow are not allowed in MP4
            return
        self._last_dts = packet.dts
        packet.stream = self._stream
        try:
            self._output.mux_one(packet)
        except UNSUITABLE_ERRORS:
            self.report.damaged += 1

    def finish(self, span: OutputSpan) -> None:
        """Copied packets are never buffered."""


class EncodedTrack:
    """Decodes a track and encodes it to AAC of constant layout and rate.

    Args:
        stream: of the source.
        output: av.OutputContainer, which gets a new stream.
        reason: why the track is not copied.

    Attributes:
        report: what becomes of the track.
    """

    def __init__(self, stream: Any, output: Any, reason: str):
        codec = stream.codec_context
        self._rate = codec.rate if codec.rate in AAC_RATES else FALLBACK_AAC_RATE
        layout = AAC_LAYOUTS.get(codec.layout.nb_channels, "stereo")
        bit_rate = AAC_BIT_RATE * AAC_BIT_RATE_FACTORS.get(layout, 3)
        self._output, self._layout = output, layout
        self._stream = output.add_stream("aac", rate=self._rate, layout=layout, bit_rate=bit_rate)
        copy_description(stream, self._stream)
        self.report = describe_track(stream, "encoded", "aac", reason)
        self._decoder = SampleDecoder(layout, self._rate)
        self._buffer = np.zeros((av.AudioLayout(layout).nb_channels, 0), np.float32)
        self._early = 0  # samples before the span that are still to be cut
        self._position: int | None = None  # of the first sample in the buffer, on the clock of the output

    def add(self, packet: Any, span: OutputSpan) -> None:
        """Encode a packet of the span."""
        self._encode(self._decoder.decode(packet), span)

    def finish(self, span: OutputSpan) -> None:
        """Encode what is left of the span."""
        self._encode(self._decoder.finish(), span)
        self.report.damaged = self._decoder.damaged
        if self._position is None:
            return
        self._mux(self._buffer, self._position)
        self._output.mux(self._stream.encode(None))

    def _encode(self, parts: Iterable[np.ndarray], span: OutputSpan) -> None:
        for samples in parts:
            if self._position is None:
                start = self._decoder.start if self._decoder.start is not None else span.start
                self._position = max(0, round((start - span.start) * self._rate))
                self._early = max(0, round((span.start - start) * self._rate))
            early = min(self._early, samples.shape[1])
            self._early -= early
            samples = samples[:, early:]
            buffered = self._position + self._buffer.shape[1]
            remaining = span.end - span.start - Fraction(buffered, self._rate)
            if remaining <= 0:
                return
            if remaining != math.inf:
                samples = samples[:, : math.ceil(remaining * self._rate)]
            self._buffer = np.concatenate([self._buffer, samples], 1)
            complete = self._buffer.shape[1] // AAC_FRAME * AAC_FRAME
            for first in range(0, complete, AAC_FRAME):
                self._mux(self._buffer[:, first : first + AAC_FRAME], self._position)
                self._position += AAC_FRAME
            self._buffer = self._buffer[:, complete:]

    def _mux(self, samples: np.ndarray, position: int) -> None:
        if samples.shape[1]:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", self._layout)
            frame.sample_rate, frame.pts, frame.time_base = self._rate, position, Fraction(1, self._rate)
            self._output.mux(self._stream.encode(frame))


def copy_description(stream: Any, output_stream: Any) -> None:
    """Copy disposition, language and title of a track."""
    output_stream.disposition = stream.disposition
    metadata = read_container_metadata(stream)
    output_stream.metadata.update({key: metadata[key] for key in COPIED_METADATA if key in metadata})
