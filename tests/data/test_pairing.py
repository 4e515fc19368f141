"""Warped signals whose partners are known."""

from __future__ import annotations

import numpy as np
import pytest
from media import ROOT

from asccl.data.pairing import HOP_SECONDS, Utterance, dtw_path, mfcc, mouth_motion, pair_frames
from asccl.errors import SettingError, UnreadableError
from asccl.face import mesh
from asccl.morphable.anny_head import load_anny_head
from asccl.video.waveform import SOUND_RATE, read_sound


def slow_cost(a, b):
    """The recurrence, entry by entry."""
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    total[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            cost = np.abs(a[i] - b[j]).sum()
            total[i + 1, j + 1] = cost + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return total[-1, -1]


def test_the_path_is_the_cheapest_one():
    rng = np.random.default_rng(0)
    for n, m in ((1, 1), (1, 5), (7, 1), (12, 17), (30, 19)):
        a, b = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
        path = dtw_path(a, b)
        assert tuple(path[0]) == (0, 0) and tuple(path[-1]) == (n - 1, m - 1)
        steps = np.diff(path, axis=0)
        assert ((steps >= 0) & (steps <= 1)).all() and (steps.sum(1) >= 1).all()
        assert np.abs(a[path[:, 0]] - b[path[:, 1]]).sum() == pytest.approx(slow_cost(a, b))


def test_a_take_is_its_own_partner():
    a = np.random.default_rng(1).normal(size=(40, 2))
    along = np.repeat(np.arange(40)[:, None], 2, 1)
    np.testing.assert_array_equal(dtw_path(a, a), along)
    np.testing.assert_array_equal(dtw_path(np.zeros(40), np.zeros(40)), along)  # silence, too


def test_a_slower_take_is_paired_with_the_right_frames():
    time = np.linspace(0, 1, 200)
    slow = time**1.5  # the moment of the first take that each frame of the second shows

    def signal(t):
        return np.stack([np.sin(23 * t), np.cos(31 * t), np.sin(11 * t)], -1)

    pairs = pair_frames(Utterance(signal(time), 0.04, 25, 200), Utterance(signal(slow), 0.04, 25, 200))
    assert (pairs[:, 0] == np.arange(200)).all() and (np.diff(pairs[:, 1]) >= 0).all()
    assert np.abs(slow[pairs[:, 1]] - time).max() < 0.015


@pytest.mark.parametrize(
    "a, b",
    [(np.zeros((0, 2)), np.zeros((3, 2))), (np.zeros((3, 2)), np.zeros((3, 1))), (np.full(4, np.nan), np.zeros(4))],
)
def test_what_cannot_be_paired_is_refused(a, b):
    with pytest.raises(SettingError):
        dtw_path(a, b)


def babble(moments):
    """A voice whose pitch, loudness and two resonances depend on the moment of a sentence."""
    phase = 2 * np.pi * np.cumsum(110 + 20 * np.sin(3 * moments)) / SOUND_RATE
    source = sum(np.sin(k * phase) / k for k in range(1, 30))
    first, second = 500 + 250 * np.sin(7 * moments), 1500 + 600 * np.cos(5 * moments)
    voiced = [source * np.cos(2 * np.pi * np.cumsum(f) / SOUND_RATE) for f in (first, second)]
    return ((voiced[0] + 0.5 * voiced[1]) * (0.6 + 0.4 * np.sin(11 * moments))).astype(np.float32) * 0.1


def test_sound_pairs_two_takes_of_other_tempo_and_loudness():
    seconds = 4.0
    even = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    warped = even + 0.35 * np.sin(2 * np.pi * even / seconds)
    a = Utterance(mfcc(babble(even)), HOP_SECONDS, 25, 100)
    b = Utterance(mfcc(3 * babble(warped)), HOP_SECONDS, 30, 120)
    pairs = pair_frames(a, b)
    moment = pairs[:, 1] / 30
    error = moment + 0.35 * np.sin(2 * np.pi * moment / seconds) - pairs[:, 0] / 25
    assert np.median(np.abs(error)) < 0.04 and np.abs(error).max() < 0.15  # seconds; unpaired it would be 0.35


def test_cepstra_have_one_row_a_step():
    rows = mfcc(np.random.default_rng(2).normal(size=2 * SOUND_RATE).astype(np.float32))
    assert rows.shape == (60, 13) and np.isfinite(rows).all()
    assert np.isfinite(mfcc(np.zeros(100, np.float32))).all()


def test_mouths_are_compared_whatever_the_face():
    head = load_anny_head()
    jaw, wide = head.index["jawOpen"], head.index["mouthStretchLeft"]
    said = np.zeros((60, 52))
    said[:, jaw] = 0.3 + 0.3 * np.sin(np.arange(60) / 4)
    said[:, wide] = 0.2 + 0.2 * np.cos(np.arange(60) / 7)
    first = head.landmarks(said)
    second = 1.7 * head.landmarks(said, np.random.default_rng(3).normal(size=len(head.identity))) + 40
    a, b = mouth_motion(first), mouth_motion(second)
    assert np.abs(a - b).mean() < 0.15
    np.testing.assert_allclose(a.mean(0), 0, atol=1e-9)
    holes = first.copy()
    holes[20:23] = np.nan
    assert np.abs(mouth_motion(holes) - a).max() < 0.6
    with pytest.raises(SettingError, match="no frame"):
        mouth_motion(np.full((5, mesh.NUM_FACE_LANDMARKS, 2), np.nan))


def test_the_sound_of_a_file():
    sound = read_sound(ROOT / "examples" / "astronaut.mp4")
    assert sound is not None and sound.dtype == np.float32
    assert abs(len(sound) / SOUND_RATE - 3.2) < 0.1 and 0.01 < np.abs(sound).max() <= 1


def test_a_file_without_sound_or_sense(tmp_path, short_clip):
    assert read_sound(short_clip) is None
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    with pytest.raises(UnreadableError, match=r"broken\.mp4"):
        read_sound(broken)
