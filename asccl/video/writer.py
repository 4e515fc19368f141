"""Pictures out: H.264 in MP4 with the source's sound, or a still. The file appears whole or not at all."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av

from asccl.errors import SettingError, UnreadableError
from asccl.files import AtomicFile
from asccl.types import Frame, MediaInfo
from asccl.video.colour import Colour, read_colour
from asccl.video.lazy_image import to_video_frame
from asccl.video.limits import UNLIMITED
from asccl.video.sound import Sound
from asccl.video.source import VideoSource, open_container, read_metadata, read_orientation
from asccl.video.stills import STILL_SUFFIXES, StillWriter, read_still_tags

VIDEO_SUFFIXES = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}
OWN_KEYS = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate"}
KEY_FRAME_SECONDS = 4  # so that a player can jump
COARSE = 1000  # time bases no finer than this (Matroska, FLV) round the times of a constant rate
FINEST = 10_000_000  # units a second that MP4 and players take without trouble


@dataclass(frozen=True)
class EncodeSettings:
    """H.264 settings. crf: 0 to 51, lower is better, 16 cannot be told from the source. preset: a name of x264's."""

    crf: float = 16.0
    preset: str = "veryfast"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.crf) and 0 <= self.crf <= 51):
            raise SettingError(f"crf {self.crf} is out of range", "give a number from 0 to 51")


class Writer:
    """Writes frames as H.264 High, yuv420p, faststart, with their own time stamps, and all sound tracks of `source`.

    target: .mp4, .m4v or .mov. info: of the frames; its file also gives the colour tags and the shape of a pixel.
    source: where the sound and the title come from; None for a silent film. tags: written as MP4 metadata.
    4:2:0 has no odd sizes: an odd width or height grows by one pixel, a copy of the last.
    Use as a context manager: on success the file is renamed into place, on any exception nothing is left.
    Raises SettingError, OutputError.
    """

    def __init__(
        self,
        target: Path,
        info: MediaInfo,
        source: Path | None = None,
        tags: dict[str, str] | None = None,
        settings: EncodeSettings | None = None,
    ):
        self.info, self.settings = info, settings or EncodeSettings()
        self._colour, self._pixel = _look(info.path)
        self._clock = _Clock(info)
        self._origin: Fraction | None = None
        self._sound: Sound | None = None
        self._target = AtomicFile(target)
        try:
            with self._target.output_errors():
                self._output = av.open(
                    f"file:{self._target.temporary_path}",
                    "w",
                    format=VIDEO_SUFFIXES[target.suffix.lower()],
                    options={
                        "movflags": "+faststart+use_metadata_tags",
                        "video_track_timescale": str(self._clock.time_base.denominator),
                    },
                )
                self._stream = self._add_video()
                if source is not None:
                    self._sound = Sound(source, self._output, UNLIMITED.max_pixels)
                    self._output.metadata.update(_inherited(source))
                self._output.metadata.update(tags or {})
        except BaseException:
            self._target.discard()
            raise

    def write(self, frame: Frame) -> None:
        """frame.pixels: of the size in `info`, (H, W, 3); pts must grow. Decoded pixels are encoded as they are."""
        expected = (self.info.height, self.info.width, 3)
        if frame.pixels.shape != expected:
            raise ValueError(f"frame {frame.index} has shape {frame.pixels.shape}, expected {expected}")
        time = frame.pts * self.info.time_base
        if self._origin is None:
            sound = self._sound.start if self._sound else None
            self._origin = time if sound is None or time < 0 else min(time, sound)
            self._clock.start(time, self._origin)
        coded = to_video_frame(frame.pixels, self._colour)
        coded.pts, coded.time_base = self._clock(time), self._clock.time_base
        with self._target.output_errors():
            self._output.mux(self._stream.encode(coded))
            if self._sound is not None:
                self._sound.mux_until(time, self._origin)

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._abandon()
            return
        with self._target:
            if self._origin is None:
                raise ValueError("no frame was written")
            try:
                self._output.mux(self._stream.encode(None))
                if self._sound is not None:
                    self._sound.mux_until(None, self._origin)
                self._output.close()
            except BaseException:
                self._abandon()
                raise
            finally:
                if self._sound is not None:
                    self._sound.close()

    def _abandon(self) -> None:
        self._target.discard()  # first, so that closing has little left to do
        with suppress(OSError, av.error.FFmpegError):
            self._output.close()
        if self._sound is not None:
            self._sound.close()

    def _add_video(self) -> Any:
        rate = self.info.frame_rate
        stream: Any = self._output.add_stream(
            "libx264",
            rate=rate,
            options={
                "crf": f"{self.settings.crf:g}",
                "preset": self.settings.preset,
                "profile": "high",
                "threads": "auto",
                "g": str(max(1, round(KEY_FRAME_SECONDS * rate))),
            },
        )
        stream.width, stream.height = (size + size % 2 for size in (self.info.width, self.info.height))
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._clock.time_base
        stream.codec_context.colorspace, stream.codec_context.color_range = self._colour.matrix, 1
        stream.codec_context.color_primaries = self._colour.primaries
        stream.codec_context.color_trc = self._colour.transfer
        if self._pixel != 1:
            stream.codec_context.sample_aspect_ratio = self._pixel
        return stream


