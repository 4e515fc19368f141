"""Write H.264 in MP4 with the source's sound, or a still. The file appears complete or not at all."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av

from asccl.errors import OutputError, SettingError, UnreadableError
from asccl.files import AtomicFile, join_name
from asccl.types import Frame, MediaInfo
from asccl.video.colour import ColourTags, read_colour
from asccl.video.container import open_output
from asccl.video.lazy_image import to_video_frame
from asccl.video.limits import UNLIMITED
from asccl.video.sound import UNSUITABLE_ERRORS, OutputSpan
from asccl.video.source import VideoSource, read_orientation
from asccl.video.stills import STILL_FORMATS, StillWriter, check_still_size
from asccl.video.tags import inherited_metadata
from asccl.video.timestamps import TimestampConverter
from asccl.video.tracks import TrackCopier

VIDEO_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}
KEY_FRAME_INTERVAL = 4  # seconds, so that a player can seek


@dataclass(frozen=True)
class EncodeSettings:
    """Settings of the encoders.

    Attributes:
        crf: of H.264, 0 to 51; lower is better, 16 is visually lossless.
        preset: a preset of x264.
        for_browsers: whether to encode to AAC also the sound that MP4 holds and some browsers do not play.

    Raises:
        SettingError: crf is out of range.
    """

    crf: float = 16.0
    preset: str = "veryfast"
    for_browsers: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.crf) and 0 <= self.crf <= 51):
            raise SettingError(f"crf {self.crf} is out of range", "give a number from 0 to 51")


class Writer:
    """Writes frames as H.264 High, yuv420p, faststart, with their own time stamps.

    Sound, subtitles and chapters of `source` are carried over as far as the picture reaches and MP4 can hold them.
    4:2:0 has no odd sizes: an odd width or height grows by one pixel, a copy of the last.
    Use it as a context manager: on success the file is renamed into place, on any exception nothing is left.

    Args:
        target: .mp4, .m4v or .mov.
        info: of the frames; its file also gives the colour tags and the pixel aspect ratio.
        source: gives the sound and the metadata; None writes a silent video.
        tags: written as MP4 metadata.
        settings: of the encoders.
        check: is called while the end of the file is written; may raise an error to stop.
        finish: is called with the path of the complete file before it gets its name; may replace it.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(
        self,
        target: Path,
        info: MediaInfo,
        source: Path | None = None,
        tags: dict[str, str] | None = None,
        settings: EncodeSettings | None = None,
        check: Callable[[], None] | None = None,
        finish: Callable[[Path], None] | None = None,
    ):
        self._check, self._finish = check or (lambda: None), finish or (lambda _: None)
        self.info, self.settings = info, settings or EncodeSettings()
        self._colour, self._pixel_aspect = _read_colour_and_aspect(info.path)
        self._timestamps = TimestampConverter(info)
        self._origin: Fraction | None = None
        self._end = Fraction(0)  # of the picture, on the clock of the source
        self._tracks: TrackCopier | None = None
        self._file = AtomicFile(target)
        try:
            with self._output_errors():
                self._output = open_output(
                    self._file.temporary_path,
                    VIDEO_FORMATS[target.suffix.lower()],
                    {
                        "movflags": "+faststart+use_metadata_tags",
                        "video_track_timescale": str(self._timestamps.time_base.denominator),
                    },
                )
                self._stream = self._add_video_stream()
                if source is not None:
                    self._tracks = TrackCopier(source, self._output, self.settings.for_browsers, self._check)
                    self._output.metadata.update(inherited_metadata(source))
                self._output.metadata.update(tags or {})
        except BaseException:
            self._file.discard()
            raise

    def write(self, frame: Frame) -> None:
        """Encode a frame of the size in `info`; pts must grow. Decoded pixels are encoded unchanged."""
        expected = (self.info.height, self.info.width, 3)
        if frame.pixels.shape != expected:
            raise ValueError(f"frame {frame.index} has shape {frame.pixels.shape}, expected {expected}")
        time = frame.pts * self.info.time_base
        if self._origin is None:
            self._origin = self._begin(time)
        self._end = max(self._end, time + 1 / self.info.frame_rate)
        encoded = to_video_frame(frame.pixels, self._colour)
        encoded.pts, encoded.time_base = self._timestamps(time), self._timestamps.time_base
        with self._output_errors():
            self._output.mux(self._stream.encode(encoded))
            if self._tracks is not None:
                self._tracks.mux_until(time)

    def track_report(self) -> dict[str, Any]:
        """What became of sound, subtitles and chapters, JSON-able. Complete once the file is."""
        return self._tracks.report() if self._tracks is not None else {}

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._discard()
            return
        with self._file, self._output_errors():
            if self._origin is None:
                raise ValueError("no frame was written")
            try:
                self._output.mux(self._stream.encode(None))
                if self._tracks is not None:
                    self._tracks.finish(self._end)
                self._check()
                self._output.close()
                self._finish(self._file.temporary_path)
            except BaseException:
                self._discard()
                raise
            finally:
                if self._tracks is not None:
                    self._tracks.close()

    @contextmanager
    def _output_errors(self) -> Iterator[None]:
        """Raise errors of the block as OutputError: those of the disk, and of what MP4 cannot hold."""
        with self._file.output_errors():
            try:
                yield
            except UNSUITABLE_ERRORS as error:
                name, suffix = self.info.path.name, self._file.path.suffix
                raise OutputError(
                    f"the picture of {name} cannot be stored in {suffix} ({error.strerror})",
                    f"export {name} again as MP4 with H.264 and AAC, in another size if that does not help",
                ) from error

    def _discard(self) -> None:
        self._file.discard()  # first, so that closing has little to write
        with suppress(OSError, av.error.FFmpegError):
            self._output.close()
        if self._tracks is not None:
            self._tracks.close()

    def _begin(self, time: Fraction) -> Fraction:
        """Decide what is written, by the time of the first frame; return what becomes 0 in the output."""
        self._end = time + Fraction(self.info.duration).limit_denominator(10**6)
        origin = time
        if self._tracks is not None:
            origin = self._tracks.choose_origin(time)
            self._tracks.begin(OutputSpan(origin, self._end if self.info.duration else math.inf))
        self._timestamps.start(time, origin)
        return origin

    def _add_video_stream(self) -> Any:
        rate = self.info.frame_rate
        stream: Any = self._output.add_stream(
            "libx264",
            rate=rate,
            options={
                "crf": f"{self.settings.crf:g}",
                "preset": self.settings.preset,
                "profile": "high",
                "threads": "auto",
                "g": str(max(1, round(KEY_FRAME_INTERVAL * rate))),
            },
        )
        stream.width, stream.height = (size + size % 2 for size in (self.info.width, self.info.height))
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._timestamps.time_base
        stream.codec_context.colorspace, stream.codec_context.color_range = self._colour.matrix, 1
        stream.codec_context.color_primaries = self._colour.primaries
        stream.codec_context.color_trc = self._colour.transfer
        if self._pixel_aspect != 1:
            stream.codec_context.sample_aspect_ratio = self._pixel_aspect
        return stream


