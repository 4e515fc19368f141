"""Clips of the kinds that phones, browsers, cameras and editors write, with a flash and a beep once in each second.

Picture and sound of a clip state the same moments, so the sync of any copy can be measured in milliseconds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from asccl.video.clock_jumps import TS_WRAP
from asccl.video.container import open_container, open_output
from asccl.video.limits import UNLIMITED

SIZE = 64, 48  # pixels
RATE = 25  # frames per second
FLASH_FRAME = 10  # of each second
BEEP_SECONDS = 0.04
BEEP_FREQUENCY = 1000  # Hz
SOUND_CHUNK = 1024  # samples
DIVX_PACKED = b"\x00\x00\x01\xb2DivX503b1393p"  # user data of MPEG-4 that announces packed B frames
VOP_START = b"\x00\x00\x01\xb6"
NOT_CODED_VOP = VOP_START + b"\x50\x7f"


@dataclass(frozen=True)
class ClipPart:
    """A recording of whole seconds.

    Attributes:
        seconds: length.
        start: time stamp of the first frame, in seconds.
        video: name of the encoder of the picture.
        video_options: of that encoder.
        sound: name of the encoder of the sound, None for none.
        rate: of the sound, Hz.
        layout: of the sound.
        sound_seconds: length of the sound, None for that of the picture.
        options: of the muxer.
    """

    seconds: int = 2
    start: Fraction = Fraction(0)
    video: str = "libx264"
    video_options: Mapping[str, str] = field(default_factory=lambda: {"preset": "ultrafast", "bf": "2"})
    sound: str | None = "aac"
    rate: int = 48_000
    layout: str = "stereo"
    sound_seconds: float | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def write_part(path: Path, part: ClipPart, container: str) -> Path:
    """Write a part.

    Args:
        path: the file to write.
        part: what to write.
        container: FFmpeg's name of the format.
    """
    with open_output(path, container, part.options) as output:
        video = output.add_stream(part.video, rate=Fraction(RATE), options=dict(part.video_options))
        video.width, video.height = SIZE
        video.pix_fmt = "yuvj420p" if part.video == "mjpeg" else "yuv420p"
        video.codec_context.max_b_frames = int(part.video_options.get("bf", 0))
        tracks = []
        if part.sound is not None:
            options = {"strict": "-2"} if part.sound == "vorbis" else {}
            track = output.add_stream(part.sound, rate=part.rate, layout=part.layout, options=options)
            tracks = [_encode_sound(track, part)]
        for index in range(part.seconds * RATE):
            image = np.full((SIZE[1], SIZE[0], 3), 235 if index % RATE == FLASH_FRAME else 16, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = index + round(part.start * RATE), Fraction(1, RATE)
            packets = video.encode(frame)
            for sound in tracks:
                due = 1 + len(sound) // (part.seconds * RATE - index)
                output.mux(sound[:due])
                del sound[:due]
            output.mux(packets)
        output.mux(video.encode(None))
        for sound in tracks:
            output.mux(sound)
    return path


def _encode_sound(track: Any, part: ClipPart) -> list[Any]:
    """All packets of a track."""
    seconds = part.seconds if part.sound_seconds is None else part.sound_seconds
    time = np.arange(round(seconds * part.rate)) / part.rate
    since_beep = time % 1 - FLASH_FRAME / RATE
    beep = np.sin(2 * np.pi * BEEP_FREQUENCY * time) * ((since_beep >= 0) & (since_beep < BEEP_SECONDS)) * 0.8
    channels = av.AudioLayout(part.layout).nb_channels
    samples = np.repeat(beep.astype(np.float32)[None], channels, 0)
    packets: list[Any] = []
    for first in range(0, samples.shape[1], SOUND_CHUNK):
        chunk = np.ascontiguousarray(samples[:, first : first + SOUND_CHUNK])
        frame = av.AudioFrame.from_ndarray(chunk, "fltp", part.layout)
        frame.sample_rate, frame.time_base = part.rate, Fraction(1, part.rate)
        frame.pts = first + round(part.start * part.rate)
        packets += track.encode(frame)
    return packets + track.encode(None)


def join_parts(path: Path, parts: Sequence[ClipPart], container: str) -> Path:
    """Write parts one behind the other into one file, byte by byte, as `cat` does.

    Args:
        path: the file to write.
        parts: in their order.
        container: FFmpeg's name of the format.
    """
    content = b"".join(write_part(path, part, container).read_bytes() for part in parts)
    path.write_bytes(content)
    return path


def write_packed_avi(path: Path, part: ClipPart) -> Path:
    """Write an AVI as old XviD and DivX encoders did, with every B frame in the packet of the frame before it."""
    source = write_part(path.with_suffix(".unpacked.avi"), part, "avi")
    with open_container(source, UNLIMITED.max_pixels) as plain, open_output(path, "avi", {}) as output:
        video, sound = plain.streams.video[0], plain.streams.audio[0]
        copies = {s.index: output.add_stream_from_template(s, opaque=True) for s in (video, sound)}
        packets = [packet for packet in plain.demux(video, sound) if packet.size]
        for packet in packets:
            if packet.stream_index == sound.index:
                packet.stream = copies[sound.index]
                output.mux(packet)
        chunks = _pack_b_frames([bytes(p) for p in packets if p.stream_index == video.index])
        for time, chunk in enumerate(chunks):
            packet = av.Packet(chunk)
            packet.pts = packet.dts = time
            packet.time_base, packet.is_keyframe, packet.stream = Fraction(1, RATE), time == 0, copies[video.index]
            output.mux(packet)
    source.unlink()
    return path


def _pack_b_frames(frames: list[bytes]) -> list[bytes]:
    chunks: list[bytes] = []
    for frame in frames:
        coding_type = frame[frame.find(VOP_START) + 4] >> 6  # 0 I, 1 P, 2 B
        if coding_type == 2:
            chunks[-1] += frame
            chunks.append(NOT_CODED_VOP)
        else:
            chunks.append(frame)
    place = chunks[0].find(VOP_START)
    return [chunks[0][:place] + DIVX_PACKED + chunks[0][place:], *chunks[1:]]


def patch_track_length(path: Path, factor: Fraction) -> Path:
    """Multiply the length that the header of the first track of an MP4 states (`mdhd`)."""
    content = bytearray(path.read_bytes())
    place = content.find(b"mdhd") + 4 + 16  # behind version, flags, two times and the time scale; version 0
    (length,) = struct.unpack_from(">I", content, place)
    struct.pack_into(">I", content, place, round(length * factor))
    path.write_bytes(content)
    return path


def patch_segment_length(path: Path, seconds: float) -> Path:
    """Set the length that the header of a Matroska file states."""
    content = bytearray(path.read_bytes())
    place = content.find(b"\x44\x89\x88") + 3  # the element Duration, a double
    struct.pack_into(">d", content, place, 1000 * seconds)
    path.write_bytes(content)
    return path


TS = ClipPart(video_options={"preset": "ultrafast", "bf": "2", "g": "25"})
AVI = ClipPart(video="mpeg4", video_options={"bf": "1", "b_strategy": "0"}, sound="libmp3lame", layout="mono")
WEBM = ClipPart(video="libvpx", video_options={"deadline": "realtime"}, sound="libopus", layout="mono")

CLIPS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "A: transport streams joined": ("ts", lambda p: join_parts(p, [TS, TS], "mpegts")),
    "A: clock jumps ahead by 38 s": ("ts", lambda p: join_parts(p, [TS, replace(TS, start=Fraction(40))], "mpegts")),
    "A: clock jumps ahead by 3 s": ("ts", lambda p: join_parts(p, [TS, replace(TS, start=Fraction(5))], "mpegts")),
    "A: clock goes back by 80 ms": (
        "ts",
        lambda p: join_parts(p, [TS, replace(TS, start=Fraction(2))], "mpegts"),
    ),
    "A: clock goes back by an hour": (
        "ts",
        lambda p: join_parts(p, [replace(TS, start=Fraction(3600)), TS], "mpegts"),
    ),
    "A: three parts, ahead and back": (
        "ts",
        lambda p: join_parts(p, [TS, replace(TS, start=Fraction(60)), TS], "mpegts"),
    ),
    "A: 33-bit clock wraps around": (
        "ts",
        lambda p: write_part(p, replace(TS, seconds=4, start=Fraction(round(TS_WRAP) - 2)), "mpegts"),
    ),
    "A: program streams joined": (
        "mpg",
        lambda p: join_parts(p, [replace(TS, video="mpeg2video", sound="mp2")] * 2, "vob"),
    ),
    "A: B frames in AVI": ("avi", lambda p: write_part(p, replace(AVI, sound="pcm_s16le"), "avi")),
    "A: packed B frames in AVI": ("avi", lambda p: write_packed_avi(p, replace(AVI, sound="pcm_s16le"))),
    "A: negative start": ("nut", lambda p: write_part(p, ClipPart(start=Fraction(-1)), "nut")),
    "B: browser recording": ("webm", lambda p: write_part(p, replace(WEBM, options={"live": "1"}), "webm")),
    "B: track header 30 times too short": (
        "mp4",
        lambda p: patch_track_length(write_part(p, ClipPart(), "mp4"), Fraction(1, 30)),
    ),
    "B: track header 30 times too long": (
        "mp4",
        lambda p: patch_track_length(write_part(p, ClipPart(), "mp4"), Fraction(30)),
    ),
    "B: fragmented MP4": (
        "mp4",
        lambda p: write_part(p, ClipPart(options={"movflags": "frag_keyframe+empty_moov"}), "mp4"),
    ),
    "B: Matroska header of 10 hours": (
        "mkv",
        lambda p: patch_segment_length(write_part(p, ClipPart(), "matroska"), 36_000),
    ),
    "C: MP2 turns from stereo to mono": (
        "ts",
        lambda p: join_parts(p, [replace(TS, sound="mp2"), replace(TS, sound="mp2", layout="mono")], "mpegts"),
    ),
    "C: AAC turns from mono to stereo": (
        "ts",
        lambda p: join_parts(p, [replace(TS, layout="mono"), TS], "mpegts"),
    ),
    "C: MP3 turns from 48 to 32 kHz": (
        "ts",
        lambda p: join_parts(
            p, [replace(TS, sound="libmp3lame"), replace(TS, sound="libmp3lame", rate=32_000)], "mpegts"
        ),
    ),
    "C: AC-3 turns from 5.1 to stereo": (
        "ts",
        lambda p: join_parts(p, [replace(TS, sound="ac3", layout="5.1"), replace(TS, sound="ac3")], "mpegts"),
    ),
    "D: MP3 of 8 kHz": ("avi", lambda p: write_part(p, replace(AVI, rate=8000), "avi")),
    "D: MP3 of 11 kHz": ("avi", lambda p: write_part(p, replace(AVI, rate=11_025), "avi")),
    "D: PCM of 24 bits": ("mov", lambda p: write_part(p, ClipPart(sound="pcm_s24le"), "mov")),
    "D: A-law of 8 kHz": ("avi", lambda p: write_part(p, replace(AVI, sound="pcm_alaw", rate=8000), "avi")),
    "D: 5.1 in FLAC": ("mkv", lambda p: write_part(p, ClipPart(sound="flac", layout="5.1"), "matroska")),
}