class _Clock:
    """Seconds of the source -> units of the output, exact; only times that a coarse container had rounded (33, 67,
    100 ms for 30000/1001 frames a second) go back to where they belong, less than one unit away."""

    def __init__(self, info: MediaInfo):
        base, self._rate = info.time_base, info.frame_rate
        self._slack = base if base.denominator <= COARSE * base.numerator else Fraction(0)
        units = base.denominator
        if self._slack:
            units = math.lcm(units, self._rate.numerator)
        self.time_base = Fraction(1, units if units <= FINEST else 1_000_000)
        self._first = self._origin = Fraction(0)
        self._last: int | None = None

    def start(self, first: Fraction, origin: Fraction) -> None:
        self._first, self._origin = first, origin

    def __call__(self, time: Fraction) -> int:
        if self._slack:
            regular = self._first + round((time - self._first) * self._rate) / self._rate
            if abs(regular - time) <= self._slack:
                time = regular
        pts = round((time - self._origin) / self.time_base)
        if self._last is not None:
            pts = max(pts, self._last + 1)
        self._last = pts
        return pts


def open_writer(
    target: Path | str,
    info: MediaInfo,
    source: Path | None = None,
    tags: dict[str, str] | None = None,
    settings: EncodeSettings | None = None,
) -> Writer | StillWriter:
    """The writer that fits `info`. Raises SettingError where the ending of `target` does not, OutputError."""
    target = Path(target)
    fitting = STILL_SUFFIXES if info.is_still else VIDEO_SUFFIXES
    if target.suffix.lower() not in fitting:
        what = "picture" if info.is_still else "video"
        raise SettingError(
            f"a {what} cannot be written as {target.name}", f"choose a name that ends in {', '.join(fitting)}"
        )
    if target.exists() and target.samefile(info.path):
        raise SettingError(f"{target.name} would replace its own source", "choose another name")
    if info.is_still:
        return StillWriter(target, source or info.path, tags or {})
    return Writer(target, info, source, tags, settings)


def default_output(info: MediaInfo, suffix: str) -> Path:
    """Beside the source: clip.mkv, '-happy' -> clip-happy.mp4. Keeps the kind of file where we can write it."""
    fitting = STILL_SUFFIXES if info.is_still else VIDEO_SUFFIXES
    ending = info.path.suffix if info.path.suffix.lower() in fitting else ".png" if info.is_still else ".mp4"
    return info.path.with_name(f"{info.path.stem}{suffix}{ending}")


def read_tags(path: Path | str) -> dict[str, str]:
    """Metadata of a video or still, keys in lower case; empty where there is none. Raises UnreadableError."""
    path = Path(path)
    UNLIMITED.check_file(path)
    if tags := read_still_tags(path):
        return tags
    try:
        with open_container(path, UNLIMITED.max_pixels) as container:
            return {key.lower(): value for key, value in read_metadata(container).items()}
    except UnreadableError:
        if path.suffix.lower() in STILL_SUFFIXES:
            return {}
        raise


def _look(path: Path) -> tuple[Colour, Fraction]:
    """Colour tags for the output, and the shape (width over height) of an upright pixel, as the file at `path` has
    them; BT.709 and square where there is no such video."""
    try:
        with VideoSource(path, UNLIMITED) as source:
            colour = read_colour(source.stream.codec_context).encodable()
            shape = Fraction(source.stream.codec_context.sample_aspect_ratio or 1)
            turned = shape != 1 and read_orientation(source.first(source.frames())[1])[0]
    except UnreadableError:
        return Colour(), Fraction(1)
    return colour, 1 / shape if turned else shape


def _inherited(source: Path) -> dict[str, str]:
    with open_container(source, UNLIMITED.max_pixels) as container:
        return {key: value for key, value in read_metadata(container).items() if key.lower() not in OWN_KEYS}
