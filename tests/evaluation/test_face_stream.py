from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest
from media import astronaut, write_clip

from asccl.errors import InputError
from asccl.evaluation.baselines import ShuffledStream
from asccl.evaluation.evaluate import evaluate_pool, pair_chunks
from asccl.evaluation.face_stream import FaceStreams, parse_stream_name
from asccl.evaluation.frechet import FrechetDistance
from asccl.evaluation.measure import ClipPair


class CountingTracker:
    """Finds a face in every frame, moved by the frames since it started, and counts all frames."""

    tracked = 0

    def start(self, person: object) -> None:
        self.followed = 0

    def track(self, image: np.ndarray):
        from types import SimpleNamespace

        CountingTracker.tracked += 1
        self.followed += 1
        return SimpleNamespace(landmarks=np.full((478, 3), self.followed, np.float32))

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


def test_landmarks_do_not_depend_on_how_far_a_stream_was_read_before(panels, streams):
    stream = streams.open(f"{panels}#0")
    frames = stream.frames()
    next(frames)
    frames.close()
    assert [int(landmarks[0, 0]) for _, landmarks in stream.frames()] == list(range(1, 11))


def test_known_landmarks_are_read_without_decoding(panels, streams, monkeypatch):
    stream = streams.open(f"{panels}#0")
    expected = [landmarks for _, landmarks in stream.frames()]
    monkeypatch.setattr(stream, "images", None)
    np.testing.assert_array_equal(list(stream.landmarks()), expected)


def test_features_of_a_stream_are_computed_once(panels, streams):
    stream = streams.open(f"{panels}#0")
    first = [chunk.features("net", lambda c: c.landmarks[:, 0]) for chunk in stream.chunks(4)]
    again = [chunk.features("net", lambda _: pytest.fail("computed again")) for chunk in stream.chunks(4)]
    np.testing.assert_array_equal(np.concatenate(again), np.concatenate(first))


def test_features_of_other_frames_are_others(panels, streams):
    stream = streams.open(f"{panels}#0")
    sizes = [len(chunk.features("net", lambda c: c.landmarks)) for n in (4, 5) for chunk in stream.chunks(n)]
    assert sizes == [4, 4, 2, 5, 5]


def test_shuffled_frames_do_not_get_the_features_of_the_source(panels, streams):
    stream = streams.open(f"{panels}#0")
    for chunk in stream.chunks():
        chunk.features("net", lambda c: c.landmarks[:, 0, 0])
    shuffled = [chunk.features("net", lambda c: c.landmarks[:, 0, 0]) for chunk in ShuffledStream(stream).chunks()]
    assert np.concatenate(shuffled).tolist() == [6, 7, 8, 9, 10, 1, 2, 3, 4, 5]


def test_the_streams_used_last_stay_open(panels):
    with FaceStreams(CountingTracker, capacity=2) as streams:
        first, second = streams.open(f"{panels}#0"), streams.open(f"{panels}#1")
        assert streams.open(f"{panels}#0") is first
        streams.open(f"{panels}#2")
        assert streams.open(f"{panels}#0") is first
        assert streams.open(f"{panels}#1") is not second


def test_a_file_that_has_changed_is_opened_anew(panels, streams, tmp_path):
    path = tmp_path / "copy.mp4"
    path.write_bytes(panels.read_bytes())
    stream = streams.open(path)
    os.utime(path, ns=(0, 0))
    assert streams.open(path) is not stream


def test_an_unfinished_stream_gives_its_tracker_back(panels, streams):
    stream = streams.open(f"{panels}#0")
    next(stream.frames())
    streams.discard_unfinished()
    assert streams.open(f"{panels}#0") is not stream


def test_a_clip_may_be_compared_with_itself(panels, streams):
    clip = ClipPair(streams.open(f"{panels}#0"), streams.open(f"{panels}#0"))
    assert sum(len(chunk) for chunk in pair_chunks(clip)) == 10


def test_a_negative_offset_skips_generated_frames(panels, streams):
    clip = ClipPair(streams.open(f"{panels}#0"), streams.open(f"{panels}#1"), offset=-3)
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
