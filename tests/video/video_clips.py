"""Tiny synthetic clips and images."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from asccl.video import Reader, open_writer

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 40), (40, 40, 210), (235, 235, 235)


def quarters(width: int, height: int) -> np.ndarray:
    """Red top left, green top right, blue bottom left, white bottom right."""
    image = np.empty((height, width, 3), np.uint8)
    middle = height // 2, width // 2
    image[: middle[0], : middle[1]], image[: middle[0], middle[1] :] = RED, GREEN
    image[middle[0] :, : middle[1]], image[middle[0] :, middle[1] :] = BLUE, WHITE
    return image


def png(width: int, height: int) -> bytes:
    """A PNG file of `quarters`."""
    buffer = io.BytesIO()
    Image.fromarray(quarters(width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def click(rate: int, seconds: float, start: float, channels: int = 1) -> np.ndarray:
    """Silence with 10 ms of a tone.

    Args:
        rate: Hz.
        seconds: length.
        start: of the tone, in seconds.
        channels: number of channels.

    Returns:
        (channels, n) float32.
    """
    sound = np.zeros((channels, round(rate * seconds)), np.float32)
    first, count = round(start * rate), round(0.01 * rate)
    sound[:, first : first + count] = 0.9 * np.sin(np.arange(count) * 2 * np.pi * 1000 / rate)
    return sound


def make_clip(
    path: Path,
    size: tuple[int, int] = (64, 48),
    rate: Fraction | int = 30,
    times: list[Fraction] | None = None,
    frames: int = 12,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    planes: list[int] | None = None,
    matrix: int = 1,
    primaries: int | None = None,
    transfer: int | None = None,
    full_range: bool = False,
    rotation: int = 0,
    audio: tuple[str, ...] = (),
    audio_start: float = 0.0,
    audio_seconds: float | None = None,
    container: str | None = None,
    cover: bool = False,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip of `quarters` with a bright column that moves.

    Args:
        path: the file to write.
        size: (width, height).
        rate: frames per second.
        times: of the frames, in seconds; None for a constant rate.
        frames: number of frames, without `times`.
        time_base: of the video stream.
        codec: name of a video encoder.
        pix_fmt: pixel format.
        planes: a constant value for each plane, in place of `quarters`.
        matrix: colour matrix, as a number of ISO/IEC 23091-2.
        primaries: the same as the matrix by default.
        transfer: the same as the matrix by default.
        full_range: colour range.
        rotation: degrees.
        audio: names of encoders; each track has a click 0.2 s after audio_start.
        audio_start: seconds.
        audio_seconds: length of the tracks; by default that of the video.
        container: format; by default from the ending.
        cover: whether to add cover art.
        metadata: of the container.
        options: of the video encoder.
    """
    times = times if times is not None else [Fraction(i) / Fraction(rate) for i in range(frames)]
    time_base = time_base or 1 / Fraction(rate)
    options = options or ({"crf": "1", "preset": "ultrafast"} if codec == "libx264" else {})
    with av.open(str(path), "w", format=container) as output:
        output.metadata.update(metadata or {})
        stream = output.add_stream(codec, rate=Fraction(rate), options=options)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_primaries = primaries or matrix
        stream.codec_context.color_trc = transfer or matrix
        stream.codec_context.color_range = 2 if full_range else 1
        if rotation:
            stream.set_display_rotation(rotation)
        tracks = [_add_audio(output, name) for name in audio]
        if cover:
            output.mux(_encode_cover(output))
        length = audio_seconds if audio_seconds is not None else float(len(times) / Fraction(rate))
        for track in tracks:
            _write_audio(output, track, audio_start, length)
        for index, time in enumerate(times):
            frame = _frame(size, pix_fmt, planes, index, matrix)
            frame.pts, frame.time_base = round(time / time_base), time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _frame(size, pix_fmt, planes, index, matrix):
    width, height = size
    if planes is None:
        image = quarters(width, height)
        image[:, index % width] = 255
        sws = {1: 1, 5: 5, 6: 5, 9: 9}.get(matrix, 5)
        frame = av.VideoFrame.from_ndarray(image, "rgb24")
        return frame.reformat(
            format=pix_fmt, src_colorspace=sws, dst_colorspace=sws, src_color_range=2, dst_color_range=1
        )
    frame = av.VideoFrame(width, height, pix_fmt)
    wide = frame.format.components[0].bits > 8
    for plane, value in zip(frame.planes, planes, strict=True):
        values = np.full(plane.buffer_size // (2 if wide else 1), value, np.uint16 if wide else np.uint8)
        plane.update(values.tobytes())
    return frame


def _add_audio(output, name: str):
    options = {"strict": "-2"} if name in ("vorbis", "opus") else {}
    return output.add_stream(name, rate=48000, layout="stereo", options=options)


def _write_audio(output, stream, start: float, length: float) -> None:
    sound = click(48000, length, 0.2, channels=2)
    for first in range(0, sound.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[:, first : first + 1024]), "fltp", "stereo")
        frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
        frame.pts = round(start * 48000) + first
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _encode_cover(output):
    art = output.add_stream("mjpeg", rate=1)
    art.width, art.height, art.pix_fmt = 320, 320, "yuvj420p"
    art.disposition = av.stream.Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(np.full((320, 320, 3), 90, np.uint8), "rgb24").reformat(format="yuvj420p")
    frame.pts = 0
    return art.encode(frame) + art.encode(None)


def click_times(path: Path) -> list[float]:
    """Seconds from the first video frame to the click, for each audio track."""
    with av.open(str(path)) as file:
        first = next(file.decode(video=0))
        video_start = float(first.pts * first.time_base)
        count = len(file.streams.audio)
    times = []
    for track in range(count):
        with av.open(str(path)) as file:
            for frame in file.decode(audio=track):
                values = np.abs(frame.to_ndarray().astype(np.float32))
                if frame.format.name.startswith("s16"):
                    values = values / 32768
                elif frame.format.name.startswith("s32"):
                    values = values / 2**31
                channels = 1 if frame.format.is_planar else frame.layout.nb_channels
                loud = np.flatnonzero(values.max(0) > 0.3)
                if len(loud):
                    times.append(
                        float(frame.pts * frame.time_base) + loud[0] / channels / frame.sample_rate - video_start
                    )
                    break
    return times


def packets(path: Path, track: int = 0) -> list[bytes]:
    """The packets of an audio track."""
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=track) if packet.size]


def copy(source: Path, target: Path, tags: dict[str, str] | None = None, sound: bool = True) -> Path:
    """Read a clip and write it again.

    Args:
        source: the clip to read.
        target: the clip to write.
        tags: metadata to add.
        sound: whether to copy the sound.
    """
    reader = Reader(source)
    with open_writer(target, reader.info, source if sound else None, tags) as writer:
        for frame in reader:
            writer.write(frame)
    return target
