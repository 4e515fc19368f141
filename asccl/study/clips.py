"""Clips of a study, made alike: what plays in every browser, and nothing left in it that tells the method.

A clip that a browser plays is re-muxed: pictures and sound stay bit for bit, metadata, track names and the encoder's
note inside the H.264 stream go. Any other, or every one with `same_codec`, is encoded anew.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from asccl.errors import InputError, LimitError
from asccl.files import AtomicFile
from asccl.types import Frame, MediaInfo
from asccl.video import EncodeSettings, Limits, Reader, Writer
from asccl.video.source import open_container

LIMITS = Limits(max_bytes=2 * 2**30, max_seconds=300.0)
SAME = EncodeSettings(crf=16)
NO_SEI = "filter_units=remove_types=6"  # where x264 notes its version and every setting
MOSAIC = 8  # blocks along the shorter side of a broken clip
EPOCH = (1_000_000_000, 1_000_000_000)  # every file of every study bears this time


@dataclass(frozen=True)
class Ingested:
    seconds: float
    width: int
    height: int


def ingest(source: Path, target: Path, anew: bool = False) -> Ingested:
    """Writes `target` (.mp4). Raises InputError, OutputError."""
    LIMITS.check_file(source)
    if anew or not _plays(source):
        _encode(source, target)
        _remux(target, target)
    else:
        _remux(source, target)
    os.utime(target, EPOCH)
    return _measure(source, target)


def broken(source: Path, target: Path, rng: random.Random) -> Ingested:
    """The clip as a coarse mosaic with its frames in disorder: nobody who looks prefers it."""
    frames, info = _frames(source)
    order = list(range(len(frames)))
    rng.shuffle(order)
    block = max(1, min(info.width, info.height) // MOSAIC)
    with Writer(target, info, source, settings=SAME) as writer:
        for place, index in enumerate(order):
            image = frames[index].image[::block, ::block]
            image = image.repeat(block, axis=0).repeat(block, axis=1)[: info.height, : info.width]
            writer.write(Frame(np.ascontiguousarray(image), place, frames[place].pts))
    _remux(target, target)
    os.utime(target, EPOCH)
    return _measure(source, target)


def differences(outputs: dict[str, Ingested]) -> list[str]:
    """What could tell the methods of one item apart, in words."""
    said = []
    if len({(one.width, one.height) for one in outputs.values()}) > 1:
        said.append("size (" + ", ".join(f"{name} {one.width}x{one.height}" for name, one in outputs.items()) + ")")
    seconds = [one.seconds for one in outputs.values()]
    if max(seconds) - min(seconds) > 0.2:
        said.append("length (" + ", ".join(f"{name} {one.seconds:.1f} s" for name, one in outputs.items()) + ")")
    return said


def _plays(path: Path) -> bool:
    """H.264 with 8 bits and 4:2:0 in MP4 or MOV, with AAC, MP3 or no sound: every browser plays it."""
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


def _frames(source: Path) -> tuple[list[Frame], MediaInfo]:
    with Reader(source, LIMITS) as reader:
        frames = list(reader)
        if not frames:
            raise InputError(f"{source.name} has no frames", "export it again")
        if sum(frame.image.nbytes for frame in frames[:1]) * len(frames) > 2 * 2**30:
            raise LimitError(f"{source.name} is too long for a broken copy", "cut it to a few seconds")
        return frames, reader.info


def _encode(source: Path, target: Path) -> None:
    with Reader(source, LIMITS) as reader, Writer(target, reader.info, source, settings=SAME) as writer:
        for frame in reader:
            writer.write(frame)


def _remux(source: Path, target: Path) -> None:
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with AtomicFile(target) as file, open_container(source, LIMITS.max_pixels) as container:
        try:
            with av.open(f"file:{file.temporary_path}", "w", format="mp4", options=options) as out:
                _copy(container, out)
        except av.error.FFmpegError as error:
            raise InputError(f"{source.name} cannot be copied ({error.strerror})", "export it again") from None


def _copy(container: Any, out: Any) -> None:
    """The video and the first sound track, without their notes."""
    video, sound = container.streams.video[0], next(iter(container.streams.audio), None)
    kept = {stream.index: out.add_stream_from_template(stream) for stream in (video, sound) if stream is not None}
    for stream in kept.values():
        stream.metadata.clear()
        stream.metadata.update({"handler_name": "", "language": "und"})
    out.metadata.clear()
    clean = BitStreamFilterContext(NO_SEI, video, kept[video.index])
    for packet in container.demux([stream for stream in (video, sound) if stream is not None]):
        target = kept[packet.stream_index]
        packets: Iterable[Any] = (packet,)
        if packet.stream_index == video.index:
            packets = clean.filter(packet if packet.size else None)
        for one in packets:
            if one.dts is not None:
                one.stream = target
                out.mux(one)


def _measure(source: Path, target: Path) -> Ingested:
    with open_container(target, LIMITS.max_pixels) as container:
        stream = container.streams.video[0]
        seconds = float((stream.duration or 0) * (stream.time_base or Fraction(1)))
        size = stream.codec_context.width, stream.codec_context.height
    if seconds <= 0:
        raise InputError(f"{source.name} has no length", "export it again")
    if seconds > LIMITS.max_seconds:
        raise LimitError(f"{source.name} lasts longer than {LIMITS.max_seconds:g} seconds", "cut out the part you need")
    return Ingested(seconds, *size)
