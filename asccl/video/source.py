"""Decode one video: select its stream and return its frames in order, despite damage."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import av
import cv2

from asccl.errors import UnreadableError
from asccl.types import DEFAULT_FRAME_RATE, LazyImage, MediaInfo
from asccl.video.clock import CHUNK_FORMAT, measure_clock
from asccl.video.colour import Decoder, read_colour
from asccl.video.container import NOT_A_VIDEO, open_container
from asccl.video.lazy_image import DecodedImage
from asccl.video.limits import Limits
from asccl.video.stream_choice import select_film

MAX_RATE = 1000  # frames per second; a higher one is an error of the file
MAX_RATE_ROUNDING = Fraction(1, 1000)  # relative difference of the average of rounded time stamps
MAX_RATE_FACTOR = 2  # of a stated and the measured rate; beyond it the stated one is that of a clock
MIN_TRUNCATION = 0.2  # seconds; a file that ends earlier than stated by more than this is truncated


class VideoSource:
    """An opened video. Use it as a context manager.

    Args:
        path: the video.
        limits: what is accepted.

    Attributes:
        time_base: seconds per unit of pts.
        rate: frames per second, exact.
        duration: seconds, measured from the packets.
        stated_duration: seconds as the header states it, 0 where it does not.
        frame_count: number of packets, at least 1.
        skipped: number of packets that could not be decoded.
        target_pts: frames well before it that no other frame depends on are not decoded; None decodes all frames.

    Raises:
        UnreadableError: nothing can be decoded.
        LimitError: a frame or the length is too large; raised before anything is decoded.
    """

    def __init__(self, path: Path, limits: Limits):
        self.path = path
        self.skipped = 0
        self.target_pts: int | None = None
        self.container = open_container(path, limits.max_pixels)
        try:
            self.stream = self._select_stream(limits.max_pixels)
            codec = self.stream.codec_context
            limits.check_size(path, codec.width, codec.height)
            codec.thread_type = "AUTO"
            codec.options = {"max_pixels": str(limits.max_pixels)}
            self.time_base = Fraction(self.stream.time_base)
            self.file_clock = measure_clock(path)
            self.clock = self.file_clock.tracks[self.stream.index]
            self.rate = self._read_rate()
            self.frame_count = max(1, self.clock.packets)
            self.duration = self.clock.seconds or self.frame_count / float(self.rate)
            self.stated_duration = self._read_stated_duration()
            limits.check_length(path, self.duration, self.frame_count)
            self._alpha_decoder = _create_alpha_decoder(self.stream)
            self._has_chunk_times = self.container.format.name == CHUNK_FORMAT
        except BaseException:
            self.container.close()
            raise

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.container.close()

    def frames(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decode from the current position in presentation order.

        Yields:
            (pts, frame); pts grows from frame to frame and is estimated where the file has none.
        """
        step = max(1, round(1 / (self.rate * self.time_base)))
        last: int | None = None
        chunk_times: list[int] = []
        for packet in self._packets():
            if self.target_pts is not None and packet.pts is not None and not self._has_chunk_times:
                is_before_target = packet.pts < self.target_pts - self.reorder_delay
                self.stream.codec_context.skip_frame = "NONREF" if is_before_target else "DEFAULT"
            if self._has_chunk_times and packet.dts is not None:
                heappush(chunk_times, packet.dts)
            try:
                frames = packet.decode() if self._alpha_decoder is None else self._alpha_decoder.decode(packet)
            except (av.error.FFmpegError, ValueError):
                self.skipped += 1
                if packet.dts in chunk_times:
                    chunk_times.remove(packet.dts)
                continue
            for frame in frames:
                pts = heappop(chunk_times) if chunk_times else frame.pts
                if pts is None:
                    last = 0 if last is None else last + step
                else:
                    last = pts if last is None else max(pts, last + 1)
                yield last, frame

    def first(self, frames: Iterator[tuple[int, av.VideoFrame]]) -> tuple[int, av.VideoFrame]:
        """Take the first of `frames`.

        Raises:
            UnreadableError: there is none.
        """
        for pts, frame in frames:
            return pts, frame
        raise UnreadableError(f"{self.path.name} has no frame that can be decoded", "copy or export it again")

    @property
    def reorder_delay(self) -> int:
        """Upper bound in units of pts of how far decoding runs ahead of presentation."""
        return round((self.stream.codec_context.reorder_depth + 1) / (self.rate * self.time_base))

    def seek(self, pts: int) -> None:
        """Go to the key frame at or before `pts`; call `frames()` again afterwards."""
        self.container.seek(pts, stream=self.stream)
        if self._alpha_decoder is not None:
            self._alpha_decoder.flush_buffers()

    def count_missing_frames(self, frames: int, last_pts: int) -> int:
        """Count the frames after the place where a file breaks off well before its stated end; 0 for a complete file.

        Args:
            frames: number of decoded frames.
            last_pts: of the last one, relative to the first.
        """
        remaining = self.stated_duration - float(last_pts * self.time_base)
        if remaining <= max(MIN_TRUNCATION, float(3 / self.rate)):
            return 0
        return max(0, (self.stream.frames or 0) - frames)

    def converter(self, first: av.VideoFrame) -> Converter:
        """Create a converter for the size and rotation of the first frame."""
        return Converter(Decoder(read_colour(self.stream.codec_context)), first)

    def info(self, first: av.VideoFrame) -> MediaInfo:
        """Describe the file, given its first frame."""
        is_transposed = read_orientation(first)[0]
        start = float((self.clock.start or 0) * self.time_base)
        return MediaInfo(
            path=self.path,
            width=first.height if is_transposed else first.width,
            height=first.width if is_transposed else first.height,
            frame_rate=self.rate,
            time_base=self.time_base,
            duration=self.duration,
            frames=self.frame_count,
            is_still=False,
            audio_tracks=sum(stream.codec_context is not None for stream in self.container.streams.audio),
            stated_duration=self.stated_duration,
            clock_jumps=tuple(replace(jump, time=jump.time - start) for jump in self.file_clock.jumps),
        )

    def _packets(self) -> Iterator[Any]:
        clock = self.clock.follow()
        try:
            for packet in self.container.demux(self.stream):
                yield clock.carry_on(packet)
        except av.error.FFmpegError:
            self.skipped += 1

    def _select_stream(self, max_pixels: int) -> Any:
        """The video stream with the most pixels among those with moving pictures, if there are any."""
        streams = [s for s in self.container.streams.video if s.codec_context is not None]
        streams = [s for s in streams if not s.disposition & NOT_A_VIDEO]
        if not streams:
            problem = "has only sound" if self.container.streams.audio else "has no video in a known format"
            raise UnreadableError(f"{self.path.name} {problem}", "give a video or an image that shows a face")
        return select_film(streams, lambda: open_container(self.path, max_pixels))

    def _read_rate(self) -> Fraction:
        stated = self._read_stated_rate()
        measured = self.clock.mean_rate
        if measured and not 1 / MAX_RATE_FACTOR < stated / measured < MAX_RATE_FACTOR:
            return measured.limit_denominator(MAX_RATE)
        return stated

    def _read_stated_rate(self) -> Fraction:
        average, guessed = (Fraction(r) if r else None for r in (self.stream.average_rate, self.stream.guessed_rate))
        if average and guessed and abs(average / guessed - 1) < MAX_RATE_ROUNDING:
            return guessed  # the average of rounded time stamps gives 29.97 for 30000/1001
        for rate in (average, guessed):
            if rate and 0 < rate <= MAX_RATE:
                return rate
        return Fraction(DEFAULT_FRAME_RATE)

    def _read_stated_duration(self) -> float:
        if self.stream.duration:
            return float(self.stream.duration * self.time_base)
        stated = max(0.0, (self.container.duration or 0) / av.time_base)
        start = max(0.0, float((self.clock.start or 0) * self.time_base))
        return stated - start if stated > start and "matroska" in self.container.format.name else stated


