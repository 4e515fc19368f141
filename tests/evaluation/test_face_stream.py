from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from media import astronaut, write_clip

from asccl.errors import InputError
from asccl.evaluation.evaluate import evaluate_pool, pair_chunks
from asccl.evaluation.face_stream import FaceStreams, parse_stream_name
from asccl.evaluation.frechet import FrechetDistance
from asccl.evaluation.measure import ClipPair


class CountingTracker:
    """Finds the same face in every frame and counts the frames."""

    tracked = 0

    def start(self, person: object) -> None:
        pass

    def track(self, image: np.ndarray):
        from types import SimpleNamespace

        CountingTracker.tracked += 1
        return SimpleNamespace(landmarks=np.ones((478, 3), np.float32))

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def panels(tmp_path_factory):
    """Four panels of 64 pixels for 10 frames; the third is black from frame 6 on."""
    images = []
    for t in range(10):
        image = np.repeat(np.full((64, 4, 1), 60, np.uint8) + np.arange(4, dtype=np.uint8)[None, :, None] * 40, 64, 1)
        image = np.repeat(image, 3, 2)
        if t >= 6:
            image[:, 128:192] = 0
        images.append(image)
    return write_clip(tmp_path_factory.mktemp("panels") / "panels.mp4", images, Fraction(30))


@pytest.fixture
def streams():
    CountingTracker.tracked = 0
    with FaceStreams(CountingTracker) as opened:
        yield opened


def test_a_panel_ends_where_it_becomes_black(panels, streams):
    assert sum(len(chunk) for chunk in streams.open(f"{panels}#2").chunks()) == 6


def test_a_panel_is_a_quarter_of_the_frame(panels, streams):
    chunk = next(streams.open(f"{panels}#3").chunks())
    assert chunk.images[0].shape == (64, 64, 3)
    assert chunk.images[0].mean() == pytest.approx(180, abs=8)


def test_a_stream_is_tracked_once(panels, streams):
    for _ in range(2):
        sum(len(chunk) for chunk in streams.open(f"{panels}#0").chunks())
    assert CountingTracker.tracked == 10


def test_a_clip_may_be_compared_with_itself(panels, streams):
    clip = ClipPair("a", streams.open(f"{panels}#0"), streams.open(f"{panels}#0"))
    assert sum(len(chunk) for chunk in pair_chunks(clip)) == 10


def test_a_negative_offset_skips_generated_frames(panels, streams):
    clip = ClipPair("a", streams.open(f"{panels}#0"), streams.open(f"{panels}#1"), offset=-3)
    assert [(chunk.source.start, chunk.generated.start, len(chunk)) for chunk in pair_chunks(clip)] == [(0, 3, 7)]


def test_a_panel_beyond_the_fourth_is_named():
    with pytest.raises(InputError, match="#0 to #3"):
        parse_stream_name("clip.mp4#4")


def test_a_missing_file_is_named(streams):
    with pytest.raises(InputError, match=r"nothing\.mp4"):
        streams.open("nothing.mp4")


def test_features_that_are_not_finite_leave_out_the_distance(panels, streams):
    measure = FrechetDistance("fad", lambda chunk: np.full((len(chunk), 3), np.nan))
    assert evaluate_pool(streams.open(f"{panels}#0"), [measure]) == {}


def test_a_real_face_is_tracked_and_its_sound_is_read(tmp_path):
    path = write_clip(tmp_path / "face.mp4", [astronaut(i) for i in range(4)])
    with FaceStreams() as opened:
        stream = opened.open(path)
        assert next(stream.chunks()).valid.all()
        assert stream.sound is not None
