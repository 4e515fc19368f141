"""A talking clip of any size and length, made from the example that is shipped."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from asccl.video import Reader
from training.assets.make_examples import RATE, SOUND_RATE, babble

EXAMPLE = Path(__file__).parent.parent / "examples" / "astronaut.mp4"


def talking_clip(path: Path, width: int, height: int, seconds: float) -> Path:
    """Writes H.264 and AAC: the example, forwards and backwards for as long as asked, with some grain as a camera has
    it, in front of its own blurred edges."""
    with Reader(EXAMPLE) as reader:
        frames = [_on_stage(frame.image, width, height) for frame in reader]
    rng = np.random.default_rng(0)
    grain = [rng.normal(0, 2.0, (height, width, 1)).astype(np.float32) for _ in range(4)]
    sound = babble()
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", RATE, options={"crf": "18", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = out.add_stream("aac", SOUND_RATE, bit_rate=96_000)
        audio.layout = "mono"  # type: ignore[attr-defined]
        for index in range(round(seconds * RATE)):
            place = index % (2 * len(frames) - 2)
            image = frames[place if place < len(frames) else 2 * len(frames) - 2 - place]
            noisy = np.clip(image + grain[index % 4], 0, 255).astype(np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        out.mux(video.encode())
        for begin in range(0, int(seconds * SOUND_RATE), 1024):
            part = np.take(sound, range(begin, begin + 1024), mode="wrap")[None]
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, begin, Fraction(1, SOUND_RATE)
            out.mux(audio.encode(frame))
        out.mux(audio.encode())
    return path


def _on_stage(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The square picture in the middle of a wide one, its own blurred edges around it."""
    side = min(width, height)
    inner = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if side < len(image) else cv2.INTER_CUBIC)
    stage = cv2.GaussianBlur(cv2.resize(image, (width, height)), (0, 0), side / 20)
    top, left = (height - side) // 2, (width - side) // 2
    stage[top : top + side, left : left + side] = inner
    return stage
