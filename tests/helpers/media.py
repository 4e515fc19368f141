"""Real faces, tiny: NASA's portrait of Eileen Collins (public domain, in scikit-image) as a still and as a clip."""

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
RATE = Fraction(30000, 1001)
SIZE = 256
FRAMES = 24
SOUND_RATE = 44_100


def astronaut(shift: int = 0, size: int = SIZE) -> np.ndarray:
    """(size, size, 3) uint8 RGB with a face of about 100 pixels in it, moved by `shift` pixels to the left."""
    from skimage import data

    left = 96 + shift
    return np.ascontiguousarray(data.astronaut()[:size, left : left + size])


def write_clip(path: Path, images: list[np.ndarray], rate: Fraction = RATE, sound: bool = True) -> Path:
    """H.264 at a constant rate, with a tone in AAC."""
    import av

    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate, options={"crf": "12", "preset": "ultrafast"})
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("aac", SOUND_RATE, layout="mono") if sound else None
        for image in images:
            out.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(video.encode())
        if audio is not None:
            tone = np.sin(np.arange(int(len(images) / rate * SOUND_RATE)) * 440 * 2 * np.pi / SOUND_RATE)
            for first in range(0, len(tone), 1024):
                part = tone[None, first : first + 1024].astype(np.float32)
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, first, Fraction(1, SOUND_RATE)
                out.mux(audio.encode(frame))
            out.mux(audio.encode())
    return path


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """portrait.png, 256 x 256."""
    from PIL import Image

    path = tmp_path_factory.mktemp("still") / "portrait.png"
    Image.fromarray(astronaut()).save(path)
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """talk.mp4: 24 frames of 256 x 256 at 30000/1001 a second, the head drifting slowly, a tone in AAC."""
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    return write_clip(path, [astronaut(round(8 * np.sin(i / 5))) for i in range(FRAMES)])


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """short.mp4: 12 frames at 10 a second, no sound."""
    path = tmp_path_factory.mktemp("short") / "short.mp4"
    return write_clip(path, [astronaut(i) for i in range(12)], Fraction(10), sound=False)


@pytest.fixture(scope="session")
def editor() -> Editor:
    """One for all tests: it keeps no request's settings, and the networks load once."""
    from asccl import Editor
    from asccl.editing.threads import limit_threads

    limit_threads()
    return Editor()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private folder for temporary files, which must be empty again afterwards."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == [], "temporary files are left"
