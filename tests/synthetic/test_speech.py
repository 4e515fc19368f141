"""Words of synthetic speakers, and emotions that keep them."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.face import mesh
from asccl.synthetic.emotions import apply_emotion, emotion_offset, sample_style
from asccl.synthetic.speech import lip_opening, speech_track, talking_track
from asccl.types import EMOTIONS

MAX_CLOSED_LIP_OPENING = 0.05  # cm


def test_speech_closes_opens_and_rounds_the_lips(head):
    track = speech_track(np.random.default_rng(10), 1000, head)
    opening = lip_opening(track, head)
    assert (opening < 0.02).mean() > 0.13
    assert np.percentile(opening, 95) > 1.0
    assert track[:, head.index["mouthPucker"]].max() > 0.5
    assert track.min() >= 0


def test_speech_is_smooth_at_any_frame_rate(head):
    slow = np.abs(np.diff(lip_opening(speech_track(np.random.default_rng(10), 1000, head), head))).mean()
    fast = np.abs(np.diff(lip_opening(speech_track(np.random.default_rng(10), 2000, head, frame_rate=50), head))).mean()
    assert slow < 0.35  # cm per frame
    assert fast < 0.7 * slow


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_emotion_keeps_the_words(head, emotion):
    rng = np.random.default_rng(8)
    track = talking_track(rng, 600, head)
    before = lip_opening(track, head)
    closed = before < MAX_CLOSED_LIP_OPENING
    assert 0.05 < closed.mean() < 0.5
    for _ in range(3):
        style = sample_style(rng, emotion, head, (1.3, 1.3))
        after = lip_opening(apply_emotion(track, style, head), head)
        assert after[closed].max() < 0.15
        assert np.corrcoef(before, after)[0, 1] > 0.97
        assert (np.abs(after - before) < 0.15 + 0.25 * before).all()


def test_an_emotion_does_not_depend_on_neighbouring_frames(head):
    rng = np.random.default_rng(9)
    track, style = talking_track(rng, 50, head), sample_style(rng, "fear", head)
    single = np.concatenate([emotion_offset(frame[None], style, head) for frame in track])
    np.testing.assert_array_equal(emotion_offset(track, style, head), single)


@pytest.fixture(scope="module")
def faces(head):
    """Mean landmarks in cm of eight styles of some emotions."""
    rng = np.random.default_rng(11)
    rest = np.zeros((1, 52), np.float32)

    def mean_face(emotion):
        coefficients = [apply_emotion(rest, sample_style(rng, emotion, head), head)[0] for _ in range(8)]
        return head.landmarks(np.mean(coefficients, 0))

    return {emotion: mean_face(emotion) for emotion in ("happy", "sad", "surprised", "angry")}


def test_happy_lips_are_higher_and_wider_than_sad_ones(faces):
    happy, sad = (faces[emotion][list(mesh.OUTER_LIP_CORNERS)] for emotion in ("happy", "sad"))
    assert happy[:, 1].mean() < sad[:, 1].mean() - 0.3  # cm
    assert np.ptp(happy[:, 0]) > np.ptp(sad[:, 0]) + 0.3


def test_surprised_brows_are_higher_than_angry_ones(faces):
    surprised, angry = (faces[emotion][list(mesh.LEFT_BROW_TOP)] for emotion in ("surprised", "angry"))
    assert surprised[:, 1].mean() < angry[:, 1].mean() - 0.5  # cm


def test_styles_of_one_emotion_differ(head):
    rng = np.random.default_rng(12)
    styles = [sample_style(rng, "happy", head) for _ in range(50)]
    left, right = (np.array([s.units[head.index["mouthSmile" + side]] for s in styles]) for side in ("Left", "Right"))
    assert all(0.5 <= style.intensity <= 1.3 for style in styles)
    assert left.std() > 0.05
    assert np.abs(left - right).max() > 0.03
