"""Small media with a real face: NASA's portrait of Eileen Collins (public domain, in scikit-image)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from asccl.editing.editor import Editor

ROOT = Path(__file__).parents[2]
RATE = Fraction(30000, 1001)  # frames per second
SIZE = 256  # pixels
FRAMES = 24
SOUND_RATE = 44_100  # Hz
TONE = 440  # Hz


def astronaut(shift: int = 0, size: int = SIZE) -> np.ndarray:
    """The portrait (size, size, 3) uint8 RGB with a face of about 100 pixels, moved by `shift` pixels to the left."""
    from skimage import data

    left = 96 + shift
    return np.ascontiguousarray(data.astronaut()[:size, left : left + size])


def write_clip(path: Path, images: list[np.ndarray], rate: Fraction = RATE, sound: bool = True) -> Path:
    """Write H.264 at a constant rate, with a tone in AAC.

    Args:
        path: the file to write.
        images: (H, W, 3) uint8 RGB.
        rate: frames per second.
        sound: whether to add the tone.
    """
    import av

    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate, options={"crf": "12", "preset": "ultrafast"})
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt = "yuv420p"
        audio = output.add_stream("aac", SOUND_RATE, layout="mono") if sound else None
        for image in images:
            output.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(video.encode())
        if audio is not None:
            tone = np.sin(np.arange(int(len(images) / rate * SOUND_RATE)) * TONE * 2 * np.pi / SOUND_RATE)
            for first in range(0, len(tone), 1024):
                part = tone[None, first : first + 1024].astype(np.float32)
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, first, Fraction(1, SOUND_RATE)
                output.mux(audio.encode(frame))
            output.mux(audio.encode())
    return path


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG, 256 x 256: portrait.png."""
    from PIL import Image

    path = tmp_path_factory.mktemp("still") / "portrait.png"
    Image.fromarray(astronaut()).save(path)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of a slowly moving head: talk.mp4, 24 frames of 256 x 256 at 30000/1001 per second, a tone in AAC."""
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    return write_clip(path, [astronaut(round(8 * np.sin(i / 5))) for i in range(FRAMES)])


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A silent video: short.mp4, 12 frames at 10 per second."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    return write_clip(path, [astronaut(i) for i in range(12)], Fraction(10), sound=False)


@pytest.fixture(scope="session")
def editor() -> Editor:
    """One editor for all tests: it keeps no settings of a request, and the networks are loaded once."""
    from asccl import Editor
    from asccl.editing.threads import limit_threads

    limit_threads()
    return Editor()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private folder for temporary files, which must be empty after the test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == [], "temporary files are left"
