"""Carry the sound, subtitles and chapters of a source over to an MP4, and say what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Discard

from asccl.video.clock import measure_clock
from asccl.video.container import open_container
from asccl.video.limits import UNLIMITED
from asccl.video.sound import (
    CopiedTrack,
    EncodedTrack,
    OutputSpan,
    TrackReport,
    describe_track,
    reason_to_encode,
)
from asccl.video.subtitles import SubtitleTrack, chapters_of_span, reason_to_drop

TRIAL_PACKETS = 4  # first packets of a track that are written for trial
MAX_TRIAL_SEARCH = 5000  # packets of a file that are read to get them
MAX_PRIMING = Fraction(3, 20)  # seconds of silence before the time 0 that an encoder puts before a track

OutputTrack = CopiedTrack | EncodedTrack | SubtitleTrack


class TrackCopier:
    """Writes the sound and the subtitles of a file to an output, as far as the picture has been written.

    It holds one packet at most, so memory does not grow with the length.

    Args:
        source: the file.
        output: an av.OutputContainer; the tracks are added to it.
        for_browsers: whether to encode also what MP4 holds and some browsers do not play.
        check: is called for every packet behind the last picture; may raise an error to stop.
    """

    def __init__(self, source: Path, output: Any, for_browsers: bool = False, check: Callable[[], None] | None = None):
        self._clock = measure_clock(source)
        self._check, self._output = check or (lambda: None), output
        self._span = OutputSpan()
        self._dropped: list[tuple[str, TrackReport]] = []
        self._tracks: dict[int, OutputTrack] = {}
        self._input = open_container(source, UNLIMITED.max_pixels)
        try:
            self._add_tracks(source, for_browsers)
            streams = [stream for stream in self._input.streams if stream.index in self._tracks]
            for stream in self._input.streams:
                if stream not in streams:
                    stream.discard = Discard.all
            self._chapters = self._input.chapters()
            self._packets = self._demux(streams)
        except BaseException:
            self._input.close()
            raise
        self._pending: Any = None
        self._written_chapters = 0

    def choose_origin(self, picture_start: Fraction) -> Fraction:
        """The earlier start of picture and sound, in seconds on the clock of the source; it becomes 0 in the output."""
        clocks = [self._clock.tracks[index] for index in self._tracks if index in self._clock.tracks]
        start = min((clock.start * clock.time_base for clock in clocks if clock.start is not None), default=None)
        if start is None:
            return picture_start
        zero = min(picture_start, Fraction(0))
        if start < zero < start + MAX_PRIMING:
            start = zero
        return min(picture_start, start)

    def begin(self, span: OutputSpan) -> None:
        """Set what is written, and write the chapters. Call it once, before anything else is written."""
        self._span = span
        chapters = chapters_of_span(self._chapters, span)
        self._written_chapters = len(chapters)
        self._output.set_chapters(chapters)

    def mux_until(self, time: Fraction) -> None:
        """Write the packets that start before a time, in seconds on the clock of the source."""
        while (packet := self._next_packet()) is not None:
            if packet.dts * packet.time_base >= time:
                self._pending = packet
                return
            self._tracks[packet.stream_index].add(packet, self._span)

    def finish(self, end: Fraction) -> None:
        """Write the packets that start before the end of the picture, in seconds on the clock of the source."""
        self._span = OutputSpan(self._span.start, end)
        running = set(self._tracks)
        while running and (packet := self._next_packet()) is not None:
            self._check()
            if packet.dts * packet.time_base < end:
                self._tracks[packet.stream_index].add(packet, self._span)
            else:
                running.discard(packet.stream_index)
        for track in self._tracks.values():
            track.finish(self._span)

    def report(self) -> dict[str, Any]:
        """What became of sound, subtitles and chapters, JSON-able."""
        tracks = [("subtitles" if isinstance(t, SubtitleTrack) else "sound", t.report) for t in self._tracks.values()]
        by_kind = {
            kind: [vars(report) for track_kind, report in (*tracks, *self._dropped) if track_kind == kind]
            for kind in ("sound", "subtitles")
        }
        chapters = {"total": len(self._chapters), "copied": self._written_chapters}
        return {"sound": by_kind["sound"], "subtitles": by_kind["subtitles"], "chapters": chapters}

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def _add_tracks(self, source: Path, for_browsers: bool) -> None:
        first_packets = _read_first_packets(source)
        for stream in self._input.streams.audio:
            packets, clock = first_packets.get(stream.index, []), self._clock.tracks[stream.index]
            if stream.codec_context is None or not (stream.codec_context.rate or _is_decodable(stream, packets)):
                report = describe_track(stream, "dropped", None, "it cannot be decoded")
                self._dropped.append(("sound", report))
                continue
            reason = reason_to_encode(stream, packets, clock, self._output, for_browsers)
            track = EncodedTrack(stream, self._output, reason) if reason else CopiedTrack(stream, self._output)
            self._tracks[stream.index] = track
        for stream in self._input.streams.subtitles:
            reason = "the clock of the file jumps" if self._clock.jumps else reason_to_drop(stream)
            if reason:
                self._dropped.append(("subtitles", describe_track(stream, "dropped", None, reason)))
            else:
                self._tracks[stream.index] = SubtitleTrack(stream, self._output)

    def _next_packet(self) -> Any:
        packet, self._pending = self._pending or next(self._packets, None), None
        return packet

    def _demux(self, streams: list[Any]) -> Iterator[Any]:
        """Packets with a time stamp on the clock that is carried on; ends at damage that cannot be skipped."""
        clocks = {index: clock.follow() for index, clock in self._clock.tracks.items()}
        try:
            for packet in self._input.demux(streams) if streams else ():
                if packet.stream_index in clocks:
                    clocks[packet.stream_index].carry_on(packet)
                if packet.dts is None:
                    packet.dts = packet.pts
                if packet.dts is not None and packet.size:
                    yield packet
        except av.error.FFmpegError:
            return


def _is_decodable(stream: Any, packets: Sequence[Any]) -> bool:
    """Whether the first packets of a track give samples, where the header states no sample rate."""
    decoder = av.CodecContext.create(stream.codec_context.name, "r")
    try:
        return any(decoder.decode(packet) for packet in packets)
    except (av.error.FFmpegError, ValueError):
        return False


def _read_first_packets(source: Path) -> dict[int, list[Any]]:
    """The first packets of each sound track, by the index of its stream."""
    packets: dict[int, list[Any]] = {}
    with open_container(source, UNLIMITED.max_pixels) as container:
        streams = container.streams.audio
        packets = {stream.index: [] for stream in streams}
        try:
            for count, packet in enumerate(container.demux(*streams) if streams else ()):
                if packet.size and packet.dts is not None and len(packets[packet.stream_index]) < TRIAL_PACKETS:
                    packets[packet.stream_index].append(packet)
                if count > MAX_TRIAL_SEARCH or all(len(first) == TRIAL_PACKETS for first in packets.values()):
                    break
        except av.error.FFmpegError:
            pass  # the file breaks off: the packets before count
    return packets
