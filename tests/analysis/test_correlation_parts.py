"""Where faces are cut, which frames belong together, what names tell, which moments are kept."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from media import astronaut

from asccl.analysis.clip_pairs import find_pairs, pair_clips, parse_clip_name
from asccl.analysis.face_alignment import TEMPLATE, align_crops
from asccl.analysis.result import WORST, WorstFrames
from asccl.analysis.temporal_alignment import align_frames, subsample
from asccl.errors import InputError
from asccl.face import mesh
from asccl.face.store import LandmarkStore
from asccl.face.tracker import FaceMeshTracker
from asccl.morphable.reconstruct import TrackedClip
from asccl.types import Track


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    with FaceMeshTracker() as tracker:
        landmarks = tracker.track(astronaut()).landmarks
    assert landmarks is not None
    return landmarks


def shown(matrix: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]


def test_two_poses_come_to_lie_on_each_other(face):
    turn = np.array([[1.2, -0.3], [0.3, 1.1]])
    moved = face.copy()
    moved[:, :2] = face[:, :2] @ turn.T + (9, -4)
    where = align_crops(face, moved, "landmarks")
    off = np.linalg.norm(shown(where.source, face) - shown(where.generated, moved), axis=1)
    assert off.max() < 0.5  # of 112 pixels
    aside = align_crops(face, moved, "place")
    assert np.linalg.norm(shown(aside.source, face) - shown(aside.generated, moved), axis=1).max() > 5


def test_the_mouth_has_no_say_in_where_the_face_is_cut(face):
    open_mouth = face.copy()
    open_mouth[list(mesh.LIPS), 1] += 12
    for alignment in ("place", "landmarks"):
        still, moved = align_crops(face, face, alignment), align_crops(open_mouth, open_mouth, alignment)
        assert np.allclose(still.source, moved.source) and np.allclose(still.generated, moved.generated)


def test_eyes_lie_where_arcface_wants_them(face):
    points = mesh.arcface_points(shown(align_crops(face, face, "place").source, face))
    assert np.linalg.norm(points[:2] - mesh.ARCFACE_TEMPLATE[:2], axis=1).max() < 6
    assert TEMPLATE.shape == (len(mesh.RIGID_LANDMARKS), 2)


def test_a_picture_of_another_size_is_cut_at_the_same_place(face):
    image = astronaut()
    doubled = image.repeat(2, 0).repeat(2, 1)
    where = align_crops(face, face * 2, "place", scale=2.0)
    a, b = where.crop(image, doubled)
    assert np.abs(a.astype(int) - b).mean() < 6 and where.valid(image, doubled).all()
    assert not align_crops(face - (90, 0, 0), face, "place").valid(image, image).all()  # it looks beyond the frame


def followed(landmarks: np.ndarray, rate: float, every: int = 1) -> TrackedClip:
    store = LandmarkStore()
    for row in landmarks:
        store.append(row)
    info = SimpleNamespace(frame_rate=Fraction(rate).limit_denominator(1000), path=Path("talk.mp4"), is_still=False)
    n = len(landmarks)
    track = Track(np.ones(n, np.float32), np.zeros(n, np.int32))
    return TrackedClip(info, np.arange(n) * every / rate, track, store, every)  # type: ignore[arg-type]


def talking(face: np.ndarray, opening: np.ndarray) -> np.ndarray:
    out = np.repeat(face[None], len(opening), 0)
    out[:, list(mesh.LOWER_INNER_LIP), 1] += opening[:, None] * 10
    return out


def test_the_same_moments_whatever_the_frame_rates(face):
    a, b = followed(np.repeat(face[None], 50, 0), 25), followed(np.repeat(face[None], 60, 0), 30)
    rows = align_frames(a, b, "time")
    assert len(rows) == 50 and np.abs(a.times[rows[:, 0]] - b.times[rows[:, 1]]).max() <= 0.5 / 30 + 1e-9
    ahead = align_frames(a, b, "time", offset=0.2)
    assert np.abs(a.times[ahead[:, 0]] - b.times[ahead[:, 1]] - 0.2).max() <= 0.5 / 30 + 1e-9
    short = followed(np.repeat(face[None], 30, 0), 30)
    assert align_frames(a, short, "time")[-1, 0] <= 26  # what has no partner is left out


def test_another_take_is_warped_by_the_mouth(face):
    say = np.abs(np.sin(np.linspace(0, 9, 90))) * np.linspace(0.4, 1, 90)
    slow = np.interp(np.linspace(0, 89, 135), np.arange(90), say)
    rows = align_frames(followed(talking(face, say), 30), followed(talking(face, slow), 30), "mouth")
    assert np.abs(rows[10:80, 1] - 1.5 * rows[10:80, 0]).mean() < 4
    straight = np.abs(rows[10:80, 0] - 1.5 * rows[10:80, 0]).mean()
    assert straight > 15  # what pairing by time would be off by


def test_thinning_keeps_both_ends():
    rows = np.arange(20).reshape(10, 2)
    assert subsample(rows, 3)[[0, -1]].tolist() == [[0, 1], [18, 19]] and len(subsample(rows, None)) == 10


def test_the_worst_moments_are_few_and_apart():
    kept = WorstFrames()
    for i in range(300):
        kept.add(1 - ((i * 37) % 100) / 100, (i / 25, i / 25), lambda: (astronaut(), astronaut()))
    times = sorted(m.times[0] for m in kept.worst())
    assert len(times) == WORST and np.diff(times).min() >= 0.4
    assert [m.similarity for m in kept.worst()] == sorted(m.similarity for m in kept.worst())
    assert kept.worst()[0].similarity == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("name", "emotion", "sentence"),
    [
        ("talk-happy.mp4", "happy", "talk"),
        ("Talk Neutral.mov", "neutral", "talk"),
        ("anger_01.mp4", "angry", "01"),
        ("unhappy.mp4", None, "unhappy"),
        ("01-01-07-02-01-02-03.mp4", "disgusted", "01-02-03"),
        ("01-01-02-01-01-02-03.mp4", None, "01-02-03"),
    ],
)
def test_names_tell_emotions(name, emotion, sentence):
    assert parse_clip_name(Path(name))[1:] == (emotion, sentence)


def test_folders_of_mead_tell_emotions(tmp_path):
    for part in ("neutral/level_1/001.mp4", "happy/level_3/001.mp4", "sad/level_3/001.mp4", "sad/level_3/002.mp4"):
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / part).touch()
    (tmp_path / "neutral/level_1/002.mp4").touch()
    (tmp_path / "notes.txt").touch()
    found = find_pairs(tmp_path)
    assert [p.label for p in found] == ["neutral – happy", "neutral – sad", "neutral – sad"]
    assert [p.source.name for p in found] == [p.generated.name for p in found]


def test_clips_without_a_pair_are_refused():
    with pytest.raises(InputError, match="name the clips by emotion"):
        pair_clips([parse_clip_name(Path("a.mp4")), parse_clip_name(Path("b.mp4"))])