def open_writer(
    target: Path | str,
    info: MediaInfo,
    source: Path | None = None,
    tags: dict[str, str] | None = None,
    settings: EncodeSettings | None = None,
    check: Callable[[], None] | None = None,
    finish: Callable[[Path], None] | None = None,
) -> Writer | StillWriter:
    """Create the writer for a video or a still.

    Args:
        target: the file to write.
        info: of the frames.
        source: gives the sound and the metadata.
        tags: written as metadata.
        settings: of the encoders of a video.
        check: is called while the end of a video is written; may raise an error to stop.
        finish: is called with the path of the complete file before it gets its name; may replace it.

    Raises:
        SettingError: the ending of `target` is unsuitable, or `target` is the source.
        OutputError: the file cannot be created.
    """
    target = Path(target)
    suffixes = STILL_FORMATS if info.is_still else VIDEO_FORMATS
    if target.suffix.lower() not in suffixes:
        kind = "still image" if info.is_still else "video"
        raise SettingError(
            f"a {kind} cannot be written as {target.name}", f"choose a name that ends in {', '.join(suffixes)}"
        )
    if os.path.exists(target) and target.samefile(info.path):
        raise SettingError(f"{target.name} would replace its own source", "choose another name")
    if info.is_still:
        check_still_size(target, info)
        return StillWriter(target, source or info.path, tags or {}, finish)
    return Writer(target, info, source, tags, settings, check, finish)


def default_output(info: MediaInfo, suffix: str) -> Path:
    """Name a file beside the source: clip.mkv and '-happy' give clip-happy.mp4.

    Keeps the ending if it is supported. A name that would be too long for a file system is shortened.
    """
    suffixes = STILL_FORMATS if info.is_still else VIDEO_FORMATS
    ending = info.path.suffix if info.path.suffix.lower() in suffixes else ".png" if info.is_still else ".mp4"
    return info.path.with_name(join_name(info.path.stem, f"{suffix}{ending}"))


def _read_colour_and_aspect(path: Path) -> tuple[ColourTags, Fraction]:
    """Output colour tags and aspect ratio (width over height) of an upright pixel; BT.709 and 1 without a video."""
    try:
        with VideoSource(path, UNLIMITED) as source:
            colour = read_colour(source.stream.codec_context).encodable()
            aspect = Fraction(source.stream.codec_context.sample_aspect_ratio or 1)
            is_transposed = aspect != 1 and read_orientation(source.first(source.frames())[1])[0]
    except UnreadableError:
        return ColourTags(), Fraction(1)
    return colour, 1 / aspect if is_transposed else aspect
