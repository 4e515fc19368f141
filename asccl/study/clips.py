"""Clips of a study, prepared to play in every browser and to reveal nothing of the method.

A clip that browsers play is remuxed: video and sound stay bit for bit, while metadata, track names and the encoder's
note inside the H.264 stream are removed. All other clips are reencoded, and with `same_codec` every clip is.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from asccl.errors import InputError, LimitError
from asccl.files import NO_SPACE_ERRORS, AtomicFile
from asccl.types import Frame, MediaInfo
from asccl.video import EncodeSettings, Limits, Reader, Writer
from asccl.video.container import open_container, open_output

LIMITS = Limits(max_bytes=2 * 2**30, max_seconds=300.0)
MAX_DECODED_BYTES = 2 * 2**30  # of all frames of a clip that gets a broken copy
MAX_LENGTH_DIFFERENCE = 0.2  # s, between the outputs of an item, above which a warning is given
ENCODING = EncodeSettings(crf=16, for_browsers=True)
REMUX_OPTIONS = {"movflags": "+faststart", "fflags": "+bitexact"}
SEI_FILTER = "filter_units=remove_types=6"  # removes the message in which x264 notes its version and settings
MOSAIC_BLOCKS = 8  # along the shorter side of a broken clip
FILE_TIMES = (1_000_000_000, 1_000_000_000)  # access and modification time of all clips, s since the epoch


@dataclass(frozen=True)
class ClipInfo:
    """Length in seconds and size in pixels of a prepared clip."""

    seconds: float
    width: int
    height: int


class _RemuxError(InputError):
    """A clip cannot be copied as it is."""


def import_clip(source: Path, target: Path, reencode: bool = False) -> ClipInfo:
    """Write a prepared copy of a clip.

    Args:
        source: any video within `LIMITS`.
        target: the copy, .mp4.
        reencode: encode also what browsers play.

    Raises:
        InputError: the source cannot be used.
        OutputError: the target cannot be written.
    """
    LIMITS.check_file(source)
    if not reencode and _is_web_playable(source):
        try:
            return _finish_clip(source, source, target)
        except _RemuxError:
            pass  # it breaks a rule of MP4 that an encoded copy keeps
    with Reader(source, LIMITS) as reader:
        if reader.info.is_still:
            raise InputError(f"{source.name} is a picture", "give a video")
        with Writer(target, reader.info, source, settings=ENCODING) as writer:
            for frame in reader:
                writer.write(frame)
    return _finish_clip(source, target, target)


def write_broken_clip(source: Path, target: Path, rng: random.Random) -> ClipInfo:
    """Write the clip as a coarse mosaic with shuffled frames, which no attentive participant prefers.

    Args:
        source: the video to break.
        target: the broken copy, .mp4.
        rng: order of the frames.

    Raises:
        InputError: the source cannot be used.
        OutputError: the target cannot be written.
    """
    frames, info = _decode(source)
    order = list(range(len(frames)))
    rng.shuffle(order)
    block = max(1, min(info.width, info.height) // MOSAIC_BLOCKS)
    with Writer(target, info, source, settings=ENCODING) as writer:
        for position, index in enumerate(order):
            mosaic = frames[index].image[::block, ::block]
            mosaic = mosaic.repeat(block, axis=0).repeat(block, axis=1)[: info.height, : info.width]
            writer.write(Frame(np.ascontiguousarray(mosaic), position, frames[position].pts))
    return _finish_clip(source, target, target)


def describe_differences(outputs: Mapping[str, ClipInfo]) -> list[str]:
    """Return in words by what participants could tell the methods of one item apart: size or length."""
    descriptions = []
    if len({(info.width, info.height) for info in outputs.values()}) > 1:
        sizes = ", ".join(f"{method} {info.width}x{info.height}" for method, info in outputs.items())
        descriptions.append(f"size ({sizes})")
    seconds = [info.seconds for info in outputs.values()]
    if max(seconds) - min(seconds) > MAX_LENGTH_DIFFERENCE:
        lengths = ", ".join(f"{method} {info.seconds:.1f} s" for method, info in outputs.items())
        descriptions.append(f"length ({lengths})")
    return descriptions


def _is_web_playable(path: Path) -> bool:
    """Return whether every browser plays a file: H.264, 8 bits, 4:2:0 in MP4 or MOV, with AAC, MP3 or no sound."""
    with open_container(path, LIMITS.max_pixels) as container:
        video = [stream for stream in container.streams.video if stream.codec_context is not None]
        sound = [stream for stream in container.streams.audio if stream.codec_context is not None]
        return (
            "mp4" in container.format.name
            and len(video) == 1
            and video[0].codec_context.name == "h264"
            and video[0].codec_context.pix_fmt in ("yuv420p", "yuvj420p")
            and all(stream.codec_context.name in ("aac", "mp3", "mp3float") for stream in sound)
        )


def _decode(source: Path) -> tuple[list[Frame], MediaInfo]:
    with Reader(source, LIMITS) as reader:
        frames = list(reader)
        if not frames:
            raise InputError(f"{source.name} has no frames", "export it again")
        if frames[0].image.nbytes * len(frames) > MAX_DECODED_BYTES:
            raise LimitError(f"{source.name} is too long for a broken copy", "cut it to a few seconds")
        return frames, reader.info


def _finish_clip(source: Path, playable: Path, target: Path) -> ClipInfo:
    """Remux a playable file to `target` and measure the result."""
    _remux(playable, target)
    os.utime(target, FILE_TIMES)
    return _measure(source, target)


def _remux(source: Path, target: Path) -> None:
    with AtomicFile(target) as file, open_container(source, LIMITS.max_pixels) as container:
        try:
            with open_output(file.temporary_path, "mp4", REMUX_OPTIONS) as output:
                _copy_streams(container, output)
        except av.error.FFmpegError as error:
            if error.errno in NO_SPACE_ERRORS:
                raise
            problem = f"the sound or the picture of {source.name} cannot be stored in MP4 ({error.strerror})"
            raise _RemuxError(problem, "export it again as MP4 with H.264 and AAC") from None


def _copy_streams(container: Any, output: Any) -> None:
    """Copy the video and the first sound track without metadata."""
    video, sound = container.streams.video[0], next(iter(container.streams.audio), None)
    streams = [stream for stream in (video, sound) if stream is not None]
    copies = {stream.index: output.add_stream_from_template(stream) for stream in streams}
    for copy in copies.values():
        copy.metadata.clear()
        copy.metadata.update({"handler_name": "", "language": "und"})
    output.metadata.clear()
    sei_filter = BitStreamFilterContext(SEI_FILTER, video, copies[video.index])
    for packet in container.demux(streams):
        copy = copies[packet.stream_index]
        filtered: Iterable[Any] = (packet,)
        if packet.stream_index == video.index:
            filtered = sei_filter.filter(packet if packet.size else None)
        for part in filtered:
            if part.dts is not None:
                part.stream = copy
                output.mux(part)


def _measure(source: Path, target: Path) -> ClipInfo:
    with open_container(target, LIMITS.max_pixels) as container:
        stream = container.streams.video[0]
        seconds = float((stream.duration or 0) * (stream.time_base or Fraction(1)))
        size = stream.codec_context.width, stream.codec_context.height
    if seconds <= 0:
        raise InputError(f"{source.name} has no length", "export it again")
    if seconds > LIMITS.max_seconds:
        raise LimitError(f"{source.name} lasts longer than {LIMITS.max_seconds:g} seconds", "cut out the part you need")
    return ClipInfo(seconds, *size)
