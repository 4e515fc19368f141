"""Files that cannot be edited. Each function writes one into a folder and returns its path."""

from __future__ import annotations

import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from media import astronaut, write_clip
from PIL import Image


def no_face(folder: Path) -> Path:
    path = folder / "wall.png"
    Image.fromarray(np.full((120, 160, 3), 140, np.uint8)).save(path)
    return path


def empty(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


def truncated_video(folder: Path) -> Path:
    """Without its table of contents, which lies at the end."""
    complete = write_clip(folder / "complete.mp4", [astronaut()] * 3)
    path = folder / "cut.mp4"
    path.write_bytes(complete.read_bytes()[: complete.stat().st_size // 2])
    return path


def truncated_still(folder: Path) -> Path:
    complete = folder / "complete.png"
    Image.fromarray(astronaut()).save(complete)
    path = folder / "cut.png"
    path.write_bytes(complete.read_bytes()[:20_000])
    return path


def random_bytes(folder: Path) -> Path:
    path = folder / "noise.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    return path


def text(folder: Path) -> Path:
    path = folder / "letter.mp4"
    path.write_text("Dear editor,\n" * 100, encoding="utf-8")
    return path


def no_frames(folder: Path) -> Path:
    path = folder / "nothing.mp4"
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", 25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        output.start_encoding()
    return path


def only_sound(folder: Path) -> Path:
    path = folder / "voice.m4a"
    with av.open(str(path), "w", format="mp4") as output:
        audio = output.add_stream("aac", 16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, 0, Fraction(1, 16_000)
        output.mux(audio.encode(frame))
        output.mux(audio.encode())
    return path


def one_pixel_still(folder: Path) -> Path:
    path = folder / "dot.png"
    Image.new("RGB", (1, 1)).save(path)
    return path


def one_pixel_video(folder: Path) -> Path:
    path = folder / "dot.mkv"
    with av.open(str(path), "w") as output:
        video = output.add_stream("ffv1", 25)
        video.width, video.height, video.pix_fmt = 1, 1, "bgr0"
        output.mux(video.encode(av.VideoFrame(1, 1, "bgr0")))
        output.mux(video.encode())
    return path


def eight_k(folder: Path) -> Path:
    return write_clip(folder / "cinema.mp4", [np.zeros((4320, 7680, 3), np.uint8)], sound=False)


def five_hours(folder: Path) -> Path:
    return write_clip(folder / "opera.mp4", [astronaut(size=64)] * 3, rate=Fraction(1, 6000), sound=False)


def decompression_bomb(folder: Path) -> Path:
    """A small PNG whose header states ten thousand million pixels."""
    return write_png_header(folder / "bomb.png", 100_000, 100_000)


def write_png_header(path: Path, width: int, height: int) -> Path:
    """Write a small PNG whose header states any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path


def subfolder(folder: Path) -> Path:
    path = folder / "sub.mp4"
    path.mkdir()
    return path


def missing(folder: Path) -> Path:
    return folder / "gone.mp4"


def pipe(folder: Path) -> Path:
    path = folder / "pipe.mp4"
    os.mkfifo(path)
    return path


def odd_name(folder: Path) -> Path:
    """A name with characters that FFmpeg gives a meaning to; the file does not exist."""
    return folder / "concat:a.mp4|b%d.mp4"