class Converter:
    """Converts frames to upright `LazyImage`s of one size; a frame that can be encoded unchanged keeps its own pixels.

    Args:
        decoder: converts the other frames to RGB.
        first: the first frame of the video, which gives size and rotation.
    """

    def __init__(self, decoder: Decoder, first: av.VideoFrame):
        self._decoder = decoder
        self._size = first.width, first.height
        self._orientation = read_orientation(first)

    def __call__(self, frame: av.VideoFrame) -> LazyImage:
        if not any(self._orientation) and self._decoder.is_encodable(frame, *self._size):
            return DecodedImage(frame, self._decoder.colour.matrix)
        image = self._decoder(frame, *self._size)
        transpose, flip_horizontally, flip_vertically = self._orientation
        if transpose:
            image = cv2.transpose(image)
        if flip_horizontally or flip_vertically:
            image = cv2.flip(image, -1 if flip_horizontally and flip_vertically else 1 if flip_horizontally else 0)
        return image


def read_orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """The steps that make a frame upright, in this order: transpose, flip left-right, flip up-down."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = struct.unpack("=9i", bytes(matrix))[:5]  # x' = a x + c y, y' = b x + d y
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def _create_alpha_decoder(stream: Any) -> Any:
    """A libvpx decoder for VP8 and VP9 with alpha, which FFmpeg's own decoders drop; else None."""
    library = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.codec.canonical_name)
    if library is None or stream.metadata.get("alpha_mode") != "1" or library not in av.codecs_available:
        return None
    return av.CodecContext.create(library, "r")
