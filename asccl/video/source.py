"""One opened video: the right stream, its frames in order, whatever the damage."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
from av.stream import Disposition

from asccl.errors import LimitError, UnreadableError
from asccl.types import LazyImage, MediaInfo
from asccl.video.colour import Decoder, read_colour
from asccl.video.lazy_image import DecodedImage
from asccl.video.limits import Limits

# Formats that hold everything themselves. Playlists (HLS, DASH, concat) may name other files or hosts: never opened.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,ivf,flv,asf,gif,apng,ogg,"
    "nut,mxf,dv,rm,wtv,yuv4mpegpipe,aac,mp3,wav,flac"
)
NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails
FALLBACK_RATE = Fraction(25)
SANE_RATE = 1000
# PyAV 19 has no such option: it decodes metadata with "surrogateescape", and `read_metadata` replaces what is broken
METADATA_OPTIONS: Any = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
ABRUPT = 0.2  # seconds; a file that ends so much too early was cut off


class VideoSource:
    """An opened video. Use as a context manager.

    Raises UnreadableError where nothing can be decoded, LimitError where a frame or the length is too much, both
    before anything is decoded.
    """

    def __init__(self, path: Path, limits: Limits):
        self.path = path
        self.skipped = 0  # packets that could not be decoded
        self.wanted: int | None = None  # pts; well before it, pictures that no other needs are not decoded
        self.container = open_container(path, limits.max_pixels)
        try:
            self.stream = self._pick()
            codec = self.stream.codec_context
            limits.check_size(path, codec.width, codec.height)
            codec.thread_type = "AUTO"
            codec.options = {"max_pixels": str(limits.max_pixels)}
            self.time_base = Fraction(self.stream.time_base)
            self.rate = self._rate()
            self.duration = self._duration()
            self.frame_count = max(1, self.stream.frames or round(self.duration * self.rate))
            limits.check_length(path, self.duration, self.frame_count)
            self._decoder = _alpha_decoder(self.stream)
        except BaseException:
            self.container.close()
            raise

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(self, *exception: object) -> None:
        self.container.close()

    def frames(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """(pts, frame) from the current position in presentation order; pts grows, made up where missing."""
        step = max(1, round(1 / (self.rate * self.time_base)))
        last: int | None = None
        for packet in self._packets():
            if self.wanted is not None and packet.pts is not None:
                passing = packet.pts < self.wanted - self.reorder
                self.stream.codec_context.skip_frame = "NONREF" if passing else "DEFAULT"
            try:
                decoded = packet.decode() if self._decoder is None else self._decoder.decode(packet)
            except (av.error.FFmpegError, ValueError):
                self.skipped += 1
                continue
            for frame in decoded:
                if frame.pts is None:
                    last = 0 if last is None else last + step
                else:
                    last = frame.pts if last is None else max(frame.pts, last + 1)
                yield last, frame

    def first(self, frames: Iterator[tuple[int, av.VideoFrame]]) -> tuple[int, av.VideoFrame]:
        """Takes the first of `frames`. Raises UnreadableError where there is none."""
        for pts, frame in frames:
            return pts, frame
        raise UnreadableError(f"{self.path.name} holds no picture that can be decoded", "copy or export it again")

    @property
    def reorder(self) -> int:
        """How far decoding runs ahead of presentation, with some to spare."""
        return round((self.stream.codec_context.reorder_depth + 1) / (self.rate * self.time_base))

    def seek(self, pts: int) -> None:
        """`frames()` then starts at the key frame at or before `pts`."""
        self.container.seek(pts, stream=self.stream)
        if self._decoder is not None:
            self._decoder.flush_buffers()

    def missing(self, frames: int, last: int) -> int:
        """How many more frames the file promises than the `frames` that came, where it breaks off well before the end
        that it names. last: pts of the last one, counted from the first."""
        left = self.duration - float(last * self.time_base)
        return max(0, (self.stream.frames or 0) - frames) if left > max(ABRUPT, float(3 / self.rate)) else 0

    def converter(self, first: av.VideoFrame) -> Converter:
        """Bound to the size and rotation of the first frame."""
        return Converter(Decoder(read_colour(self.stream.codec_context)), first)

    def info(self, first: av.VideoFrame) -> MediaInfo:
        transposed = read_orientation(first)[0]
        return MediaInfo(
            path=self.path,
            width=first.height if transposed else first.width,
            height=first.width if transposed else first.height,
            frame_rate=self.rate,
            time_base=self.time_base,
            duration=self.duration,
            frames=self.frame_count,
            is_still=False,
            audio_tracks=sum(stream.codec_context is not None for stream in self.container.streams.audio),
        )

    def _packets(self) -> Iterator[Any]:
        try:
            yield from self.container.demux(self.stream)
        except av.error.FFmpegError:
            self.skipped += 1

    def _pick(self) -> Any:
        streams = [s for s in self.container.streams.video if s.codec_context is not None]
        streams = [s for s in streams if not s.disposition & NO_VIDEO]
        if not streams:
            what = "holds only sound" if self.container.streams.audio else "holds no video that we know"
            raise UnreadableError(f"{self.path.name} {what}", "give a video or a picture that shows a face")
        return max(streams, key=lambda s: s.codec_context.width * s.codec_context.height)

    def _rate(self) -> Fraction:
        average, guessed = (Fraction(r) if r else None for r in (self.stream.average_rate, self.stream.guessed_rate))
        if average and guessed and abs(average / guessed - 1) < Fraction(1, 1000):
            return guessed  # the average of rounded time stamps: 29.97 where 30000/1001 is meant
        for rate in (average, guessed):
            if rate and 0 < rate <= SANE_RATE:
                return rate
        return FALLBACK_RATE

    def _duration(self) -> float:
        if self.stream.duration:
            return float(self.stream.duration * self.time_base)
        return max(0.0, (self.container.duration or 0) / av.time_base)


class Converter:
    """av.VideoFrame -> upright `LazyImage`, always of one size: the frame itself where it can be encoded as it is."""

    def __init__(self, decoder: Decoder, first: av.VideoFrame):
        self._decoder = decoder
        self._size = first.width, first.height
        self._orientation = read_orientation(first)

    def __call__(self, frame: av.VideoFrame) -> LazyImage:
        if not any(self._orientation) and self._decoder.encodable(frame, *self._size):
            return DecodedImage(frame, self._decoder.colour.matrix)
        image = self._decoder(frame, *self._size)
        transposed, mirrored, upended = self._orientation
        if transposed:
            image = cv2.transpose(image)
        if mirrored or upended:
            image = cv2.flip(image, -1 if mirrored and upended else 1 if mirrored else 0)
        return image


def open_container(path: Path, max_pixels: int) -> Any:
    """An av.InputContainer that can reach this file only. Raises UnreadableError."""
    try:
        return av.open(
            f"file:{path}",
            options={"max_pixels": str(max_pixels)},
            container_options={"protocol_whitelist": "file", "format_whitelist": FORMATS},
            **METADATA_OPTIONS,
        )
    except (av.error.FFmpegError, ValueError):
        raise UnreadableError(
            f"{path.name} is not a video or picture that we can read",
            "copy or export it again, for instance as MP4, or give another file",
        ) from None
    except MemoryError:
        raise LimitError(f"{path.name} asks for more memory than there is", "make it smaller first") from None


def read_metadata(holder: Any) -> dict[str, str]:
    """Metadata of a container or a stream, with U+FFFD in place of bytes that are not UTF-8."""
    return {_valid_text(key): _valid_text(value) for key, value in holder.metadata.items()}


def _valid_text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_orientation(frame: av.VideoFrame) -> tuple[bool, bool, bool]:
    """What makes a frame upright, in this order: transpose, flip left-right, flip up-down."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = struct.unpack("=9i", bytes(matrix))[:5]  # x' = a x + c y, y' = b x + d y
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def _alpha_decoder(stream: Any) -> Any:
    """libvpx for VP8 and VP9 with alpha, which FFmpeg's own decoders drop; else None."""
    library = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.codec.canonical_name)
    if library is None or stream.metadata.get("alpha_mode") != "1" or library not in av.codecs_available:
        return None
    return av.CodecContext.create(library, "r")
