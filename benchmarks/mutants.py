"""Small valid files of ten kinds, and damaged copies of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import ExifTags, Image, ImageCms

from asccl.video.container import open_output

CONTAINERS = {
    "mp4": ("mp4", "libx264", "aac"),
    "mov": ("mov", "mjpeg", "pcm_s16le"),
    "mkv": ("matroska", "libx264", "flac"),
    "webm": ("webm", "libvpx-vp9", "libopus"),
    "avi": ("avi", "mpeg4", "mp3"),
    "ts": ("mpegts", "libx264", "mp2"),
}  # by ending: FFmpeg's name of the format, encoders of picture and sound
PICTURES = ("png", "jpg", "webp", "gif")
KINDS = (*CONTAINERS, *PICTURES)
SIZE = 64, 48  # pixels
FRAMES = 8
RATE = 25  # frames per second
TONE_RATE = 48_000  # Hz
MAX_DAMAGES = 4  # of one file
MAX_BLOCK = 64  # bytes that one damage removes, repeats or replaces
HEADER_SIZE = 512  # bytes of a file that are damaged more often
EXTREMES = (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\x00\x00\x00\x01")


def write_sample(kind: str, folder: Path) -> Path:
    """Write the valid file of a kind.

    Raises:
        KeyError: there is no such kind.
    """
    path = folder / f"sample.{kind}"
    if kind in PICTURES:
        _write_picture(path)
    else:
        _write_video(path, *CONTAINERS[kind])
    return path


def damage(content: bytes, seed: str) -> bytes:
    """Damage a file in one to `MAX_DAMAGES` places; the same seed gives the same damage."""
    rng, data = random.Random(seed), bytearray(content)
    for _ in range(rng.randint(1, MAX_DAMAGES)):
        place = rng.randrange(min(len(data), HEADER_SIZE) if rng.random() < 0.5 else len(data))
        rng.choice(DAMAGES)(data, place, rng)
        if not data:
            break
    return bytes(data)


def _flip_bit(data: bytearray, place: int, rng: random.Random) -> None:
    data[place] ^= 1 << rng.randrange(8)


def _set_number(data: bytearray, place: int, rng: random.Random) -> None:
    data[place : place + 4] = rng.choice(EXTREMES)


def _randomize(data: bytearray, place: int, rng: random.Random) -> None:
    count = min(rng.randint(1, MAX_BLOCK), len(data) - place)
    data[place : place + count] = rng.randbytes(count)


def _remove(data: bytearray, place: int, rng: random.Random) -> None:
    del data[place : place + rng.randint(1, MAX_BLOCK)]


def _repeat(data: bytearray, place: int, rng: random.Random) -> None:
    data[place:place] = data[place : place + rng.randint(1, MAX_BLOCK)]


def _exchange(data: bytearray, place: int, rng: random.Random) -> None:
    other = rng.randrange(len(data))
    data[place], data[other] = data[other], data[place]


def _cut_off(data: bytearray, place: int, rng: random.Random) -> None:
    del data[max(place, 1) :]


DAMAGES: tuple[Callable[[bytearray, int, random.Random], None], ...] = (
    *(_flip_bit, _flip_bit, _set_number, _set_number, _randomize, _remove, _repeat, _exchange, _cut_off),
)


def _pictures() -> Iterator[np.ndarray]:
    """`FRAMES` images (H, W, 3) uint8 RGB with a moving edge."""
    width, height = SIZE
    for shift in range(FRAMES):
        image = np.full((height, width, 3), 90, np.uint8)
        image[:, : 8 + 4 * shift] = 200, 60, 40
        yield image


def _write_video(path: Path, container: str, picture_codec: str, sound_codec: str) -> None:
    with open_output(path, container, {}) as output:
        output.metadata.update({"title": "A title", "comment": "A comment"})
        video: Any = output.add_stream(picture_codec, rate=RATE)
        (video.width, video.height), video.pix_fmt = SIZE, "yuvj420p" if picture_codec == "mjpeg" else "yuv420p"
        sound: Any = output.add_stream(sound_codec, rate=TONE_RATE, layout="mono")
        for image in _pictures():
            output.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(video.encode(None))
        count = FRAMES * TONE_RATE // RATE
        samples = (8000 * np.sin(np.arange(count) * 0.05)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = TONE_RATE, 0, Fraction(1, TONE_RATE)
        output.mux(sound.encode(frame))
        output.mux(sound.encode(None))


def _write_picture(path: Path) -> None:
    images = [Image.fromarray(image) for image in _pictures()]
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Camera", 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"ASCII\0\0\0A comment"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options: dict[str, Any] = {"exif": exif, "icc_profile": profile}
    if path.suffix == ".gif":
        options = {"comment": "A comment"}
    if path.suffix in (".gif", ".webp"):
        options |= {"save_all": True, "append_images": images[1:], "duration": 40}
    images[0].save(path, **options)
