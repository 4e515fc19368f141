"""A talking clip of any size and duration, made from the bundled example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from asccl.types import Image
from asccl.video import Reader
from training.assets.make_examples import EXAMPLE_SOUND_RATE, FRAME_RATE, synthesize_voice, write_example

EXAMPLE = Path(__file__).parent.parent / "examples" / "astronaut.mp4"
NOISE = 2.0  # standard deviation of the camera noise in levels of 255
NOISE_FRAMES = 4  # different noise images, repeated in turn


def talking_clip(path: Path, width: int, height: int, seconds: float) -> Path:
    """Write the example, forwards and backwards in turn, with camera noise and in front of its blurred self.

    Args:
        path: MP4 file (H.264 and AAC) to write.
        width: pixels.
        height: pixels.
        seconds: duration.

    Returns:
        `path`.
    """
    voice = np.resize(synthesize_voice(), int(seconds * EXAMPLE_SOUND_RATE))
    write_example(path, _frames(width, height, round(seconds * FRAME_RATE)), voice, preset="veryfast")
    return path


def _frames(width: int, height: int, count: int) -> Iterator[Image]:
    with Reader(EXAMPLE) as reader:
        images = [_centre_on_canvas(frame.image, width, height) for frame in reader]
    rng = np.random.default_rng(0)
    noise = [rng.normal(0, NOISE, (height, width, 1)).astype(np.float32) for _ in range(NOISE_FRAMES)]
    loop = images + images[-2:0:-1]
    for index in range(count):
        noisy = loop[index % len(loop)] + noise[index % NOISE_FRAMES]
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def _centre_on_canvas(image: Image, width: int, height: int) -> Image:
    """Put a square image in the middle of a canvas that is filled with the blurred image."""
    side = min(width, height)
    inner = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if side < len(image) else cv2.INTER_CUBIC)
    canvas = cv2.GaussianBlur(cv2.resize(image, (width, height)), (0, 0), side / 20)
    top, left = (height - side) // 2, (width - side) // 2
    canvas[top : top + side, left : left + side] = inner
    return canvas
